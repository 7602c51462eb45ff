import Protocol

/// The short way out for answers to what a connection has just sent: they are written into the shard's send buffer while
/// the connection is read, and leave in one call when its reading ends. Only what the kernel refuses becomes a queued frame.
///
/// The buffer is the connection's from the first answer until `sendDirect`; nothing of it may be queued in between, and
/// nothing else of the shard writes there during phase 2. A connection with a queue has no short way: order is kept.
struct DirectAnswers {
  /// The bytes so far at the start of the send buffer.
  private(set) var byteCount = 0
  /// The messages that those are, for the metrics.
  private(set) var messageCount = 0

  /// Counts what was written into the room.
  @inline(__always)
  mutating func add(byteCount: Int, messageCount: Int = 1) {
    self.byteCount += byteCount
    self.messageCount += messageCount
  }
}

extension Shard {
  /// Whether answers to this connection may take the short way now.
  func mayAnswerDirectly(_ slot: Int32) -> Bool { unsafe mayAnswerDirectly(connections.place(slot)) }

  /// The same for who knows the place already.
  @inline(__always)
  func mayAnswerDirectly(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    unsafe connection.pointee.outboundHead < 0 && !connection.pointee.isCondemned
  }

  /// What is left of the send buffer behind the answers so far.
  @inline(__always)
  func roomForAnswer(_ answers: DirectAnswers) -> UnsafeMutableRawBufferPointer {
    // SAFETY: answers only grow by what was written into this room.
    unsafe UnsafeMutableRawBufferPointer(rebasing: sendBuffer[answers.byteCount...])
  }

  /// Appends a whole frame; false, with nothing changed, where it does not fit.
  func append(_ opcode: Opcode, _ payload: Span<UInt8>, to answers: inout DirectAnswers) -> Bool {
    let room = unsafe roomForAnswer(answers)
    let headerByteCount = FrameWriter.headerByteCount(forPayload: payload.count)
    guard room.count - headerByteCount >= payload.count else { return false }
    unsafe FrameWriter.writeHeader(opcode: opcode, payloadByteCount: payload.count, to: room)
    // SAFETY: the room holds header and payload, checked above, and lies in another buffer than the payload.
    unsafe payload.withUnsafeBytes { bytes in
      unsafe UnsafeMutableRawBufferPointer(rebasing: room[headerByteCount...]).copyMemory(from: bytes)
    }
    answers.add(byteCount: headerByteCount + payload.count)
    return true
  }

  /// Appends a whole compressed frame; false where it does not fit or would not be shorter.
  func appendCompressed(_ opcode: Opcode, _ payload: Span<UInt8>, to answers: inout DirectAnswers) -> Bool {
    let room = unsafe roomForAnswer(answers)
    guard room.count >= payload.count + Deflater.tailByteCount + FrameWriter.headerByteCountMax else {
      return false
    }
    // The header's length is known last: the payload moves up to it where the longest one was not needed.
    // SAFETY: the room has the longest header and what compressing may write behind it, checked above.
    let target = unsafe UnsafeMutableRawBufferPointer(rebasing: room[FrameWriter.headerByteCountMax...])
    guard let byteCount = unsafe deflaters.compress(payload, to: target) else { return false }
    let headerByteCount = unsafe FrameWriter.writeHeader(
      opcode: opcode, compressed: true, payloadByteCount: byteCount, to: room)
    unsafe UnsafeMutableRawBufferPointer(rebasing: room[headerByteCount...])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: target[..<byteCount]))
    answers.add(byteCount: headerByteCount + byteCount)
    return true
  }

  /// Sends what has come together. What the kernel does not take is queued, before anything that comes later.
  func sendDirect(_ slot: Int32, _ answers: inout DirectAnswers) {
    unsafe sendDirect(connections.place(slot), slot, &answers)
  }

  /// The same for who knows the place already.
  @inline(__always)
  func sendDirect(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32, _ answers: inout DirectAnswers) {
    let byteCount = answers.byteCount
    guard byteCount > 0 else { return }
    let messageCount = answers.messageCount
    answers = DirectAnswers()
    // SAFETY: the answers are the first bytes of the buffer.
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: sendBuffer[..<byteCount])
    switch unsafe environment.send(connection.pointee.descriptor, bytes) {
    case .moved(let sent):
      metrics.add(.sentBytes, sent)
      guard sent < byteCount else {
        metrics.add(.messagesSent, messageCount)
        return
      }
      unsafe queueRest(slot, bytes, sentByteCount: sent, messageCount)
    case .wouldBlock: unsafe queueRest(slot, bytes, sentByteCount: 0, messageCount)
    case .ended, .failed: condemn(slot, .drop)
    }
  }

  /// Queues what the kernel refused as one frame. Where some of it has left, the last byte that did goes along as one that
  /// has left already: so the queue knows that the peer waits for the rest, and never drops it for a close frame.
  private func queueRest(
    _ slot: Int32, _ bytes: UnsafeRawBufferPointer, sentByteCount: Int, _ messageCount: Int
  ) {
    let start = max(sentByteCount - 1, 0)
    // SAFETY: sentByteCount is below the count of the bytes: something was refused.
    let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...]).assumingMemoryBound(to: UInt8.self)
    let frame = unsafe SharedFrame(plain: Span(_unsafeElements: rest), compressed: Span())
    send(slot, frame)
    // Nowhere to queue it: the connection is condemned.
    guard connections[slot].outboundHead >= 0 else { return }
    if sentByteCount > 0 {
      connections[slot].headByteOffset = 1
      connections[slot].pendingByteCount -= 1
    }
    // The last of them is counted when the queued frame has left.
    metrics.add(.messagesSent, messageCount - 1)
  }
}
