@testable import Protocol

/// RFC 8259 read byte by byte: plain code that the scanner, which reads words, is compared with. It says the same
/// errors at the same positions.
enum PlainJSON {
  struct Scanned {
    var kind: JSONKind
    var hasEscapes = false
  }

  /// The whole text as one value.
  static func validate(_ bytes: [UInt8], in range: Range<Int>) throws(JSONError) -> (Range<Int>, JSONKind) {
    var position = range.lowerBound
    skipWhiteSpace(bytes, &position, end: range.upperBound)
    let start = position
    let scanned = try scanValue(bytes, &position, end: range.upperBound, depth: 0)
    let value = start..<position
    skipWhiteSpace(bytes, &position, end: range.upperBound)
    guard position == range.upperBound else { throw .trailingBytes(position: position) }
    return (value, scanned.kind)
  }

  /// The normal form of a validated text.
  static func normalised(_ whole: [UInt8], in range: Range<Int>) -> [UInt8] {
    var output: [UInt8] = []
    var index = range.lowerBound
    var isInString = false
    while index < range.upperBound {
      let byte = whole[index]
      if !isInString, [0x20, 0x09, 0x0A, 0x0D].contains(byte) {
        index += 1
      } else if isInString, byte == UInt8(ascii: "\\") {
        let start = index
        switch JSONScanner.readEscape(whole.span, &index, end: range.upperBound) {
        case .scalar(let scalar): JSONWriter.appendEscaped(scalar, into: &output)
        case .loneSurrogate: output += whole[start..<index]
        }
      } else {
        if byte == UInt8(ascii: "\"") { isInString.toggle() }
        output.append(byte)
        index += 1
      }
    }
    return output
  }

