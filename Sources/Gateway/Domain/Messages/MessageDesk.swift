/// What a message desk asks for. The closed list; sending again comes with the durable store.
package enum MessageEffect: Sendable, Equatable {
  /// The first acknowledgement: to the publisher that waits.
  case acknowledged(UserMessage)
  case persist(PersistedMessageChange)
}

/// What storage must know of a message.
package enum PersistedMessageChange: Sendable, Equatable {
  case opened(UserMessage)
  case acknowledged(UserMessage)
  case removed(MessageIdentifier)
}

/// A message to a user that asked for an acknowledgement.
package struct UserMessage: Sendable, Equatable {
  package let identifier: MessageIdentifier
  package let user: UserIdentifier
  /// Unix seconds.
  package let sentAt: Double
  package internal(set) var acknowledgedAt: Double?
  /// Connections it went to at first; filled in by the sender.
  package internal(set) var connectionCount = 0

  package var isAcknowledged: Bool { acknowledgedAt != nil }
}

/// What bounds a shard's acknowledged messages.
package struct MessageDeskSettings: Sendable {
  /// Seconds a message's state stays findable (`GET /api/v1/messages/{message_id}`).
  package var secondsMax = 3600.0
  /// Messages held; the oldest goes first.
  package var countMax = 100_000

  package init() {}

  /// Messages forgotten per call of `expire`, so that a turn stays short.
  package static let expireCountMax = 1024
}

/// The acknowledged messages to the users whose home this shard is. A single-threaded value with one owner.
package struct MessageDesk: Sendable {
  package let settings: MessageDeskSettings
  private var messages: [MessageIdentifier: UserMessage] = [:]
  private var removals = DeadlineQueue<MessageIdentifier>()

  package init(settings: MessageDeskSettings = MessageDeskSettings()) {
    self.settings = settings
  }

  package var count: Int { messages.count }

  /// Monotonic seconds at which `expire` has something to do; nil where nothing waits.
  package var nextDeadline: Double? { removals.nextDeadline }

  package func find(_ identifier: MessageIdentifier) -> UserMessage? { messages[identifier] }

  /// Begins to wait for an acknowledgement. `identifier` is fresh (`MessageIdentifier.make`); a known one is kept.
  @discardableResult
  package mutating func open(
    _ identifier: MessageIdentifier, for user: UserIdentifier, at moment: Moment, into effects: inout [MessageEffect]
  ) -> UserMessage {
    if let known = messages[identifier] { return known }
    let message = UserMessage(identifier: identifier, user: user, sentAt: moment.wall)
    messages[identifier] = message
    removals.add(identifier, deadline: moment.monotonic + settings.secondsMax)
    effects.append(.persist(.opened(message)))
    while messages.count > settings.countMax, let oldest = removals.takeFirst() {
      forget(oldest.key, into: &effects)
    }
    return message
  }

  /// How many connections the message went to, as `{connections}` says.
  package mutating func addConnections(_ count: Int, to identifier: MessageIdentifier) {
    messages[identifier]?.connectionCount += count
  }

  /// A connection's `ack`. True where the message is known and was to this user (nil: authentication is off and the
  /// connection named nobody); again it changes nothing.
  @discardableResult
  package mutating func acknowledge(
    _ identifier: MessageIdentifier, by user: UserIdentifier?, at moment: Moment, into effects: inout [MessageEffect]
  ) -> Bool {
    guard var message = messages[identifier], user == nil || user == message.user else { return false }
    guard !message.isAcknowledged else { return true }
    message.acknowledgedAt = moment.wall
    messages[identifier] = message
    effects.append(.persist(.acknowledged(message)))
    effects.append(.acknowledged(message))
    return true
  }

  package mutating func expire(at moment: Moment, into effects: inout [MessageEffect]) {
    var budget = MessageDeskSettings.expireCountMax
    while budget > 0, let entry = removals.takeDue(at: moment.monotonic) {
      budget -= 1
      forget(entry.key, into: &effects)
    }
  }

  private mutating func forget(_ identifier: MessageIdentifier, into effects: inout [MessageEffect]) {
    guard messages.removeValue(forKey: identifier) != nil else { return }
    effects.append(.persist(.removed(identifier)))
  }
}
