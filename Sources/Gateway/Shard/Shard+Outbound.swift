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
    if unsafe !connection.pointee.isMarked, unsafe !connection.pointee.awaitsWritable {
      unsafe connection.pointee.isMarked = true
      flushList.append(slot)
    }
  }

  /// A connection's hard limit. Echo pauses its reader instead, and HTTP answers are bounded by what was asked.
  private func sendByteCountMax(_ connection: UnsafeMutablePointer<Connection>) -> Int {
    if unsafe connection.pointee.phase == .http || connection.pointee.endpoint == .echo { return Int(Int32.max) / 2 }
    return shared.configuration.sendBufferByteCount
  }

  /// Puts the connection on the list of those that are written at the end of the turn.
  func mark(_ slot: Int32) {
    guard !connections[slot].isMarked, !connections[slot].awaitsWritable else { return }
    connections[slot].isMarked = true
    flushList.append(slot)
  }

  /// Somebody waits for an answer: a connection that an earlier turn has left goes to this turn's list.
  private func hasten(_ slot: Int32) {
    guard connections[slot].isLeftOver else { return }
    connections[slot].isLeftOver = false
    flushList.append(slot)
  }

  // MARK: Phase 6

  /// Writes what this turn has queued, then what earlier turns have left, both within the turn's budget: a broadcast to
  /// twenty thousand leaves in slices, between which everybody else is served.
  func flushConnections() {
    var budget = FlushBudget()
    var position = 0
    while position < flushList.count, budget.isLeft {
      flushMarked(flushList[position], &budget)
      position += 1
    }
    budget.grant(ShardLimits.leftOverFlushesPerTurnMin)
    while leftOverPosition < leftOver.count, budget.isLeft {
      let slot = leftOver[leftOverPosition]
      leftOverPosition += 1
      // Where a later answer has hastened it, it has left from the other list.
      if connections[slot].isLeftOver { flushMarked(slot, &budget) }
    }
    sendBatch()
    keepLeftOver(from: position)
  }

  @inline(__always)
  private func flushMarked(_ slot: Int32, _ budget: inout FlushBudget) {
    let connection = unsafe connections.place(slot)
    guard unsafe connection.pointee.isMarked else { return }
    unsafe connection.pointee.isMarked = false
    unsafe connection.pointee.isLeftOver = false
    unsafe budget.spend(byteCount: Int(connection.pointee.pendingByteCount))
    guard unsafe connection.pointee.outboundHead >= 0 else { return unsafe queueHasLeft(connection, slot) }
    // Copies of frames lie behind those of the others in the batch; where they might not fit, the batch goes first.
    if unsafe gatheredByteCount + Int(connection.pointee.pendingByteCount) > sendBuffer.count { sendBatch() }
    unsafe batch.append(connection.pointee.descriptor, nextPiece(connection, copyingTo: &gatheredByteCount))
    batchSlots.append(slot)
    if batch.isFull { sendBatch() }
  }

  /// Hands what has come together to the kernel, and settles with each connection what became of it.
  private func sendBatch() {
    guard batch.count > 0 else { return }
    environment.send(batch)
    gatheredByteCount = 0
    var sentByteCount = 0
    var messageCount = 0
    for index in 0..<batch.count {
      let slot = batchSlots[index]
      let connection = unsafe connections.place(slot)
      let byteCount = batch.byteCount(index)
      if batch.hasLeft(index), unsafe hasOneFrame(connection) {
        sentByteCount += byteCount
        unsafe messageCount += removeOnlyFrame(connection, slot)
      } else if settle(slot, batch.outcome(index), attempted: byteCount) {
        flush(slot)
      }
    }
    metrics.add(.sentBytes, sentByteCount)
    metrics.add(.messagesSent, messageCount)
    batch.removeAll()
    batchSlots.removeAll(keepingCapacity: SendBatch.countMax)
  }

  /// The part of this turn's list that was not reached goes behind what earlier turns have left.
  private func keepLeftOver(from first: Int) {
    var position = first
    if leftOverPosition == leftOver.count {
      leftOver.removeAll(keepingCapacity: ShardLimits.flushListCapacityMax)
      leftOverPosition = 0
    } else if leftOverPosition > ShardLimits.flushListCapacityMax, leftOverPosition * 2 > leftOver.count {
      leftOver.removeFirst(leftOverPosition)
      leftOverPosition = 0
    }
    while position < flushList.count {
      let slot = flushList[position]
      position += 1
      let connection = unsafe connections.place(slot)
      guard unsafe connection.pointee.isMarked, unsafe !connection.pointee.isLeftOver else { continue }
      unsafe connection.pointee.isLeftOver = true
      leftOver.append(slot)
    }
    flushList.removeAll(keepingCapacity: ShardLimits.flushListCapacityMax)
  }

  /// Writes until the queue is empty or the kernel refuses. Not while a batch is being filled, whose bytes may lie in the
  /// send buffer.
  private func flush(_ slot: Int32) {
    let connection = unsafe connections.place(slot)
    while unsafe connection.pointee.outboundHead >= 0 {
      var start = 0
      let piece = unsafe nextPiece(connection, copyingTo: &start)
      let outcome = unsafe environment.send(connection.pointee.descriptor, piece)
      guard settle(slot, outcome, attempted: piece.count) else { return }
    }
    unsafe queueHasLeft(connection, slot)
  }

  /// The bytes of a queue, which is not empty, that leave next: a frame from where it lies, small ones copied together.
  /// - Parameter start: where in the send buffer copies go; behind them afterwards.
  @inline(__always)
  private func nextPiece(
    _ connection: UnsafeMutablePointer<Connection>, copyingTo start: inout Int
  ) -> UnsafeRawBufferPointer {
    let head = unsafe outboundNodes.place(connection.pointee.outboundHead)
    let first = unsafe frames.bytes(head.pointee.frame, compressed: connection.pointee.readsCompressed)
    let offset = unsafe Int(connection.pointee.headByteOffset)
    if unsafe head.pointee.next < 0 || first.count - offset >= ShardLimits.directSendByteCountMin {
      // SAFETY: offset is below the frame's count: a frame that has left entirely is taken off the queue.
      return unsafe UnsafeRawBufferPointer(rebasing: first[offset...])
    }
    return unsafe gather(connection, at: &start)
  }

  /// Takes note of a send; true where there is more to send and the kernel may take it.
  private func settle(_ slot: Int32, _ outcome: StreamOutcome, attempted: Int) -> Bool {
    let connection = unsafe connections.place(slot)
    switch outcome {
    case .moved(let count):
      metrics.add(.sentBytes, count)
      if count == attempted, unsafe hasOneFrame(connection) {
        unsafe metrics.add(.messagesSent, removeOnlyFrame(connection, slot))
        return false
      }
      unsafe advance(connection, by: count)
      if count == attempted { return true }
      awaitWritable(slot)
    case .wouldBlock: awaitWritable(slot)
    case .ended, .failed: condemn(slot, .drop)
    }
    return false
  }

  /// Whether the queue has one frame in it: what nearly always happens, and it leaves in one piece.
  @inline(__always)
  private func hasOneFrame(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    unsafe connection.pointee.outboundHead >= 0
      && connection.pointee.outboundHead == connection.pointee.outboundTail
  }

  /// The queue's only frame has left: the messages that it was.
  @inline(__always)
  private func removeOnlyFrame(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32) -> Int {
    let node = unsafe connection.pointee.outboundHead
    let frame = unsafe outboundNodes.place(node).pointee.frame
    let entry = unsafe frames.place(frame)
    let messageCount = unsafe Int(entry.pointee.messageCount)
    unsafe connection.pointee.outboundHead = -1
    unsafe connection.pointee.outboundTail = -1
    unsafe connection.pointee.headByteOffset = 0
    unsafe frames.removeWaiter(frame, at: entry)
    outboundNodes.give(node)
    unsafe queueHasLeft(connection, slot)
    return messageCount
  }

  @inline(__always)
  private func queueHasLeft(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32) {
    unsafe connection.pointee.pendingByteCount = 0
    if unsafe connection.pointee.hasMoreToDo { drained(slot) }
  }

  /// Copies the queue's frames together, as many as fit.
  private func gather(
    _ connection: UnsafeMutablePointer<Connection>, at start: inout Int
  ) -> UnsafeRawBufferPointer {
    // SAFETY: the start is at most the buffer's size.
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: sendBuffer[start...])
    var count = 0
    var node = unsafe connection.pointee.outboundHead
    var offset = unsafe Int(connection.pointee.headByteOffset)
    while node >= 0 {
      let entry = unsafe outboundNodes.place(node)
      let bytes = unsafe frames.bytes(entry.pointee.frame, compressed: connection.pointee.readsCompressed)
      let taken = min(bytes.count - offset, room.count - count)
      // SAFETY: offset + taken ≤ the frame's count, count + taken ≤ the room's.
      unsafe UnsafeMutableRawBufferPointer(rebasing: room[count..<(count + taken)])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + taken)]))
      count += taken
      if count == room.count { break }
      offset = 0
      node = unsafe entry.pointee.next
    }
    start += count
    return unsafe UnsafeRawBufferPointer(rebasing: room[..<count])
  }

  /// Takes what has left off the queue.
  private func advance(_ connection: UnsafeMutablePointer<Connection>, by count: Int) {
    var left = count
    var messageCount = 0
    unsafe connection.pointee.pendingByteCount -= Int32(clamping: count)
    while left > 0, unsafe connection.pointee.outboundHead >= 0 {
      let node = unsafe connection.pointee.outboundHead
      let head = unsafe outboundNodes.place(node)
      let frame = unsafe head.pointee.frame
      let entry = unsafe frames.place(frame)
      let byteCount = unsafe entry.pointee.bytes(compressed: connection.pointee.readsCompressed).count
      let remaining = unsafe byteCount - Int(connection.pointee.headByteOffset)
      if left < remaining {
        unsafe connection.pointee.headByteOffset += Int32(left)
        break
      }
      left -= remaining
      unsafe messageCount += Int(entry.pointee.messageCount)
      unsafe connection.pointee.outboundHead = head.pointee.next
      unsafe connection.pointee.headByteOffset = 0
      unsafe frames.removeWaiter(frame, at: entry)
      outboundNodes.give(node)
    }
    if unsafe connection.pointee.outboundHead < 0 { unsafe connection.pointee.outboundTail = -1 }
    if messageCount > 0 { metrics.add(.messagesSent, messageCount) }
  }

  private func awaitWritable(_ slot: Int32) {
    guard !connections[slot].awaitsWritable else { return }
    connections[slot].awaitsWritable = true
    updatePolling(slot)
  }

  /// Everything queued has left: what waited for that.
  private func drained(_ slot: Int32) {
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

/// What may be written in one turn before the loop looks again at who else wants something.
private struct FlushBudget {
  private var connectionCount = ShardLimits.flushesPerTurnMax
  private var byteCount = ShardLimits.flushByteCountPerTurnMax

  var isLeft: Bool { connectionCount > 0 && byteCount > 0 }

  mutating func spend(byteCount spent: Int) {
    connectionCount -= 1
    byteCount -= spent
  }

  /// At least so many connections more, so that a busy turn does not starve what earlier ones have left.
  mutating func grant(_ connectionCountMin: Int) {
    connectionCount = max(connectionCount, connectionCountMin)
    byteCount = max(byteCount, 1)
  }
}
