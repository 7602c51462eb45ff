package import Protocol

/// What a task desk asks for, in order. The closed list.
///
/// Large cases are boxed, so that a list of effects is a list of words that are cheap to move. Effects stay with the
/// desk's owner: what crosses threads is made of them.
package enum TaskEffect {
  /// To every subscriber of the task, each in its dialect. The record's snapshot includes the event, until the desk is
  /// given its next command: effects are carried before.
  case deliver(TaskEvent, after: TaskRecord)
  /// A *request*: to the task's watchers, the named user's connections, and the worker (contract §2.3, `cancel`).
  indirect case cancelRequested(CancelRequest)
  /// To the task's watchers and the named user.
  indirect case heartbeat(TaskHeartbeat)
  /// Lines of a log, to the task's watchers; no event.
  indirect case logged(TaskIdentifier, [TaskLogLine])
  /// A parent's cancel was requested: its children's are too, each at its home.
  indirect case cancelChildren(ChildrenCancel)
  /// To storage.
  case persist(PersistedTaskChange)
  /// The task is gone from this desk: its subscriptions and frames may go too.
  case forgotten(TaskIdentifier)
}

/// What storage must know of a task. The record is as the command left it until the desk is given its next one.
package enum PersistedTaskChange {
  /// Committed before the registration is answered.
  case registered(TaskRecord)
  /// Write-behind: the newest state of each such task is written once per tick.
  case progressed(TaskRecord)
  /// Committed before the request is answered.
  case cancelRequested(TaskRecord)
  /// Committed before the publish is answered and the event is delivered.
  case finished(TaskEvent, TaskRecord)
  /// An end was taken back.
  case reverted(TaskRecord)
  case removed(TaskRecord)
}

/// Somebody asked that a task be cancelled.
package struct CancelRequest: Sendable, Equatable {
  package let task: TaskIdentifier
  /// As the request named it; nil where it named none.
  package let user: UserIdentifier?
  package let reason: JSONText?
  /// Unix seconds.
  package let requestedAt: Double
  /// False where the task's cancel had been requested before: the worker knows, nothing was changed.
  package let isFirst: Bool
  /// False where the task is unknown and the request is only relayed, as by the seed (authentication off).
  package let taskIsKnown: Bool
}

/// A worker's sign of life, relayed and not numbered.
package struct TaskHeartbeat: Sendable, Equatable {
  package let task: TaskIdentifier
  /// As given, else the task's owner, else nil (contract §6).
  package let user: UserIdentifier?
  /// As given; the default text is the dialect's.
  package let message: JSONText?
  /// Unix seconds.
  package let occurredAt: Double
}
