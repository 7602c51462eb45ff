import Glibc
import Synchronization

/// Local time as ISO 8601 with microseconds and no zone (`2025-01-22T10:00:00.123456`), as Python's
/// `datetime.now().isoformat()` writes it: the `timestamp` of the task dialect (contract §2.1).
package enum LocalTimestamp {
  /// Seconds for which an offset from UTC holds: zones change it at quarters of an hour only.
  private static let windowSeconds = 900

  /// The latest window's number (upper 40 bits) and its offset in seconds plus `offsetBias` (lower 24), in one word, so
  /// that every shard reads and replaces it without a lock: localtime_r takes a global one. 0: none yet.
  private static let cache = Atomic<UInt64>(0)
  private static let offsetBias = 1 << 20

  /// - Parameter now: Unix seconds.
  package static func text(_ now: Double) -> String {
    let second = wholeSeconds(now)
    return text(now, offsetSeconds: offsetSeconds(at: second))
  }

  /// The same for a zone `offsetSeconds` east of UTC.
  static func text(_ now: Double, offsetSeconds: Int) -> String {
    // To the nearest microsecond: a double holds about a quarter of one in this century.
    let microseconds = Int(clamped(now) * 1_000_000 + 0.5) + offsetSeconds * 1_000_000
    let (date, rest) = floorDivided(microseconds, by: 86_400_000_000)
    let (year, month, day) = civilDate(daysSinceEpoch: date)
    var digits: [UInt8] = []
    digits.reserveCapacity(26)
    func append(_ value: Int, width: Int) {
      var divisor = 1
      for _ in 1..<width { divisor *= 10 }
      while divisor > 0 {
        digits.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
        divisor /= 10
      }
    }
    append(year, width: 4)
    digits.append(UInt8(ascii: "-"))
    append(month, width: 2)
    digits.append(UInt8(ascii: "-"))
    append(day, width: 2)
    digits.append(UInt8(ascii: "T"))
    append(rest / 3_600_000_000, width: 2)
    digits.append(UInt8(ascii: ":"))
    append(rest / 60_000_000 % 60, width: 2)
    digits.append(UInt8(ascii: ":"))
    append(rest / 1_000_000 % 60, width: 2)
    digits.append(UInt8(ascii: "."))
    append(rest % 1_000_000, width: 6)
    return String(decoding: digits, as: UTF8.self)
  }

  /// The local zone's offset from UTC at a Unix second.
  static func offsetSeconds(at second: Int) -> Int {
    let window = UInt64(second / windowSeconds)
    let cached = cache.load(ordering: .relaxed)
    if cached != 0, cached >> 24 == window { return Int(cached & 0xFF_FFFF) - offsetBias }
    var time = time_t(second)
    var broken = unsafe tm()
    // SAFETY: both are valid for the call; localtime_r keeps neither.
    let isKnown = unsafe localtime_r(&time, &broken) != nil
    let offset = isKnown ? unsafe broken.tm_gmtoff : 0
    cache.store(window << 24 | UInt64(offset + offsetBias), ordering: .relaxed)
    return offset
  }

  /// From 1970 to the end of the year 9999, so that nothing below overflows.
  private static func clamped(_ now: Double) -> Double {
    now.isNaN ? 0 : Swift.min(Swift.max(now, 0), 253_402_214_400)
  }

  private static func wholeSeconds(_ now: Double) -> Int { Int(clamped(now)) }

  private static func floorDivided(_ value: Int, by divisor: Int) -> (quotient: Int, remainder: Int) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  /// The proleptic Gregorian date, counted in eras of 400 years that begin in March, so that the leap day comes last.
  private static func civilDate(daysSinceEpoch: Int) -> (year: Int, month: Int, day: Int) {
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    let (era, dayOfEra) = floorDivided(daysSinceEpoch + 719_468, by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}
