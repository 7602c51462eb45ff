/// Which shards have subscribers of a task, and in which dialects: kept at the task's home, so that an event is encoded
/// for those dialects only and mailed to those shards only.
final class TaskInterest {
  /// Subscribers by shard and audience.
  private var counts: [Int32]
  private(set) var total = 0

  init(shardCount: Int) {
    counts = Array(repeating: 0, count: shardCount * Audience.count)
  }

  func add(_ audience: Audience, shard: Int) {
    counts[shard * Audience.count + audience.rawValue] += 1
    total += 1
  }

  func remove(_ audience: Audience, shard: Int) {
    let place = shard * Audience.count + audience.rawValue
    guard counts[place] > 0 else { return }
    counts[place] -= 1
    total -= 1
  }

  func has(_ audience: Audience, shard: Int) -> Bool {
    counts[shard * Audience.count + audience.rawValue] > 0
  }

  func has(_ audience: Audience) -> Bool {
    var place = audience.rawValue
    while place < counts.count {
      if counts[place] > 0 { return true }
      place += Audience.count
    }
    return false
  }
}
