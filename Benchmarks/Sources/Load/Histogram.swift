/// Latencies in log-linear buckets, as in HdrHistogram: each power of two is split in 32, so a value is known to 3 %.
struct Histogram {
  private static let subBucketBits = 6
  private static let subBucketCount = 1 << subBucketBits
  /// Up to 2^40 ns, 18 minutes.
  private static let powerCount = 40 - subBucketBits

  private var counts = [UInt64](repeating: 0, count: (Histogram.powerCount + 2) * Histogram.subBucketCount)
  private(set) var count: UInt64 = 0
  private(set) var maximum: UInt64 = 0

  /// - Parameter nanoseconds: longer ones than 18 minutes count as that.
  @inline(__always)
  mutating func record(_ nanoseconds: UInt64) {
    counts[Histogram.bucket(of: nanoseconds)] &+= 1
    count &+= 1
    if nanoseconds > maximum { maximum = nanoseconds }
  }

  /// The value that this share of all values does not exceed; 0 where there are none.
  func value(atQuantile quantile: Double) -> UInt64 {
    guard count > 0 else { return 0 }
    let rank = max(1, UInt64((quantile * Double(count)).rounded(.up)))
    var seen: UInt64 = 0
    for index in counts.indices {
      seen += counts[index]
      if seen >= rank { return min(Histogram.upperBound(of: index), maximum) }
    }
    return maximum
  }

  mutating func removeAll() { self = Histogram() }

  /// Values below 64 stand for themselves; above, the power of two and the five bits that follow the highest one.
  @inline(__always)
  private static func bucket(of value: UInt64) -> Int {
    let highest = 63 - (value | 1).leadingZeroBitCount
    let power = max(0, highest - subBucketBits + 1)
    guard power <= powerCount else { return (powerCount + 2) * subBucketCount - 1 }
    // From power 1 on, the highest bit is always set: those buckets' lower halves would stay empty, so they are folded.
    return power == 0 ? Int(value) : (power + 1) * subBucketCount / 2 + Int(value >> UInt64(power)) - subBucketCount / 2
  }

  private static func upperBound(of bucket: Int) -> UInt64 {
    guard bucket >= subBucketCount else { return UInt64(bucket) }
    let half = subBucketCount / 2
    let power = bucket / half - 1
    let position = UInt64(bucket % half + half)
    return (position + 1) << UInt64(power) - 1
  }
}

extension Histogram {
  /// Microseconds, for the report.
  var summary: [(String, Double)] {
    [
      ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1),
    ].map { ($0.0, Double(value(atQuantile: $0.1)) / 1000) }
  }
}
