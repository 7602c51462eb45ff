import Protocol

/// Phase 6: what is queued leaves, in one system call for each connection.
extension Shard {
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
    keepLeftOver(from: position)
  }

  @inline(__always)
  private func flushMarked(_ slot: Int32, _ budget: inout FlushBudget) {
    let connection = unsafe connections.place(slot)
    guard unsafe connection.pointee.isMarked else { return }
    // While it is marked still, so that what it queues does not mark it again.
    if unsafe connection.pointee.lags, unsafe connection.pointee.outboundHead < 0 { readOn(slot) }
    unsafe connection.pointee.isMarked = false
    unsafe connection.pointee.isLeftOver = false
    unsafe budget.spend(byteCount: Int(connection.pointee.pendingByteCount))
    flush(slot)
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

  /// Writes until the queue is empty or the kernel refuses.
  func flush(_ slot: Int32) {
    let connection = unsafe connections.place(slot)
    while unsafe connection.pointee.outboundHead >= 0 {
      let piece = unsafe nextPiece(connection)
      let outcome = unsafe environment.send(connection.pointee.descriptor, piece)
      guard settle(slot, outcome, attempted: piece.count) else { return }
    }
    unsafe queueHasLeft(connection, slot)
  }

  /// The bytes of a queue, which is not empty, that leave next: a frame from where it lies, small ones copied together.
  @inline(__always)
  private func nextPiece(_ connection: UnsafeMutablePointer<Connection>) -> UnsafeRawBufferPointer {
    let head = unsafe outboundNodes.place(connection.pointee.outboundHead)
    let first = unsafe frames.bytes(head.pointee.frame, compressed: connection.pointee.readsCompressed)
    let offset = unsafe Int(connection.pointee.headByteOffset)
    if unsafe head.pointee.next < 0 || first.count - offset >= ShardLimits.directSendByteCountMin {
      // SAFETY: offset is below the frame's count: a frame that has left entirely is taken off the queue.
      return unsafe UnsafeRawBufferPointer(rebasing: first[offset...])
    }
    return unsafe gather(connection)
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
  private func gather(_ connection: UnsafeMutablePointer<Connection>) -> UnsafeRawBufferPointer {
    var count = 0
    var node = unsafe connection.pointee.outboundHead
    var offset = unsafe Int(connection.pointee.headByteOffset)
    while node >= 0 {
      let entry = unsafe outboundNodes.place(node)
      let bytes = unsafe frames.bytes(entry.pointee.frame, compressed: connection.pointee.readsCompressed)
      let taken = unsafe min(bytes.count - offset, sendBuffer.count - count)
      // SAFETY: offset + taken ≤ the frame's count, count + taken ≤ the buffer's.
      unsafe UnsafeMutableRawBufferPointer(rebasing: sendBuffer[count..<(count + taken)])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + taken)]))
      count += taken
      if unsafe count == sendBuffer.count { break }
      offset = 0
      node = unsafe entry.pointee.next
    }
    return unsafe UnsafeRawBufferPointer(rebasing: sendBuffer[..<count])
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

  func awaitWritable(_ slot: Int32) {
    guard !connections[slot].awaitsWritable else { return }
    connections[slot].awaitsWritable = true
    updatePolling(slot)
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