  static func skipWhiteSpace(_ bytes: [UInt8], _ position: inout Int, end: Int) {
    while position < end {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  /// Takes the `,` (true) or the closing bracket (false) that must follow a member or an element.
  static func continues(
    _ bytes: [UInt8], _ position: inout Int, end: Int, closing: UInt8
  ) throws(JSONError) -> Bool {
    skipWhiteSpace(bytes, &position, end: end)
    guard position < end else { throw .unexpectedEnd(position: position) }
    let byte = bytes[position]
    guard byte == UInt8(ascii: ",") || byte == closing else { throw .unexpectedByte(byte, position: position) }
    position += 1
    return byte != closing
  }

  /// Scans the value that begins at `position` and leaves `position` behind it.
  ///
  /// - Parameter depth: how many arrays and objects are open around it.
  static func scanValue(
    _ bytes: [UInt8], _ position: inout Int, end: Int, depth: Int
  ) throws(JSONError) -> Scanned {
    guard position < end else { throw .unexpectedEnd(position: position) }
    let byte = bytes[position]
    switch byte {
    case UInt8(ascii: "\""):
      return Scanned(kind: .string, hasEscapes: try scanString(bytes, &position, end: end))
    case UInt8(ascii: "{"):
      try scanObject(bytes, &position, end: end, depth: depth)
      return Scanned(kind: .object)
    case UInt8(ascii: "["):
      try scanArray(bytes, &position, end: end, depth: depth)
      return Scanned(kind: .array)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      try scanNumber(bytes, &position, end: end)
      return Scanned(kind: .number)
    case UInt8(ascii: "t"):
      try scanWord("true", bytes, &position, end: end)
      return Scanned(kind: .true)
    case UInt8(ascii: "f"):
      try scanWord("false", bytes, &position, end: end)
      return Scanned(kind: .false)
    case UInt8(ascii: "n"):
      try scanWord("null", bytes, &position, end: end)
      return Scanned(kind: .null)
    default:
      throw .unexpectedByte(byte, position: position)
    }
  }

  /// Takes a member's name and colon and the white space around them.
  ///
  /// - Returns: the name's range between its quotes, and whether it has escapes.
  static func scanName(
    _ bytes: [UInt8], _ position: inout Int, end: Int
  ) throws(JSONError) -> (name: Range<Int>, hasEscapes: Bool) {
    skipWhiteSpace(bytes, &position, end: end)
    guard position < end else { throw .unexpectedEnd(position: position) }
    guard bytes[position] == UInt8(ascii: "\"") else {
      throw .unexpectedByte(bytes[position], position: position)
    }
    let start = position + 1
    let hasEscapes = try scanString(bytes, &position, end: end)
    let name = start..<(position - 1)
    skipWhiteSpace(bytes, &position, end: end)
    guard position < end else { throw .unexpectedEnd(position: position) }
    guard bytes[position] == UInt8(ascii: ":") else {
      throw .unexpectedByte(bytes[position], position: position)
    }
    position += 1
    skipWhiteSpace(bytes, &position, end: end)
    return (name, hasEscapes)
  }

  private static func scanObject(
    _ bytes: [UInt8], _ position: inout Int, end: Int, depth: Int
  ) throws(JSONError) {
    guard depth < JSONLimits.depthMax else { throw .tooDeep(position: position) }
    position += 1
    skipWhiteSpace(bytes, &position, end: end)
    if position < end, bytes[position] == UInt8(ascii: "}") {
      position += 1
      return
    }
    repeat {
      _ = try scanName(bytes, &position, end: end)
      _ = try scanValue(bytes, &position, end: end, depth: depth + 1)
    } while try continues(bytes, &position, end: end, closing: UInt8(ascii: "}"))
  }

  private static func scanArray(
    _ bytes: [UInt8], _ position: inout Int, end: Int, depth: Int
  ) throws(JSONError) {
    guard depth < JSONLimits.depthMax else { throw .tooDeep(position: position) }
    position += 1
    skipWhiteSpace(bytes, &position, end: end)
    if position < end, bytes[position] == UInt8(ascii: "]") {
      position += 1
      return
    }
    repeat {
      skipWhiteSpace(bytes, &position, end: end)
      _ = try scanValue(bytes, &position, end: end, depth: depth + 1)
    } while try continues(bytes, &position, end: end, closing: UInt8(ascii: "]"))
  }

  private static func scanWord(
    _ word: StaticString, _ bytes: [UInt8], _ position: inout Int, end: Int
  ) throws(JSONError) {
    for index in 0..<word.utf8CodeUnitCount {
      guard position < end else { throw .unexpectedEnd(position: position) }
      // SAFETY: index < utf8CodeUnitCount of a literal.
      guard bytes[position] == (unsafe word.utf8Start[index]) else {
        throw .unexpectedByte(bytes[position], position: position)
      }
      position += 1
    }
  }

  /// RFC 8259 §6: `-`? (`0` | digit1-9 digits) (`.` digits)? ((`e`|`E`) (`+`|`-`)? digits)?
  private static func scanNumber(
    _ bytes: [UInt8], _ position: inout Int, end: Int
  ) throws(JSONError) {
    if bytes[position] == UInt8(ascii: "-") { position += 1 }
    if position < end, bytes[position] == UInt8(ascii: "0") {
      position += 1
      if position < end, isDigit(bytes[position]) { throw .invalidNumber(position: position) }
    } else {
      try scanDigits(bytes, &position, end: end)
    }
    if position < end, bytes[position] == UInt8(ascii: ".") {
      position += 1
      try scanDigits(bytes, &position, end: end)
    }
    if position < end, bytes[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < end, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
        position += 1
      }
      try scanDigits(bytes, &position, end: end)
    }
  }

  /// At least one digit.
  private static func scanDigits(
    _ bytes: [UInt8], _ position: inout Int, end: Int
  ) throws(JSONError) {
    guard position < end else { throw .unexpectedEnd(position: position) }
    guard isDigit(bytes[position]) else { throw .invalidNumber(position: position) }
    while position < end, isDigit(bytes[position]) { position += 1 }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  /// Scans the string whose opening quote stands at `position` and leaves `position` behind the closing one.
  ///
  /// - Returns: whether a backslash stands in it.
  static func scanString(
    _ bytes: [UInt8], _ position: inout Int, end: Int
  ) throws(JSONError) -> Bool {
    var hasEscapes = false
    var index = position + 1
    while index < end {
      let byte = bytes[index]
      if byte == UInt8(ascii: "\"") {
        position = index + 1
        return hasEscapes
      } else if byte == UInt8(ascii: "\\") {
        hasEscapes = true
        index = try scanEscape(bytes, at: index, end: end)
      } else if byte < 0x20 {
        throw .controlCharacter(byte, position: index)
      } else if byte < 0x80 {
        index += 1
      } else {
        index = try scanSequence(bytes, at: index, end: end)
      }
    }
    throw .unexpectedEnd(position: end)
  }

  /// - Returns: the index behind the escape whose backslash stands at `start`.
  private static func scanEscape(
    _ bytes: [UInt8], at start: Int, end: Int
  ) throws(JSONError) -> Int {
    guard start + 1 < end else { throw .unexpectedEnd(position: end) }
    switch bytes[start + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return start + 2
    case UInt8(ascii: "u"):
      for index in (start + 2)..<(start + 6) {
        guard index < end else { throw .unexpectedEnd(position: end) }
        guard JSONScanner.hexadecimalValue(bytes[index]) != nil else { throw .invalidEscape(position: index) }
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
    _ bytes: [UInt8], at start: Int, end: Int
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
}
