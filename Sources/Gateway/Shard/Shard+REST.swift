import GatewayDomain
import Protocol
import Synchronization

/// Calls of the HTTP API carried out: commands to their homes, and what homes answer rendered.
extension Shard {
  func perform(_ slot: Int32, _ exchange: HTTPExchange, _ call: RestCall, _ bearer: Credentials.Bearer) {
    switch call {
    case .progress(let task) where isNextToReach(task): return progress(slot, exchange, task)
    case .publish: return publish(slot, exchange, bearer.principal)
    case .createExecution where shared.waitingExecutions.load(ordering: .relaxed) >= ExecutionDispatcher.waitingCountMax:
      let detail = "\(ExecutionDispatcher.waitingCountMax) executions wait for a worker, the most that there may be"
      return respond(slot, problem: Problem(.overCapacity, detail))
    default: break
    }
    let decoder = RestDecoder(
      principal: bearer.principal, callbackTimeout: shared.configuration.callbackTimeout,
      callbackDefaultProceeds: shared.configuration.callbackDefault == .proceed)
    let query = exchange.head.query ?? 0..<0
    let headBytes = exchange.headBytes
    let body = exchange.body
    do throws(Problem) {
      let action = try decoder.decode(call, body: body.span, query: headBytes.span.extracting(query)) {
        var random = EnvironmentRandom(environment: environment)
        return TaskIdentifier.random(using: &random)
      }
      perform(slot, exchange, action, bearer)
    } catch {
      respond(slot, problem: error)
    }
  }

  private func perform(_ slot: Int32, _ exchange: HTTPExchange, _ action: RestAction, _ bearer: Credentials.Bearer) {
    exchange.pending = action.pending
    let address = address(of: slot, exchange)
    connections[slot].deadline = nowMilliseconds + ShardLimits.answerMilliseconds
    switch action {
    case .task(let command, let task, _):
      if isNextToReach(task) {
        perform(slot, exchange, command, address)
      } else {
        post(.task(command, from: address), to: shared.home(of: task))
      }
    case .list(let query):
      let parts = gather(.page(limit: query.limit), answering: address, partCount: shared.shardCount)
      postToAll(.task(.list(query), from: parts))
    case .confirmation(.open(let request, let waitSeconds), _) where request.isForViewers:
      // Who they are is known at the task's home, which hands the question on.
      post(.task(.ask(request, waitSeconds: waitSeconds), from: address), to: shared.home(of: request.task))
    case .cancelMany(let tasks, let principal): cancelMany(tasks, principal, answering: address)
    case .confirmation(let command, let userHash):
      post(.confirmation(command, from: address), to: shared.home(ofUserHash: userHash))
    case .sendMessage(let user, let body, let requiresAcknowledgement, let waitSeconds):
      sendMessage(
        user, body, requiresAcknowledgement: requiresAcknowledgement, waitSeconds: waitSeconds, answering: address)
    case .findMessage(let message, let userHash):
      post(.message(.find(message), from: address), to: shared.home(ofUserHash: userHash))
    case .broadcast(let body): relay(.everyone, body, answering: address)
    case .channel(let channel, let body):
      relay(
        .channel(channel), JSONText(normalised: ActionDialect.channelMessage(body, channel: channel)),
        answering: address)
    case .closeUser(let user):
      let parts = gather(.connections, answering: address, partCount: shared.shardCount)
      postToAll(
        .closeUser(user, newcomer: nil, .policyViolation, reason: "Closed by the publisher", from: parts))
    case .ticket(let user): issueTicket(slot, user, bearer)
    }
  }

  /// A command whose home is here, carried out now; answered now too, unless that has to wait for the store.
  private func perform(_ slot: Int32, _ exchange: HTTPExchange, _ command: TaskCommand, _ address: ReplyAddress) {
    let ends = former(of: command)
    let answer = answer(command, betweenMails: true)
    if exchange.ticket == nil, store?.isWaiting != true {
      render(slot, exchange, answer)
    } else {
      settle(answer, of: command, to: address, ends: ends)
    }
  }

  /// Where the present request's answer goes.
  func address(of slot: Int32, _ exchange: HTTPExchange) -> ReplyAddress {
    guard let ticket = exchange.ticket else {
      return .exchange(shard: index, token(of: slot), request: exchange.requestNumber)
    }
    return .idempotent(
      shard: index, token(of: slot), request: exchange.requestNumber,
      IdempotencyTicket(
        token: ticket.token, bodyDigest: ticket.bodyDigest, row: ticket.row, pending: exchange.pending))
  }

