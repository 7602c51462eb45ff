package import Protocol

/// A question to a user with a deadline and a default (contract §1): `pending` → one of the other four, exactly once.
package struct Confirmation: Sendable {
  package enum Status: UInt8, Sendable, WordedCase {
    case pending
    case confirmed
    case rejected
    case timedOut
    case withdrawn

    package var word: StaticString {
      switch self {
      case .pending: "pending"
      case .confirmed: "confirmed"
      case .rejected: "rejected"
      case .timedOut: "timed_out"
      case .withdrawn: "withdrawn"
      }
    }
  }

  package enum ResolvedBy: UInt8, Sendable, WordedCase {
    case user
    case timeout
    case withdrawn

    package var word: StaticString {
      switch self {
      case .user: "user"
      case .timeout: "timeout"
      case .withdrawn: "withdrawn"
      }
    }
  }

  package let identifier: CallbackIdentifier
  /// The row in which the store keeps it.
  package let row: Int64
  /// Once resolved and told, the desk keeps it without the step (`step` null).
  package internal(set) var request: ConfirmationRequest
  /// Unix seconds; shown and stored. `deadlineAtMonotonic` runs it.
  package let deadline: Double
  package let createdAt: Double
  /// Monotonic seconds.
  package let deadlineAtMonotonic: Double
  package internal(set) var status = Status.pending
  /// Nil while pending and when withdrawn.
  package internal(set) var proceed: Bool?
  package internal(set) var feedback: JSONText?
  package internal(set) var resolvedBy: ResolvedBy?
  package internal(set) var resolvedAt: Double?

  package init(
    identifier: CallbackIdentifier, row: Int64 = 0, request: ConfirmationRequest, createdAt: Double, deadline: Double,
    deadlineAtMonotonic: Double
  ) {
    self.identifier = identifier
    self.row = row
    self.request = request
    self.createdAt = createdAt
    self.deadline = deadline
    self.deadlineAtMonotonic = deadlineAtMonotonic
  }
}

extension Confirmation {
  /// The same with another deadline of the monotonic clock, which begins anew with the machine.
  func due(at monotonic: Double) -> Confirmation {
    Confirmation(
      identifier: identifier, row: row, request: request, createdAt: createdAt, deadline: deadline,
      deadlineAtMonotonic: monotonic)
  }

  /// How it was resolved, as the store says.
  package mutating func setOutcome(
    _ status: Status, proceed: Bool?, feedback: JSONText?, resolvedBy: ResolvedBy?, resolvedAt: Double?
  ) {
    self.status = status
    self.proceed = proceed
    self.feedback = feedback
    self.resolvedBy = resolvedBy
    self.resolvedAt = resolvedAt
  }
}

/// The body of `POST /api/v1/confirmations`, parsed. JSON values are opaque.
package struct ConfirmationRequest: Sendable {
  package var task: TaskIdentifier
  package var user: UserIdentifier
  /// The seed's step number (any JSON value), and its step result's fields.
  package var step: JSONText
  package var message: JSONText?
  package var result: JSONText?
  package var status: JSONText?
  package var errorCode: JSONText?
  package var errorMessage: JSONText?
  /// Seconds.
  package var timeout: Double
  package var defaultProceed: Bool
  /// `audience: "viewers"`: whoever may watch the task is asked too, and may answer.
  package var isForViewers = false
  /// Who they are, as of the asking.
  package var viewers: [UserIdentifier] = []

  /// Who is asked and may answer.
  package var audience: [UserIdentifier] { [user] + viewers }

  package init(
    task: TaskIdentifier, user: UserIdentifier, step: JSONText, timeout: Double, defaultProceed: Bool
  ) {
    self.task = task
    self.user = user
    self.step = step
    self.timeout = timeout
    self.defaultProceed = defaultProceed
  }
}
