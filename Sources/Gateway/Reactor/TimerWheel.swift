/// A lazy hashed wheel: filing costs a few stores, activity costs nothing here, and an owner without anything due sleeps
/// until the next entry rather than from tick to tick.
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
  private static let wordCount = bucketCount / UInt64.bitWidth

  /// An entry in its bucket's list, or in the list of places that are free.
  private struct Node {
    var entry: Entry
    /// Index of the next node, −1 at the end.
    var next: Int32
  }

  /// The first node of each bucket, −1 for none.
  private var heads: [Int32]
  /// One bit for each bucket that has entries, so that the next one is found without looking at every bucket.
  private var occupied: [UInt64]
  /// All nodes in one block: an entry costs 12 bytes wherever it is filed, and filing allocates only while it grows.
  private var nodes: [Node] = []
  private var freeHead: Int32 = -1
  private var tick: Int64
  package private(set) var count = 0

  package init(nowMilliseconds: Int64) {
    heads = Array(repeating: -1, count: Self.bucketCount)
    occupied = Array(repeating: 0, count: Self.wordCount)
    tick = nowMilliseconds / Self.tickMilliseconds
  }

  /// Files an entry to come up at the deadline, or earlier where that is more than a round away. Returns the deadline,
  /// or the milliseconds at which the entry comes up before it.
  @discardableResult
  package mutating func file(_ entry: Entry, deadlineMilliseconds: Int64) -> Int64 {
    let wanted = deadlineMilliseconds / Self.tickMilliseconds + 1
    let bounded = min(max(wanted, tick + 1), tick + Int64(Self.bucketCount) - 1)
    let bucket = Int(bounded % Int64(Self.bucketCount))
    heads[bucket] = takeNode(Node(entry: entry, next: heads[bucket]))
    occupied[bucket / UInt64.bitWidth] |= 1 << UInt64(bucket % UInt64.bitWidth)
    count += 1
    return min(deadlineMilliseconds, bounded * Self.tickMilliseconds)
  }

  /// Moves the entries that have come up by now into `due`, tick by tick; within a tick in no particular order.
  package mutating func advance(nowMilliseconds: Int64, into due: inout [Entry]) {
    let target = nowMilliseconds / Self.tickMilliseconds
    guard target > tick else { return }
    while let next = nextOccupiedTick, next <= target {
      tick = next
      empty(Int(next % Int64(Self.bucketCount)), into: &due)
    }
    tick = target
  }

  /// The milliseconds at which the next entry comes up, early or not; nil where nothing is filed.
  package var nextMilliseconds: Int64? { nextOccupiedTick.map { $0 * Self.tickMilliseconds } }

  /// The first tick after the present one whose bucket has entries. An entry lies less than a round ahead, so a bucket
  /// stands for one tick only.
  private var nextOccupiedTick: Int64? {
    guard count > 0 else { return nil }
    let first = Int((tick + 1) % Int64(Self.bucketCount))
    let firstWord = first / UInt64.bitWidth
    // One step more than there are words: the first word is looked at from its middle, and last up to its middle.
    for step in 0...Self.wordCount {
      let word = (firstWord + step) % Self.wordCount
      var bits = occupied[word]
      if step == 0 { bits &= UInt64.max << UInt64(first % UInt64.bitWidth) }
      guard bits != 0 else { continue }
      let bucket = word * UInt64.bitWidth + bits.trailingZeroBitCount
      return tick + 1 + Int64((bucket - first + Self.bucketCount) % Self.bucketCount)
    }
    return nil
  }

  private mutating func empty(_ bucket: Int, into due: inout [Entry]) {
    var index = heads[bucket]
    heads[bucket] = -1
    occupied[bucket / UInt64.bitWidth] &= ~(1 << UInt64(bucket % UInt64.bitWidth))
    while index >= 0 {
      let place = Int(index)
      due.append(nodes[place].entry)
      count -= 1
      index = nodes[place].next
      nodes[place].next = freeHead
      freeHead = Int32(place)
    }
  }

  private mutating func takeNode(_ node: Node) -> Int32 {
    guard freeHead >= 0 else {
      // By a quarter rather than by doubling: what is reserved and not used would count for every connection.
      if nodes.count == nodes.capacity { nodes.reserveCapacity(nodes.count + nodes.count / 4 + 64) }
      nodes.append(node)
      return Int32(nodes.count - 1)
    }
    let index = freeHead
    freeHead = nodes[Int(index)].next
    nodes[Int(index)] = node
    return index
  }
}
