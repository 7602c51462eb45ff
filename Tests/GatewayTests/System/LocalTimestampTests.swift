import Glibc
import Testing

@testable import Gateway

/// What the C library makes of a Unix second.
private func reference(_ second: Int, microseconds: String) -> String {
  var time = time_t(second)
  var broken = unsafe tm()
  unsafe localtime_r(&time, &broken)
  var buffer = [CChar](repeating: 0, count: 64)
  let count = unsafe strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%S", &broken)
  return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) + "." + microseconds
}

@Suite("Contract §2.1 local timestamps")
struct LocalTimestampTests {
  @Test(
    arguments: [
      (0.0, 0, "1970-01-01T00:00:00.000000"), (1_737_540_000.123456, 0, "2025-01-22T10:00:00.123456"),
      (951_782_400, 0, "2000-02-29T00:00:00.000000"), (1_709_251_199.9999996, 0, "2024-03-01T00:00:00.000000"),
      (4_107_542_399, 0, "2100-02-28T23:59:59.000000"), (1_735_689_599.5, 28_800, "2025-01-01T07:59:59.500000"),
      (1_735_689_600, -3_600, "2024-12-31T23:00:00.000000"), (0, -3_600, "1969-12-31T23:00:00.000000"),
      (1_735_689_600, 20_700, "2025-01-01T05:45:00.000000"), (-5, 0, "1970-01-01T00:00:00.000000"),
      (.nan, 0, "1970-01-01T00:00:00.000000"), (.infinity, 0, "9999-12-31T00:00:00.000000"),
    ] as [(Double, Int, String)])
  func `a time in a zone`(_ now: Double, _ offset: Int, _ expected: String) {
    #expect(LocalTimestamp.text(now, offsetSeconds: offset) == expected)
  }

  @Test func `local time is the C library's, across years and windows`() {
    var second = 1_600_000_000
    for _ in 0..<2_000 {
      #expect(LocalTimestamp.text(Double(second) + 0.25) == reference(second, microseconds: "250000"))
      // A prime, so that no hour of the day is left out.
      second += 131_071
    }
    // Within one window, which is the cached one.
    for offset in 0..<900 {
      #expect(
        LocalTimestamp.text(Double(1_763_833_500 + offset)) == reference(1_763_833_500 + offset, microseconds: "000000")
      )
    }
  }
}
