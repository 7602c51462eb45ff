/// Why bytes are not the JSON that was asked for. Positions are byte indices into the scanned bytes.
package enum JSONError: Error, Equatable, Sendable {
  /// The bytes are valid JSON (RFC 8259), but the value is no object; likewise `notAnArray`.
  case notAnObject
  case notAnArray
  /// The text ended inside a value.
  case unexpectedEnd(position: Int)
  case unexpectedByte(UInt8, position: Int)
  /// Bytes after the value that are no white space.
  case trailingBytes(position: Int)
  case invalidUTF8(position: Int)
  case invalidEscape(position: Int)
  /// A byte below 0x20 that stands unescaped in a string.
  case controlCharacter(UInt8, position: Int)
  case invalidNumber(position: Int)
  /// More than `JSONLimits.depthMax` arrays and objects inside one another.
  case tooDeep(position: Int)
  /// More than `JSONLimits.memberCountMax` members in one object, or elements in one array, that was asked for.
  case tooManyMembers(position: Int)

  /// A sentence for a problem's `detail`.
  package var detail: String {
    switch self {
    case .notAnObject: "the JSON value is not an object"
    case .notAnArray: "the JSON value is not an array"
    case .unexpectedEnd(let position): "the JSON text ends unexpectedly at byte \(position)"
    case .unexpectedByte(let byte, let position): "unexpected byte \(byte) in JSON at byte \(position)"
    case .trailingBytes(let position): "bytes follow the JSON value at byte \(position)"
    case .invalidUTF8(let position): "invalid UTF-8 in JSON at byte \(position)"
    case .invalidEscape(let position): "invalid escape in a JSON string at byte \(position)"
    case .controlCharacter(let byte, let position):
      "unescaped control character \(byte) in a JSON string at byte \(position)"
    case .invalidNumber(let position): "invalid JSON number at byte \(position)"
    case .tooDeep(let position):
      "JSON is nested deeper than \(JSONLimits.depthMax) levels at byte \(position)"
    case .tooManyMembers(let position):
      "a JSON object or array has more than \(JSONLimits.memberCountMax) members at byte \(position)"
    }
  }
}

/// The bounds of the JSON reader.
package enum JSONLimits {
  /// Levels of arrays and objects, the outermost being the first. The scanner recurses once a level, a few hundred
  /// bytes of stack each, and progress messages have no use for more; RFC 8259 §9 allows such a limit.
  package static let depthMax = 64
  /// Members of an object (or elements of an array) whose ranges are handed out. A request of 1 MiB could hold
  /// 200,000 members of five bytes; 16,384 cost 1 MiB of ranges, as much as the request itself.
  package static let memberCountMax = 16_384
}

/// The seven kinds of JSON value; `true` and `false` are kinds of their own.
package enum JSONKind: Sendable, Equatable {
  case object
  case array
  case string
  case number
  case `true`
  case `false`
  case null

  /// Written out, because the derived comparison is called through a table in other modules, for every field.
  @inlinable @inline(__always)
  package static func == (left: JSONKind, right: JSONKind) -> Bool {
    switch (left, right) {
    case (.object, .object), (.array, .array), (.string, .string), (.number, .number), (.true, .true), (.false, .false),
      (.null, .null):
      true
    case (.object, _), (.array, _), (.string, _), (.number, _), (.true, _), (.false, _), (.null, _): false
    }
  }

  @inlinable @inline(__always)
  package static func != (left: JSONKind, right: JSONKind) -> Bool { !(left == right) }
}
