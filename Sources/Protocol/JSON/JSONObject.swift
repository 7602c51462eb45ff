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
}

/// The members of one object: a table of byte ranges that is kept and refilled, so that scanning allocates nothing
/// once it has grown.
package struct JSONObject: Sendable {
  package private(set) var members: [JSONMember] = []

  package init() {}

  /// Fills the table with the members of the object that all of `bytes` is (RFC 8259).
  ///
  /// - Throws: `.notAnObject` where the bytes are valid JSON of another kind; any other error where they are not
  ///   JSON. The table is empty then.
  package mutating func scan(_ bytes: Span<UInt8>) throws(JSONError) {
    try scan(bytes, in: 0..<bytes.count)
  }

  /// The same for an object that stands in a part of `bytes`, such as a member's value. The depth is counted anew.
  package mutating func scan(_ bytes: Span<UInt8>, in range: Range<Int>) throws(JSONError) {
    members.removeAll(keepingCapacity: true)
    do throws(JSONError) {
      try fill(bytes, in: range)
    } catch {
      members.removeAll(keepingCapacity: true)
      throw error
    }
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

  private mutating func fill(_ bytes: Span<UInt8>, in range: Range<Int>) throws(JSONError) {
    let end = range.upperBound
    var position = range.lowerBound
    JSONScanner.skipWhiteSpace(bytes, &position, end: end)
    guard position < end, bytes[position] == UInt8(ascii: "{") else {
      _ = try JSONScanner.validateValue(bytes, in: range)
      throw .notAnObject
    }
    position += 1
    JSONScanner.skipWhiteSpace(bytes, &position, end: end)
    if position < end, bytes[position] == UInt8(ascii: "}") {
      position += 1
    } else {
      repeat {
        let (key, keyHasEscapes) = try JSONScanner.scanName(bytes, &position, end: end)
        let start = position
        let scanned = try JSONScanner.scanValue(bytes, &position, end: end, depth: 1)
        guard members.count < JSONLimits.memberCountMax else { throw .tooManyMembers(position: start) }
        members.append(
          JSONMember(
            key: key, keyHasEscapes: keyHasEscapes, value: start..<position, kind: scanned.kind,
            valueHasEscapes: scanned.hasEscapes))
      } while try JSONScanner.continues(bytes, &position, end: end, closing: UInt8(ascii: "}"))
    }
    JSONScanner.skipWhiteSpace(bytes, &position, end: end)
    guard position == end else { throw .trailingBytes(position: position) }
  }
}
