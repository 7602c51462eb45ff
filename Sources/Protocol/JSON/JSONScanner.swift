/// A validating pull scanner for RFC 8259: it finds where values begin and end and allocates nothing.
///
/// Every byte of a skipped value is checked (UTF-8, numbers, escapes, depth), so that what passes here can be
/// forwarded to any other JSON reader.
package enum JSONScanner {
  /// What a scanned value is, and whether a backslash stands in it (of strings only).
  struct Scanned {
    var kind: JSONKind
    var hasEscapes = false
  }

  /// One element of an array.
  package struct Element: Sendable, Equatable {
    /// The whole value, quotes included.
    package let value: Range<Int>
    package let kind: JSONKind
  }

  /// Checks that `range` of `bytes` is one JSON value with nothing but white space around it.
  ///
  /// - Returns: the value's kind and its range without the white space.
  package static func validateValue(
    _ bytes: Span<UInt8>, in range: Range<Int>
  ) throws(JSONError) -> Element {
    let end = range.upperBound
    var position = range.lowerBound
    skipWhiteSpace(bytes, &position, end: end)
    let start = position
    let scanned = try scanValue(bytes, &position, end: end, depth: 0)
    let value = start..<position
    skipWhiteSpace(bytes, &position, end: end)
    guard position == end else { throw .trailingBytes(position: position) }
    return Element(value: value, kind: scanned.kind)
  }

  /// The elements of the array that `range` of `bytes` is.
  package static func elements(
    of range: Range<Int>, in bytes: Span<UInt8>
  ) throws(JSONError) -> [Element] {
    let end = range.upperBound
    var position = range.lowerBound
    skipWhiteSpace(bytes, &position, end: end)
    guard position < end, bytes[position] == UInt8(ascii: "[") else {
      _ = try validateValue(bytes, in: range)
      throw .notAnArray
    }
    position += 1
    var elements: [Element] = []
    skipWhiteSpace(bytes, &position, end: end)
    if position < end, bytes[position] == UInt8(ascii: "]") {
      position += 1
    } else {
      while true {
        skipWhiteSpace(bytes, &position, end: end)
        let start = position
        let scanned = try scanValue(bytes, &position, end: end, depth: 1)
        guard elements.count < JSONLimits.memberCountMax else { throw .tooManyMembers(position: start) }
        elements.append(Element(value: start..<position, kind: scanned.kind))
        if try !continues(bytes, &position, end: end, closing: UInt8(ascii: "]")) { break }
      }
    }
    skipWhiteSpace(bytes, &position, end: end)
    guard position == end else { throw .trailingBytes(position: position) }
    return elements
  }

  static func skipWhiteSpace(_ bytes: Span<UInt8>, _ position: inout Int, end: Int) {
    while position < end {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  /// Takes the `,` (true) or the closing bracket (false) that must follow a member or an element.
  static func continues(
    _ bytes: Span<UInt8>, _ position: inout Int, end: Int, closing: UInt8
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
    _ bytes: Span<UInt8>, _ position: inout Int, end: Int, depth: Int
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
    _ bytes: Span<UInt8>, _ position: inout Int, end: Int
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
    _ bytes: Span<UInt8>, _ position: inout Int, end: Int, depth: Int
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
    _ bytes: Span<UInt8>, _ position: inout Int, end: Int, depth: Int
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
    _ word: StaticString, _ bytes: Span<UInt8>, _ position: inout Int, end: Int
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
    _ bytes: Span<UInt8>, _ position: inout Int, end: Int
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
    _ bytes: Span<UInt8>, _ position: inout Int, end: Int
  ) throws(JSONError) {
    guard position < end else { throw .unexpectedEnd(position: position) }
    guard isDigit(bytes[position]) else { throw .invalidNumber(position: position) }
    while position < end, isDigit(bytes[position]) { position += 1 }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }
}
