import GatewayDomain

/// The most recent events of a task as one shard keeps them for those of its watchers that do not keep up: such a watcher
/// has no queue of them but a cursor, the offset that it has reached, and reads on from there when it can.
///
/// It is there while somebody lags (`ShardTopics.fallBehind`), so a task whose watchers keep up has none. One thread only.
final class EventRing {
  /// Bytes of what is kept, with what keeping it costs besides.
  private(set) var byteCount = 0
  /// Oldest first; offsets rise.
  private var events: [TaskDelivery] = []
  /// The event that ends the task as those get it who missed so many before it: encoded once for all of them.
  private var endings: [Int: SharedFrame] = [:]

  var count: Int { events.count }

  subscript(_ place: Int) -> TaskDelivery { events[place] }

  /// Keeps a turn's events behind those that are there. The oldest leave where there are too many; the newest always stays.
  func append(_ run: some RandomAccessCollection<TaskDelivery>, byteCountMax: Int) {
    for event in run.suffix(RingLimits.eventCountMax) {
      events.append(event)
      byteCount += event.keptByteCount
    }
    var leavingCount = 0
    while events.count - leavingCount > 1,
      events.count - leavingCount > RingLimits.eventCountMax || byteCount > byteCountMax
    {
      byteCount -= events[leavingCount].keptByteCount
      leavingCount += 1
    }
    events.removeFirst(leavingCount)
  }

  /// Where one reads on who has got everything up to an offset: at the event behind it, or, where that has left the ring,
  /// at the newest that there is in the dialect. Nil where there is nothing for it.
  func place(after offset: Int, in dialect: Int) -> Int? {
    guard let next = events.firstIndex(where: { $0.offset > offset }) else { return nil }
    if events[next].offset == offset + 1 { return next }
    return events[next...].lastIndex { $0.frame(dialect) != nil }
  }

  /// The event that ends the task, for one who missed so many before it.
  func ending(_ frame: SharedFrame, skipping skippedCount: Int) -> SharedFrame {
    if let known = endings[skippedCount] { return known }
    let ending = frame.skipping(skippedCount)
    endings[skippedCount] = ending
    return ending
  }
}

/// Bounds of the rings.
enum RingLimits {
  /// Events of one task: a reader that was away for a moment gets every step, and one that is slower than its task is not
  /// kept far behind it.
  static let eventCountMax = 64
  /// Bytes of one task's ring: four kibibytes for each of its events.
  static let byteCountMax = 262_144
  /// Bytes of all rings of a shard. At the bound a task that has an event keeps the newest only.
  static let perShardByteCountMax = 33_554_432
  /// What an event costs besides its frames: the entry, the frames' objects, and the heap's own.
  static let eventOverheadByteCount = 256
}

extension TaskDelivery {
  /// Bytes that keeping it costs.
  fileprivate var keptByteCount: Int {
    var byteCount = RingLimits.eventOverheadByteCount
    for dialect in 0..<(Audience.count / 2) {
      guard let frame = frame(dialect) else { continue }
      byteCount += unsafe frame.plain.count + frame.compressed.count
    }
    return byteCount
  }
}
