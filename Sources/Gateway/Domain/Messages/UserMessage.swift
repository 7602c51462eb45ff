package import Protocol

/// A message to a user that asked for an acknowledgement (contract §3.2): sent, and sent again until somebody
/// acknowledges it or the tries are used up.
package struct UserMessage: Sendable, Equatable {
  package enum Status: UInt8, Sendable, WordedCase {
    case pending
    case acknowledged
    /// Sent as often as it is sent, and nobody answered.
    case failed

    package var word: StaticString {
      switch self {
      case .pending: "pending"
      case .acknowledged: "acked"
      case .failed: "failed"
      }
    }
  }

  package let identifier: MessageIdentifier
  /// The row in which the store keeps it.
  package let row: Int64
  package let user: UserIdentifier
  /// What clients get, whole: kept to be sent again, `null` once it is settled.
  package internal(set) var body: JSONText
  /// Unix seconds.
  package let sentAt: Double
  package internal(set) var status = Status.pending
  /// Unix seconds; of the first acknowledgement.
  package internal(set) var acknowledgedAt: Double?
  /// Connections it went to at first; filled in by the sender.
  package internal(set) var connectionCount = 0
  /// How often it has been sent again.
  package internal(set) var retryCount = 0

  package var isAcknowledged: Bool { status == .acknowledged }

  package init(
    identifier: MessageIdentifier, row: Int64, user: UserIdentifier, body: JSONText, sentAt: Double
  ) {
    self.identifier = identifier
    self.row = row
    self.user = user
    self.body = body
    self.sentAt = sentAt
  }

  /// How far it had come, as the store says.
  package mutating func setProgress(
    _ status: Status, acknowledgedAt: Double?, connectionCount: Int, retryCount: Int
  ) {
    self.status = status
    self.acknowledgedAt = acknowledgedAt
    self.connectionCount = connectionCount
    self.retryCount = retryCount
  }
}

/// What a message desk asks for, in order. The closed list.
package enum MessageEffect: Sendable, Equatable {
  /// The first acknowledgement: to the publisher that waits.
  case acknowledged(UserMessage)
  /// To the user's connections once more.
  case sendAgain(UserMessage)
  /// Nobody acknowledged it: to the publisher that waits.
  case failed(UserMessage)
  case persist(PersistedMessageChange)
}

/// What storage must know of a message.
package enum PersistedMessageChange: Sendable, Equatable {
  /// Committed before the publisher is answered.
  case opened(UserMessage)
  /// Acknowledged, failed, or sent again. An acknowledgement is committed before the publisher is told of it.
  case changed(UserMessage)
  case removed(UserMessage)
}
