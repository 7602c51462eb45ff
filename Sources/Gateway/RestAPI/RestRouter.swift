import GatewayDomain

/// One call of the HTTP API (contract §3), with the names that its path carries, checked.
enum RestCall: Sendable {
  case livez
  case readyz
  case metrics
  case status
  case openAPI
  case dashboard(String)
  /// `/ui` without the slash that its relative links need.
  case dashboardRedirect
  case echo
  case tickets
  case registerTask
  case listTasks
  case task(TaskIdentifier)
  case taskEvents(TaskIdentifier)
  case taskLogs(TaskIdentifier)
  case progress(TaskIdentifier)
  case complete(TaskIdentifier)
  case error(TaskIdentifier)
  case heartbeat(TaskIdentifier)
  case node(TaskIdentifier, TaskIdentifier)
  case logs(TaskIdentifier)
  case cancel(TaskIdentifier)
  case acknowledgeCancel(TaskIdentifier)
  case cancelMany
  case createExecution
  case execution(TaskIdentifier)
  case openConfirmation
  case confirmation(CallbackIdentifier)
  case withdrawConfirmation(CallbackIdentifier)
  case broadcast
  case channel(ChannelName)
  case sendMessage(UserIdentifier)
  case message(MessageIdentifier)
  case closeUser(UserIdentifier)
  case publish
  /// An event stream, which asks for its own kind of credentials.
  case stream(TaskIdentifier)

  /// Calls that need no credentials (contract §3.1).
  var isOpen: Bool {
    switch self {
    case .livez, .readyz, .metrics, .status, .openAPI, .dashboard, .dashboardRedirect, .echo: true
    default: false
    }
  }

  /// Calls that a user's JWT may make too; the home decides about the single task.
  var isForUsers: Bool {
    switch self {
    case .tickets, .listTasks, .task, .taskEvents, .taskLogs, .cancel, .cancelMany, .execution: true
    default: false
    }
  }

  /// Calls that move to the internal listener where there is one (contract §3.1).
  var isInternal: Bool {
    switch self {
    case .livez, .readyz, .openAPI, .dashboard, .dashboardRedirect, .echo, .tickets, .stream: false
    default: true
    }
  }

  /// The label in `signalbox_publish_requests_total`; nil for calls that publish nothing.
  var operation: OperationLabel? {
    switch self {
    case .registerTask, .createExecution: .register
    case .progress: .progress
    case .complete: .complete
    case .error: .error
    case .heartbeat: .heartbeat
    case .node: .node
    case .logs: .log
    case .cancelMany: .cancelMany
    case .cancel, .acknowledgeCancel: .cancel
    case .openConfirmation, .withdrawConfirmation: .confirmation
    case .broadcast: .broadcast
    case .channel: .channel
    case .sendMessage: .message
    case .publish: .bulk
    default: nil
    }
  }
}

/// Paths to calls. Knows neither connections nor shards.
enum RestRouter {
  enum Outcome: Sendable {
    case call(RestCall)
    case notFound
    /// The path is ours, the method is not: what it allows.
    case methodNotAllowed(allow: String)
    /// A name in the path breaks its rule.
    case invalid(Problem)
  }

  enum Method: Sendable {
    case get
    case post
    case delete
    case other
  }

  static func route(_ method: Method, _ segments: [String], echoIsOn: Bool) -> Outcome {
    switch segments.count {
    case 1:
      switch segments[0] {
      case "livez": return only(.get, method, .livez)
      case "readyz", "healthz": return only(.get, method, .readyz)
      case "metrics": return only(.get, method, .metrics)
      case "ui": return only(.get, method, .dashboardRedirect)
      case "echo" where echoIsOn: return only(.post, method, .echo)
      default: return .notFound
      }
    case 2... where segments[0] == "ui":
      return only(.get, method, .dashboard(segments.dropFirst().joined(separator: "/")))
    case 3... where segments[0] == "api" && segments[1] == "v1":
      return routeVersion1(method, Array(segments.dropFirst(2)))
    default: return .notFound
    }
  }

