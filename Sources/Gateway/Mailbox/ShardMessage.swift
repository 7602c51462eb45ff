import GatewayDomain
import Protocol

extension ReplyAddress {
  /// Where it is.
  var shard: Int? {
    switch self {
    case .none: nil
    case .exchange(let shard, _, _), .idempotent(let shard, _, _, _), .socket(let shard, _, _),
      .gathering(let shard, _),
      .worker(let shard, _, _, _):
      shard
    }
  }
}

/// Where an answer goes: by name, never by reference, because the asker may be gone by then.
enum ReplyAddress: Sendable {
  case none
  /// A pending HTTP request.
  case exchange(shard: Int, ConnectionToken, request: UInt32)
  /// A pending HTTP request with an `Idempotency-Key`: what it comes to is kept.
  indirect case idempotent(shard: Int, ConnectionToken, request: UInt32, IdempotencyTicket)
  /// A WebSocket; `about` is the key that an error names.
  case socket(shard: Int, ConnectionToken, about: ActionKey?)
  /// One part of an answer that several shards give.
  case gathering(shard: Int, number: UInt64)
  /// An operation of a worker's socket: its `id`, and what it is; nil for what publishes nothing.
  case worker(shard: Int, WorkerIdentifier, id: JSONText, OperationLabel?)
}

/// How a subscriber wants a task's events.
enum Audience: Int, Sendable, CaseIterable {
  case native
  case nativeCompressed
  case task
  case taskCompressed
  case execution
  case executionCompressed
  case sse
  /// Nobody's: an event stream is not compressed. It keeps the pairs whole.
  case sseCompressed

  static let count = 8

  var isNative: Bool { self == .native || self == .nativeCompressed }

  var isExecution: Bool { self == .execution || self == .executionCompressed }

  /// The number of its pair, plain and compressed: below `count` / 2.
  var dialect: Int { rawValue >> 1 }
}

/// A connection that wants to follow a task.
struct WatchRequest: Sendable {
  enum Key: Sendable, Hashable {
    case taskDialect
    case executionDialect
    /// The action dialect, named by `task_id`.
    case task
    /// The action dialect, named by `execution_id`.
    case execution
    /// An event stream.
    case stream
  }

  let task: TaskIdentifier
  let audience: Audience
  let key: Key
  let since: EventPosition?
  let wait: Bool
  let principal: Principal
  let shard: Int
  let connection: ConnectionToken
}

/// The home's answer: what to send, and from then on every event follows by mail.
struct WatchOpening: Sendable {
  enum Outcome: Sendable {
    case refused(Problem.Code)
    /// `isLast`: nothing will follow, because the task is finished.
    /// `offset`: the last event that the frames include, so that the next one is `offset` + 1.
    case opened(frames: [SharedFrame], offset: Int, isLast: Bool)
  }
  let request: WatchRequest
  let outcome: Outcome
}

/// One event on its way to a shard with subscribers.
struct TaskDelivery: Sendable {
  let task: TaskIdentifier
  let offset: Int
  let native: SharedFrame?
  let taskDialect: SharedFrame?
  let execution: SharedFrame?
  var sse: SharedFrame?
  let isTerminal: Bool
  /// No event, but the latest status once more.
  var isRepeat = false

  /// Whether there is anything in it for the shard that it is for.
  var isWanted: Bool { native != nil || taskDialect != nil || execution != nil || sse != nil }
}

/// Messages about a task beside its numbered events, for those who follow it and want them: lines of its log, and for
/// executions its nodes. A reader that does not keep up misses them.
struct TaskAside: Sendable {
  enum Subject: Sendable {
    case log
    case nodes
  }

  let task: TaskIdentifier
  let subject: Subject
  let native: SharedFrame?
  let execution: SharedFrame?
  let sse: SharedFrame?
}

/// A message that is not a task's event, and whom it is for.
struct Relay: Sendable {
  enum Target: Sendable {
    /// Every connection of the action dialect.
    case everyone
    /// A user's connections, and with authentication off those that named nobody.
    case user(UserIdentifier)
    /// With authentication off: the connections that named nobody.
    case unnamed
    case channel(ChannelName)
    /// A cancel request or a heartbeat: the task's native watchers, and a user's connections.
    case watchers(TaskIdentifier, and: UserIdentifier?, andUnnamed: Bool)
  }
  let target: Target
  let frame: SharedFrame
  /// The same for the task's event streams, where the message is for its watchers and there are any.
  var sse: SharedFrame?
  let from: ReplyAddress
}

