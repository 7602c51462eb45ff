/// Swift values of already validated JSON values. Nil where the value is of another kind or does not fit.
package enum JSONDecode {
  /// A string value, unescaped. Nil for other kinds, and for a string with a lone surrogate: it is no Unicode text, and
  /// a replacement character would make two different names equal.
  package static func string(_ member: JSONMember, in bytes: Span<UInt8>) -> String? {
    guard member.kind == .string else { return nil }
    let contents = (member.value.lowerBound + 1)..<(member.value.upperBound - 1)
    return string(contents: contents, hasEscapes: member.valueHasEscapes, in: bytes)
  }

  /// The same for a value's range, quotes included.
  package static func string(_ range: Range<Int>, in bytes: Span<UInt8>) -> String? {
    guard range.count >= 2, bytes[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
    let contents = (range.lowerBound + 1)..<(range.upperBound - 1)
    let hasEscapes = bytes.firstIndex(of: UInt8(ascii: "\\"), in: contents) < contents.upperBound
    return string(contents: contents, hasEscapes: hasEscapes, in: bytes)
  }

  /// A member's name, unescaped; nil where it has a lone surrogate.
  package static func key(_ member: JSONMember, in bytes: Span<UInt8>) -> String? {
    string(contents: member.key, hasEscapes: member.keyHasEscapes, in: bytes)
  }

  /// A number as a double; nil for other kinds and for numbers beyond its range, such as `1e400`.
  package static func double(_ range: Range<Int>, in bytes: Span<UInt8>) -> Double? {
    if let (mantissa, fractionDigitCount, isNegative) = shortDecimal(range, in: bytes) {
      // Both are exact doubles (at most 2^53, and a power of ten below 10^22), so that the one rounding of the division
      // gives the nearest double (Clinger 1990, "How to read floating point numbers accurately", §4).
      var divisor = 1.0
      for _ in 0..<fractionDigitCount { divisor *= 10 }
      let value = Double(mantissa) / divisor
      return isNegative ? -value : value
    }
    guard let text = number(range, in: bytes), let value = Double(text), value.isFinite else { return nil }
    return value
  }

  package static func double(_ member: JSONMember, in bytes: Span<UInt8>) -> Double? {
    member.kind == .number ? double(member.value, in: bytes) : nil
  }

  /// A number that is whole, however it is written (`5`, `5.0`, `5e0`), and fits an `Int`.
  package static func int(_ range: Range<Int>, in bytes: Span<UInt8>) -> Int? {
    if case let (mantissa, 0, isNegative)? = shortDecimal(range, in: bytes) { return isNegative ? -mantissa : mantissa }
    guard let text = number(range, in: bytes) else { return nil }
    if let value = Int(text) { return value }
    guard let value = Double(text) else { return nil }
    return wholeNumber(value)
  }

  package static func int(_ member: JSONMember, in bytes: Span<UInt8>) -> Int? {
    member.kind == .number ? int(member.value, in: bytes) : nil
  }

  /// The double as an integer where it is one. (`Int(exactly:)` would need libm, which nothing else here does.)
  static func wholeNumber(_ value: Double) -> Int? {
    // 2^63 itself is past the range; every double below it fits.
    guard value >= -0x1p63, value < 0x1p63 else { return nil }
    let integer = Int(value)
    return Double(integer) == value ? integer : nil
  }

  package static func bool(_ member: JSONMember) -> Bool? {
    switch member.kind {
    case .true: true
    case .false: false
    case .object, .array, .string, .number, .null: nil
    }
  }

  /// - Parameter contents: what stands between the quotes.
  static func string(contents: Range<Int>, hasEscapes: Bool, in bytes: Span<UInt8>) -> String? {
    guard hasEscapes else { return String(decoding: bytes.extracting(contents)) }
    return Self.bytes(contents: contents, in: bytes).map { String(decoding: $0.span) }
  }

  /// The unescaped bytes of what stands between a string's quotes; nil where it has a lone surrogate.
  static func bytes(contents: Range<Int>, in bytes: Span<UInt8>) -> [UInt8]? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(contents.count)
    var index = contents.lowerBound
    while index < contents.upperBound {
      guard bytes[index] == UInt8(ascii: "\\") else {
        decoded.append(bytes[index])
        index += 1
        continue
      }
      guard case .scalar(let scalar) = JSONScanner.readEscape(bytes, &index, end: contents.upperBound) else {
        return nil
      }
      decoded.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
    return decoded
  }

  /// A number without an exponent and of at most 16 digits, which stand for at most 2^53; nil for all others.
  private static func shortDecimal(
    _ range: Range<Int>, in bytes: Span<UInt8>
  ) -> (mantissa: Int, fractionDigitCount: Int, isNegative: Bool)? {
    // A sign and a point beside the digits.
    guard !range.isEmpty, range.count <= 18 else { return nil }
    let isNegative = bytes[range.lowerBound] == UInt8(ascii: "-")
    var mantissa = 0
    var digitCount = 0
    var pointIndex: Int?
    for index in (isNegative ? range.lowerBound + 1 : range.lowerBound)..<range.upperBound {
      let byte = bytes[index]
      if JSONScanner.isDigit(byte) {
        mantissa = mantissa &* 10 &+ Int(byte &- UInt8(ascii: "0"))
        digitCount += 1
      } else if byte == UInt8(ascii: "."), pointIndex == nil {
        pointIndex = index
      } else {
        return nil
      }
    }
    guard digitCount >= 1, digitCount <= 16, mantissa <= 1 << 53 else { return nil }
    return (mantissa, pointIndex.map { range.upperBound - $0 - 1 } ?? 0, isNegative)
  }

  private static func number(_ range: Range<Int>, in bytes: Span<UInt8>) -> String? {
    guard let first = range.first else { return nil }
    switch bytes[first] {
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return String(decoding: bytes.extracting(range))
    default: return nil
    }
  }
}
