import GatewayDomain
import Protocol

/// Frames of clients: bytes → session → dialect → command.
extension Shard {
  /// The first `byteCount` bytes of the receive buffer are a connection's.
  func receivedFrames(_ slot: Int32, byteCount: Int) {
    unsafe receivedFrames(connections.place(slot), slot, byteCount: byteCount)
  }

  /// The same for who knows the place already.
  func receivedFrames(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32, byteCount: Int) {
    // SAFETY: the buffer is this shard's own, nothing else touches it during this call, and byteCount is within it.
    let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: receiveBuffer[..<byteCount])
      .assumingMemoryBound(to: UInt8.self)
    // The peer of a stream has no say: what it pipelines behind its request is not read.
    if unsafe connection.pointee.endpoint == .sse { return }
    var position = 0
    var answers = DirectAnswers()
    if unsafe connection.pointee.endpoint == .echo {
      unsafe echoWholeFrames(connection, Span(_unsafeElements: UnsafeBufferPointer(bytes)), &position, &answers)
    }
    if position < byteCount { unsafe receivedFrames(slot, bytes, &position, &answers) }
    // Who is gone is not answered any more.
    guard unsafe connection.pointee.phase != .free else { return }
    unsafe sendDirect(connection, slot, &answers)
    unsafe holdBackEcho(connection, slot)
  }

  /// Frame by frame, from the position on.
  private func receivedFrames(
    _ slot: Int32, _ bytes: UnsafeMutableBufferPointer<UInt8>, _ position: inout Int, _ answers: inout DirectAnswers
  ) {
    let token = token(of: slot)
    let byteCount = bytes.count
    while position < byteCount, isCurrent(token),
      connections[slot].phase == .open || connections[slot].phase == .closing
    {
      if connections[slot].endpoint == .echo {
        unsafe echoWholeFrames(
          connections.place(slot), Span(_unsafeElements: UnsafeBufferPointer(bytes)), &position, &answers)
        if position == byteCount { break }
      }
      var span = unsafe MutableSpan(_unsafeElements: bytes)
      let event = connections[slot].session.next(&span, position: &position, inflaters: &inflaters)
      switch event {
      case .needMoreBytes: break
      case .message(let kind, let payload):
        guard connections[slot].phase == .open else { continue }
        metrics.add(.messagesReceived(EndpointLabel(connections[slot].endpoint)))
        switch payload {
        case .inPlace(let range):
          // SAFETY: the session returns ranges within the bytes it was given.
          received(slot, kind, unsafe Span(_unsafeElements: UnsafeBufferPointer(rebasing: bytes[range])), &answers)
        case .owned(let message): received(slot, kind, message.span, &answers)
        }
      case .ping(let payload):
        metrics.add(.frames(.ping, .received))
        guard connections[slot].phase == .open else { continue }
        if mayAnswerDirectly(slot), append(.pong, payload.span, to: &answers) { continue }
        sendDirect(slot, &answers)
        send(slot, .frame(.pong, payload))
      case .pong: metrics.add(.frames(.pong, .received))
      case .close(let code, _):
        sendDirect(slot, &answers)
        peerClosed(slot, code)
      case .violation(let code, let reason):
        sendDirect(slot, &answers)
        metrics.add(.protocolErrors(ProtocolErrorLabel(code)))
        close(slot, code, reason.description)
        // One that is condemned stays open until the end of the turn and is closed then.
        guard connections[slot].phase == .closing else { continue }
        connections[slot].phase = .flushing
        connections[slot].endsStream = true
        mark(slot)
      }
    }
  }

  /// RFC 6455 §5.5.1: the peer's close frame is answered by ours, unless ours was first; then the server closes.
  private func peerClosed(_ slot: Int32, _ code: CloseCode?) {
    if connections[slot].phase == .open {
      connections[slot].closeCode = code?.rawValue ?? 1005
      var frame: [UInt8] = []
      if let code {
        FrameWriter.appendClose(code, reason: "", into: &frame)
      } else {
        FrameWriter.appendEmptyClose(into: &frame)
      }
      sendLastWord(slot, frame)
    }
    connections[slot].phase = .flushing
    pauseReading(slot)
    schedule(slot, in: ShardLimits.closingMilliseconds)
    mark(slot)
  }

  /// Sends our close frame; the peer has a while to answer it. An event stream just ends.
  func close(_ slot: Int32, _ code: CloseCode, _ reason: String) {
    // One that is condemned is closed at the end of the turn, with its own code: a frame may be missing.
    guard connections[slot].phase == .open, !connections[slot].isCondemned else { return }
    if connections[slot].endpoint == .sse { return endStream(slot, code) }
    var frame: [UInt8] = []
    FrameWriter.appendClose(code, reason: reason, into: &frame)
    sendLastWord(slot, frame)
    connections[slot].closedByUs = true
    connections[slot].closeCode = code.rawValue
    connections[slot].phase = .closing
    connections[slot].closeAt = .max
    leaveTopics(slot)
    schedule(slot, in: ShardLimits.closingMilliseconds)
  }

  /// Ends the subscriptions of a connection that receives no more. Not while one of its topics is walked.
  func leaveTopics(_ slot: Int32) {
    if connections[slot].endpoint == .worker { leaveWorker(slot) }
    while let (key, audience) = topics.unsubscribeFirst(listHead: &connections[slot].subscriptionHead) {
      if case .task(let task) = key { post(.unwatch(task, audience, shard: index), to: shared.home(of: task)) }
    }
  }

  private func received(
    _ slot: Int32, _ kind: MessageKind, _ message: Span<UInt8>, _ answers: inout DirectAnswers
  ) {
    if connections[slot].endpoint == .echo { return echo(slot, kind, message, &answers) }
    // What follows is queued, behind the pongs before it.
    sendDirect(slot, &answers)
    switch connections[slot].endpoint {
    case .task:
      if TaskDialect.isPing(message) { answer(slot, .text(TaskDialect.pong(now: nowWall))) }
    case .execution:
      let parsed = ExecutionDialect.parse(message)
      answer(slot, .text(ExecutionDialect.refusal(of: parsed) ?? ExecutionDialect.pong))
    case .action: receivedAction(slot, message)
    case .worker: receivedOperation(slot, message)
    case .echo, .sse: break
    }
  }

  // MARK: Echo

  /// Echoes the messages that came as whole frames, up to the first byte that is something else.
  @inline(__always)
  private func echoWholeFrames(
    _ connection: UnsafeMutablePointer<Connection>, _ bytes: Span<UInt8>, _ position: inout Int,
    _ answers: inout DirectAnswers
  ) {
    guard unsafe connection.pointee.phase == .open, unsafe mayAnswerDirectly(connection) else { return }
    let isCompressing = unsafe connection.pointee.readsCompressed
    let echoed = unsafe connection.pointee.session.echo(
      bytes, position: &position, payloadByteCountMax: isCompressing ? Deflater.worthwhileByteCountMin - 1 : .max,
      to: roomForAnswer(answers))
    answers.add(byteCount: echoed.byteCount, messageCount: echoed.messageCount)
    metrics.add(.messagesReceived(.echo), echoed.messageCount)
  }

  /// Echoes any message: one that came in pieces, compressed, or behind a queue.
  private func echo(
    _ slot: Int32, _ kind: MessageKind, _ message: Span<UInt8>, _ answers: inout DirectAnswers
  ) {
    let opcode: Opcode = kind == .text ? .text : .binary
    let compresses = connections[slot].readsCompressed && message.count >= Deflater.worthwhileByteCountMin
    if mayAnswerDirectly(slot) {
      if compresses, appendCompressed(opcode, message, to: &answers) { return }
      if append(opcode, message, to: &answers) { return }
      sendDirect(slot, &answers)
    }
    var frame: [UInt8] = []
    if compresses, let deflated = deflaters.compress(message) {
      FrameWriter.appendFrame(opcode: opcode, compressed: true, payload: deflated.span, into: &frame)
    } else {
      frame.reserveCapacity(message.count + FrameWriter.headerByteCountMax)
      FrameWriter.appendFrame(opcode: opcode, payload: message, into: &frame)
    }
    send(slot, .raw(frame))
    unsafe holdBackEcho(connections.place(slot), slot)
  }

  /// The echoing peer that does not read is held back rather than cut off.
  @inline(__always)
  private func holdBackEcho(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32) {
    let pendingByteCount = unsafe Int(connection.pointee.pendingByteCount)
    guard pendingByteCount > 0, unsafe connection.pointee.endpoint == .echo else { return }
    if pendingByteCount > shared.configuration.sendBufferByteCount { pauseReading(slot) }
  }
}
