/// Who speaks: the result of reading credentials, never re-read below the door.
package enum Principal: Sendable, Equatable {
  /// Authentication is off and no credentials were shown: may watch and cancel everything, publish nothing.
  case anonymous
  /// A user's JWT or ticket.
  case user(UserIdentifier, watchableTasks: [TaskPattern])
  /// An API key, a JWT with role `publisher`, or `--dev` on loopback. `subject` is the JWT's `sub`.
  case publisher(subject: UserIdentifier?)
  /// A JWT with role `admin`.
  case admin(subject: UserIdentifier?)

  package var mayPublish: Bool {
    switch self {
    case .publisher, .admin: true
    case .anonymous, .user: false
    }
  }

  /// The user whose connections these are, where authentication is on.
  package var subject: UserIdentifier? {
    switch self {
    case .anonymous: nil
    case .user(let user, _): user
    case .publisher(let subject), .admin(let subject): subject
    }
  }
}

/// An entry of the claim `tasks`: a task's name, or `prefix*`.
package struct TaskPattern: Sendable, Equatable {
  package let text: String
  package let isPrefix: Bool

  package init(_ entry: String) {
    isPrefix = entry.hasSuffix("*")
    text = isPrefix ? String(entry.dropLast()) : entry
  }

  package func matches(_ task: TaskIdentifier) -> Bool {
    isPrefix ? task.text.hasPrefix(text) : task.text == text
  }
}
