import GatewayDomain
import Protocol
import Synchronization

/// Requests of the HTTP API: bytes → head and body → call → action; answers back in order.
extension Shard {
  /// The first `byteCount` bytes of the receive buffer are this connection's.
  func receivedHTTP(_ slot: Int32, byteCount: Int) {
    if openAtOnce(slot, byteCount: byteCount) { return }
    let exchange = exchange(of: slot)
    // SAFETY: byteCount is within the buffer, which nothing else touches during this call.
    unsafe exchange.inbound.append(
      Span(
        _unsafeElements: UnsafeBufferPointer(
          rebasing: UnsafeRawBufferPointer(receiveBuffer).assumingMemoryBound(to: UInt8.self)[..<byteCount])))
    if case .awaitingAnswer = exchange.state {
      if exchange.inbound.count - exchange.consumed > ShardLimits.pipelinedByteCountMax { pauseReading(slot) }
      return
    }
    advance(slot, exchange)
  }

  /// Goes on with requests whose turn has come, because the one before them was answered.
  func resumeExchanges() {
    guard !resumable.isEmpty else { return }
    var tokens: [ConnectionToken] = []
    swap(&tokens, &resumable)
    for token in tokens where isCurrent(token) {
      // A token may be listed twice: a request that was begun meanwhile is waited for.
      guard connections[token.slot].phase == .http, let exchange = connections[token.slot].exchange,
        !exchange.isAwaitingAnswer
      else { continue }
      if exchange.peerEnded, exchange.inbound.count == exchange.consumed {
        finishExchange(token.slot)
        continue
      }
      resumeReading(token.slot)
      advance(token.slot, exchange)
    }
  }

  /// Parses as far as the bytes go, up to one request that must wait for its answer.
  private func advance(_ slot: Int32, _ exchange: HTTPExchange) {
    let token = token(of: slot)
    let firstRequestNumber = exchange.requestNumber
    do throws(HTTPError) {
      while isCurrent(token), connections[slot].phase == .http {
        // A home on this shard answers at once: others want their turn too. The connection is noted in `resumable`.
        if case .readingHead = exchange.state,
          exchange.requestNumber &- firstRequestNumber >= ShardLimits.requestsAtOnceMax
        {
          return
        }
        // Pipelined requests cost bytes, their answers kilobytes: who does not read them gets no more.
        if Int(connections[slot].pendingByteCount) > shared.configuration.sendBufferByteCount {
          exchange.isHeldBack = true
          return pauseReading(slot)
        }
        switch exchange.state {
        case .awaitingAnswer: return
        case .readingHead: guard try readHead(slot, exchange) else { return }
        case .readingBody: guard try readBody(slot, exchange) else { return }
        }
      }
    } catch {
      refuseFraming(slot, exchange, error)
    }
  }

  /// False where the head has not arrived whole, or was answered finally.
  private func readHead(_ slot: Int32, _ exchange: HTTPExchange) throws(HTTPError) -> Bool {
    guard exchange.consumed < exchange.inbound.count else {
      exchange.compact()
      return false
    }
    if !exchange.requestHasBegun {
      exchange.requestHasBegun = true
      exchange.isHead = false
      exchange.startedAt = nowMilliseconds
      schedule(slot, in: ShardLimits.requestMilliseconds)
    }
    guard try parseHead(exchange) else { return false }
    let headByteCount = exchange.head.byteCount
    keepHead(exchange, byteCount: headByteCount)
    exchange.consumed += headByteCount
    exchange.parser.reset()
    exchange.requestNumber &+= 1
    exchange.keepsAlive = exchange.head.keepsAlive
    exchange.isHead = exchange.head.method == .head
    exchange.body.removeAll(keepingCapacity: exchange.body.capacity <= 65_536)
    let headBytes = exchange.headBytes
    if exchange.head.method == .get, OpeningHandshake.isUpgrade(head: exchange.head, bytes: headBytes.span) {
      upgrade(slot, exchange, splitPath(headBytes.span.extracting(exchange.head.path)) ?? ["\u{0}"])
      return false
    }
    let bodyByteCountMax =
      shared.configuration.isEchoOn && isEchoRequest(exchange)
      ? EchoLimits.messageByteCountMax : shared.configuration.maxRequestByteCount
    exchange.decoder = try BodyDecoder(framing: exchange.head.framing, byteCountMax: bodyByteCountMax)
    exchange.state = .readingBody
    if exchange.head.expectsContinue, exchange.consumed == exchange.inbound.count,
      exchange.decoder?.isFinished == false
    {
      var interim: [UInt8] = []
      ResponseHead.appendContinue(into: &interim)
      send(slot, .raw(interim))
    }
    return true
  }

