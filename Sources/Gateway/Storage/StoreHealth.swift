import Synchronization

/// How the store is, for metrics, health and the doors. Written by the store thread once for each commit; any thread reads.
///
/// The counts are behind a lock that nobody holds for longer than it takes to copy them.
final class StoreHealth: Sendable {
  private struct State {
    var facts = StoreFacts()
    var failure: StoreFailure?
  }

  private let state = Mutex(State())
  private let healthy = Atomic<Bool>(true)
  private let rowsWaiting = Atomic<Int>(0)
  private let bytesWaiting = Atomic<Int>(0)

  /// False from a failed commit to the next one that succeeds. Cheap enough for every request.
  var isHealthy: Bool { healthy.load(ordering: .relaxed) }

  /// Rows whose newest state is not durable yet, as of the last commit or attempt.
  var waitingRowCount: Int { rowsWaiting.load(ordering: .relaxed) }

  /// Bytes of those rows.
  var waitingByteCount: Int { bytesWaiting.load(ordering: .relaxed) }

  /// Why the last commit failed; nil while all is well.
  var failure: StoreFailure? { state.withLock { $0.failure } }

  /// What a scrape says.
  var facts: StoreFacts {
    var facts = state.withLock { $0.facts }
    facts.isUp = isHealthy
    facts.waitingRowCount = waitingRowCount
    facts.waitingByteCount = waitingByteCount
    return facts
  }

  /// Store thread only, as everything below.
  func committed(changeCount: Int, nanoseconds: UInt64) {
    state.withLock {
      $0.facts.commitCount &+= 1
      $0.facts.changeCount &+= changeCount
      $0.facts.observe(seconds: Double(nanoseconds) / 1e9)
      $0.failure = nil
    }
    healthy.store(true, ordering: .relaxed)
  }

  func failed(_ failure: StoreFailure) {
    state.withLock {
      $0.facts.failureCounts[failure.kind.rawValue] &+= 1
      $0.failure = failure
    }
    healthy.store(false, ordering: .relaxed)
  }

  func waits(rowCount: Int, byteCount: Int) {
    rowsWaiting.store(rowCount, ordering: .relaxed)
    bytesWaiting.store(byteCount, ordering: .relaxed)
  }
}

/// The store's part of a scrape. Of the memory store: all zero, and up.
package struct StoreFacts: Sendable, Equatable {
  package var isUp = true
  /// Transactions that became durable.
  package var commitCount = 0
  /// Rows that they wrote or removed.
  package var changeCount = 0
  /// Failed attempts, by kind's place.
  package var failureCounts = [Int](repeating: 0, count: StoreFailure.Kind.allCases.count)
  /// Durations of commits in the buckets of `HistogramBounds.latency`, not cumulative, the one above the last bound included.
  package var durationCounts = [Int](repeating: 0, count: HistogramBounds.latency.count + 1)
  /// Their sum in seconds.
  package var durationSum = 0.0
  /// Rows whose newest state is not durable yet.
  package var waitingRowCount = 0
  /// Bytes of those rows.
  package var waitingByteCount = 0

  /// Nothing has happened.
  package init() {}

  mutating func observe(seconds: Double) {
    let bounds = HistogramBounds.latency
    var bucket = 0
    while bucket < bounds.count, seconds > bounds[bucket] { bucket += 1 }
    durationCounts[bucket] &+= 1
    durationSum += seconds
  }
}
