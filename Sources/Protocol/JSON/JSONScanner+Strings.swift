extension JSONScanner {
  /// Scans the string whose opening quote stands at the cursor and leaves the cursor behind the closing one.
  ///
  /// - Returns: whether a backslash stands in it.
  static func scanString(_ bytes: Span<UInt8>, _ cursor: inout Cursor) throws(JSONError) -> Bool {
    let end = cursor.end
    var hasEscapes = false
    var index = cursor.position &+ 1
    while true {
      index = skipPlain(bytes, from: index, end: end)
      guard index < end else { throw .unexpectedEnd(position: end) }
      // SAFETY: index < end <= the bytes' count, which the cursor's maker checked.
      let byte = unsafe bytes[unchecked: index]
      if byte == UInt8(ascii: "\"") {
        cursor.position = index &+ 1
        if hasEscapes { cursor.isNormal = false }
        return hasEscapes
      } else if byte == UInt8(ascii: "\\") {
        hasEscapes = true
        index = try scanEscape(bytes, at: index, end: end)
      } else if byte < 0x20 {
        throw .controlCharacter(byte, position: index)
      } else if byte < 0x80 {
        // Too near the end for a word.
        index &+= 1
      } else {
        index = try scanSequence(bytes, at: index, end: end)
      }
    }
  }

  /// The same as `scanString`, which it asks unless the string ends within the first two words: most names do, and so do
  /// many values. For the places that scan most of the strings.
  @inline(__always)
  static func scanShortString(_ bytes: Span<UInt8>, _ cursor: inout Cursor) throws(JSONError) -> Bool {
    let start = cursor.position &+ 1
    if start &+ 8 <= cursor.end {
      // SAFETY: start + 8 <= end <= the bytes' count, which the cursor's maker checked.
      let word = unsafe bytes.word(at: start)
      let mask = ByteSearch.maskOfStringSpecials(in: word)
      let shift = UInt64(truncatingIfNeeded: mask.trailingZeroBitCount & 0x38)
      if mask != 0, UInt8(truncatingIfNeeded: word &>> shift) == UInt8(ascii: "\"") {
        cursor.position = start &+ ByteSearch.offset(ofFirst: mask) &+ 1
        return false
      }
      if mask == 0, start &+ 16 <= cursor.end {
        // SAFETY: start + 16 <= end <= the bytes' count.
        let word = unsafe bytes.word(at: start &+ 8)
        let mask = ByteSearch.maskOfStringSpecials(in: word)
        let shift = UInt64(truncatingIfNeeded: mask.trailingZeroBitCount & 0x38)
        if mask != 0, UInt8(truncatingIfNeeded: word &>> shift) == UInt8(ascii: "\"") {
          cursor.position = start &+ ByteSearch.offset(ofFirst: mask) &+ 9
          return false
        }
      }
    }
    return try scanString(bytes, &cursor)
  }

  /// Past bytes that are simply themselves, a word at a time: to the first of a string that is not, or to the last
  /// seven before `end`.
  @inline(__always)
  static func skipPlain(_ bytes: Span<UInt8>, from start: Int, end: Int) -> Int {
    var index = start
    while index &+ 8 <= end {
      // SAFETY: index + 8 <= end <= the bytes' count.
      let mask = ByteSearch.maskOfStringSpecials(in: unsafe bytes.word(at: index))
      if mask != 0 { return index &+ ByteSearch.offset(ofFirst: mask) }
      index &+= 8
    }
    return index
  }

  /// - Returns: the index behind the escape whose backslash stands at `start`.
  private static func scanEscape(
    _ bytes: Span<UInt8>, at start: Int, end: Int
  ) throws(JSONError) -> Int {
    guard start + 1 < end else { throw .unexpectedEnd(position: end) }
    switch bytes[start + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return start + 2
    case UInt8(ascii: "u"):
      for index in (start + 2)..<(start + 6) {
        guard index < end else { throw .unexpectedEnd(position: end) }
        guard hexadecimalValue(bytes[index]) != nil else { throw .invalidEscape(position: index) }
      }
      return start + 6
    default:
      throw .invalidEscape(position: start + 1)
    }
  }

  /// Checks one multi-byte sequence (RFC 3629 §4: shortest form, no surrogates, at most U+10FFFF).
  ///
  /// - Returns: the index behind it.
  private static func scanSequence(
    _ bytes: Span<UInt8>, at start: Int, end: Int
  ) throws(JSONError) -> Int {
    let continuationCount: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch bytes[start] {
    case 0xC2...0xDF: continuationCount = 1
    case 0xE0: (continuationCount, second) = (2, 0xA0...0xBF)
    case 0xED: (continuationCount, second) = (2, 0x80...0x9F)
    case 0xE1...0xEF: continuationCount = 2
    case 0xF0: (continuationCount, second) = (3, 0x90...0xBF)
    case 0xF4: (continuationCount, second) = (3, 0x80...0x8F)
    case 0xF1...0xF3: continuationCount = 3
    default: throw .invalidUTF8(position: start)
    }
    for index in (start + 1)...(start + continuationCount) {
      guard index < end else { throw .unexpectedEnd(position: end) }
      guard second.contains(bytes[index]) else { throw .invalidUTF8(position: index) }
      second = 0x80...0xBF
    }
    return start + continuationCount + 1
  }

  static func hexadecimalValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  /// What one escape stands for.
  enum Escape {
    case scalar(Unicode.Scalar)
    /// A `\uD800`–`\uDFFF` without its other half: no Unicode text, though RFC 8259 §8.2 lets it pass.
    case loneSurrogate
  }

  /// Reads the escape whose backslash stands at `index`, both halves of a surrogate pair at once, and leaves `index`
  /// behind it. The escape has been validated by `scanString`.
  static func readEscape(_ bytes: Span<UInt8>, _ index: inout Int, end: Int) -> Escape {
    let letter = bytes[index + 1]
    guard letter == UInt8(ascii: "u") else {
      index += 2
      switch letter {
      case UInt8(ascii: "b"): return .scalar("\u{08}")
      case UInt8(ascii: "f"): return .scalar("\u{0C}")
      case UInt8(ascii: "n"): return .scalar("\n")
      case UInt8(ascii: "r"): return .scalar("\r")
      case UInt8(ascii: "t"): return .scalar("\t")
      default: return .scalar(Unicode.Scalar(letter))
      }
    }
    let unit = codeUnit(bytes, at: index + 2)
    index += 6
    if let scalar = Unicode.Scalar(unit) { return .scalar(scalar) }
    guard unit < 0xDC00, index + 6 <= end, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
    else { return .loneSurrogate }
    let low = codeUnit(bytes, at: index + 2)
    guard low >= 0xDC00, low < 0xE000,
      let scalar = Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
    else { return .loneSurrogate }
    index += 6
    return .scalar(scalar)
  }

  /// The four hexadecimal digits at `start`; a digit that is none counts as 0 (validated before).
  private static func codeUnit(_ bytes: Span<UInt8>, at start: Int) -> UInt32 {
    var unit: UInt32 = 0
    for index in start..<(start + 4) { unit = unit << 4 | (hexadecimalValue(bytes[index]) ?? 0) }
    return unit
  }
}