  private func isEchoRequest(_ exchange: HTTPExchange) -> Bool {
    let headBytes = exchange.headBytes
    return RestRouter.isEcho(headBytes.span.extracting(exchange.head.path))
  }

  /// The local copy of the array is only a reference.
  private func keepHead(_ exchange: HTTPExchange, byteCount: Int) {
    let inbound = exchange.inbound
    exchange.headBytes.removeAll(keepingCapacity: true)
    exchange.headBytes.append(inbound.span.extracting(exchange.consumed..<(exchange.consumed + byteCount)))
  }

  private func parseHead(_ exchange: HTTPExchange) throws(HTTPError) -> Bool {
    let inbound = exchange.inbound
    return try exchange.parser.parse(
      inbound.span.extracting(exchange.consumed..<inbound.count), into: &exchange.head)
  }

  /// The local copy of the array is only a reference: it is given up before the array changes.
  private func decodeBody(_ exchange: HTTPExchange, _ decoder: inout BodyDecoder) throws(HTTPError) {
    let inbound = exchange.inbound
    exchange.consumed += try decoder.decode(
      inbound.span.extracting(exchange.consumed..<inbound.count), into: &exchange.body)
  }

  /// False where the body has not arrived whole.
  private func readBody(_ slot: Int32, _ exchange: HTTPExchange) throws(HTTPError) -> Bool {
    guard var decoder = exchange.decoder.take() else { return false }
    try decodeBody(exchange, &decoder)
    let isFinished = decoder.isFinished
    exchange.decoder = decoder
    exchange.compact()
    guard isFinished else {
      // A large body may take its time as long as it arrives.
      schedule(slot, in: ShardLimits.requestMilliseconds)
      return false
    }
    exchange.decoder = nil
    exchange.state = .awaitingAnswer
    dispatch(slot, exchange)
    return true
  }

  /// The framing is in doubt: one answer, then the connection is closed (RFC 9112 §11).
  private func refuseFraming(_ slot: Int32, _ exchange: HTTPExchange, _ error: HTTPError) {
    exchange.keepsAlive = false
    exchange.state = .awaitingAnswer
    metrics.add(.protocolErrors(.http))
    respond(slot, problem: Problem(Problem.Code(status: error.status), error.detail))
  }

  // MARK: Answers

  func respond(
    _ slot: Int32, problem: Problem, extraFields: [(name: String, value: String)] = []
  ) {
    var fields = extraFields
    switch problem.code {
    case .unauthorized: fields.append((name: "WWW-Authenticate", value: "Bearer"))
    case .overCapacity, .draining, .storeUnavailable: fields.append((name: "Retry-After", value: "1"))
    default: break
    }
    respond(
      slot, status: problem.code.status, contentType: "application/problem+json",
      body: ResponseBodies.problem(problem), extraFields: fields)
  }

  /// Answers the connection's present request, and lets the next one take its turn.
  func respond(
    _ slot: Int32, status: Int, contentType: StaticString?, body: [UInt8],
    extraFields: [(name: String, value: String)] = []
  ) {
    guard let exchange = connections[slot].exchange else { return }
    if shared.isDraining.load(ordering: .relaxed) { exchange.keepsAlive = false }
    var response: [UInt8] = []
    response.reserveCapacity(body.count + 256)
    ResponseHead.append(
      status: status, contentType: contentType, extraFields: extraFields, bodyByteCount: body.count,
      keepsAlive: exchange.keepsAlive, date: dateCache.text(unixSeconds: Int(nowWall)), into: &response)
    if !exchange.isHead, status != 304 { response.append(contentsOf: body) }
    send(slot, .raw(response))
    answered(slot, exchange, status)
  }

