import GatewayDomain
import Protocol

/// The queue of every connection, and how it leaves: appended while the turn runs, written once at its end.
extension Shard {
  /// Queues one frame for one connection, behind everything that came for it before.
  func send(_ slot: Int32, _ frame: SharedFrame) {
    closeRuns(before: slot)
    guard let index = frames.admit(frame) else {
      condemn(slot, .slowConsumer)
      return
    }
    enqueue(slot, index)
    frames.settle(index)
    hasten(slot)
  }

  /// Queues our close frame. There is room for it in a full queue too: it is at most 127 bytes, and the last ones.
  func sendLastWord(_ slot: Int32, _ frame: [UInt8]) {
    closeRuns(before: slot)
    guard let index = frames.admit(.raw(frame)) else { return condemn(slot, .drop) }
    unsafe append(connections.place(slot), slot, index, frames.place(index), byteCount: frame.count)
    frames.settle(index)
    hasten(slot)
  }

  /// HTTP peers follow no task.
  private func closeRuns(before slot: Int32) {
    if connections[slot].phase != .http { closeRuns() }
  }

  /// Queues a frame that is in the pool already: an append, no reference counting and no encoding.
  func enqueue(_ slot: Int32, _ frame: Int32) {
    unsafe enqueue(connections.place(slot), slot, frame, frames.place(frame))
  }

  /// The same for a walk over many, which knows the places already.
  @inline(__always)
  func enqueue(
    _ connection: UnsafeMutablePointer<Connection>, _ slot: Int32, _ frame: Int32,
    _ entry: UnsafeMutablePointer<FramePool.Entry>
  ) {
    // Behind a frame that did not fit nothing may follow, or the peer would see a gap.
    guard unsafe connection.pointee.takesFrames else { return }
    let byteCount = unsafe entry.pointee.bytes(compressed: connection.pointee.readsCompressed).count
    if unsafe connection.pointee.pendingByteCount > 0, unsafe !hasRoom(connection, slot, for: byteCount) { return }
    unsafe append(connection, slot, frame, entry, byteCount: byteCount)
  }

  /// Whether a queue that has something in it takes so much more; where not, the connection is condemned.
  /// An empty queue takes a frame of any size.
  private func hasRoom(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32, for byteCount: Int) -> Bool {
    if unsafe !isFull(connection, for: byteCount) { return true }
    // What a turn queues leaves at its end: only a peer whose kernel refuses is slow.
    if unsafe !connection.pointee.awaitsWritable { flush(slot) }
    if unsafe connection.pointee.isCondemned { return false }
    if unsafe !isFull(connection, for: byteCount) { return true }
    condemn(slot, .slowConsumer)
    return false
  }

  private func isFull(_ connection: UnsafeMutablePointer<Connection>, for byteCount: Int) -> Bool {
    let pending = unsafe Int(connection.pointee.pendingByteCount)
    return unsafe pending > 0 && pending + byteCount > sendByteCountMax(connection)
  }

  @inline(__always)
  private func append(
    _ connection: UnsafeMutablePointer<Connection>, _ slot: Int32, _ frame: Int32,
    _ entry: UnsafeMutablePointer<FramePool.Entry>, byteCount: Int
  ) {
    guard let node = outboundNodes.take() else {
      condemn(slot, .slowConsumer)
      return
    }
    unsafe entry.pointee.waiterCount += 1
    unsafe outboundNodes.place(node).pointee = OutboundNode(
      frame: frame, next: -1, isHTTP: connection.pointee.phase == .http)
    if unsafe connection.pointee.outboundTail >= 0 {
      unsafe outboundNodes[connection.pointee.outboundTail].next = node
    } else {
      unsafe connection.pointee.outboundHead = node
    }
    unsafe connection.pointee.outboundTail = node
    unsafe connection.pointee.pendingByteCount = Int32(clamping: Int(connection.pointee.pendingByteCount) + byteCount)
    unsafe mark(connection, slot)
  }

