import Synchronization

/// The counters of one thread. Only that thread writes; whoever scrapes reads. Writing is a relaxed load, an addition and
/// a relaxed store, with no lock and no locked instruction, which is right because there is one writer; a scrape may miss
/// what is being counted, and finds it the next time.
///
/// The block begins and ends on its own cache line, so shards never invalidate each other's.
// SAFETY of `@unchecked Sendable`: the pointer is set once, freed by deinit, and what it points to is atomic.
@safe
package final class ShardMetrics: @unchecked Sendable {
  /// Bytes that a processor takes from memory together with their neighbour: two lines, which x86 fetches in pairs.
  static let alignment = 128
  /// Words of the whole block.
  static let wordCount = MetricFamily.allCases.count * MetricFamily.wordCount

  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  /// Held here, so that observing needs no lazy global.
  private let latencyBounds = HistogramBounds.latency

  /// All zero.
  package init() {
    let byteCount = Self.wordCount * MemoryLayout<Atomic<UInt64>>.stride
    let rounded = (byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
    let block = UnsafeMutableRawPointer.allocate(byteCount: rounded, alignment: Self.alignment)
    // SAFETY: the block has room for wordCount words and suits their alignment; each is initialised below.
    unsafe words = block.bindMemory(to: Atomic<UInt64>.self, capacity: Self.wordCount)
    for index in 0..<Self.wordCount { unsafe (words + index).initialize(to: Atomic(0)) }
  }

  deinit {
    // SAFETY: nobody holds the object any more; the block came from allocate with this alignment.
    unsafe words.deinitialize(count: Self.wordCount)
    unsafe UnsafeMutableRawPointer(words).deallocate()
  }

  /// Adds to a counter or gauge. Owner's thread only.
  @inline(__always)
  package func add(_ series: MetricSeries, _ amount: Int = 1) { bump(series.index, by: amount) }

  /// Takes from a gauge. Owner's thread only.
  @inline(__always)
  package func subtract(_ series: MetricSeries, _ amount: Int = 1) { bump(series.index, by: 0 &- amount) }

  /// Sets a gauge. Owner's thread only.
  @inline(__always)
  package func set(_ series: MetricSeries, _ value: Int) { store(series.index, UInt64(bitPattern: Int64(value))) }

  /// Sets a gauge in seconds. Owner's thread only.
  package func set(_ gauge: MetricSecondsGauge, seconds: Double) {
    store(gauge.family.rawValue * MetricFamily.wordCount, seconds.bitPattern)
  }

  /// Counts a value in its bucket. Owner's thread only.
  /// - Parameter times: how often the value was seen, for many deliveries of one event.
  package func observe(_ histogram: MetricHistogram, _ value: Double, times: Int = 1) {
    guard times > 0 else { return }
    let base = histogram.family.rawValue * MetricFamily.wordCount
    let bounds = histogram == .deliveryLatency ? latencyBounds : histogram.bounds
    // A clock that went backwards, or a division by zero, counts as nothing rather than spoil the sum for ever.
    let value = value > 0 && value.isFinite ? value : 0
    var bucket = 0
    while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
    bump(base + bucket, by: times)
    let sum = base + HistogramLayout.sumIndex(bounds)
    store(sum, (Double(bitPattern: load(sum)) + value * Double(times)).bitPattern)
  }

  /// Counts a duration in its bucket. Owner's thread only.
  package func observe(_ histogram: MetricHistogram, nanoseconds: UInt64, times: Int = 1) {
    observe(histogram, Double(nanoseconds) / 1e9, times: times)
  }

  /// The value of a series. Any thread.
  package func value(_ series: MetricSeries) -> Int { Int(Int64(bitPattern: load(series.index))) }

  /// A word of a family. Any thread.
  func word(_ family: MetricFamily, _ place: Int) -> UInt64 {
    load(family.rawValue * MetricFamily.wordCount + place)
  }

  @inline(__always)
  private func load(_ index: Int) -> UInt64 {
    assert(index >= 0 && index < Self.wordCount)
    // SAFETY: an index is a family's place times wordCount plus a label's place, which a test holds below wordCount.
    return unsafe words[index].load(ordering: .relaxed)
  }

  @inline(__always)
  private func store(_ index: Int, _ value: UInt64) {
    assert(index >= 0 && index < Self.wordCount)
    // SAFETY: as in load.
    unsafe words[index].store(value, ordering: .relaxed)
  }

  @inline(__always)
  private func bump(_ index: Int, by amount: Int) {
    store(index, load(index) &+ UInt64(bitPattern: Int64(amount)))
  }
}
