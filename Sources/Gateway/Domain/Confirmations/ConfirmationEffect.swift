/// What a confirmation desk asks for, in order. The closed list.
package enum ConfirmationEffect: Sendable {
  /// To the user's connections. Committed before the publisher is answered.
  case asked(Confirmation)
  /// To the user's connections, the publisher that waits and the task's worker: the one outcome.
  case resolved(Confirmation)
  /// To storage, before `asked` is answered and before `resolved` is told.
  case persist(PersistedConfirmationChange)
}

/// What storage must know of a confirmation.
package enum PersistedConfirmationChange: Sendable {
  case opened(Confirmation)
  case resolved(Confirmation)
  /// No longer findable.
  case removed(Confirmation)
}

/// What an answer met.
package enum AnswerResult: Sendable {
  /// It is the outcome.
  case accepted(Confirmation)
  /// Somebody had answered, or it was withdrawn; the outcome stands. The same answer again ends here too.
  case alreadyResolved(Confirmation)
  /// It had timed out with its default.
  case expired(Confirmation)
  case unknown
  case forbidden
}
