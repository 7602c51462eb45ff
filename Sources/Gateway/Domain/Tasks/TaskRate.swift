/// How fast a task has been getting on: a few samples of its progress over about the last minute, from which the end is
/// estimated when somebody reads the task.
///
/// A report mostly writes over the newest sample. One is added when the newest is `spacing` after the one before it, and
/// `spacing` doubles when the samples are used up before they cover the window: so a task that takes seconds is known
/// by its seconds, and one that takes hours by its last minute.
struct TaskRate {
  private struct Sample {
    /// Since `base`.
    var milliseconds: Int32 = 0
    var progress: Float = 0
  }

  private static var sampleCountMax: Int { 8 }
  private static var firstSpacing: Int32 { 250 }
  /// Milliseconds that full samples must cover before the oldest goes rather than every other one.
  private static var windowMilliseconds: Int32 { 50_000 }

  private var samples = InlineArray<8, Sample>(repeating: Sample())
  private var count: Int32 = 0
  /// Milliseconds.
  private var spacing: Int32 = TaskRate.firstSpacing
  /// Monotonic seconds.
  private var base = 0.0

  /// - Parameter monotonic: seconds, never before those of the last call.
  @inline(__always)
  mutating func add(_ progress: Double, at monotonic: Double) {
    let elapsed = (monotonic - base) * 1000
    let newest = Int(count) - 1
    let value = Float(progress)
    if newest >= 1, elapsed < 2e9, value >= samples[newest].progress {
      let milliseconds = Int32(elapsed)
      if milliseconds &- samples[newest - 1].milliseconds < spacing {
        samples[newest] = Sample(milliseconds: milliseconds, progress: value)
        return
      }
    }
    append(value, at: monotonic)
  }

  @inline(never)
  private mutating func append(_ progress: Float, at monotonic: Double) {
    let elapsed = (monotonic - base) * 1000
    // A task that goes back, and one of which nothing was heard for weeks, begins anew.
    guard count > 0, elapsed >= 0, elapsed < 2e9, progress >= samples[Int(count) - 1].progress else {
      base = monotonic
      spacing = Self.firstSpacing
      samples[0] = Sample(milliseconds: 0, progress: progress)
      count = 1
      return
    }
    let milliseconds = Int32(elapsed)
    if count == Self.sampleCountMax {
      if samples[Int(count) - 1].milliseconds - samples[0].milliseconds < Self.windowMilliseconds {
        // Every other one stays.
        for index in 1..<(Self.sampleCountMax / 2) { samples[index] = samples[index * 2] }
        count = Int32(Self.sampleCountMax / 2)
        spacing *= 2
      } else {
        for index in 1..<Self.sampleCountMax { samples[index - 1] = samples[index] }
        count -= 1
      }
    }
    samples[Int(count)] = Sample(milliseconds: milliseconds, progress: progress)
    count += 1
  }

  /// When 100 will be reached.
  struct Estimate: Equatable {
    /// Seconds from now on.
    var likely: Double
    var earliest: Double
    var latest: Double
  }

  static var sampleCountMin: Int { 3 }
  /// Seconds that the samples must cover.
  static var coveredSecondsMin: Double { 2 }
  /// Mean intervals after which the newest sample is too old to say anything.
  static var ageMax: Double { 3 }
  /// How many times as fast as the slowest stretch the fastest may be.
  static var spreadMax: Double { 10 }
  /// Seconds: 30 days.
  static var horizonMax: Double { 30 * 86_400 }

  /// Nil where the samples make no credible one.
  ///
  /// - Parameter monotonic: seconds.
  func estimate(at monotonic: Double) -> Estimate? {
    let count = Int(count)
    guard count >= Self.sampleCountMin else { return nil }
    let newest = samples[count - 1]
    let covered = Double(newest.milliseconds - samples[0].milliseconds) / 1000
    let grown = Double(newest.progress) - Double(samples[0].progress)
    let age = monotonic - base - Double(newest.milliseconds) / 1000
    let interval = covered / Double(count - 1)
    guard covered >= Self.coveredSecondsMin, grown > 0, age <= Self.ageMax * interval else { return nil }
    var slowest = Double.infinity
    var fastest = 0.0
    var start = samples[0]
    for index in 1..<count {
      let sample = samples[index]
      let seconds = Double(sample.milliseconds - start.milliseconds) / 1000
      // A stretch much shorter than the others says little: it is counted with the next one, the last with none.
      guard seconds >= interval / 2 else { continue }
      let rate = (Double(sample.progress) - Double(start.progress)) / seconds
      slowest = min(slowest, rate)
      fastest = max(fastest, rate)
      start = sample
    }
    guard slowest > 0, fastest <= slowest * Self.spreadMax else { return nil }
    let left = 100 - Double(newest.progress)
    func seconds(_ rate: Double) -> Double { max(left / rate - age, 0) }
    let likely = seconds(grown / covered)
    guard likely <= Self.horizonMax else { return nil }
    return Estimate(
      likely: likely, earliest: min(seconds(fastest), likely), latest: max(seconds(slowest), likely))
  }
}
