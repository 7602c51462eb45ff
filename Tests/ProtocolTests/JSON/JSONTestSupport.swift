@testable import Protocol

// The macros of Swift Testing cannot hold a Span, so the tests call through arrays.

extension JSONObject {
  mutating func scan(_ bytes: [UInt8]) throws(JSONError) { try scan(bytes.span) }
  mutating func scan(_ bytes: [UInt8], in range: Range<Int>) throws(JSONError) { try scan(bytes.span, in: range) }
  func member(_ name: StaticString, in bytes: [UInt8]) -> JSONMember? { member(name, in: bytes.span) }
}

extension JSONScanner {
  @discardableResult
  static func validateValue(_ bytes: [UInt8]) throws(JSONError) -> Element {
    try validateValue(bytes.span, in: 0..<bytes.count)
  }
  static func elements(_ bytes: [UInt8], in range: Range<Int>? = nil) throws(JSONError) -> [Element] {
    try elements(of: range ?? 0..<bytes.count, in: bytes.span)
  }
}

extension JSONDecode {
  static func string(_ member: JSONMember, in bytes: [UInt8]) -> String? { string(member, in: bytes.span) }
  static func int(_ member: JSONMember, in bytes: [UInt8]) -> Int? { int(member, in: bytes.span) }
}

extension JSONText {
  init(normalising bytes: [UInt8], range: Range<Int>? = nil) {
    self.init(normalising: range ?? 0..<bytes.count, of: bytes.span)
  }
}

extension Base64URL {
  static func decode(_ text: [UInt8]) -> [UInt8]? { decode(text.span) }
  static func encode(_ bytes: [UInt8]) -> [UInt8] { encode(bytes.span) }
}

extension TokenVerifier {
  func verify(_ token: [UInt8], now: Double) throws(TokenError) -> TokenClaims { try verify(token.span, now: now) }
}
