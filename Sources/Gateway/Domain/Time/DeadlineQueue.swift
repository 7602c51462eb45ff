/// A binary heap of deadlines with lazy deletion: an entry whose key is gone or re-dated stays until it comes up or
/// until `compact` sweeps it, and the owner recognises it then. Equal deadlines come up in the order they were added.
///
/// It grows with its owner's bound: owners call `compact` when they delete, so that it holds at most
/// twice its live entries plus `staleCountSlack`.
package struct DeadlineQueue<Key> {
  package struct Entry {
    /// Monotonic seconds.
    package let deadline: Double
    let sequence: UInt64
    package let key: Key

    func isBefore(_ other: Entry) -> Bool {
      deadline < other.deadline || (deadline == other.deadline && sequence < other.sequence)
    }
  }

  /// Stale entries that are not worth a sweep.
  static var staleCountSlack: Int { 1024 }

  private var heap: [Entry] = []
  private var nextSequence: UInt64 = 0

  package init() {}

  /// Live and stale entries.
  package var count: Int { heap.count }

  /// Monotonic seconds of the earliest entry, live or stale.
  package var nextDeadline: Double? { heap.first?.deadline }

  package mutating func add(_ key: Key, deadline: Double) {
    heap.append(Entry(deadline: deadline, sequence: nextSequence, key: key))
    nextSequence &+= 1
    siftUp(from: heap.count - 1)
  }

  /// Takes the earliest entry whose deadline is at or before `monotonic`; nil when none is due.
  package mutating func takeDue(at monotonic: Double) -> Entry? {
    guard let first = heap.first, first.deadline <= monotonic else { return nil }
    return takeFirst()
  }

  /// Takes the earliest entry, due or not.
  package mutating func takeFirst() -> Entry? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      siftDown(from: 0)
    }
    return first
  }

  /// Sweeps the stale entries out once they outnumber the live ones by `staleCountSlack`; amortised O(1) a deletion.
  package mutating func compact(liveCount: Int, isLive: (Entry) -> Bool) {
    guard heap.count > 2 * liveCount + Self.staleCountSlack else { return }
    heap.removeAll { !isLive($0) }
    var index = heap.count / 2
    while index > 0 {
      index -= 1
      siftDown(from: index)
    }
  }

  private mutating func siftUp(from start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].isBefore(heap[parent]) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func siftDown(from start: Int) {
    var parent = start
    while true {
      var earliest = parent
      let left = 2 * parent + 1
      if left < heap.count, heap[left].isBefore(heap[earliest]) { earliest = left }
      if left + 1 < heap.count, heap[left + 1].isBefore(heap[earliest]) { earliest = left + 1 }
      guard earliest != parent else { return }
      heap.swapAt(parent, earliest)
      parent = earliest
    }
  }
}

extension DeadlineQueue: Sendable where Key: Sendable {}
extension DeadlineQueue.Entry: Sendable where Key: Sendable {}
