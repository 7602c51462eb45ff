import GatewayDomain
import Protocol
import Synchronization

/// Event streams, `GET /api/v1/sse/tasks/{id}` (contract §2.6): an answer that lasts. Until its task's home has spoken the
/// connection waits as any request does; then it is open as a WebSocket is, follows the task, and only speaks.
extension Shard {
  // MARK: Opening

  /// A request for a stream. The home's answer, `receiveStreamOpening`, is what sends the head, so a refusal is a status.
  func openStream(_ slot: Int32, _ exchange: HTTPExchange, _ task: TaskIdentifier) {
    let head = exchange.head
    let headBytes = exchange.headBytes
    let bytes = headBytes.span
    guard isOriginAllowed(head, bytes) else {
      return refuseStream(
        slot, exchange, .origin,
        Problem(.forbidden, "this origin is not among the allowed ones: see --allowed-origins"))
    }
    if shared.isDraining.load(ordering: .relaxed) {
      return refuseStream(slot, exchange, .draining, Self.drainingProblem)
    }
    let wait: Bool
    do throws(Problem) {
      wait = try RestDecoder.flag("wait", in: bytes.extracting(head.query ?? 0..<0))
    } catch {
      return refuseStream(slot, exchange, .badRequest, error)
    }
    var bearer = Credentials.Bearer(principal: .anonymous, expiresAt: .infinity)
    if let refusal = refusal(slot, head, bytes, subprotocols: [], door: .watchers, &bearer) {
      return refuseStream(slot, exchange, refusal.label, refusal.problem)
    }
    connections[slot].identity = identity(of: bearer)
    exchange.pending = .stream
    connections[slot].deadline = nowMilliseconds + ShardLimits.answerMilliseconds
    post(
      .watch(
        WatchRequest(
          task: task, audience: .sse, key: .stream, since: lastEvent(head, bytes), wait: wait,
          principal: bearer.principal, shard: index, connection: token(of: slot))),
      to: shared.home(of: task))
  }

  /// What the client has already: the header that `EventSource` sends, or for those who cannot set one the query.
  private func lastEvent(_ head: RequestHead, _ bytes: Span<UInt8>) -> EventPosition? {
    if let field = head.first("last-event-id", in: bytes), !field.isEmpty {
      return String(validating: bytes.extracting(field)).flatMap { StreamDialect.position($0) }
    }
    return QueryItems.first("last_event_id", in: bytes.extracting(head.query ?? 0..<0))
      .flatMap { StreamDialect.position($0) }
  }

  private static var drainingProblem: Problem { Problem(.draining, "this node is going down, connect again") }

  private func refuseStream(
    _ slot: Int32, _ exchange: HTTPExchange, _ label: HandshakeRejectionLabel, _ problem: Problem
  ) {
    metrics.add(.handshakesRejected(label))
    refuseByStatus(slot, exchange, problem)
  }

  /// The home's answer: from here on every event follows by mail.
  func receiveStreamOpening(_ opening: WatchOpening) {
    let request = opening.request
    let slot = request.connection.slot
    guard isCurrent(request.connection), connections[slot].phase == .http, let exchange = connections[slot].exchange,
      exchange.isAwaitingAnswer, case .stream = exchange.pending
    else {
      if opening.isFollowed { giveUp(request) }
      return
    }
    switch opening.outcome {
    case .refused(let code):
      let isForbidden = code == .forbidden
      refuseStream(
        slot, exchange, isForbidden ? .permission : .notFound,
        isForbidden
          ? Problem(.forbidden, "\(request.task.text) is another user's task")
          : Problem(.taskNotFound, "there is no task \(request.task.text)"))
    case .opened(let frames, let offset, let isLast):
      let isDraining = shared.isDraining.load(ordering: .relaxed)
      if exchange.peerEnded || exchange.isHead || isDraining || (isLast && frames.isEmpty) {
        if !isLast { giveUp(request) }
        if exchange.peerEnded { return release(slot) }
        if isDraining { return refuseStream(slot, exchange, .draining, Self.drainingProblem) }
        return answerWithoutStream(slot, exchange, status: isLast && frames.isEmpty ? 204 : 200)
      }
      begin(slot)
      for frame in frames { send(slot, frame) }
      if isLast { return close(slot, .normal, "finished") }
      follow(slot, request, after: offset)
    }
  }

  /// To HEAD the fields of a stream; to who has all of a finished task a 204, which tells `EventSource` to stop.
  private func answerWithoutStream(_ slot: Int32, _ exchange: HTTPExchange, status: Int) {
    exchange.keepsAlive = false
    giveBackPlace(slot)
    guard status == 200 else { return respond(slot, status: status, contentType: nil, body: []) }
    send(slot, .raw(streamHead()))
    metrics.add(.httpRequests(.code200))
    finishExchange(slot)
  }

  private func streamHead() -> [UInt8] {
    var response: [UInt8] = []
    ResponseHead.appendStream(
      status: 200, contentType: "text/event-stream; charset=utf-8",
      extraFields: [
        (name: "Cache-Control", value: "no-cache, no-transform"), (name: "X-Accel-Buffering", value: "no"),
      ], into: &response)
    return response
  }

