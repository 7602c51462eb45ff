/// One header field: ranges into the bytes that were parsed, the value without the white space around it.
package struct HeaderField: Sendable, Equatable {
  package let name: Range<Int>
  package let value: Range<Int>
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
  package var fields: [HeaderField] = []
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
    framing = .none
    keepsAlive = false
    expectsContinue = false
    byteCount = 0
  }

  /// The value of the first field of that name.
  package func first(_ lowercaseName: StaticString, in bytes: Span<UInt8>) -> Range<Int>? {
    for field in fields where HTTPGrammar.equals(ignoringCase: lowercaseName, bytes, field.name) { return field.value }
    return nil
  }

  /// The values of all fields of that name, in order.
  package func values(of lowercaseName: StaticString, in bytes: Span<UInt8>) -> [Range<Int>] {
    var values: [Range<Int>] = []
    for field in fields where HTTPGrammar.equals(ignoringCase: lowercaseName, bytes, field.name) {
      values.append(field.value)
    }
    return values
  }

  /// How many fields have that name.
  package func occurrences(of lowercaseName: StaticString, in bytes: Span<UInt8>) -> Int {
    var count = 0
    for field in fields where HTTPGrammar.equals(ignoringCase: lowercaseName, bytes, field.name) { count += 1 }
    return count
  }

  /// Whether the token is an element of any of the comma-separated fields of that name, in either case.
  package func hasToken(
    _ lowercaseToken: StaticString, in lowercaseName: StaticString, bytes: Span<UInt8>
  ) -> Bool {
    for field in fields where HTTPGrammar.equals(ignoringCase: lowercaseName, bytes, field.name) {
      var rest: Range<Int>? = field.value
      while let part = HTTPGrammar.nextPart(bytes, of: &rest, separatedBy: UInt8(ascii: ",")) {
        let element = HTTPGrammar.trimmed(bytes, part)
        if HTTPGrammar.equals(ignoringCase: lowercaseToken, bytes, element) { return true }
      }
    }
    return false
  }

  /// The elements of all comma-separated fields of that name, without white space around them and without the empty
  /// ones (RFC 9110 §5.6.1.2). Commas inside quoted strings split too: this is for lists of tokens.
  package func listElements(of lowercaseName: StaticString, in bytes: Span<UInt8>) -> [Range<Int>] {
    var elements: [Range<Int>] = []
    for field in fields where HTTPGrammar.equals(ignoringCase: lowercaseName, bytes, field.name) {
      var rest: Range<Int>? = field.value
      while let part = HTTPGrammar.nextPart(bytes, of: &rest, separatedBy: UInt8(ascii: ",")) {
        let element = HTTPGrammar.trimmed(bytes, part)
        if !element.isEmpty { elements.append(element) }
      }
    }
    return elements
  }
}