  /// A connection's hard limit. Echo pauses its reader instead, and HTTP answers are bounded by what was asked.
  private func sendByteCountMax(_ connection: UnsafeMutablePointer<Connection>) -> Int {
    if unsafe connection.pointee.phase == .http || connection.pointee.endpoint == .echo { return Int(Int32.max) / 2 }
    return shared.configuration.sendBufferByteCount
  }

  /// Puts the connection on the list of those that are written at the end of the turn.
  func mark(_ slot: Int32) { unsafe mark(connections.place(slot), slot) }

  /// The same for who knows the place already.
  @inline(__always)
  private func mark(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32) {
    guard unsafe !connection.pointee.isMarked, unsafe !connection.pointee.awaitsWritable else { return }
    unsafe connection.pointee.isMarked = true
    flushList.append(slot)
  }

  /// Somebody waits for an answer: a connection that an earlier turn has left goes to this turn's list.
  private func hasten(_ slot: Int32) {
    guard connections[slot].isLeftOver else { return }
    connections[slot].isLeftOver = false
    flushList.append(slot)
  }

  /// Everything queued has left: what waited for that.
  func drained(_ slot: Int32) {
    // It reads on when its turn to be written comes, not here: who has just queued something may still be at it.
    if connections[slot].lags, connections[slot].phase == .open { mark(slot) }
    switch connections[slot].phase {
    case .flushing:
      if connections[slot].endsStream {
        // The peer may still be sending: closing now could reset the connection before it has read our last word.
        connections[slot].endsStream = false
        connections[slot].lingers = true
        environment.shutdownSending(connections[slot].descriptor)
        resumeReading(slot)
        schedule(slot, in: ShardLimits.lingerMilliseconds)
      } else if !connections[slot].lingers {
        condemn(slot, .drop)
      }
    case .open where connections[slot].endpoint == .echo: resumeReading(slot)
    case .open where connections[slot].endpoint == .sse: streamHasSpoken(slot)
    case .http where connections[slot].exchange?.isHeldBack == true:
      connections[slot].exchange?.isHeldBack = false
      resumable.append(token(of: slot))
    case .open, .http, .closing, .free: break
    }
  }

  /// Empties the queue. With `keepingHead` a frame that has left in part stays, or the stream would break in its middle,
  /// and so do HTTP answers, because the peer reads frames only behind the handshake's.
  func dropQueue(_ slot: Int32, keepingHead: Bool) {
    let head = connections[slot].outboundHead
    var lastKept: Int32 = -1
    var keptByteCount = 0
    var node = head
    while keepingHead, node >= 0,
      outboundNodes[node].isHTTP || (node == head && connections[slot].headByteOffset > 0)
    {
      keptByteCount +=
        unsafe frames.bytes(outboundNodes[node].frame, compressed: connections[slot].readsCompressed).count
      lastKept = node
      node = outboundNodes[node].next
    }
    while node >= 0 {
      let next = outboundNodes[node].next
      frames.removeWaiter(outboundNodes[node].frame)
      outboundNodes.give(node)
      node = next
    }
    if lastKept >= 0 {
      outboundNodes[lastKept].next = -1
      connections[slot].outboundTail = lastKept
      connections[slot].pendingByteCount = Int32(clamping: keptByteCount) - connections[slot].headByteOffset
    } else {
      connections[slot].outboundHead = -1
      connections[slot].outboundTail = -1
      connections[slot].headByteOffset = 0
      connections[slot].pendingByteCount = 0
    }
  }

  /// Sentences a connection; carried out at the end of the turn, because topics may be walked now.
  func condemn(_ slot: Int32, _ sentence: Condemned.Sentence) {
    guard connections[slot].phase != .free, !connections[slot].isCondemned else { return }
    connections[slot].isCondemned = true
    if case .slowConsumer = sentence { metrics.add(.slowConsumers(.closed)) }
    condemned.append(Condemned(token: token(of: slot), sentence: sentence))
  }
}
