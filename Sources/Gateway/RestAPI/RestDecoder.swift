import GatewayDomain
import Protocol

/// What a request of the HTTP API comes to, decoded: the shard carries it out.
enum RestAction {
  case task(TaskCommand, home: TaskIdentifier, PendingAnswer)
  case list(TaskListQuery)
  /// In the order asked.
  case cancelMany([TaskIdentifier], principal: Principal)
  case confirmation(ConfirmationCommand, userHash: UInt16)
  case sendMessage(UserIdentifier, body: JSONText, requiresAcknowledgement: Bool, waitSeconds: Double)
  case findMessage(MessageIdentifier, userHash: UInt16)
  case broadcast(JSONText)
  case channel(ChannelName, JSONText)
  case closeUser(UserIdentifier)
  case ticket(UserIdentifier?)
}

extension RestAction {
  /// How its answer is rendered.
  var pending: PendingAnswer {
    switch self {
    case .task(_, _, let pending): pending
    case .list: .page
    case .confirmation: .confirmation
    case .sendMessage: .userMessage
    case .cancelMany, .findMessage, .broadcast, .channel, .closeUser, .ticket: .none
    }
  }
}

/// Bodies and queries to actions. Knows neither connections nor shards.
struct RestDecoder {
  let principal: Principal
  let callbackTimeout: Duration
  let callbackDefaultProceeds: Bool

  /// - Parameter freshTask: makes the name of a registration or an execution that has none.
  func decode(
    _ call: RestCall, body: Span<UInt8>, query: Span<UInt8>, freshTask: () -> TaskIdentifier
  ) throws(Problem) -> RestAction {
    switch call {
    case .registerTask:
      let registration = try RequestBodies.registration(body, fresh: freshTask())
      return .task(.register(registration, principal: principal), home: registration.identifier, .task)
    case .listTasks: return .list(try listQuery(query))
    case .task(let task): return .task(.snapshot(task, principal: principal), home: task, .task)
    case .execution(let task): return .task(.snapshot(task, principal: principal), home: task, .execution)
    case .taskEvents(let task):
      let after = try integer("after", in: query, 0...Int.max) ?? 0
      let limit = try integer("limit", in: query, 1...1000) ?? 100
      return .task(.events(task, after: after, limit: limit, principal: principal), home: task, .events)
    case .taskLogs(let task):
      let after = try integer("after", in: query, 0...Int.max) ?? 0
      let limit = try integer("limit", in: query, 1...1000) ?? 100
      return .task(.logLines(task, after: after, limit: limit, principal: principal), home: task, .none)
    case .node(let task, let node):
      return .task(.node(task, try RequestBodies.node(body, of: node)), home: task, .accepted)
    case .logs(let task): return .task(.log(task, try RequestBodies.logLines(body)), home: task, .none)
    case .cancelMany: return .cancelMany(try RequestBodies.cancelMany(body), principal: principal)
    case .progress(let task):
      let report = try RequestBodies.progress(body)
      // A terminal word finishes the task as `complete` or `error` would; the answer stays that of progress.
      return .task(.progress(task, report), home: task, .accepted)
    case .complete(let task):
      return .task(.complete(task, try RequestBodies.complete(body)), home: task, .finished)
    case .error(let task): return .task(.fail(task, try RequestBodies.error(body)), home: task, .finished)
    case .heartbeat(let task):
      let beat = try RequestBodies.heartbeat(body)
      return .task(.heartbeat(task, user: beat.user, message: beat.message), home: task, .heartbeat)
    case .cancel(let task):
      let request = try RequestBodies.cancel(body)
      return .task(
        .cancel(
          task, user: request.user, reason: request.reason, principal: principal, relayAlways: false),
        home: task, .cancel)
    case .acknowledgeCancel(let task):
      let given = try RequestBodies.cancelAcknowledgement(body)
      return .task(.acknowledgeCancel(task, given: given), home: task, .finished)
    case .createExecution:
      let execution = try RequestBodies.execution(body)
      var registration = TaskRegistration(identifier: freshTask())
      registration.kind = "execution"
      registration.metadata = execution.metadata
      registration.isExecution = true
      return .task(
        .register(registration, principal: principal), home: registration.identifier, .createdExecution)
    case .openConfirmation:
      let request = try RequestBodies.confirmation(
        body, timeoutSeconds: callbackTimeout.seconds, defaultProceed: callbackDefaultProceeds)
      return .confirmation(
        .open(request, waitSeconds: try Self.waitSeconds(query)), userHash: TopicHash.short(request.user.text))
    case .confirmation(let callback):
      return .confirmation(
        .find(callback, waitSeconds: try Self.waitSeconds(query), isFirst: false), userHash: try userHash(callback))
    case .withdrawConfirmation(let callback):
      return .confirmation(.withdraw(callback), userHash: try userHash(callback))
    case .broadcast: return .broadcast(try RequestBodies.object(body))
    case .channel(let channel): return .channel(channel, try RequestBodies.object(body))
    case .sendMessage(let user):
      let requiresAcknowledgement = try Self.flag("requires_ack", in: query)
      return .sendMessage(
        user, body: try RequestBodies.object(body), requiresAcknowledgement: requiresAcknowledgement,
        waitSeconds: requiresAcknowledgement ? try Self.waitSeconds(query) : 0)
    case .message(let message):
      guard let hash = MessageIdentifier.userHash(of: message) else {
        throw Problem(.notFound, "there is no such message")
      }
      return .findMessage(message, userHash: hash)
    case .closeUser(let user): return .closeUser(user)
    case .tickets: return .ticket(try RequestBodies.ticket(body))
    case .publish, .livez, .readyz, .metrics, .status, .openAPI, .dashboard, .dashboardRedirect, .echo, .stream:
      throw Problem(.internalError, "this call has no action")
    }
  }