  /// A question that was asked before, under the same key: as it is now, or as its answer comes.
  func findAgain(_ slot: Int32, _ exchange: HTTPExchange, _ callback: CallbackIdentifier) {
    let headBytes = exchange.headBytes
    let query = headBytes.span.extracting(exchange.head.query ?? 0..<0)
    do throws(Problem) {
      let command = ConfirmationCommand.find(
        callback, waitSeconds: try RestDecoder.waitSeconds(query), isFirst: true)
      exchange.pending = .confirmation
      post(
        .confirmation(command, from: address(of: slot, exchange)),
        to: shared.home(ofUserHash: CallbackIdentifier.userHash(of: callback) ?? 0))
    } catch {
      respond(slot, problem: error)
    }
  }

  /// Whether anybody here reads compressed frames. Who comes at this moment gets a plain one.
  var isReadCompressed: Bool { shared.compressedReaders.load(ordering: .relaxed) > 0 }

  /// A message that is no task's event, to every shard; the answer counts whom it reached.
  ///
  /// - Parameter waits: whether it stands behind something that may wait for the store, and waits with it.
  func relay(_ target: Relay.Target, _ body: JSONText, answering address: ReplyAddress, waits: Bool = false) {
    let parts = gather(.connections, answering: address, partCount: shared.shardCount)
    let frame = makeFrame(body.bytes, compresses: isReadCompressed)
    let message = ShardMessage.relay(Relay(target: target, frame: frame, from: parts))
    guard waits else { return postToAll(message) }
    for shard in 0..<shared.shardCount {
      tell(.mail(shard == index ? message : message.handedOver(), shard: shard))
    }
  }

  func sendMessage(
    _ user: UserIdentifier, _ body: JSONText, requiresAcknowledgement: Bool, waitSeconds: Double,
    answering address: ReplyAddress, waits: Bool = false
  ) {
    guard requiresAcknowledgement else {
      relay(
        .user(user), JSONText(normalised: ActionDialect.userMessage(body, to: user)), answering: address, waits: waits)
      return
    }
    var random = EnvironmentRandom(environment: environment)
    let message = MessageIdentifier.make(for: user, using: &random)
    let payload = JSONText(normalised: ActionDialect.userMessage(body, to: user, acknowledgedAs: message))
    let command = ShardMessage.message(.send(message, user, payload, waitSeconds: waitSeconds), from: address)
    let home = shared.home(of: user)
    if waits { tell(.mail(command, shard: home)) } else { post(command, to: home) }
  }

  /// One made with a JWT carries all its claims; one made by a publisher only the user (contract §6).
  private func issueTicket(_ slot: Int32, _ user: UserIdentifier?, _ bearer: Credentials.Bearer) {
    if !bearer.principal.mayPublish, let user, user != bearer.principal.subject {
      return respond(slot, problem: Problem(.forbidden, "a user's token makes tickets for that user only"))
    }
    let principal: Principal
    let credentialsExpireAt: Double
    if bearer.principal.mayPublish, let user {
      principal = .user(user, watchableTasks: [])
      credentialsExpireAt = .infinity
    } else if case .user = bearer.principal {
      principal = bearer.principal
      credentialsExpireAt = bearer.expiresAt
    } else if bearer.principal.subject != nil {
      principal = bearer.principal
      credentialsExpireAt = bearer.expiresAt
    } else {
      return respond(slot, problem: Problem(.badRequest, "user_id is missing, must be \(UserIdentifier.rule)"))
    }
    // 128 random bits: a ticket is a secret for a minute.
    let text = String(environment.randomBits(), radix: 36) + "-" + String(environment.randomBits(), radix: 36)
    shared.tickets.issue(
      text,
      TicketOffice.Ticket(
        principal: principal, credentialsExpireAt: credentialsExpireAt,
        expiresAtMonotonic: monotonicSeconds + TicketOffice.lifetimeSeconds), nowMonotonic: monotonicSeconds)
    respond(
      slot, status: 201, contentType: "application/json",
      body: ResponseBodies.ticket(text, expiresAt: nowWall + TicketOffice.lifetimeSeconds))
  }

  // MARK: Rendering

  /// What a home answered, as the HTTP answer that the request asked for.
  func render(_ slot: Int32, _ exchange: HTTPExchange, _ answer: Answer) {
    switch answer {
    case .problem(let problem): respond(slot, problem: problem)
    case .receipt(let receipt):
      if case .finished = exchange.pending {
        respond(slot, exchange, status: 200, receipt: receipt, isTerminal: true)
      } else {
        respond(slot, exchange, status: 202, receipt: receipt, isTerminal: false)
      }
    default:
      guard let rendered = AnswerBodies.render(answer, as: exchange.pending, now: nowWall) else { return }
      json(slot, rendered.status, rendered.body)
    }
  }

