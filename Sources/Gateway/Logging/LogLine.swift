import Protocol

/// Makes the bytes of a line. A line is always one line: control characters of texts are escaped in both formats, so
/// that a peer cannot forge one.
package enum LogLine {
  /// Bytes of a text value that are written; the rest is cut off at a character's end and marked `…`.
  package static let textByteCountMax = 512

  /// Appends everything after the time: what tells two lines apart.
  static func appendBody(
    to bytes: inout [UInt8], _ format: LogFormat, _ level: LogLevel, _ event: StaticString, _ fields: LogFields
  ) {
    switch format {
    case .json:
      bytes.append("\"level\":\"")
      bytes.append(contentsOf: level.rawValue.utf8)
      bytes.append("\",\"event\":\"")
      bytes.append(event)
      bytes.append("\"")
    case .text:
      bytes.append(contentsOf: level.rawValue.utf8)
      for _ in level.rawValue.utf8.count..<8 { bytes.append(" ") }
      bytes.append(event)
    }
    for (name, value) in fields.entries { append(to: &bytes, format, name, value) }
  }

  /// Appends a field with its separator.
  static func append(to bytes: inout [UInt8], _ format: LogFormat, _ name: StaticString, _ value: LogValue) {
    switch format {
    case .json:
      bytes.append(",\"")
      bytes.append(name)
      bytes.append("\":")
    case .text:
      bytes.append(" ")
      bytes.append(name)
      bytes.append("=")
    }
    switch value {
    case .text(let text): append(to: &bytes, format, text)
    case .integer(let number): bytes.append(decimal: number)
    case .number(let number): append(to: &bytes, number)
    case .flag(let isTrue): isTrue ? bytes.append("true") : bytes.append("false")
    case .duration(let duration):
      let (seconds, attoseconds) = duration.components
      append(to: &bytes, Double(seconds) + Double(attoseconds) / 1e18)
    }
  }

  /// The line whole, with its end.
  static func whole(
    _ format: LogFormat, time unixMilliseconds: Int, body: [UInt8], leftOutCount: Int
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(body.count + 64)
    if format == .json { bytes.append("{\"ts\":\"") }
    appendTime(to: &bytes, unixMilliseconds: unixMilliseconds)
    format == .json ? bytes.append("\",") : bytes.append(" ")
    bytes.append(contentsOf: body)
    if leftOutCount > 0 { append(to: &bytes, format, "left_out", .integer(leftOutCount)) }
    format == .json ? bytes.append("}\n") : bytes.append("\n")
    return bytes
  }

  /// Appends a moment in UTC as RFC 3339 §5.6 with milliseconds: `2026-11-22T17:45:00.000Z`. The calendar is Howard
  /// Hinnant's `civil_from_days`, years from 0 to 9999; outside, the nearest of them.
  package static func appendTime(to bytes: inout [UInt8], unixMilliseconds: Int) {
    let bounds = -62_167_219_200_000...253_402_300_799_999
    let milliseconds = min(max(unixMilliseconds, bounds.lowerBound), bounds.upperBound)
    let secondsPerDay = 86_400
    let totalSeconds = (milliseconds - milliseconds.positiveRemainder(1000)) / 1000
    let secondOfDay = totalSeconds.positiveRemainder(secondsPerDay)
    // Days since 0000-03-01, so that the leap day is a year's last.
    let days = (totalSeconds - secondOfDay) / secondsPerDay + 719_468
    let daysPerEra = 146_097
    let era = (days - days.positiveRemainder(daysPerEra)) / daysPerEra
    let dayOfEra = days.positiveRemainder(daysPerEra)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    append(to: &bytes, year, digitCount: 4)
    bytes.append("-")
    append(to: &bytes, month, digitCount: 2)
    bytes.append("-")
    append(to: &bytes, day, digitCount: 2)
    bytes.append("T")
    append(to: &bytes, secondOfDay / 3600, digitCount: 2)
    bytes.append(":")
    append(to: &bytes, secondOfDay / 60 % 60, digitCount: 2)
    bytes.append(":")
    append(to: &bytes, secondOfDay % 60, digitCount: 2)
    bytes.append(".")
    append(to: &bytes, milliseconds.positiveRemainder(1000), digitCount: 3)
    bytes.append("Z")
  }

  private static func append(to bytes: inout [UInt8], _ value: Int, digitCount: Int) {
    var divisor = 1
    for _ in 1..<digitCount { divisor *= 10 }
    while divisor > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
      divisor /= 10
    }
  }

  /// JSON has no infinities.
  private static func append(to bytes: inout [UInt8], _ number: Double) {
    if number.isFinite { bytes.append(contentsOf: String(number).utf8) } else { bytes.append("null") }
  }

  private static func append(to bytes: inout [UInt8], _ format: LogFormat, _ text: String) {
    let isBare = format == .text && !text.isEmpty && text.utf8.allSatisfy(isBareByte)
    if !isBare { bytes.append("\"") }
    var byteCount = 0
    for scalar in text.unicodeScalars {
      byteCount += UTF8.width(scalar)
      if byteCount > textByteCountMax {
        bytes.append("…")
        break
      }
      append(to: &bytes, scalar)
    }
    if !isBare { bytes.append("\"") }
  }

  private static func append(to bytes: inout [UInt8], _ scalar: Unicode.Scalar) {
    switch scalar {
    case "\"": bytes.append("\\\"")
    case "\\": bytes.append("\\\\")
    case "\n": bytes.append("\\n")
    case "\r": bytes.append("\\r")
    case "\t": bytes.append("\\t")
    // C0, C1 and the separators that some readers take for line ends.
    case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
      bytes.append("\\u")
      let digits = Array("0123456789abcdef".utf8)
      for shift in [12, 8, 4, 0] as [UInt32] { bytes.append(digits[Int(scalar.value >> shift & 0xF)]) }
    default: bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
  }

  private static func isBareByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0...0x20, 0x7F..., UInt8(ascii: "\""), UInt8(ascii: "="), UInt8(ascii: "\\"): false
    default: true
    }
  }
}

extension Int {
  /// The remainder from 0 up to the divisor, for negative dividends too.
  fileprivate func positiveRemainder(_ divisor: Int) -> Int {
    let remainder = self % divisor
    return remainder < 0 ? remainder + divisor : remainder
  }
}