/// A question on its way to a user's connections, or to one connection.
struct ConfirmationNotice: Sendable {
  let callback: CallbackIdentifier
  /// Who may answer.
  let users: [UserIdentifier]
  let frame: SharedFrame
  /// Only this connection, which has just become the user's.
  let only: ConnectionToken?
}

/// What crosses threads to a shard: the closed list. Payloads of more than a few words are boxed, here or in what they
/// are made of: mail is moved from list to list, and a box moves at the price of a word.
enum ShardMessage: Sendable {
  // To a home.
  case task(TaskCommand, from: ReplyAddress)
  case confirmation(ConfirmationCommand, from: ReplyAddress)
  case message(MessageCommand, from: ReplyAddress)
  indirect case idempotency(IdempotencyCommand, from: ReplyAddress)
  indirect case watch(WatchRequest)
  case unwatch(TaskIdentifier, Audience, shard: Int)
  /// `--status-interval`: the latest status to this shard's execution sockets again.
  case repeatStatus(TaskIdentifier, shard: Int)
  /// The worker that asks wants the task's commands.
  indirect case watchAsWorker(TaskIdentifier, from: ReplyAddress)
  /// A command for whoever works on the task.
  case tellWorkers(TaskIdentifier, frame: SharedFrame)
  /// The dispatcher's choice.
  indirect case offer(TaskIdentifier, to: WorkerIdentifier)
  /// A worker's connection has ended.
  case workerLeft(WorkerIdentifier)
  // To the shard with the dispatcher.
  indirect case dispatch(DispatchCommand)
  /// Children of tasks that live here.
  case children([ChildChange])
  // To a shard with connections.
  indirect case watchOpened(WatchOpening)
  case commandWorker(WorkerIdentifier, SharedFrame)
  indirect case deliver(TaskDelivery)
  /// A task is somebody's from now on.
  indirect case owned(TaskOwnership)
  indirect case aside(TaskAside)
  indirect case relay(Relay)
  indirect case ask(ConfirmationNotice)
  case settled(CallbackIdentifier, frame: SharedFrame)
  /// `newcomer`: only connections that were the user's before that one.
  indirect case closeUser(UserIdentifier, newcomer: UserArrival?, CloseCode, reason: String, from: ReplyAddress)
  case answer(ReplyAddress, Answer)
  // From the store.
  /// Everything of this shard's batches up to this one is durable.
  case stored(through: UInt64)
  /// The batches up to this one are not durable yet, and why.
  indirect case notStored(through: UInt64, StoreFailure)
  /// From the main thread: this node goes down.
  case drain
  /// A shard has heard of the drain, and what it has sent before has been sent before this.
  case drainHeard
  case stop
}

extension ShardMessage {
  /// The same for one of several shards: with a frame object of that shard's own.
  func handedOver() -> ShardMessage {
    switch self {
    case .relay(let relay):
      .relay(
        Relay(
          target: relay.target, frame: relay.frame.handedOver(), sse: relay.sse?.handedOver(), from: relay.from))
    case .ask(let notice):
      .ask(
        ConfirmationNotice(
          callback: notice.callback, users: notice.users, frame: notice.frame.handedOver(), only: notice.only))
    case .settled(let callback, let frame): .settled(callback, frame: frame.handedOver())
    case .task, .confirmation, .message, .idempotency, .watch, .unwatch, .repeatStatus, .children, .watchOpened,
      .deliver, .owned, .aside, .closeUser, .answer, .stored, .notStored, .drain, .drainHeard, .stop, .watchAsWorker,
      .tellWorkers, .offer, .workerLeft, .dispatch, .commandWorker:
      self
    }
  }
}