  /// The receipt of a publish: what workers are answered all the time, written once, into the frame itself.
  func respond(_ slot: Int32, _ exchange: HTTPExchange, status: Int, receipt: PublishReceipt, isTerminal: Bool) {
    if shared.isDraining.load(ordering: .relaxed) { exchange.keepsAlive = false }
    guard exchange.keepsAlive, !exchange.isHead,
      let head = dateCache.headOfJSON(status: status, unixSeconds: Int(nowWall))
    else {
      let body = isTerminal ? ResponseBodies.terminalReceipt(receipt) : ResponseBodies.progressReceipt(receipt)
      return json(slot, status, body)
    }
    let bodyByteCount = ResponseBodies.byteCount(of: receipt, isTerminal: isTerminal)
    let byteCount = head.count + FrameBuffer.decimalByteCount(bodyByteCount) + 4 + bodyByteCount
    // Answers to requests that stand behind each other leave together; this one would leave alone.
    if exchange.inbound.count == exchange.consumed, mayAnswerDirectly(slot) {
      var answers = DirectAnswers()
      // SAFETY: the room is the shard's send buffer, which outlives this call and is larger than any receipt.
      var response = unsafe FrameBuffer(lent: roomForAnswer(answers))
      Self.write(receipt, isTerminal: isTerminal, behind: head, bodyByteCount: bodyByteCount, to: &response)
      answers.add(byteCount: response.byteCount)
      sendDirect(slot, &answers)
    } else {
      var response = FrameBuffer(byteCountMax: byteCount)
      Self.write(receipt, isTerminal: isTerminal, behind: head, bodyByteCount: bodyByteCount, to: &response)
      send(slot, SharedFrame(response))
    }
    answered(slot, exchange, status)
  }

  private static func write(
    _ receipt: PublishReceipt, isTerminal: Bool, behind head: [UInt8], bodyByteCount: Int,
    to response: inout FrameBuffer
  ) {
    response.append(head)
    response.append(decimal: bodyByteCount)
    response.append("\r\n\r\n")
    ResponseBodies.append(receipt, isTerminal: isTerminal, to: &response)
  }

  /// The present request's answer is on its way: the next one may take its turn.
  private func answered(_ slot: Int32, _ exchange: HTTPExchange, _ status: Int) {
    metrics.add(.httpRequests(StatusLabel(status: status)))
    if let operation = exchange.operation {
      metrics.add(.publishRequests(operation, OutcomeLabel(status: status)))
      metrics.observe(.publishDuration, Double(nowMilliseconds - exchange.startedAt) / 1000)
    }
    exchange.operation = nil
    exchange.pending = .none
    if let ticket = exchange.ticket {
      // Answered before any home was asked: the key is free again.
      exchange.ticket = nil
      post(.idempotency(.abandon(ticket.token), from: .none), to: shared.home(of: ticket.token))
    }
    // An idle connection keeps no large body.
    if exchange.body.capacity > 65_536 { exchange.body = [] }
    exchange.state = .readingHead
    exchange.requestHasBegun = false
    guard exchange.keepsAlive else { return finishExchange(slot) }
    connections[slot].deadline = nowMilliseconds + ShardLimits.keepAliveMilliseconds
    if exchange.inbound.count > exchange.consumed || exchange.peerEnded || connections[slot].isReadPaused {
      let token = token(of: slot)
      // Requests that are answered while they are read stand behind each other: one note is enough.
      if resumable.last != token { resumable.append(token) }
    }
  }

  /// No further request: what is queued leaves, then the connection ends.
  func finishExchange(_ slot: Int32) {
    connections[slot].phase = .flushing
    connections[slot].endsStream = true
    schedule(slot, in: ShardLimits.closingMilliseconds)
    mark(slot)
  }

  // MARK: Calls

