package import Protocol

/// A task's latest state (contract §3.2, `GET …/tasks/{id}`), with the offset that it includes.
///
/// Values published by workers are opaque JSON text. Times are Unix seconds.
package struct TaskSnapshot: Sendable {
  package let identifier: TaskIdentifier
  package var status: TaskStatus = .pending
  /// A free word of status as published (at most 64 characters), nil where the status is one of the five.
  package var statusText: String?
  /// 0–100 as published; `progressValue` is the same as a number. Never −1 (contract §6).
  package var progress = JSONText(normalised: [UInt8(ascii: "0")])
  package var progressValue = 0.0
  package var current: JSONText?
  package var total: JSONText?
  package var message: JSONText?
  package var details: JSONText?
  package var result: JSONText?
  /// The message that the terminal publish itself carried, nil where it had none: what the dialects replay to a
  /// late comer, and what their default words stand in for. `message` keeps the last one of any report.
  package var terminalMessage: JSONText?
  /// Likewise the details; `details` keeps the last ones of any report.
  package var terminalDetails: JSONText?
  package var error: JSONText?
  package var errorCode: JSONText?
  package var owner: UserIdentifier?
  package var viewers: [UserIdentifier] = []
  package var kind: String?
  package var title: String?
  package var parent: TaskIdentifier?
  package var weight: JSONText?
  package var dependsOn: [TaskIdentifier] = []
  package var metadata: JSONText?
  /// Created by `POST /api/v1/executions`, to be offered to workers. What is stored of a task must keep it.
  package var isExecution = false
  package var leaseSeconds: Double?
  package var epoch: Epoch
  package var offset = 0
  package var stale = false
  package var cancelRequested = false
  /// Unix seconds of the expected end, and the range around it; nil where it is not credible. Filled in when the snapshot
  /// is read, see `TaskDesk.snapshot(of:at:)`.
  package var eta: Double?
  package var etaEarliest: Double?
  package var etaLatest: Double?
  /// In the order of their first reports.
  package var nodes: [TaskNode] = []
  /// Of the newest line of the log.
  package var logOffset = 0
  package var createdAt: Double
  package var startedAt: Double?
  package var updatedAt: Double
  package var finishedAt: Double?
  /// `complete` was published with `success: false` (status `failed`), as opposed to `error`.
  package var finishedBy: TerminalKind?

  package init(identifier: TaskIdentifier, epoch: Epoch, createdAt: Double) {
    self.identifier = identifier
    self.epoch = epoch
    self.createdAt = createdAt
    self.updatedAt = createdAt
  }
}

/// Which publish ended a task; the task dialect replays `complete` or `error` accordingly.
package enum TerminalKind: UInt8, Sendable {
  case completeSuccess
  case completeFailure
  case error
  case cancelled
}
