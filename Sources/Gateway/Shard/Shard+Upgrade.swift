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
    default: return nil
    }
  }

  /// True where the path is a WebSocket endpoint: a request for it without an upgrade gets 426.
  static func isSocketPath(_ segments: [String], echoIsOn: Bool) -> Bool {
    destination(segments, echoIsOn: echoIsOn) != nil
  }

  /// What a refusal is: as a close code after a completed handshake, or as an HTTP status.
  private struct Refusal {
    let code: CloseCode
    let reason: String
    let problem: Problem
    let label: HandshakeRejectionLabel
  }

  /// Answers an upgrade request whose head has arrived whole.
  func upgrade(_ slot: Int32, _ exchange: HTTPExchange, _ segments: [String]) {
    let head = exchange.head
    let bytes = exchange.headBytes
    let configuration = shared.configuration
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
    guard let destination = Self.destination(segments, echoIsOn: configuration.isEchoOn) else {
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
    guard let refusal = refusal(of: &candidate, slot, head, bytes.span) else {
      if configuration.rejectionStyle == .http, let task = candidate.task {
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
      return admit(slot, exchange, candidate)
    }
    metrics.add(.handshakesRejected(refusal.label))
    if mustAnswerByStatus(slot, refusal, head, bytes.span) {
      return refuseByStatus(slot, exchange, refusal.problem)
    }
    if refusal.label == .capacity, !park(slot) {
      // Too many are being told already: this one sees a closed connection.
      return release(slot)
    }
    complete(slot, exchange, candidate)
    if refusal.label == .notFound, case .execution = destination {
      send(slot, .text(ExecutionDialect.error(refusal.reason)))
    }
    close(slot, refusal.code, refusal.reason)
    continueWithFrames(slot, exchange)
  }

  /// Why a candidate may not come in; nil where it may. Room first: a full node should not spend on checking tokens.
  private func refusal(
    of candidate: inout UpgradeCandidate, _ slot: Int32, _ head: RequestHead, _ bytes: Span<UInt8>
  ) -> Refusal? {
    let configuration = shared.configuration
    guard takePlace(slot) else {
      return Refusal(
        code: .tryAgainLater, reason: "Server connection limit reached",
        problem: Problem(.overCapacity, "all \(configuration.connectionCountMax) connections are taken"),
        label: .capacity)
    }
    if configuration.isAuthenticationRequired, !candidate.destination.isOpen {
      do throws(Credentials.Failure) {
        candidate.bearer = try authenticate(head, bytes, candidate.handshake)
      } catch {
        metrics.add(.authenticationFailures(error.label))
        return Refusal(
          code: .policyViolation, reason: "Authentication failed",
          problem: Problem(.unauthorized, "no valid token was shown"), label: .authentication)
      }
    }
    if shared.census.isUsed {
      let address = clientAddress(slot, head, bytes)
      guard shared.census.enter(address: address, user: candidate.bearer.principal.subject) else {
        return Refusal(
          code: .policyViolation, reason: "Too many connections",
          problem: Problem(.rateLimited, "too many connections from one address or user"), label: .rate)
      }
      connections[slot].isInCensus = true
      connections[slot].identity = identity(of: candidate)
      connections[slot].peer = address
    }
    switch candidate.destination {
    case .task(let text):
      candidate.task = TaskIdentifier(validating: text)
      return candidate.task == nil ? Self.notFound("Task not found") : nil
    case .execution(let text):
      candidate.task = TaskIdentifier(validating: text)
      return candidate.task == nil ? Self.notFound("Execution not found") : nil
    case .action, .echo: return nil
    }
  }

  /// Nil for nobody in particular.
  private func identity(of candidate: UpgradeCandidate) -> ConnectionIdentity? {
    let identity = ConnectionIdentity(
      principal: candidate.bearer.principal, expiresAt: candidate.bearer.expiresAt)
    return identity.isBlank ? nil : identity
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
    admit(slot, exchange, candidate)
  }

  private func refuseByStatus(_ slot: Int32, _ exchange: HTTPExchange, _ problem: Problem) {
    exchange.keepsAlive = false
    giveBackPlace(slot)
    respond(slot, problem: problem)
  }

  private func admit(_ slot: Int32, _ exchange: HTTPExchange, _ candidate: UpgradeCandidate) {
    complete(slot, exchange, candidate)
    opened(slot, candidate.task, candidate.bearer)
    // After the greeting, which comes first even where the token is about to expire.
    boundByExpiry(slot)
    file(slot)
    continueWithFrames(slot, exchange)
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
  private func giveBackPlace(_ slot: Int32) {
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

  /// Sends the 101 and turns the connection into a WebSocket.
  private func complete(_ slot: Int32, _ exchange: HTTPExchange, _ candidate: UpgradeCandidate) {
    let handshake = candidate.handshake
    let bytes = exchange.headBytes
    let deflate = negotiateDeflate(handshake, bytes.span)
    connections[slot].identity = identity(of: candidate)
    let speaksNative = handshake.subprotocols.contains {
      HTTPGrammar.equals("signalbox.v1", bytes.span, $0)
    }
    var response: [UInt8] = []
    handshake.appendResponse(
      subprotocol: speaksNative ? "signalbox.v1" : nil, extensions: deflate?.response, into: &response)
    send(slot, .raw(response))
    metrics.add(.httpRequests(.code101))
    metrics.observe(.handshakeDuration, Double(nowMilliseconds - exchange.startedAt) / 1000)
    connections[slot].phase = .open
    // Our frames use one window for everybody; who can only read a smaller one gets them plain.
    connections[slot].readsCompressed = (deflate?.serverMaxWindowBits ?? 0) >= Deflater.preferredWindowBits
    switch candidate.destination {
    case .task: connections[slot].endpoint = .task
    case .execution: connections[slot].endpoint = .execution
    case .action: connections[slot].endpoint = .action
    case .echo: connections[slot].endpoint = .echo
    }
    let isEcho = connections[slot].endpoint == .echo
    // The seeds' other dialects have no message that the subprotocol adds.
    connections[slot].speaksNative = speaksNative && connections[slot].endpoint == .action
    connections[slot].session = WebSocketSession(
      messageByteCountMax: isEcho ? EchoLimits.messageByteCountMax : shared.configuration.maxMessageByteCount,
      deflate: deflate)
    // Beyond the cap a connection is only told so: it counts as refused, not as opened.
    if connections[slot].isCounted { metrics.socketOpened(connections[slot].endpoint) }
    schedule(slot, in: shared.configuration.pingInterval.milliseconds)
  }

  /// The connection is open and may be: it enters its topics.
  private func opened(_ slot: Int32, _ task: TaskIdentifier?, _ bearer: Credentials.Bearer) {
    let endpoint = connections[slot].endpoint
    switch endpoint {
    case .echo: break
    case .action:
      if connections[slot].speaksNative {
        send(
          slot,
          .text(
            ActionDialect.welcome(
              connectionIdentifier: connectionName(slot),
              pingIntervalSeconds: Double(shared.configuration.pingInterval.milliseconds) / 1000,
              messageByteCountMax: shared.configuration.maxMessageByteCount, now: nowWall)))
      }
      if !shared.configuration.isAuthenticationRequired { enter(slot, .unnamed) }
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
    if let user = bearer.principal.subject, shared.configuration.isAuthenticationRequired {
      connections[slot].identity?.user = user
      enter(slot, .user(user))
    }
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

/// What a path of the WebSocket endpoints names.
enum SocketDestination: Sendable {
  case task(String)
  case execution(String)
  case action
  case echo

  /// Needs no token.
  var isOpen: Bool {
    if case .echo = self { return true }
    return false
  }
}

/// An opening handshake on its way in.
struct UpgradeCandidate: Sendable {
  let handshake: OpeningHandshake
  let destination: SocketDestination
  var task: TaskIdentifier?
  var bearer = Credentials.Bearer(principal: .anonymous, expiresAt: .infinity)

  init(handshake: OpeningHandshake, destination: SocketDestination) {
    self.handshake = handshake
    self.destination = destination
  }
}

/// Bounds of `--echo`, which serves conformance suites.
enum EchoLimits {
  static let messageByteCountMax = 64 << 20
}