  private func dispatch(_ slot: Int32, _ exchange: HTTPExchange) {
    let headBytes = exchange.headBytes
    let bytes = headBytes.span
    let path = bytes.extracting(exchange.head.path)
    if exchange.head.method == .post, exchange.head.query == nil, let call = RestRouter.report(path) {
      return authorise(slot, exchange, call)
    }
    guard let segments = splitPath(path) else {
      return respond(slot, problem: Problem(.badRequest, "the path is not valid percent-encoded UTF-8"))
    }
    let method: RestRouter.Method
    switch exchange.head.method {
    case .get, .head: method = .get
    case .post: method = .post
    case .delete: method = .delete
    case .put, .patch, .options, .other: method = .other
    }
    if let query = exchange.head.query, QueryItems.all(in: bytes.extracting(query)) == nil {
      return respond(slot, problem: Problem(.badRequest, "the query is not valid percent-encoded UTF-8"))
    }
    switch RestRouter.route(method, segments, echoIsOn: shared.configuration.isEchoOn) {
    case .call(.stream(let task)): openStream(slot, exchange, task)
    case .call(let call): authorise(slot, exchange, call)
    case .invalid(let problem): respond(slot, problem: problem)
    case .methodNotAllowed(let allow):
      respond(
        slot, problem: Problem(.methodNotAllowed, "this path allows \(allow)"),
        extraFields: [(name: "Allow", value: allow)])
    case .notFound:
      if Self.isSocketPath(segments, echoIsOn: shared.configuration.isEchoOn) {
        let error = OpeningHandshakeError.notAnUpgrade
        respond(slot, problem: Problem(.upgradeRequired, error.detail), extraFields: error.answerFields)
      } else {
        respond(slot, problem: Problem(.notFound, "there is nothing at this path"))
      }
    }
  }

  private func authorise(_ slot: Int32, _ exchange: HTTPExchange, _ call: RestCall) {
    exchange.operation = call.operation
    let isInternal = connections[slot].isInternal
    if call.isInternal, shared.configuration.internalPort != nil, !isInternal {
      return respond(slot, problem: Problem(.notFound, "this call is served by the internal listener only"))
    }
    if call.isOpen { return answerOpen(slot, exchange, call) }
    var bearer = Credentials.Bearer(
      principal: shared.configuration.isPublisherOpen ? .admin(subject: nil) : .anonymous, expiresAt: .infinity)
    let headBytes = exchange.headBytes
    if let token = bearerToken(exchange.head, headBytes.span) {
      do throws(Credentials.Failure) {
        bearer = try credentials.bearer(headBytes.span.extracting(token), now: nowWall)
      } catch {
        metrics.add(.authenticationFailures(error.label))
        return respond(slot, problem: Problem(.unauthorized, "the credentials are not valid: \(error.text)"))
      }
    } else if !shared.configuration.isPublisherOpen {
      metrics.add(.authenticationFailures(.missing))
      return respond(
        slot, problem: Problem(.unauthorized, "this call needs Authorization: Bearer with an API key or a token"))
    }
    guard bearer.principal.mayPublish || call.isForUsers else {
      return respond(slot, problem: Problem(.forbidden, "this call is for publishers, the token is a user's"))
    }
    if let problem = contentTypeProblem(exchange, call) { return respond(slot, problem: problem) }
    if shared.mailPressure.isHigh {
      return respond(slot, problem: Problem(.overCapacity, "this node has more work than it can do, try again"))
    }
    if let key = idempotencyKey(exchange, call) { return claim(slot, exchange, call, bearer, key: key) }
    perform(slot, exchange, call, bearer)
  }

  /// 415 where a body is there and says that it is something else.
  private func contentTypeProblem(_ exchange: HTTPExchange, _ call: RestCall) -> Problem? {
    guard exchange.head.method == .post, !exchange.body.isEmpty else { return nil }
    let headBytes = exchange.headBytes
    let bytes = headBytes.span
    guard let field = exchange.head.first(.contentType) else { return nil }
    let isBulk = if case .publish = call { true } else { false }
    // As nearly everybody writes it.
    if HTTPGrammar.equals(isBulk ? "application/x-ndjson" : "application/json", bytes, field) { return nil }
    var end = field.lowerBound
    while end < field.upperBound, bytes[end] != UInt8(ascii: ";"), bytes[end] != UInt8(ascii: " ") { end += 1 }
    let mediaType = field.lowerBound..<end
    if isBulk {
      if HTTPGrammar.equals(ignoringCase: "application/x-ndjson", bytes, mediaType) { return nil }
      return Problem(.unsupportedMediaType, "the Content-Type must be application/x-ndjson")
    }
    if HTTPGrammar.equals(ignoringCase: "application/json", bytes, mediaType) { return nil }
    return Problem(.unsupportedMediaType, "the Content-Type must be application/json")
  }
}
