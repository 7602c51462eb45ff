package import Protocol

/// A question to a user with a deadline and a default (contract §1): `pending` → one of the other four, exactly once.
package struct Confirmation: Sendable {
  package enum Status: UInt8, Sendable {
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

  package enum ResolvedBy: UInt8, Sendable {
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

  init(
    identifier: CallbackIdentifier, request: ConfirmationRequest, createdAt: Double, deadline: Double,
    deadlineAtMonotonic: Double
  ) {
    self.identifier = identifier
    self.request = request
    self.createdAt = createdAt
    self.deadline = deadline
    self.deadlineAtMonotonic = deadlineAtMonotonic
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
