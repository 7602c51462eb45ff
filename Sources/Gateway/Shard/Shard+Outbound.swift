import GatewayDomain
import Protocol

/// The queue of every connection, and how it leaves: appended while the turn runs, written once at its end.
extension Shard {
  /// Queues one frame for one connection.
  func send(_ slot: Int32, _ frame: SharedFrame) {
    guard let index = frames.admit(frame) else {
      condemn(slot, .slowConsumer)
      return
    }
    enqueue(slot, index)
    frames.settle(index)
  }

  /// Queues our close frame. There is room for it in a full queue too: it is at most 127 bytes, and the last ones.
  func sendLastWord(_ slot: Int32, _ frame: [UInt8]) {
    guard let index = frames.admit(.raw(frame)) else { return condemn(slot, .drop) }
    append(slot, index)
    frames.settle(index)
  }

  /// Queues a frame that is in the pool already: an append, no reference counting and no encoding.
  func enqueue(_ slot: Int32, _ frame: Int32) {
    let phase = connections[slot].phase
    // Behind a frame that did not fit nothing may follow, or the peer would see a gap.
    guard phase == .open || phase == .http || phase == .closing, !connections[slot].isCondemned else { return }
    let byteCount = unsafe frames.bytes(frame, compressed: connections[slot].readsCompressed).count
    if isFull(slot, for: byteCount) {
      // What a turn queues leaves at its end: only a peer whose kernel refuses is slow.
      if !connections[slot].awaitsWritable { flush(slot) }
      if connections[slot].isCondemned { return }
      if isFull(slot, for: byteCount) {
        condemn(slot, .slowConsumer)
        return
      }
    }
    append(slot, frame)
  }

  /// An empty queue takes a frame of any size.
  private func isFull(_ slot: Int32, for byteCount: Int) -> Bool {
    let pending = Int(connections[slot].pendingByteCount)
    return pending > 0 && pending + byteCount > sendByteCountMax(slot)
  }

  private func append(_ slot: Int32, _ frame: Int32) {
    let compressed = connections[slot].readsCompressed
    let pending = Int(connections[slot].pendingByteCount)
    let byteCount = unsafe frames.bytes(frame, compressed: compressed).count
    guard let node = outboundNodes.take() else {
      condemn(slot, .slowConsumer)
      return
    }
    frames.addWaiter(frame)
    outboundNodes[node] = OutboundNode(
      frame: frame, next: -1, isCompressed: compressed, isHTTP: connections[slot].phase == .http)
    if connections[slot].outboundTail >= 0 {
      outboundNodes[connections[slot].outboundTail].next = node
    } else {
      connections[slot].outboundHead = node
    }
    connections[slot].outboundTail = node
    connections[slot].pendingByteCount = Int32(clamping: pending + byteCount)
    mark(slot)
  }

  /// A connection's hard limit. Echo pauses its reader instead, and HTTP answers are bounded by what was asked.
  private func sendByteCountMax(_ slot: Int32) -> Int {
    if connections[slot].phase == .http || connections[slot].endpoint == .echo { return Int(Int32.max) / 2 }
    return shared.configuration.sendBufferByteCount
  }

  /// Puts the connection on the list of those that are written at the end of the turn.
  func mark(_ slot: Int32) {
    guard !connections[slot].isMarked, !connections[slot].awaitsWritable else { return }
    connections[slot].isMarked = true
    flushList.append(slot)
  }

  /// Phase 6.
  func flushConnections() {
    var position = 0
    while position < flushList.count {
      let slot = flushList[position]
      position += 1
      guard connections[slot].isMarked else { continue }
      connections[slot].isMarked = false
      flush(slot)
    }
    flushList.removeAll(keepingCapacity: true)
  }

  /// Writes until the queue is empty or the kernel refuses; small frames leave together.
  private func flush(_ slot: Int32) {
    while connections[slot].outboundHead >= 0 {
      let outcome: StreamOutcome
      let attempted: Int
      let head = connections[slot].outboundHead
      let offset = Int(connections[slot].headByteOffset)
      let first = unsafe frames.bytes(
        outboundNodes[head].frame, compressed: outboundNodes[head].isCompressed)
      if outboundNodes[head].next < 0 || first.count - offset >= ShardLimits.directSendByteCountMin {
        // SAFETY: offset is below the frame's count: a frame that has left entirely is taken off the queue.
        let rest = unsafe UnsafeRawBufferPointer(rebasing: first[offset...])
        attempted = rest.count
        outcome = unsafe environment.send(connections[slot].descriptor, rest)
      } else {
        attempted = gather(slot)
        // SAFETY: gather returns at most the buffer's size.
        outcome = unsafe environment.send(
          connections[slot].descriptor, UnsafeRawBufferPointer(rebasing: sendBuffer[..<attempted]))
      }
      switch outcome {
      case .moved(let count):
        metrics.add(.sentBytes, count)
        advance(slot, by: count)
        if count < attempted { return awaitWritable(slot) }
      case .wouldBlock: return awaitWritable(slot)
      case .ended, .failed:
        condemn(slot, .drop)
        return
      }
    }
    drained(slot)
  }

  /// Copies the queue's frames together, as many as fit.
  private func gather(_ slot: Int32) -> Int {
    var count = 0
    var node = connections[slot].outboundHead
    var offset = Int(connections[slot].headByteOffset)
    while node >= 0 {
      let bytes = unsafe frames.bytes(outboundNodes[node].frame, compressed: outboundNodes[node].isCompressed)
      let taken = unsafe min(bytes.count - offset, sendBuffer.count - count)
      // SAFETY: offset + taken ≤ the frame's count, count + taken ≤ the buffer's.
      unsafe UnsafeMutableRawBufferPointer(rebasing: sendBuffer[count..<(count + taken)])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + taken)]))
      count += taken
      if unsafe count == sendBuffer.count { break }
      offset = 0
      node = outboundNodes[node].next
    }
    return count
  }

  /// Takes what has left off the queue.
  private func advance(_ slot: Int32, by count: Int) {
    var left = count
    connections[slot].pendingByteCount -= Int32(clamping: count)
    while left > 0, connections[slot].outboundHead >= 0 {
      let node = connections[slot].outboundHead
      let byteCount = unsafe frames.bytes(outboundNodes[node].frame, compressed: outboundNodes[node].isCompressed).count
      let remaining = byteCount - Int(connections[slot].headByteOffset)
      if left < remaining {
        connections[slot].headByteOffset += Int32(left)
        return
      }
      left -= remaining
      popHead(slot)
      metrics.add(.messagesSent)
    }
  }

  private func popHead(_ slot: Int32) {
    let node = connections[slot].outboundHead
    connections[slot].outboundHead = outboundNodes[node].next
    if connections[slot].outboundHead < 0 { connections[slot].outboundTail = -1 }
    connections[slot].headByteOffset = 0
    frames.removeWaiter(outboundNodes[node].frame)
    outboundNodes.give(node)
  }

  private func awaitWritable(_ slot: Int32) {
    guard !connections[slot].awaitsWritable else { return }
    connections[slot].awaitsWritable = true
    updatePolling(slot)
  }

  /// Everything queued has left.
  private func drained(_ slot: Int32) {
    connections[slot].pendingByteCount = 0
    if connections[slot].lags { catchUp(slot) }
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
        unsafe frames.bytes(outboundNodes[node].frame, compressed: outboundNodes[node].isCompressed).count
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