/// A command to a task's home.
enum TaskCommand: Sendable {
  indirect case register(TaskRegistration, principal: Principal)
  indirect case progress(TaskIdentifier, ProgressReport)
  indirect case complete(TaskIdentifier, CompletionReport)
  indirect case fail(TaskIdentifier, FailureReport)
  indirect case heartbeat(TaskIdentifier, user: UserIdentifier?, message: JSONText?)
  indirect case node(TaskIdentifier, NodeReport)
  indirect case log(TaskIdentifier, [ReportedLogLine])
  indirect case cancel(
    TaskIdentifier, user: UserIdentifier?, reason: JSONText?, principal: Principal, relayAlways: Bool)
  case acknowledgeCancel(TaskIdentifier, given: [UInt8])
  /// Those of `tasks/cancel` that live here, each with its place among all.
  indirect case cancelMany([(place: Int, task: TaskIdentifier)], principal: Principal)
  /// The cancel of the task's parent was requested.
  indirect case cancelByParent(TaskIdentifier, user: UserIdentifier?, reason: JSONText?)
  indirect case snapshot(TaskIdentifier, principal: Principal)
  indirect case events(TaskIdentifier, after: Int, limit: Int, principal: Principal)
  indirect case logLines(TaskIdentifier, after: Int, limit: Int, principal: Principal)
  indirect case list(TaskListQuery)
  /// A question that the task's viewers may answer too: the home says who they are, and hands it on.
  indirect case ask(ConfirmationRequest, waitSeconds: Double)
  /// Lines of a bulk publish that live here, each with its number.
  case batch([BatchLine])
}

/// One line of a bulk publish for the receiving shard.
struct BatchLine: Sendable {
  enum Work: Sendable {
    case task(TaskCommand)
    /// A message, broadcast or channel's message that stands after a task's line: it leaves from that task's home, so
    /// that who receives both receives them in this order.
    indirect case relay(PublishOperation)
  }

  let line: Int
  let work: Work
}

/// A command to a confirmation's home, which is its user's.
enum ConfirmationCommand: Sendable {
  indirect case open(ConfirmationRequest, waitSeconds: Double)
  /// - Parameter isFirst: it is the answer to a request to ask, which came before.
  case find(CallbackIdentifier, waitSeconds: Double, isFirst: Bool)
  case withdraw(CallbackIdentifier)
  indirect case answer(CallbackIdentifier, proceed: Bool, feedback: JSONText?, principal: Principal)
  /// A connection became this user's (nil: a connection without a name, which is asked everything).
  indirect case resend(UserIdentifier?, shard: Int, ConnectionToken)
}

/// What the dispatcher of executions is told.
enum DispatchCommand: Sendable {
  /// Somebody is to run it; Unix seconds.
  case created(TaskIdentifier, at: Double)
  /// Somebody has begun; nil over HTTP.
  case reported(TaskIdentifier, by: WorkerIdentifier?)
  case finished(TaskIdentifier)
  case accept(WorkerIdentifier, limit: Int, from: ReplyAddress)
}

/// A command to an acknowledged message's home, which is its user's.
enum MessageCommand: Sendable {
  indirect case send(MessageIdentifier, UserIdentifier, JSONText, waitSeconds: Double)
  /// It has left to so many connections; answered when acknowledged or when the wait is over.
  case sent(MessageIdentifier, connections: Int, waitSeconds: Double)
  /// `user` nil: authentication is off and the connection named nobody.
  case acknowledge(MessageIdentifier, user: UserIdentifier?)
  case find(MessageIdentifier)
}

/// What a home answers.
enum Answer: Sendable {
  /// It is so now.
  case done
  case receipt(PublishReceipt)
  indirect case task(TaskSnapshot, created: Bool)
  case events(Epoch, [TaskEvent])
  indirect case page(TaskPage)
  case cancelRequested(Bool)
  case cancelledMany([CancelOutcome])
  case logged(LogReceipt)
  indirect case logLines(newest: Int, [TaskLogLine])
  indirect case confirmation(Confirmation, isNew: Bool)
  indirect case confirmationResult(CallbackIdentifier, AnswerResult)
  case connections(Int)
  indirect case message(UserMessage)
  indirect case claim(IdempotencyClaim, IdempotencyToken)
  indirect case batch([(line: Int, problem: Problem)], accepted: Int, cancelRequested: [TaskIdentifier])
  case problem(Problem)
}

extension Answer {
  /// Whether the worker that is answered learns by it that it should stop.
  var tellsOfCancel: Bool {
    switch self {
    case .receipt(let receipt): receipt.cancelRequested
    case .logged(let receipt): receipt.cancelRequested
    case .cancelRequested(let isRequested): isRequested
    default: false
    }
  }
}

/// What became of one task of `tasks/cancel`.
struct CancelOutcome: Sendable {
  /// Among those asked.
  let place: Int
  let task: TaskIdentifier
  /// Nil where the cancel is requested.
  let problem: Problem?
}