  private func userHash(_ callback: CallbackIdentifier) throws(Problem) -> UInt16 {
    guard let hash = CallbackIdentifier.userHash(of: callback) else {
      throw Problem(.notFound, "there is no such confirmation")
    }
    return hash
  }

  // MARK: Queries

  private func listQuery(_ query: Span<UInt8>) throws(Problem) -> TaskListQuery {
    var list = TaskListQuery()
    list.limit = try integer("limit", in: query, 1...TaskDeskSettings.listCountMax) ?? 100
    if let word = QueryItems.first("status", in: query) {
      guard let status = TaskStatus(word: word) else {
        throw Problem(
          .badRequest, "status is \(word), must be one of pending, running, completed, failed, cancelled")
      }
      list.filter.status = status
    }
    if let text = QueryItems.first("owner", in: query) {
      guard let owner = UserIdentifier(validating: text) else {
        throw Problem(.badRequest, "owner must be \(UserIdentifier.rule)")
      }
      list.filter.owner = owner
    }
    list.filter.kind = QueryItems.first("kind", in: query)
    if let text = QueryItems.first("parent_id", in: query) {
      guard let parent = TaskIdentifier(validating: text) else {
        throw Problem(.badRequest, "parent_id must be \(TaskIdentifier.rule)")
      }
      list.filter.parent = parent
    }
    if let text = QueryItems.first("cursor", in: query) {
      guard let cursor = TaskSortKey(cursor: text) else {
        throw Problem(.badRequest, "cursor must be the next_cursor of an earlier answer")
      }
      list.cursor = cursor
    }
    if case .user(let user, _) = principal { list.filter.restrictedTo = user }
    return list
  }

  /// `wait=N`: seconds, 0 to `RestLimits.waitSecondsMax`.
  static func waitSeconds(_ query: Span<UInt8>) throws(Problem) -> Double {
    guard let text = QueryItems.first("wait", in: query) else { return 0 }
    guard let seconds = Double(text), seconds >= 0, seconds <= RestLimits.waitSecondsMax else {
      throw Problem(
        .badRequest, "wait is \(text), must be a number of seconds from 0 to \(Int(RestLimits.waitSecondsMax))")
    }
    return seconds
  }

  private func integer(
    _ name: String, in query: Span<UInt8>, _ range: ClosedRange<Int>
  ) throws(Problem) -> Int? {
    guard let text = QueryItems.first(name, in: query) else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw Problem(
        .badRequest,
        "\(name) is \(text), must be an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  static func flag(_ name: String, in query: Span<UInt8>) throws(Problem) -> Bool {
    switch QueryItems.first(name, in: query) {
    case nil, "0", "false", "off": return false
    case "1", "true", "on", "": return true
    case .some(let text): throw Problem(.badRequest, "\(name) is \(text), must be 1 or 0")
    }
  }
}

/// Bounds of what the HTTP API is asked.
enum RestLimits {
  /// Seconds that a request may ask to be held (`wait`); a home must have answered within `ShardLimits.answerMilliseconds`.
  static let waitSecondsMax = 300.0
  /// Tasks of one `tasks/cancel`: they are carried out in one turn.
  static let cancelCountMax = 1000
}
