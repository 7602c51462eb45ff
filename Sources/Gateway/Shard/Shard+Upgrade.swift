import GatewayDomain
import Protocol
import Synchronization

/// The opening handshake: where to, from which page, by whom, and whether there is room (contract §2).
extension Shard {
  private static func destination(_ segments: [String], echoIsOn: Bool) -> SocketDestination? {
    switch segments.count {
    case 0: return .action
    case 1 where segments[0] == "ws": return .action
    case 1 where segments[0] == "echo" && echoIsOn: return .echo
    case 2 where segments[0] == "ws" && segments[1].isEmpty: return .action
    case 3 where segments[0] == "ws" && segments[1] == "task": return .task(segments[2])
    case 5 where segments[0] == "api" && segments[1] == "v1" && segments[2] == "ws" && segments[3] == "executions":
      return .execution(segments[4])
    case 4 where segments[0] == "api" && segments[1] == "v1" && segments[2] == "ws" && segments[3] == "workers":
      return .worker
    default: return nil
    }
  }

  private static func destination(_ path: Span<UInt8>, echoIsOn: Bool) -> SocketDestination? {
    // The two without a name in them, as they are written.
    if HTTPGrammar.equals("/ws", path, 0..<path.count) { return .action }
    if echoIsOn, HTTPGrammar.equals("/echo", path, 0..<path.count) { return .echo }
    return splitPath(path).flatMap { destination($0, echoIsOn: echoIsOn) }
  }

  /// True where the path is a WebSocket endpoint: a request for it without an upgrade gets 426.
  static func isSocketPath(_ segments: [String], echoIsOn: Bool) -> Bool {
    destination(segments, echoIsOn: echoIsOn) != nil
  }

  /// With an internal listener publishers are served by it alone (contract §3.1).
  private func isServed(_ destination: SocketDestination, to slot: Int32) -> Bool {
    guard case .worker = destination else { return true }
    return shared.configuration.internalPort == nil || connections[slot].isInternal
  }

  /// What a refusal is: as a close code after a completed handshake, or as an HTTP status.
  struct Refusal {
    let code: CloseCode
    let reason: String
    let problem: Problem
    let label: HandshakeRejectionLabel
  }

