/// What the store thread tells shards.
enum StoreNotice: Sendable, Equatable {
  /// Everything of the shard's batches up to this one is durable.
  case committed(shard: Int, through: UInt64)
  /// The batches up to this one did not become durable yet, and said so once. Their changes stay queued: a `committed` comes
  /// when a later attempt succeeds.
  case failed(shard: Int, through: UInt64, StoreFailure)
}

/// The store's decisions without its thread: batches in, one transaction for all that waits, notices out.
///
/// What waits is kept once for each row, the newest change: so a store that fails for hours costs memory by the number of
/// rows touched, not by the number of changes. Order among rows does not matter, since a transaction is whole or not at all.
struct StoreWriter {
  /// Milliseconds from a failed attempt to the next.
  static let retryMilliseconds: Int64 = 1000

  /// How far a shard's batches came, by sequence.
  private struct Progress {
    /// The newest batch taken.
    var taken: UInt64 = 0
    /// The newest batch that a notice of either kind was given for.
    var told: UInt64 = 0
    /// The newest batch that is durable.
    var committed: UInt64 = 0
  }

  private let engine: any StoreEngine
  private let health: StoreHealth
  /// Monotonic, to time commits.
  private let nanoseconds: () -> UInt64
  private var progress: [Progress]
  private var changes: [StoreChange] = []
  private var places: [StoreRow: Int] = [:]
  private var byteCount = 0
  private var failure: StoreFailure?
  /// When the next attempt is due, by the clock that `commit` is given; nil while nothing failed.
  private(set) var nextRetryMilliseconds: Int64?

  init(
    engine: any StoreEngine, shardCount: Int, health: StoreHealth = StoreHealth(),
    nanoseconds: @escaping () -> UInt64 = { 0 }
  ) {
    self.engine = engine
    self.health = health
    self.nanoseconds = nanoseconds
    progress = [Progress](repeating: Progress(), count: shardCount)
  }

  /// Rows that wait.
  var waitingRowCount: Int { changes.count }
  /// Bytes of their names and records.
  var waitingByteCount: Int { byteCount }

  /// Queues a batch. The next `commit` attempts it.
  mutating func take(_ batch: StoreBatch) {
    assert(batch.sequence == progress[batch.shard].taken + 1, "a shard's batches are numbered without gaps")
    progress[batch.shard].taken = batch.sequence
    for change in batch.changes {
      byteCount += change.byteCount
      let row = change.row
      if let place = places[row] {
        byteCount -= changes[place].byteCount
        changes[place] = change
      } else {
        places[row] = changes.count
        changes.append(change)
      }
    }
  }

  /// Commits what waits and says so. After a failure it attempts again only when the retry is due, or at once with
  /// `isLastAttempt`; batches taken meanwhile are told of the failure that lasts.
  mutating func commit(nowMilliseconds: Int64, isLastAttempt: Bool = false) -> [StoreNotice] {
    if let retry = nextRetryMilliseconds, nowMilliseconds < retry, !isLastAttempt { return failedNotices() }
    if !changes.isEmpty {
      do throws(StoreFailure) {
        try attempt()
      } catch {
        health.failed(error)
        failure = error
        nextRetryMilliseconds = nowMilliseconds + Self.retryMilliseconds
        health.waits(rowCount: changes.count, byteCount: byteCount)
        return failedNotices()
      }
      failure = nil
      nextRetryMilliseconds = nil
    }
    return committedNotices()
  }

  private mutating func attempt() throws(StoreFailure) {
    health.waits(rowCount: changes.count, byteCount: byteCount)
    let begun = nanoseconds()
    if failure != nil { try engine.recover() }
    try engine.commit(changes)
    health.committed(changeCount: changes.count, nanoseconds: nanoseconds() &- begun)
    changes.removeAll(keepingCapacity: changes.count <= Self.keptRowCountMax)
    places.removeAll(keepingCapacity: places.count <= Self.keptRowCountMax)
    byteCount = 0
    health.waits(rowCount: 0, byteCount: 0)
  }

  /// Rows for which room is kept from one commit to the next: more were an outage's or a burst's.
  private static let keptRowCountMax = 16_384

  private mutating func committedNotices() -> [StoreNotice] {
    var notices: [StoreNotice] = []
    for shard in progress.indices where progress[shard].committed < progress[shard].taken {
      progress[shard].committed = progress[shard].taken
      progress[shard].told = progress[shard].taken
      notices.append(.committed(shard: shard, through: progress[shard].taken))
    }
    return notices
  }

  private mutating func failedNotices() -> [StoreNotice] {
    guard let failure else { return [] }
    var notices: [StoreNotice] = []
    for shard in progress.indices where progress[shard].told < progress[shard].taken {
      progress[shard].told = progress[shard].taken
      notices.append(.failed(shard: shard, through: progress[shard].taken, failure))
    }
    return notices
  }
}