  private static func routeVersion1(_ method: Method, _ segments: [String]) -> Outcome {
    switch (segments[0], segments.count) {
    case ("status", 1): return only(.get, method, .status)
    case ("openapi.json", 1): return only(.get, method, .openAPI)
    case ("tickets", 1): return only(.post, method, .tickets)
    case ("publish", 1): return only(.post, method, .publish)
    case ("broadcast", 1): return only(.post, method, .broadcast)
    case ("executions", 1): return only(.post, method, .createExecution)
    case ("executions", 2): return withTask(segments[1]) { only(.get, method, .execution($0)) }
    case ("channels", 2):
      guard let channel = ChannelName(validating: segments[1]) else {
        return .invalid(Problem(.badRequest, "the channel must be \(ChannelName.rule)"))
      }
      return only(.post, method, .channel(channel))
    case ("messages", 2): return only(.get, method, .message(MessageIdentifier(text: segments[1])))
    case ("confirmations", 1): return only(.post, method, .openConfirmation)
    case ("confirmations", 2):
      let callback = CallbackIdentifier(text: segments[1])
      switch method {
      case .get: return .call(.confirmation(callback))
      case .delete: return .call(.withdrawConfirmation(callback))
      case .post, .other: return .methodNotAllowed(allow: "GET, HEAD, DELETE")
      }
    case ("users", 3): return routeUser(method, segments)
    case ("tasks", 1):
      switch method {
      case .get: return .call(.listTasks)
      case .post: return .call(.registerTask)
      case .delete, .other: return .methodNotAllowed(allow: "GET, HEAD, POST")
      }
    case ("sse", 3) where segments[1] == "tasks": return withTask(segments[2]) { only(.get, method, .stream($0)) }
    // A task may be called `cancel`: only this POST is not about it.
    case ("tasks", 2) where segments[1] == "cancel" && method != .get:
      return method == .post ? .call(.cancelMany) : .methodNotAllowed(allow: "GET, HEAD, POST")
    case ("tasks", 2...4): return withTask(segments[1]) { routeTask(method, $0, Array(segments.dropFirst(2))) }
    default: return .notFound
    }
  }

  private static func routeTask(_ method: Method, _ task: TaskIdentifier, _ rest: [String]) -> Outcome {
    switch (rest.first, rest.count) {
    case (nil, _): return only(.get, method, .task(task))
    case ("events", 1): return only(.get, method, .taskEvents(task))
    case ("progress", 1): return only(.post, method, .progress(task))
    case ("complete", 1): return only(.post, method, .complete(task))
    case ("error", 1): return only(.post, method, .error(task))
    case ("heartbeat", 1): return only(.post, method, .heartbeat(task))
    case ("nodes", 2):
      guard let node = TaskIdentifier(validating: rest[1]) else {
        return .invalid(Problem(.badRequest, "the node id must be \(TaskIdentifier.rule)"))
      }
      return only(.post, method, .node(task, node))
    case ("logs", 1):
      switch method {
      case .get: return .call(.taskLogs(task))
      case .post: return .call(.logs(task))
      case .delete, .other: return .methodNotAllowed(allow: "GET, HEAD, POST")
      }
    case ("cancel", 1): return only(.post, method, .cancel(task))
    case ("cancel", 2) where rest[1] == "ack": return only(.post, method, .acknowledgeCancel(task))
    default: return .notFound
    }
  }

  private static func routeUser(_ method: Method, _ segments: [String]) -> Outcome {
    guard let user = UserIdentifier(validating: segments[1]) else {
      return .invalid(Problem(.badRequest, "the user must be \(UserIdentifier.rule)"))
    }
    switch segments[2] {
    case "messages": return only(.post, method, .sendMessage(user))
    case "connections": return only(.delete, method, .closeUser(user))
    default: return .notFound
    }
  }

  private static func withTask(_ segment: String, _ body: (TaskIdentifier) -> Outcome) -> Outcome {
    guard let task = TaskIdentifier(validating: segment) else {
      return .invalid(Problem(.badRequest, "the task id must be \(TaskIdentifier.rule)"))
    }
    return body(task)
  }

  private static func only(_ allowed: Method, _ method: Method, _ call: RestCall) -> Outcome {
    if method == allowed { return .call(call) }
    switch allowed {
    case .get: return .methodNotAllowed(allow: "GET, HEAD")
    case .post: return .methodNotAllowed(allow: "POST")
    case .delete: return .methodNotAllowed(allow: "DELETE")
    case .other: return .notFound
    }
  }
}
