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

  /// Where a scan stands.
  struct Cursor {
    var position: Int
    /// Never beyond the count of the bytes that are scanned.
    let end: Int
    /// Whether all that was scanned since this was set true is in normal form as it stands: no white space between
    /// tokens and no escape. (Some escapes are normal too; who normalises finds out.)
    var isNormal = true

    /// - Parameter range: within the bytes; words are read from them unchecked.
    init(_ range: Range<Int>, of bytes: Span<UInt8>) {
      precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
      position = range.lowerBound
      end = range.upperBound
    }
  }

  /// One element of an array.
  package struct Element: Sendable, Equatable {
    /// The whole value, quotes included.
    package let value: Range<Int>
    package let kind: JSONKind
    /// Whether a backslash stands in the value; of strings only, false for all other kinds.
    package let hasEscapes: Bool

    package init(value: Range<Int>, kind: JSONKind, hasEscapes: Bool) {
      self.value = value
      self.kind = kind
      self.hasEscapes = hasEscapes
    }
  }

  /// Checks that `range` of `bytes` is one JSON value with nothing but white space around it.
  ///
  /// - Returns: the value's kind and its range without the white space.
  package static func validateValue(
    _ bytes: Span<UInt8>, in range: Range<Int>
  ) throws(JSONError) -> Element {
    var cursor = Cursor(range, of: bytes)
    skipWhiteSpace(bytes, &cursor)
    let start = cursor.position
    let scanned = try scanValue(bytes, &cursor, depth: 0)
    let value = start..<cursor.position
    try finish(bytes, &cursor)
    return Element(value: value, kind: scanned.kind, hasEscapes: scanned.hasEscapes)
  }

  /// The elements of the array that `range` of `bytes` is.
  package static func elements(
    of range: Range<Int>, in bytes: Span<UInt8>
  ) throws(JSONError) -> [Element] {
    var cursor = Cursor(range, of: bytes)
    skipWhiteSpace(bytes, &cursor)
    guard next(bytes, cursor) == UInt8(ascii: "[") else {
      _ = try validateValue(bytes, in: range)
      throw .notAnArray
    }
    cursor.position += 1
    var elements: [Element] = []
    if !closes(bytes, &cursor, UInt8(ascii: "]")) {
      repeat {
        skipWhiteSpace(bytes, &cursor)
        let start = cursor.position
        let scanned = try scanValue(bytes, &cursor, depth: 1)
        guard elements.count < JSONLimits.memberCountMax else { throw .tooManyMembers(position: start) }
        elements.append(
          Element(value: start..<cursor.position, kind: scanned.kind, hasEscapes: scanned.hasEscapes))
      } while try continues(bytes, &cursor, closing: UInt8(ascii: "]"))
    }
    try finish(bytes, &cursor)
    return elements
  }

  /// Nothing but white space is left.
  static func finish(_ bytes: Span<UInt8>, _ cursor: inout Cursor) throws(JSONError) {
    skipWhiteSpace(bytes, &cursor)
    guard cursor.position == cursor.end else { throw .trailingBytes(position: cursor.position) }
  }

  /// The byte that comes next, nil at the end.
  @inline(__always)
  static func next(_ bytes: Span<UInt8>, _ cursor: Cursor) -> UInt8? {
    // SAFETY: position < end <= the bytes' count, which the cursor's maker checked; positions only grow.
    cursor.position < cursor.end ? unsafe bytes[unchecked: cursor.position] : nil
  }

  @inline(__always)
  static func skipWhiteSpace(_ bytes: Span<UInt8>, _ cursor: inout Cursor) {
    // Most JSON on the wire has none: one comparison then.
    if let byte = next(bytes, cursor), byte <= 0x20 { skipRun(bytes, &cursor) }
  }

  @inline(never)
  private static func skipRun(_ bytes: Span<UInt8>, _ cursor: inout Cursor) {
    while let byte = next(bytes, cursor), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
      cursor.position += 1
      cursor.isNormal = false
    }
  }

  /// Takes the bracket that ends an array or object without anything in it, and the white space before it.
  @inline(__always)
  static func closes(_ bytes: Span<UInt8>, _ cursor: inout Cursor, _ closing: UInt8) -> Bool {
    skipWhiteSpace(bytes, &cursor)
    guard next(bytes, cursor) == closing else { return false }
    cursor.position += 1
    return true
  }

  /// Takes the `,` (true) or the closing bracket (false) that must follow a member or an element.
  @inline(__always)
  static func continues(
    _ bytes: Span<UInt8>, _ cursor: inout Cursor, closing: UInt8
  ) throws(JSONError) -> Bool {
    skipWhiteSpace(bytes, &cursor)
    guard let byte = next(bytes, cursor) else { throw .unexpectedEnd(position: cursor.position) }
    guard byte == UInt8(ascii: ",") || byte == closing else {
      throw .unexpectedByte(byte, position: cursor.position)
    }
    cursor.position += 1
    return byte != closing
  }

  /// Scans the value that begins at the cursor and leaves the cursor behind it.
  ///
  /// - Parameter depth: how many arrays and objects are open around it.
  static func scanValue(
    _ bytes: Span<UInt8>, _ cursor: inout Cursor, depth: Int
  ) throws(JSONError) -> Scanned {
    guard let byte = next(bytes, cursor) else { throw .unexpectedEnd(position: cursor.position) }
    switch byte {
    case UInt8(ascii: "\""):
      return Scanned(kind: .string, hasEscapes: try scanShortString(bytes, &cursor))
    case UInt8(ascii: "{"):
      try scanObject(bytes, &cursor, depth: depth)
      return Scanned(kind: .object)
    case UInt8(ascii: "["):
      try scanArray(bytes, &cursor, depth: depth)
      return Scanned(kind: .array)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      try scanNumber(bytes, &cursor)
      return Scanned(kind: .number)
    case UInt8(ascii: "t"):
      try scanWord("true", bytes, &cursor)
      return Scanned(kind: .true)
    case UInt8(ascii: "f"):
      try scanWord("false", bytes, &cursor)
      return Scanned(kind: .false)
    case UInt8(ascii: "n"):
      try scanWord("null", bytes, &cursor)
      return Scanned(kind: .null)
    default:
      throw .unexpectedByte(byte, position: cursor.position)
    }
  }

  /// Takes a member's name and colon and the white space around them.
  ///
  /// - Returns: the name's range between its quotes, and whether it has escapes.
  @inline(__always)
  static func scanName(
    _ bytes: Span<UInt8>, _ cursor: inout Cursor
  ) throws(JSONError) -> (name: Range<Int>, hasEscapes: Bool) {
    skipWhiteSpace(bytes, &cursor)
    try expect(UInt8(ascii: "\""), bytes, cursor)
    let start = cursor.position + 1
    let hasEscapes = try scanShortString(bytes, &cursor)
    let name = start..<(cursor.position - 1)
    skipWhiteSpace(bytes, &cursor)
    try expect(UInt8(ascii: ":"), bytes, cursor)
    cursor.position += 1
    skipWhiteSpace(bytes, &cursor)
    return (name, hasEscapes)
  }

  @inline(__always)
  private static func expect(_ byte: UInt8, _ bytes: Span<UInt8>, _ cursor: Cursor) throws(JSONError) {
    guard let found = next(bytes, cursor) else { throw .unexpectedEnd(position: cursor.position) }
    guard found == byte else { throw .unexpectedByte(found, position: cursor.position) }
  }

  private static func scanObject(
    _ bytes: Span<UInt8>, _ cursor: inout Cursor, depth: Int
  ) throws(JSONError) {
    guard depth < JSONLimits.depthMax else { throw .tooDeep(position: cursor.position) }
    cursor.position += 1
    if closes(bytes, &cursor, UInt8(ascii: "}")) { return }
    repeat {
      _ = try scanName(bytes, &cursor)
      _ = try scanValue(bytes, &cursor, depth: depth + 1)
    } while try continues(bytes, &cursor, closing: UInt8(ascii: "}"))
  }

  private static func scanArray(
    _ bytes: Span<UInt8>, _ cursor: inout Cursor, depth: Int
  ) throws(JSONError) {
    guard depth < JSONLimits.depthMax else { throw .tooDeep(position: cursor.position) }
    cursor.position += 1
    if closes(bytes, &cursor, UInt8(ascii: "]")) { return }
    repeat {
      skipWhiteSpace(bytes, &cursor)
      _ = try scanValue(bytes, &cursor, depth: depth + 1)
    } while try continues(bytes, &cursor, closing: UInt8(ascii: "]"))
  }

  private static func scanWord(
    _ word: StaticString, _ bytes: Span<UInt8>, _ cursor: inout Cursor
  ) throws(JSONError) {
    for index in 0..<word.utf8CodeUnitCount {
      // SAFETY: index < utf8CodeUnitCount of a literal.
      try expect(unsafe word.utf8Start[index], bytes, cursor)
      cursor.position += 1
    }
  }

  /// RFC 8259 §6: `-`? (`0` | digit1-9 digits) (`.` digits)? ((`e`|`E`) (`+`|`-`)? digits)?
  private static func scanNumber(_ bytes: Span<UInt8>, _ cursor: inout Cursor) throws(JSONError) {
    if next(bytes, cursor) == UInt8(ascii: "-") { cursor.position += 1 }
    if next(bytes, cursor) == UInt8(ascii: "0") {
      cursor.position += 1
      if let byte = next(bytes, cursor), isDigit(byte) { throw .invalidNumber(position: cursor.position) }
    } else {
      try scanDigits(bytes, &cursor)
    }
    guard let byte = next(bytes, cursor), byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e") else { return }
    if byte == UInt8(ascii: ".") {
      cursor.position += 1
      try scanDigits(bytes, &cursor)
    }
    if let byte = next(bytes, cursor), byte | 0x20 == UInt8(ascii: "e") {
      cursor.position += 1
      if let sign = next(bytes, cursor), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
        cursor.position += 1
      }
      try scanDigits(bytes, &cursor)
    }
  }

  /// At least one digit.
  @inline(__always)
  private static func scanDigits(_ bytes: Span<UInt8>, _ cursor: inout Cursor) throws(JSONError) {
    guard let first = next(bytes, cursor) else { throw .unexpectedEnd(position: cursor.position) }
    guard isDigit(first) else { throw .invalidNumber(position: cursor.position) }
    var index = cursor.position &+ 1
    // SAFETY: index < end <= the bytes' count, which the cursor's maker checked.
    while index < cursor.end, isDigit(unsafe bytes[unchecked: index]) { index &+= 1 }
    cursor.position = index
  }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") <= 9 }
}
