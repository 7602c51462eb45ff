/// A request that may be sent twice, by name: the digest of who sent it, where to, and the key that it chose.
package struct IdempotencyToken: Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

/// What the first request with a key was answered.
package struct IdempotencyOutcome: Sendable, Equatable {
  package let status: Int
  package let body: [UInt8]

  package init(status: Int, body: [UInt8]) {
    self.status = status
    self.body = body
  }
}

/// What the store keeps of a key.
package struct IdempotencyRecord: Sendable, Equatable {
  package let token: IdempotencyToken
  /// The digest of the body that the key was used with first.
  package let bodyDigest: IdempotencyToken
  package let outcome: IdempotencyOutcome
  /// The row in which the store keeps it.
  package let row: Int64
  /// Unix seconds.
  package let createdAt: Double

  package init(
    token: IdempotencyToken, bodyDigest: IdempotencyToken, outcome: IdempotencyOutcome, row: Int64, createdAt: Double
  ) {
    self.token = token
    self.bodyDigest = bodyDigest
    self.outcome = outcome
    self.row = row
    self.createdAt = createdAt
  }
}

/// What a request with a key meets.
package enum IdempotencyClaim: Sendable, Equatable {
  /// It is the first: to be carried out, then `complete` or `abandon`.
  case first(row: Int64)
  /// The first is under way: ask again when it has ended.
  case underWay
  /// Carried out before.
  case replay(IdempotencyOutcome)
  /// The key was used with another body.
  case mismatch
  /// The desk is full of keys that are under way.
  case full
}

/// What bounds a shard's idempotency keys.
package struct IdempotencyDeskSettings: Sendable {
  /// Seconds that a key is remembered (contract §3).
  package var secondsMax = 86_400.0
  /// Keys remembered; the oldest goes first.
  package var countMax = 200_000
  /// Bytes of the answers remembered; the oldest goes first.
  package var byteCountMax = 128 << 20
  /// Seconds after which a request that never ended no longer holds its key.
  package var claimSecondsMax = 330.0

  package init() {}

  /// Keys forgotten per call of `expire`, so that a turn stays short.
  package static let expireCountMax = 1024
}

/// The idempotency keys whose home this shard is: each is used once. A single-threaded value with one owner.
package struct IdempotencyDesk: Sendable {
  private struct Entry {
    let bodyDigest: IdempotencyToken
    let row: Int64
    /// Nil while the first request is under way.
    var outcome: IdempotencyOutcome?
    /// Monotonic seconds.
    var deadline: Double
  }

  package let settings: IdempotencyDeskSettings
  private var rows: RowSequence
  private var entries: [IdempotencyToken: Entry] = [:]
  private var deadlines = DeadlineQueue<IdempotencyToken>()
  private var byteCount = 0

  package init(
    settings: IdempotencyDeskSettings = IdempotencyDeskSettings(), rows: RowSequence = RowSequence()
  ) {
    self.settings = settings
    self.rows = rows
  }

  package var count: Int { entries.count }

  /// Monotonic seconds at which `expire` has something to do; nil where nothing waits.
  package var nextDeadline: Double? { deadlines.nextDeadline }

  /// A request asks whether it is the first with its key.
  ///
  /// - Parameter removed: gets the rows of keys that made room.
  package mutating func claim(
    _ token: IdempotencyToken, bodyDigest: IdempotencyToken, at moment: Moment, removed: inout [Int64]
  ) -> IdempotencyClaim {
    if let entry = entries[token], entry.deadline > moment.monotonic {
      guard entry.bodyDigest == bodyDigest else { return .mismatch }
      return entry.outcome.map { .replay($0) } ?? .underWay
    }
    forget(token, removed: &removed)
    guard makeRoom(removed: &removed) else { return .full }
    let row = rows.take()
    enter(
      token,
      Entry(bodyDigest: bodyDigest, row: row, outcome: nil, deadline: moment.monotonic + settings.claimSecondsMax))
    return .first(row: row)
  }

  /// The first request with the key was carried out.
  package mutating func complete(
    _ token: IdempotencyToken, _ outcome: IdempotencyOutcome, at moment: Moment, removed: inout [Int64]
  ) {
    guard var entry = entries[token], entry.outcome == nil else { return }
    entry.outcome = outcome
    entry.deadline = moment.monotonic + settings.secondsMax
    byteCount += outcome.body.count
    enter(token, entry)
    _ = makeRoom(removed: &removed)
  }

  /// The first request with the key came to nothing: the next one is the first.
  package mutating func abandon(_ token: IdempotencyToken) {
    guard let entry = entries[token], entry.outcome == nil else { return }
    entries[token] = nil
    compact()
  }

  /// Puts back what the store had at the start.
  package mutating func restore(_ record: IdempotencyRecord, at moment: Moment) {
    guard entries[record.token] == nil else { return }
    // A wall clock that was set back does not lengthen the time.
    let age = max(0, moment.wall - record.createdAt)
    byteCount += record.outcome.body.count
    enter(
      record.token,
      Entry(
        bodyDigest: record.bodyDigest, row: record.row, outcome: record.outcome,
        deadline: moment.monotonic + max(0, settings.secondsMax - age)))
  }

  /// Forgets what is over.
  package mutating func expire(at moment: Moment, removed: inout [Int64]) {
    var budget = IdempotencyDeskSettings.expireCountMax
    while budget > 0, let entry = deadlines.takeDue(at: moment.monotonic) {
      budget -= 1
      guard let held = entries[entry.key], held.deadline == entry.deadline else { continue }
      forget(entry.key, removed: &removed)
    }
  }

  private mutating func enter(_ token: IdempotencyToken, _ entry: Entry) {
    entries[token] = entry
    deadlines.add(token, deadline: entry.deadline)
  }

  private mutating func forget(_ token: IdempotencyToken, removed: inout [Int64]) {
    guard let entry = entries.removeValue(forKey: token) else { return }
    if let outcome = entry.outcome {
      byteCount -= outcome.body.count
      removed.append(entry.row)
    }
    compact()
  }

  private mutating func compact() {
    let entries = self.entries
    deadlines.compact(liveCount: entries.count) { entries[$0.key]?.deadline == $0.deadline }
  }

  /// The oldest answers go first; false where only requests under way are left.
  private mutating func makeRoom(removed: inout [Int64]) -> Bool {
    var underWay: [DeadlineQueue<IdempotencyToken>.Entry] = []
    defer { for entry in underWay { deadlines.add(entry.key, deadline: entry.deadline) } }
    while entries.count >= settings.countMax || byteCount > settings.byteCountMax {
      guard let entry = deadlines.takeFirst() else { return entries.count < settings.countMax }
      guard let held = entries[entry.key], held.deadline == entry.deadline else { continue }
      if held.outcome == nil { underWay.append(entry) } else { forget(entry.key, removed: &removed) }
    }
    return true
  }
}
