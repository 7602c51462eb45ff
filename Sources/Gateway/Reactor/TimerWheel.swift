/// A lazy hashed wheel: filing costs an append, activity costs nothing here.
///
/// The owner keeps each entry's true deadline. When an entry comes up too early (its owner was active meanwhile, or the
/// deadline lies beyond one round), the owner files it again. Entries are never cancelled: one that is stale is
/// recognised by its owner (generation) and dropped.
package struct TimerWheel {
  package struct Entry {
    package var slot: Int32
    package var generation: UInt32
  }

  /// Milliseconds per bucket: deadlines are met within this and one turn.
  package static let tickMilliseconds: Int64 = 50
  private static let bucketCount = 1024

  private var buckets: [[Entry]]
  private var tick: Int64
  package private(set) var count = 0

  package init(nowMilliseconds: Int64) {
    buckets = Array(repeating: [], count: Self.bucketCount)
    tick = nowMilliseconds / Self.tickMilliseconds
  }

  /// Files an entry to come up at the deadline, or earlier where that is more than a round away. Returns the deadline,
  /// or the milliseconds at which the entry comes up before it.
  @discardableResult
  package mutating func file(_ entry: Entry, deadlineMilliseconds: Int64) -> Int64 {
    let wanted = deadlineMilliseconds / Self.tickMilliseconds + 1
    let bounded = min(max(wanted, tick + 1), tick + Int64(Self.bucketCount) - 1)
    buckets[Int(bounded % Int64(Self.bucketCount))].append(entry)
    count += 1
    return min(deadlineMilliseconds, bounded * Self.tickMilliseconds)
  }

  /// Moves the entries that have come up by now into `due`.
  package mutating func advance(nowMilliseconds: Int64, into due: inout [Entry]) {
    let target = nowMilliseconds / Self.tickMilliseconds
    guard target > tick else { return }
    // After a long stop one round covers every bucket.
    if target - tick > Int64(Self.bucketCount) { tick = target - Int64(Self.bucketCount) }
    while tick < target {
      tick += 1
      let bucket = Int(tick % Int64(Self.bucketCount))
      guard !buckets[bucket].isEmpty else { continue }
      due.append(contentsOf: buckets[bucket])
      count -= buckets[bucket].count
      buckets[bucket].removeAll(keepingCapacity: buckets[bucket].count < 64)
    }
  }
}
