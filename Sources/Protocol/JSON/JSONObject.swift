/// One member of a scanned object. Ranges point into the scanned bytes.
package struct JSONMember: Sendable, Equatable {
  /// The name, between its quotes, not decoded.
  package let key: Range<Int>
  package let keyHasEscapes: Bool
  /// The whole value, quotes included.
  package let value: Range<Int>
  package let kind: JSONKind
  /// Whether a backslash stands in the value; of strings only, false for all other kinds.
  package let valueHasEscapes: Bool
  /// Whether the value is in normal form as it stands: it has neither escapes nor white space between its tokens.
  package let valueIsNormal: Bool
  /// The name's place in the names that the object was scanned with; `JSONNames.unknown` for all others.
  package let name: UInt8

  /// Whether name, colon and value are in normal form as they stand.
  @inlinable package var isNormal: Bool {
    valueIsNormal && !keyHasEscapes && value.lowerBound == key.upperBound + 2
  }

  /// From the name's opening quote to the value's end.
  @inlinable package var range: Range<Int> { (key.lowerBound - 1)..<value.upperBound }
}

/// The members of one object: a table of byte ranges that is kept and refilled, so that scanning allocates nothing
/// once it has grown.
package struct JSONObject: Sendable {
  package private(set) var members: [JSONMember] = []
  /// Which of the names it was scanned with it has: bit `n` for name `n`.
  private var knownNames: UInt64 = 0

  package init() {}

  /// With room for so many members.
  package init(memberCount: Int) { members.reserveCapacity(memberCount) }

  /// Fills the table with the members of the object that all of `bytes` is (RFC 8259).
  ///
  /// - Parameter names: what the caller will ask for by number, see `member(known:)`.
  /// - Throws: `.notAnObject` where the bytes are valid JSON of another kind; any other error where they are not
  ///   JSON. The table is empty then.
  package mutating func scan(_ bytes: Span<UInt8>, names: JSONNames? = nil) throws(JSONError) {
    try scan(bytes, in: 0..<bytes.count, names: names)
  }

  /// The same for an object that stands in a part of `bytes`, such as a member's value. The depth is counted anew.
  package mutating func scan(
    _ bytes: Span<UInt8>, in range: Range<Int>, names: JSONNames? = nil
  ) throws(JSONError) {
    removeAll()
    do throws(JSONError) {
      try fill(bytes, in: range, names: names)
    } catch {
      removeAll()
      throw error
    }
  }

  private mutating func removeAll() {
    members.removeAll(keepingCapacity: true)
    knownNames = 0
  }

  /// The member of the name with that place in the names that the object was scanned with: of duplicates the last.
  package func member(known name: UInt8) -> JSONMember? {
    guard knownNames & (1 << UInt64(name)) != 0 else { return nil }
    var index = members.count
    while index > 0 {
      index -= 1
      if members[index].name == name { return members[index] }
    }
    return nil
  }

  /// The member of that name: of duplicates the last, as in Python and JavaScript. Escaped names are compared decoded.
  package func member(_ name: StaticString, in bytes: Span<UInt8>) -> JSONMember? {
    var index = members.count
    while index > 0 {
      index -= 1
      if Self.key(of: members[index], equals: name, in: bytes) { return members[index] }
    }
    return nil
  }

  /// Whether a member has that name.
  package static func key(of member: JSONMember, equals name: StaticString, in bytes: Span<UInt8>) -> Bool {
    guard !member.keyHasEscapes else {
      guard let decoded = JSONDecode.string(contents: member.key, hasEscapes: true, in: bytes) else { return false }
      return decoded.utf8.elementsEqual(name.description.utf8)
    }
    guard member.key.count == name.utf8CodeUnitCount else { return false }
    for index in 0..<name.utf8CodeUnitCount {
      // SAFETY: index < utf8CodeUnitCount of a literal.
      guard bytes[member.key.lowerBound + index] == (unsafe name.utf8Start[index]) else { return false }
    }
    return true
  }

  private mutating func fill(
    _ bytes: Span<UInt8>, in range: Range<Int>, names: JSONNames?
  ) throws(JSONError) {
    var cursor = JSONScanner.Cursor(range, of: bytes)
    JSONScanner.skipWhiteSpace(bytes, &cursor)
    guard JSONScanner.next(bytes, cursor) == UInt8(ascii: "{") else {
      _ = try JSONScanner.validateValue(bytes, in: range)
      throw .notAnObject
    }
    cursor.position += 1
    if !JSONScanner.closes(bytes, &cursor, UInt8(ascii: "}")) {
      // One allocation for nearly every object; it grows where that is too little.
      members.reserveCapacity(Self.memberCountUsual)
      repeat {
        let (key, keyHasEscapes) = try JSONScanner.scanName(bytes, &cursor)
        let start = cursor.position
        cursor.isNormal = true
        let scanned = try JSONScanner.scanValue(bytes, &cursor, depth: 1)
        guard members.count < JSONLimits.memberCountMax else { throw .tooManyMembers(position: start) }
        let name = names.map { $0.place(of: key, hasEscapes: keyHasEscapes, in: bytes) } ?? JSONNames.unknown
        // A shift by more than 63 gives 0.
        knownNames |= 1 << UInt64(name)
        members.append(
          JSONMember(
            key: key, keyHasEscapes: keyHasEscapes, value: start..<cursor.position, kind: scanned.kind,
            valueHasEscapes: scanned.hasEscapes, valueIsNormal: cursor.isNormal, name: name))
      } while try JSONScanner.continues(bytes, &cursor, closing: UInt8(ascii: "}"))
    }
    try JSONScanner.finish(bytes, &cursor)
  }

  private static let memberCountUsual = 8
}
