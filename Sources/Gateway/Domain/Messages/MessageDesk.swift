package import Protocol

/// What bounds a shard's acknowledged messages.
package struct MessageDeskSettings: Sendable {
  /// Seconds a message's state stays findable (`GET /api/v1/messages/{message_id}`).
  package var secondsMax = 3600.0
  /// Messages held; the oldest settled one goes first.
  package var countMax = 100_000
  /// Bytes of the messages that are not settled yet.
  package var pendingByteCountMax = 64 << 20
  /// Seconds from one try to the next (contract §3.2).
  package var retrySeconds = 5.0
  /// How often a message is sent again; after as many seconds more it has failed.
  package var retryCountMax = 3

  package init() {}

  /// Deadlines worked off per call of `expire`, so that a turn stays short.
  package static let expireCountMax = 1024
}

/// The acknowledged messages to the users whose home this shard is. A single-threaded value with one owner.
package struct MessageDesk: Sendable {
  package let settings: MessageDeskSettings
  private var rows: RowSequence
  private var messages: [MessageIdentifier: UserMessage] = [:]
  private var removals = DeadlineQueue<MessageIdentifier>()
  private var retries = DeadlineQueue<MessageIdentifier>()
  private var pendingByteCount = 0
  package private(set) var pendingCount = 0

  package init(settings: MessageDeskSettings = MessageDeskSettings(), rows: RowSequence = RowSequence()) {
    self.settings = settings
    self.rows = rows
  }

  package var count: Int { messages.count }

  /// Monotonic seconds at which `expire` has something to do; nil where nothing waits.
  package var nextDeadline: Double? {
    guard let retry = retries.nextDeadline else { return removals.nextDeadline }
    guard let removal = removals.nextDeadline else { return retry }
    return min(retry, removal)
  }

  package func find(_ identifier: MessageIdentifier) -> UserMessage? { messages[identifier] }

  /// Begins to wait for an acknowledgement. `identifier` is fresh (`MessageIdentifier.make`); a known one is kept.
  @discardableResult
  package mutating func open(
    _ identifier: MessageIdentifier, for user: UserIdentifier, body: JSONText, at moment: Moment,
    into effects: inout [MessageEffect]
  ) throws(Problem) -> UserMessage {
    if let known = messages[identifier] { return known }
    guard pendingByteCount + body.byteCount <= settings.pendingByteCountMax else {
      throw Problem(
        .overCapacity,
        "messages that wait for an acknowledgement hold \(pendingByteCount) bytes of \(settings.pendingByteCountMax)")
    }
    let message = UserMessage(identifier: identifier, row: rows.take(), user: user, body: body, sentAt: moment.wall)
    insert(message, secondsLeft: settings.secondsMax, at: moment)
    effects.append(.persist(.opened(message)))
    while messages.count > settings.countMax, let oldest = removals.takeFirst() { forget(oldest.key, into: &effects) }
    return message
  }

  /// Puts back what the store had at the start. One that was not settled is sent again after the usual time, as often as
  /// was left.
  package mutating func restore(_ stored: UserMessage, at moment: Moment) {
    guard messages[stored.identifier] == nil else { return }
    let age = max(0, moment.wall - stored.sentAt)
    insert(stored, secondsLeft: max(0, settings.secondsMax - age), at: moment)
  }

  private mutating func insert(_ message: UserMessage, secondsLeft: Double, at moment: Moment) {
    messages[message.identifier] = message
    removals.add(message.identifier, deadline: moment.monotonic + secondsLeft)
    guard message.status == .pending else { return }
    pendingCount += 1
    pendingByteCount += message.body.byteCount
    retries.add(message.identifier, deadline: moment.monotonic + settings.retrySeconds)
  }

  /// Takes back what was opened and could not be stored: it was never sent, and the publisher is told to try again.
  package mutating func discard(_ identifier: MessageIdentifier, into effects: inout [MessageEffect]) {
    forget(identifier, into: &effects)
  }

  /// How many connections the message went to, as `{connections}` says.
  package mutating func addConnections(_ count: Int, to identifier: MessageIdentifier) {
    messages[identifier]?.connectionCount += count
  }

  /// A connection's `ack`. True where the message is known and was to this user (nil: authentication is off and the
  /// connection named nobody); again it changes nothing. Late, it still counts: the message has arrived.
  @discardableResult
  package mutating func acknowledge(
    _ identifier: MessageIdentifier, by user: UserIdentifier?, at moment: Moment, into effects: inout [MessageEffect]
  ) -> Bool {
    guard var message = messages[identifier], user == nil || user == message.user else { return false }
    guard !message.isAcknowledged else { return true }
    message.acknowledgedAt = moment.wall
    settle(&message, as: .acknowledged)
    effects.append(.persist(.changed(message)))
    effects.append(.acknowledged(message))
    return true
  }

  /// Sends again what is due, gives up what has been sent often enough, and forgets what is over.
  package mutating func expire(at moment: Moment, into effects: inout [MessageEffect]) {
    var budget = MessageDeskSettings.expireCountMax
    while budget > 0, let entry = retries.takeDue(at: moment.monotonic) {
      budget -= 1
      guard var message = messages[entry.key], message.status == .pending else { continue }
      if message.retryCount >= settings.retryCountMax {
        settle(&message, as: .failed)
        effects.append(.persist(.changed(message)))
        effects.append(.failed(message))
      } else {
        message.retryCount += 1
        messages[entry.key] = message
        retries.add(entry.key, deadline: moment.monotonic + settings.retrySeconds)
        effects.append(.persist(.changed(message)))
        effects.append(.sendAgain(message))
      }
    }
    while budget > 0, let entry = removals.takeDue(at: moment.monotonic) {
      budget -= 1
      forget(entry.key, into: &effects)
    }
  }

  private mutating func settle(_ message: inout UserMessage, as status: UserMessage.Status) {
    if message.status == .pending { releasePending(message) }
    message.status = status
    message.body = .null
    messages[message.identifier] = message
  }

  private mutating func releasePending(_ message: UserMessage) {
    pendingCount -= 1
    pendingByteCount -= message.body.byteCount
    let messages = self.messages
    retries.compact(liveCount: pendingCount) { messages[$0.key]?.status == .pending }
  }

  private mutating func forget(_ identifier: MessageIdentifier, into effects: inout [MessageEffect]) {
    guard let message = messages.removeValue(forKey: identifier) else { return }
    if message.status == .pending { releasePending(message) }
    effects.append(.persist(.removed(message)))
  }
}
