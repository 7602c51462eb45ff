package import Protocol

/// One numbered change of a task: `offset` 1, 2, 3 … without gaps inside an `epoch` (contract §1).
///
/// It carries what was given (`given`), and beside it what the dialects need to render it. An immutable object: the
/// history, the effects and every shard that delivers it share one, at a reference's price.
package final class TaskEvent: Sendable {
  package enum Kind: Sendable {
    case progress
    /// A node of the task reported: state, like progress.
    case nodeStatus
    /// `success` true or false.
    case complete(success: Bool)
    case error
    case cancelled

    package var isTerminal: Bool {
      switch self {
      case .progress, .nodeStatus: false
      case .complete, .error, .cancelled: true
      }
    }
  }

  package let task: TaskIdentifier
  package let epoch: Epoch
  package let offset: Int
  package let kind: Kind
  /// Unix seconds.
  package let occurredAt: Double
  /// The published members as normalised JSON without the braces, such as `"progress":50,"message":"x"`; may be empty.
  /// Reserved names (`type`, `task_id`, `epoch`, `offset`, `skipped`) are never in it.
  package let given: [UInt8]
  /// The fields as published in this event, null and absent both nil. For `complete` and `error` too.
  package let progress: JSONText?
  /// What the worker published as status, or the default word (`running`, …); free words as they are.
  package let statusWord: String
  package let current: JSONText?
  package let total: JSONText?
  package let message: JSONText?
  package let details: JSONText?
  package let result: JSONText?
  package let error: JSONText?
  package let errorCode: JSONText?

  package init(
    task: TaskIdentifier, epoch: Epoch, offset: Int, kind: Kind, occurredAt: Double, given: [UInt8],
    progress: JSONText? = nil, statusWord: String, current: JSONText? = nil, total: JSONText? = nil,
    message: JSONText? = nil, details: JSONText? = nil, result: JSONText? = nil, error: JSONText? = nil,
    errorCode: JSONText? = nil
  ) {
    self.task = task
    self.epoch = epoch
    self.offset = offset
    self.kind = kind
    self.occurredAt = occurredAt
    self.given = given
    self.progress = progress
    self.statusWord = statusWord
    self.current = current
    self.total = total
    self.message = message
    self.details = details
    self.result = result
    self.error = error
    self.errorCode = errorCode
  }
}