  /// Opens a WebSocket whose handshake is the first thing that a connection sent, whole, and lies in the receive buffer:
  /// as nearly all of them come. Nothing is kept of it. False, with nothing done, where it is anything else, a handshake
  /// that is refused for what it says among it.
  func openAtOnce(_ slot: Int32, byteCount: Int) -> Bool {
    // SAFETY: byteCount is within the buffer, which nothing else touches until the head has been read.
    let bytes = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: receiveBuffer[..<byteCount]))
    // A home that must be asked first answers an exchange.
    guard connections[slot].exchange == nil, bytes[0] == UInt8(ascii: "G"), shared.configuration.rejectionStyle != .http
    else { return false }
    guard opening.parse(bytes) else { return false }
    let head = opening.head
    guard head.method == .get, let handshake = try? OpeningHandshake(head: head, bytes: bytes),
      let destination = Self.destination(bytes.extracting(head.path), echoIsOn: shared.configuration.isEchoOn),
      isServed(destination, to: slot), isOriginAllowed(head, bytes), !shared.isDraining.load(ordering: .relaxed)
    else { return false }

    var candidate = UpgradeCandidate(handshake: handshake, destination: destination)
    if let refusal = refusal(of: &candidate, slot, head, bytes) {
      let exchange = exchange(of: slot)
      exchange.inbound = Array(bytes.extracting(head.byteCount..<byteCount))
      exchange.startedAt = nowMilliseconds
      refuse(slot, exchange, candidate, refusal, head, bytes)
      return true
    }
    admit(slot, candidate, bytes, startedAt: nowMilliseconds)
    let restByteCount = byteCount - head.byteCount
    if restByteCount > 0 {
      // SAFETY: the rest lies within the buffer, and so does its new place; the bytes before it were read.
      unsafe UnsafeMutableRawBufferPointer(rebasing: receiveBuffer[..<restByteCount]).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: receiveBuffer[head.byteCount..<byteCount]))
      receivedFrames(slot, byteCount: restByteCount)
    }
    return true
  }

  /// The connection's exchange, made when its first request did not come as `openAtOnce` takes it.
  func exchange(of slot: Int32) -> HTTPExchange {
    if let known = connections[slot].exchange { return known }
    let made = HTTPExchange()
    connections[slot].exchange = made
    return made
  }

  /// Answers an upgrade request whose head has arrived whole.
  func upgrade(_ slot: Int32, _ exchange: HTTPExchange, _ segments: [String]) {
    let head = exchange.head
    let bytes = exchange.headBytes
    let handshake: OpeningHandshake
    do throws(OpeningHandshakeError) {
      handshake = try OpeningHandshake(head: head, bytes: bytes.span)
    } catch {
      metrics.add(.handshakesRejected(error.status == 426 ? .version : .badRequest))
      exchange.keepsAlive = false
      respond(
        slot, problem: Problem(error.status == 426 ? .upgradeRequired : .badRequest, error.detail),
        extraFields: error.answerFields)
      return
    }
    guard let destination = Self.destination(segments, echoIsOn: shared.configuration.isEchoOn),
      isServed(destination, to: slot)
    else {
      metrics.add(.handshakesRejected(.notFound))
      exchange.keepsAlive = false
      respond(slot, problem: Problem(.notFound, "there is no WebSocket endpoint at this path"))
      return
    }
    guard isOriginAllowed(head, bytes.span) else {
      metrics.add(.handshakesRejected(.origin))
      exchange.keepsAlive = false
      respond(
        slot,
        problem: Problem(.forbidden, "this origin is not among the allowed ones: see --allowed-origins"))
      return
    }
    if shared.isDraining.load(ordering: .relaxed) {
      metrics.add(.handshakesRejected(.draining))
      exchange.keepsAlive = false
      respond(
        slot, problem: Problem(.draining, "this node is going down, connect again"))
      return
    }

    var candidate = UpgradeCandidate(handshake: handshake, destination: destination)
    if let refusal = refusal(of: &candidate, slot, head, bytes.span) {
      return refuse(slot, exchange, candidate, refusal, head, bytes.span)
    }
    if shared.configuration.rejectionStyle == .http, let task = candidate.task {
      // A status cannot be taken back by a close code, so the task's home is asked before the handshake is answered.
      exchange.candidate = candidate
      exchange.state = .awaitingAnswer
      exchange.pending = .upgrade
      connections[slot].deadline = nowMilliseconds + ShardLimits.answerMilliseconds
      post(
        .task(
          .snapshot(task, principal: candidate.bearer.principal),
          from: .exchange(shard: index, token(of: slot), request: exchange.requestNumber)),
        to: shared.home(of: task))
      return
    }
    admit(slot, candidate, bytes.span, startedAt: exchange.startedAt)
    continueWithFrames(slot, exchange)
  }

  private func refuse(
    _ slot: Int32, _ exchange: HTTPExchange, _ candidate: UpgradeCandidate, _ refusal: Refusal, _ head: RequestHead,
    _ bytes: Span<UInt8>
  ) {
    metrics.add(.handshakesRejected(refusal.label))
    if mustAnswerByStatus(slot, refusal, head, bytes) {
      return refuseByStatus(slot, exchange, refusal.problem)
    }
    if refusal.label == .capacity, !park(slot) {
      // Too many are being told already: this one sees a closed connection.
      return release(slot)
    }
    complete(slot, candidate, bytes, startedAt: exchange.startedAt, isAdmitted: false)
    if refusal.label == .notFound, case .execution = candidate.destination {
      send(slot, .text(ExecutionDialect.error(refusal.reason)))
    }
    close(slot, refusal.code, refusal.reason)
    continueWithFrames(slot, exchange)
  }

  /// Why a candidate may not come in; nil where it may.
  private func refusal(
    of candidate: inout UpgradeCandidate, _ slot: Int32, _ head: RequestHead, _ bytes: Span<UInt8>
  ) -> Refusal? {
    if let refusal = refusal(
      slot, head, bytes, subprotocols: candidate.handshake.subprotocols, door: candidate.destination.door,
      &candidate.bearer)
    {
      return refusal
    }
    switch candidate.destination {
    case .task(let text):
      candidate.task = TaskIdentifier(validating: text)
      return candidate.task == nil ? Self.notFound("Task not found") : nil
    case .execution(let text):
      candidate.task = TaskIdentifier(validating: text)
      if let query = head.query {
        candidate.wantsNodes = QueryItems.first("nodes", in: bytes.extracting(query)) == "1"
        candidate.wantsLogs = QueryItems.first("logs", in: bytes.extracting(query)) == "1"
      }
      return candidate.task == nil ? Self.notFound("Execution not found") : nil
    case .action, .worker, .echo: return nil
    }
  }

  /// Takes a place for whoever wants to stay, and says who it is; why not, where it may not stay. Room first: a full node
  /// should not spend on checking tokens.
  func refusal(
    _ slot: Int32, _ head: RequestHead, _ bytes: Span<UInt8>, subprotocols: [Range<Int>], door: SocketDoor,
    _ bearer: inout Credentials.Bearer
  ) -> Refusal? {
    guard takePlace(slot) else {
      return Refusal(
        code: .tryAgainLater, reason: "Server connection limit reached",
        problem: Problem(.overCapacity, "all \(shared.configuration.connectionCountMax) connections are taken"),
        label: .capacity)
    }
    if needsToken(door) {
      do throws(Credentials.Failure) {
        bearer =
          door == .publishers
          ? try authenticatePublisher(head, bytes, subprotocols: subprotocols)
          : try authenticate(head, bytes, subprotocols: subprotocols)
      } catch {
        metrics.add(.authenticationFailures(error.label))
        return Refusal(
          code: .policyViolation, reason: "Authentication failed",
          problem: Problem(.unauthorized, "no valid token was shown"), label: .authentication)
      }
    }
    if door == .publishers, !bearer.principal.mayPublish {
      return Refusal(
        code: .policyViolation, reason: "Permission denied",
        problem: Problem(.forbidden, "this endpoint is for publishers, the token is a user's"), label: .permission)
    }
    if shared.census.isUsed {
      let address = clientAddress(slot, head, bytes)
      guard shared.census.enter(address: address, user: bearer.principal.subject) else {
        return Refusal(
          code: .policyViolation, reason: "Too many connections",
          problem: Problem(.rateLimited, "too many connections from one address or user"), label: .rate)
      }
      connections[slot].isInCensus = true
      connections[slot].identity = identity(of: bearer)
      connections[slot].peer = address
    }
    return nil
  }

  private func needsToken(_ door: SocketDoor) -> Bool {
    switch door {
    case .everybody: false
    case .watchers: shared.isAuthenticationRequired
    case .publishers: true
    }
  }

  /// Nil for nobody in particular.
  func identity(of bearer: Credentials.Bearer) -> ConnectionIdentity? {
    if bearer.expiresAt == .infinity, bearer.principal == .anonymous { return nil }
    return ConnectionIdentity(principal: bearer.principal, expiresAt: bearer.expiresAt)
  }

  /// `--reject-with http`: the home has said whether the task may be watched.
  func finishUpgrade(_ slot: Int32, _ exchange: HTTPExchange, _ answer: Answer) {
    guard let candidate = exchange.candidate else { return }
    exchange.candidate = nil
    guard !exchange.peerEnded else { return release(slot) }
    if shared.isDraining.load(ordering: .relaxed) {
      metrics.add(.handshakesRejected(.draining))
      return refuseByStatus(slot, exchange, Problem(.draining, "this node is going down, connect again"))
    }
    if case .problem(let problem) = answer {
      metrics.add(.handshakesRejected(problem.code == .forbidden ? .permission : .notFound))
      return refuseByStatus(slot, exchange, problem)
    }
    let headBytes = exchange.headBytes
    admit(slot, candidate, headBytes.span, startedAt: exchange.startedAt)
    continueWithFrames(slot, exchange)
  }

  func refuseByStatus(_ slot: Int32, _ exchange: HTTPExchange, _ problem: Problem) {
    exchange.keepsAlive = false
    giveBackPlace(slot)
    respond(slot, problem: problem)
  }

  private func admit(_ slot: Int32, _ candidate: UpgradeCandidate, _ bytes: Span<UInt8>, startedAt: Int64) {
    complete(slot, candidate, bytes, startedAt: startedAt, isAdmitted: true)
    opened(slot, candidate.task, candidate.bearer)
    // After the greeting, which comes first even where the token is about to expire.
    boundByExpiry(slot)
    file(slot)
  }

  private static func notFound(_ reason: String) -> Refusal {
    Refusal(
      code: .policyViolation, reason: reason,
      problem: Problem(.taskNotFound, "the name must be \(TaskIdentifier.rule)"), label: .notFound)
  }

  // MARK: Room

  private func takePlace(_ slot: Int32) -> Bool {
    let count = shared.activeConnections.add(1, ordering: .relaxed).newValue
    guard count <= shared.configuration.connectionCountMax else {
      shared.activeConnections.subtract(1, ordering: .relaxed)
      return false
    }
    connections[slot].isCounted = true
    return true
  }

  /// For a connection that is refused by status: it never opens.
  func giveBackPlace(_ slot: Int32) {
    guard connections[slot].isCounted else { return }
    shared.activeConnections.subtract(1, ordering: .relaxed)
    connections[slot].isCounted = false
  }

  private func park(_ slot: Int32) -> Bool {
    let count = shared.parkedConnections.add(1, ordering: .relaxed).newValue
    guard count <= ShardLimits.parkedCountMax else {
      shared.parkedConnections.subtract(1, ordering: .relaxed)
      return false
    }
    connections[slot].isParked = true
    return true
  }

  /// A trusted proxy asks for a status at the cap, so that it can try the next node; `--reject-with http` always gives one.
  private func mustAnswerByStatus(
    _ slot: Int32, _ refusal: Refusal, _ head: RequestHead, _ bytes: Span<UInt8>
  ) -> Bool {
    if shared.configuration.rejectionStyle == .http { return true }
    guard refusal.label == .capacity, isTrusted(connections[slot].peer),
      let wish = head.first(.xSignalboxOverload)
    else { return false }
    return HTTPGrammar.equals(ignoringCase: "status", bytes, wish)
  }

  // MARK: Completing

  private func negotiateDeflate(_ handshake: OpeningHandshake, _ bytes: Span<UInt8>) -> NegotiatedDeflate? {
    guard shared.configuration.isCompressionOn else { return nil }
    for offers in handshake.extensions {
      if let agreed = DeflateNegotiation.negotiate(offers: bytes.extracting(offers)) { return agreed }
    }
    return nil
  }

  /// Sends the 101 and turns the connection into a WebSocket. Who is admitted is greeted in the same call; for who is not
  /// the queue keeps the answer together with the close frame.
  private func complete(
    _ slot: Int32, _ candidate: UpgradeCandidate, _ bytes: Span<UInt8>, startedAt: Int64, isAdmitted: Bool
  ) {
    let handshake = candidate.handshake
    let deflate = negotiateDeflate(handshake, bytes)
    // Our frames use one window for everybody; who can only read a smaller one gets them plain.
    if let deflate, deflate.serverMaxWindowBits >= Deflater.preferredWindowBits {
      connections[slot].readsCompressed = true
      shared.compressedReaders.add(1, ordering: .relaxed)
    }
    connections[slot].identity = identity(of: candidate.bearer)
    let isNativeSelected = handshake.subprotocols.contains { HTTPGrammar.equals("signalbox.v1", bytes, $0) }
    let subprotocol = isNativeSelected ? "signalbox.v1" : nil
    // The seeds' other dialects have no message that the subprotocol adds.
    let speaksNative = isNativeSelected && candidate.destination.isAction
    var answers = DirectAnswers()
    if isAdmitted, mayAnswerDirectly(slot),
      let byteCount = unsafe handshake.writeResponse(
        subprotocol: subprotocol, extensions: deflate?.response, to: roomForAnswer(answers))
    {
      answers.add(byteCount: byteCount)
    } else {
      var response: [UInt8] = []
      handshake.appendResponse(subprotocol: subprotocol, extensions: deflate?.response, into: &response)
      send(slot, .raw(response))
    }
    if isAdmitted, speaksNative { greet(slot, &answers) }
    // Before the phase changes, so that what is queued of it counts as HTTP, which is never dropped for a close frame.
    sendDirect(slot, &answers)
    metrics.add(.httpRequests(.code101))
    metrics.observe(.handshakeDuration, Double(nowMilliseconds - startedAt) / 1000)
    connections[slot].phase = .open
    switch candidate.destination {
    case .task: connections[slot].endpoint = .task
    case .execution: connections[slot].endpoint = .execution
    case .action: connections[slot].endpoint = .action
    case .worker: connections[slot].endpoint = .worker
    case .echo: connections[slot].endpoint = .echo
    }
    connections[slot].speaksNative = speaksNative
    connections[slot].wantsNodes = candidate.wantsNodes
    connections[slot].wantsLogs = candidate.wantsLogs
    connections[slot].session = WebSocketSession(
      messageByteCountMax: messageByteCountMax(connections[slot].endpoint), deflate: deflate)
    // Beyond the cap a connection is only told so: it counts as refused, not as opened.
    if connections[slot].isCounted { metrics.socketOpened(connections[slot].endpoint) }
    schedule(slot, in: shared.configuration.pingInterval.milliseconds)
  }

  /// A worker's message is what a request's body would be.
  private func messageByteCountMax(_ endpoint: SocketEndpoint) -> Int {
    switch endpoint {
    case .task, .execution, .action, .sse: shared.configuration.maxMessageByteCount
    case .worker: shared.configuration.maxRequestByteCount
    case .echo: EchoLimits.messageByteCountMax
    }
  }

  /// The connection is open and may be: it enters its topics.
  private func opened(_ slot: Int32, _ task: TaskIdentifier?, _ bearer: Credentials.Bearer) {
    let endpoint = connections[slot].endpoint
    switch endpoint {
    case .echo, .sse: break
    case .worker: return enterWorker(slot)
    case .action:
      if !shared.isAuthenticationRequired { enter(slot, .unnamed) }
    case .task, .execution:
      guard let task else { return }
      let reads = connections[slot].readsCompressed
      let audience: Audience =
        endpoint == .task ? (reads ? .taskCompressed : .task) : (reads ? .executionCompressed : .execution)
      // Like a command of the client's: what its home answers, the first message, comes before answers to later ones.
      forward(
        slot,
        .watch(
          WatchRequest(
            task: task, audience: audience, key: endpoint == .task ? .taskDialect : .executionDialect, since: nil,
            wait: false, principal: bearer.principal, shard: index, connection: token(of: slot))),
        to: shared.home(of: task))
    }
    if let user = bearer.principal.subject, shared.isAuthenticationRequired {
      connections[slot].identity?.user = user
      enter(slot, .user(user))
    }
  }

  /// The first message of the native dialect, in one call with the answer to the handshake.
  private func greet(_ slot: Int32, _ answers: inout DirectAnswers) {
    let welcome = ActionDialect.welcome(
      connectionIdentifier: connectionName(slot),
      pingIntervalSeconds: Double(shared.configuration.pingInterval.milliseconds) / 1000,
      messageByteCountMax: shared.configuration.maxMessageByteCount, now: nowWall)
    if mayAnswerDirectly(slot), append(.text, welcome.span, to: &answers) { return }
    sendDirect(slot, &answers)
    send(slot, .text(welcome))
  }

  private func connectionName(_ slot: Int32) -> String {
    "\(index)-\(slot)-\(connections[slot].generation)-\(String(environment.randomBits(), radix: 16))"
  }

  /// Bytes that came with the handshake are frames already.
  private func continueWithFrames(_ slot: Int32, _ exchange: HTTPExchange) {
    let rest = exchange.inbound[exchange.consumed...]
    connections[slot].exchange = nil
    // Behind a handshake that waited for its home more may have come than is kept of requests.
    if connections[slot].phase == .open { resumeReading(slot) }
    var start = rest.startIndex
    let token = token(of: slot)
    while start < rest.endIndex, isCurrent(token) {
      let count = unsafe min(rest.endIndex - start, receiveBuffer.count)
      // SAFETY: count is within the receive buffer, and start + count within the rest.
      unsafe rest[start..<(start + count)].withUnsafeBytes { unsafe receiveBuffer.copyMemory(from: $0) }
      receivedFrames(slot, byteCount: count)
      start += count
    }
  }
}

/// Bounds of `--echo`, which serves conformance suites.
enum EchoLimits {
  static let messageByteCountMax = 64 << 20
}
