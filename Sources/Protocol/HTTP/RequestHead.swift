/// One header field: ranges into the bytes that were parsed, the value without the white space around it.
package struct HeaderField: Sendable, Equatable {
  package let name: Range<Int>
  package let value: Range<Int>
  /// Nil where the gateway never asks for it.
  package let known: KnownField?
}

/// How the end of a request's body is found (RFC 9112 §6.3).
package enum BodyFraming: Equatable, Sendable {
  case none
  /// Bytes, never negative.
  case length(Int)
  case chunked
}

/// A request line and its header fields, as ranges into the bytes given to the parser, which the caller keeps for as
/// long as it asks. One value serves request after request: it is cleared and refilled without reallocating.
package struct RequestHead: Sendable {
  package var method: HTTPMethod = .other
  package var methodRange = 0..<0
  /// The whole request target.
  package var target = 0..<0
  /// The path, not decoded. Empty where an absolute URI has none (the same as `/`); the whole target where that is
  /// `*` or the authority of a CONNECT.
  package var path = 0..<0
  /// What follows the first `?`.
  package var query: Range<Int>?
  /// Whom the request is addressed to: the authority of an absolute URI, else the Host field (RFC 9112 §3.2.2).
  package var authority: Range<Int>?
  /// 0 or 1: HTTP/1.0 or HTTP/1.1.
  package var minorVersion = 1
  package private(set) var fields: [HeaderField] = []
  /// Where the first field of each known name stands among the fields, for those that are in `known`.
  private var firstPlaces = InlineArray<19, UInt32>(repeating: 0)
  /// Bits by `KnownField.rawValue`: the fields that are there, and those that are there more than once.
  private var known: UInt32 = 0
  private var repeated: UInt32 = 0
  package var framing: BodyFraming = .none
  /// Whether another request may follow on this connection (RFC 9112 §9.3).
  package var keepsAlive = false
  /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
  package var expectsContinue = false
  /// Bytes of the head, an empty line before it included: where the body begins.
  package var byteCount = 0

  package init() {}

  mutating func clear() {
    method = .other
    methodRange = 0..<0
    target = 0..<0
    path = 0..<0
    query = nil
    authority = nil
    minorVersion = 1
    fields.removeAll(keepingCapacity: true)
    known = 0
    repeated = 0
    framing = .none
    keepsAlive = false
    expectsContinue = false
    byteCount = 0
  }

  /// Takes a field in, behind those before it.
  mutating func append(_ field: HeaderField) {
    // Most heads have fewer: one allocation serves the connection.
    if fields.isEmpty { fields.reserveCapacity(16) }
    fields.append(field)
    guard let name = field.known else { return }
    let bit: UInt32 = 1 &<< UInt32(name.rawValue)
    if known & bit == 0 {
      known |= bit
      firstPlaces[Int(name.rawValue)] = UInt32(truncatingIfNeeded: fields.count &- 1)
    } else {
      repeated |= bit
    }
  }

  /// The value of the first field of that name.
  package func first(_ name: KnownField) -> Range<Int>? {
    guard known & (1 &<< UInt32(name.rawValue)) != 0 else { return nil }
    return fields[Int(firstPlaces[Int(name.rawValue)])].value
  }

  /// Whether there is more than one field of that name.
  package func isRepeated(_ name: KnownField) -> Bool {
    repeated & (1 &<< UInt32(name.rawValue)) != 0
  }

  /// Whether the token is an element of any of the comma-separated fields of that name, in either case.
  package func hasToken(_ lowercaseToken: StaticString, in name: KnownField, bytes: Span<UInt8>) -> Bool {
    guard let first = first(name) else { return false }
    // As nearly everybody sends it.
    if HTTPGrammar.equals(ignoringCase: lowercaseToken, bytes, first) { return true }
    guard isRepeated(name) else { return Self.hasToken(lowercaseToken, in: first, bytes) }
    for field in fields where field.known == name {
      if Self.hasToken(lowercaseToken, in: field.value, bytes) { return true }
    }
    return false
  }

  private static func hasToken(_ lowercaseToken: StaticString, in value: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
    var rest: Range<Int>? = value
    while let part = HTTPGrammar.nextPart(bytes, of: &rest, separatedBy: UInt8(ascii: ",")) {
      let element = HTTPGrammar.trimmed(bytes, part)
      if HTTPGrammar.equals(ignoringCase: lowercaseToken, bytes, element) { return true }
    }
    return false
  }

  /// The values of all fields of that name, in order.
  package func values(of name: KnownField) -> [Range<Int>] {
    guard let first = first(name) else { return [] }
    guard isRepeated(name) else { return [first] }
    return fields.filter { $0.known == name }.map(\.value)
  }

  /// The elements of all comma-separated fields of that name, without white space around them and without the empty
  /// ones (RFC 9110 §5.6.1.2). Commas inside quoted strings split too: this is for lists of tokens.
  package func listElements(of name: KnownField, in bytes: Span<UInt8>) -> [Range<Int>] {
    guard first(name) != nil else { return [] }
    var elements: [Range<Int>] = []
    for field in fields where field.known == name {
      var rest: Range<Int>? = field.value
      while let part = HTTPGrammar.nextPart(bytes, of: &rest, separatedBy: UInt8(ascii: ",")) {
        let element = HTTPGrammar.trimmed(bytes, part)
        if !element.isEmpty { elements.append(element) }
      }
    }
    return elements
  }

  /// The value of the first field of that name, for names that are asked for once in a while.
  package func first(_ lowercaseName: StaticString, in bytes: Span<UInt8>) -> Range<Int>? {
    for field in fields where HTTPGrammar.equals(ignoringCase: lowercaseName, bytes, field.name) { return field.value }
    return nil
  }
}