  func json(_ slot: Int32, _ status: Int, _ body: [UInt8]) {
    respond(slot, status: status, contentType: "application/json", body: body)
  }

  // MARK: For everybody

  func answerOpen(_ slot: Int32, _ exchange: HTTPExchange, _ call: RestCall) {
    switch call {
    case .livez:
      let isStuck = shared.lastTurns.contains {
        nowMilliseconds - $0.value.load(ordering: .relaxed) > ShardLimits.livenessMilliseconds
      }
      json(slot, isStuck ? 503 : 200, ResponseBodies.health(isStuck ? "stuck" : "ok"))
    case .readyz:
      if shared.isDraining.load(ordering: .relaxed) {
        json(slot, 503, ResponseBodies.health("draining"))
      } else {
        answerReadiness(slot)
      }
    case .metrics: answerMetrics(slot, exchange)
    case .status:
      json(
        slot, 200,
        ResponseBodies.status(
          StatusValues(
            isRunning: true, host: shared.listening.host, port: Int(shared.listening.port),
            activeConnections: shared.activeConnections.load(ordering: .relaxed),
            pendingCallbacks: shared.metrics.reduce(0) { $0 + $1.value(.confirmationsPending) },
            tasks: shared.metrics.reduce(0) { sum, metrics in
              TaskStatus.allCases.reduce(sum) { $0 + metrics.value(.tasks(TaskStatusLabel($1))) }
            }, version: GatewayVersion.text, uptimeSeconds: nowWall - shared.startedAtWall)))
    case .openAPI:
      respond(slot, status: 200, contentType: "application/json", body: OpenAPIDocument.bytes)
    case .dashboardRedirect:
      respond(slot, status: 308, contentType: nil, body: [], extraFields: [(name: "Location", value: "/ui/")])
    case .dashboard(let path): answerDashboard(slot, exchange, path)
    case .echo:
      respond(slot, status: 200, contentType: "application/octet-stream", body: exchange.body)
    default: respond(slot, problem: Problem(.internalError, "this call is not open"))
    }
  }

  /// A node whose store takes nothing cannot answer for what it is told: publishers are better off elsewhere, and who is
  /// connected stays.
  private func answerReadiness(_ slot: Int32) {
    guard shared.isReady.load(ordering: .relaxed) else { return json(slot, 503, ResponseBodies.health("starting")) }
    if let health = shared.store?.health, !health.isHealthy {
      return json(
        slot, 503, ResponseBodies.health("store_unavailable", detail: health.failure?.kind.cause.description))
    }
    json(slot, 200, ResponseBodies.health("ok"))
  }

  private func answerMetrics(_ slot: Int32, _ exchange: HTTPExchange) {
    let headBytes = exchange.headBytes
    let bytes = headBytes.span
    let accept = exchange.head.first("accept", in: bytes).flatMap { String(validating: bytes.extracting($0)) }
    let page = PrometheusText.render(
      shards: shared.metrics, process: ProcessSample.current(),
      facts: GatewayFacts(
        connectionLimit: shared.configuration.connectionCountMax,
        isDraining: shared.isDraining.load(ordering: .relaxed), isLastReloadGood: true,
        droppedLogLineCount: shared.log.droppedLineCount, repeatedLogLineCount: shared.log.repeatedLineCount,
        store: shared.store?.health.facts ?? StoreFacts()),
      accept: accept)
    respond(
      slot, status: 200, contentType: page.contentType, body: page.body)
  }

  private func answerDashboard(_ slot: Int32, _ exchange: HTTPExchange, _ path: String) {
    guard let asset = DashboardAssets.asset(path: path) else {
      return respond(slot, problem: Problem(.notFound, "the dashboard has no such file"))
    }
    var fields = [(name: "ETag", value: asset.entityTag.description)]
    for field in DashboardAssets.headerFields {
      fields.append((name: field.name.description, value: field.value.description))
    }
    let headBytes = exchange.headBytes
    let bytes = headBytes.span
    if let known = exchange.head.first("if-none-match", in: bytes),
      HTTPGrammar.equals(asset.entityTag, bytes, known)
    {
      return respond(slot, status: 304, contentType: nil, body: [], extraFields: fields)
    }
    respond(
      slot, status: 200, contentType: asset.contentType, body: asset.body, extraFields: fields)
  }
}