  /// Sends the head: the connection becomes a stream.
  private func begin(_ slot: Int32) {
    var response = streamHead()
    response.append(contentsOf: StreamDialect.opening)
    // Before the phase changes, so that it counts as HTTP, which is never dropped when a stream must end.
    send(slot, .raw(response))
    metrics.add(.httpRequests(.code200))
    connections[slot].exchange = nil
    connections[slot].phase = .open
    connections[slot].endpoint = .sse
    metrics.socketOpened(.sse)
    // What was pipelined behind the request may have stopped the reading; the peer's end must be seen.
    resumeReading(slot)
    if let user = connections[slot].identity?.principal.subject, shared.isAuthenticationRequired {
      connections[slot].identity?.user = user
      enter(slot, .user(user))
    }
    schedule(slot, in: shared.configuration.pingInterval.milliseconds)
    boundByExpiry(slot)
    file(slot)
  }

  // MARK: Living

  /// The stream's deadline has come: its token has expired, or nothing was said for `ping-interval`. A stream has no
  /// timeout, since its peer has no word; where the peer is gone the kernel says so in the end.
  func expireStream(_ slot: Int32) {
    let configuration = shared.configuration
    if let identity = connections[slot].identity, identity.expiresAt + configuration.jwtLeeway.seconds <= nowWall {
      return close(slot, .policyViolation, "Token expired")
    }
    // Who does not read what is there needs no sign of life.
    if connections[slot].pendingByteCount == 0 { send(slot, .raw(StreamDialect.comment)) }
    streamHasSpoken(slot)
  }

  /// The stream's queue has left: its silence begins now.
  func streamHasSpoken(_ slot: Int32) {
    connections[slot].deadline = nowMilliseconds + shared.configuration.pingInterval.milliseconds
    boundByExpiry(slot)
  }

  /// Queues a message without a number for the task's streams.
  func fanOutToStreams(_ frame: SharedFrame, of task: TaskIdentifier) {
    guard let topic = topics.topic(.task(task)), topic.has(.sse), let index = frames.admit(frame) else { return }
    for place in 0..<topic.watchers.count where topic.watchers[place].audience == .sse {
      let slot = topic.watchers[place].slot
      if connections[slot].phase == .open { enqueue(slot, index) }
    }
    frames.settle(index)
  }

  /// Ends a stream: what is queued leaves, then our half. There is no close frame, and `EventSource` connects again; the
  /// code is for the metrics.
  func endStream(_ slot: Int32, _ code: CloseCode) {
    connections[slot].closedByUs = true
    connections[slot].closeCode = code.rawValue
    closeRuns()
    leaveTopics(slot)
    finishExchange(slot)
  }
}

// MARK: At the task's home

extension Shard {
  /// What a stream begins with: the events it has missed, or the snapshot.
  func openStream(_ request: WatchRequest, _ decision: ResumeDecision, _ snapshot: TaskSnapshot?) {
    let isFinished = snapshot?.status.isTerminal ?? false
    switch decision {
    case .unknownTask: refuse(request, .taskNotFound)
    case .waiting: open(request, [], offset: 0, isLast: false)
    case .snapshot(let snapshot):
      if request.since != nil { metrics.add(.resumes(.gap)) }
      let frame = openings.snapshot(snapshot, for: .stream) { .raw(StreamDialect.snapshot(snapshot)) }
      open(request, [frame], offset: snapshot.offset, isLast: isFinished)
    case .replay(let events, _, let offset):
      metrics.add(.resumes(.recovered))
      let replay = events.map { event in
        openings.event(event, for: .stream) { .raw(StreamDialect.event(event)) }
      }
      open(request, replay, offset: events.last?.offset ?? offset, isLast: isFinished)
    }
  }

  /// A native message as the task's streams get it; nil where it has none.
  func streamFrame(of task: TaskIdentifier, _ type: StaticString, _ message: [UInt8]) -> SharedFrame? {
    guard let interest = interests[task], interest.has(.sse) else { return nil }
    return .raw(StreamDialect.notice(type, message))
  }
}

extension WatchOpening {
  /// Whether the home counts the asking shard among those that follow.
  fileprivate var isFollowed: Bool {
    if case .opened(_, _, let isLast) = outcome { return !isLast }
    return false
  }
}

extension SharedFrame {
  /// An event of a stream as one connection gets it that missed the `skipped` events before it: its last line, the data,
  /// is a JSON object, which gets one member more.
  func skippingInStream(_ skipped: Int) -> SharedFrame {
    let endByteCount = "}\n\n".utf8.count
    guard skipped > 0, unsafe plain.count > endByteCount else { return self }
    // SAFETY: the block is longer than its end, checked above.
    var block = unsafe [UInt8](plain[..<(plain.count - endByteCount)])
    block.append(",\"skipped\":")
    block.append(decimal: skipped)
    block.append("}\n\n")
    return .raw(block)
  }
}
