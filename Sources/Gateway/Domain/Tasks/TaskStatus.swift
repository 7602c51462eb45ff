/// A task's state (contract §1): `pending` → `running` → one of the terminal three, which are final.
package enum TaskStatus: UInt8, Sendable, CaseIterable {
  case pending
  case running
  case completed
  case failed
  case cancelled

  package var isTerminal: Bool {
    switch self {
    case .pending, .running: false
    case .completed, .failed, .cancelled: true
    }
  }

  /// The word of the API.
  package var word: StaticString {
    switch self {
    case .pending: "pending"
    case .running: "running"
    case .completed: "completed"
    case .failed: "failed"
    case .cancelled: "cancelled"
    }
  }

  /// The status of an API word; nil for a free word.
  package init?(word: String) {
    switch word {
    case "pending": self = .pending
    case "running", "processing": self = .running
    case "completed": self = .completed
    case "failed": self = .failed
    case "cancelled": self = .cancelled
    default: return nil
    }
  }
}
