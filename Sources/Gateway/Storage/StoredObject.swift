import GatewayDomain
import Protocol

/// The members of a stored record, read by name. What is missing or of another kind is nil: who reads decides what it cannot
/// do without, and names that it does not know were written by a later release of the same schema.
struct StoredObject {
  private let bytes: [UInt8]
  private var object = JSONObject()

  /// Nil where the bytes are no JSON object.
  init?(_ bytes: [UInt8]) {
    self.bytes = bytes
    do throws(JSONError) { try object.scan(bytes.span) } catch { return nil }
  }

  private func member(_ name: StaticString) -> JSONMember? {
    guard let member = object.member(name, in: bytes.span), member.kind != .null else { return nil }
    return member
  }

  func string(_ name: StaticString) -> String? {
    member(name).flatMap { JSONDecode.string($0, in: bytes.span) }
  }

  func double(_ name: StaticString) -> Double? {
    member(name).flatMap { JSONDecode.double($0, in: bytes.span) }
  }

  func int(_ name: StaticString) -> Int? {
    member(name).flatMap { JSONDecode.int($0, in: bytes.span) }
  }

  func bool(_ name: StaticString) -> Bool? { member(name).flatMap { JSONDecode.bool($0) } }

  /// The value as it was written, which is normalised; nil for null too.
  func text(_ name: StaticString) -> JSONText? {
    member(name).map { JSONText(normalised: bytes.span.extracting($0.value)) }
  }

  /// The bytes of a value as they were written.
  func raw(_ name: StaticString) -> [UInt8]? {
    member(name).map { Array(bytes[$0.value]) }
  }

  /// What stands between the braces of an object.
  func members(_ name: StaticString) -> [UInt8]? {
    guard let member = member(name), member.kind == .object else { return nil }
    return Array(bytes[(member.value.lowerBound + 1)..<(member.value.upperBound - 1)])
  }

  func object(_ name: StaticString) -> StoredObject? {
    guard let member = member(name), member.kind == .object else { return nil }
    return StoredObject(Array(bytes[member.value]))
  }

  /// The elements of an array as they were written; none where there is no array.
  func elements(_ name: StaticString) -> [[UInt8]] {
    guard let member = member(name), member.kind == .array,
      let elements = try? JSONScanner.elements(of: member.value, in: bytes.span)
    else { return [] }
    return elements.map { Array(bytes[$0.value]) }
  }

  /// The strings of an array; none where there is no array.
  func strings(_ name: StaticString) -> [String] {
    guard let member = member(name), member.kind == .array,
      let elements = try? JSONScanner.elements(of: member.value, in: bytes.span)
    else { return [] }
    return elements.compactMap { JSONDecode.string($0.value, in: bytes.span) }
  }
}

/// A record is read back with nothing lost, so what is absent is left out rather than written as null.
extension JSONWriter {
  mutating func stored(_ name: StaticString, _ text: JSONText?) {
    if let text { member(name, raw: text) }
  }

  mutating func stored(_ name: StaticString, _ text: String?) {
    if let text { member(name, string: text) }
  }

  mutating func stored(_ name: StaticString, _ value: Double?) {
    if let value { member(name, double: value) }
  }

  mutating func stored(_ name: StaticString, _ value: Bool) {
    if value { member(name, bool: true) }
  }

  /// Members that are an object's without the braces.
  mutating func stored(_ name: StaticString, members: [UInt8]) {
    var object: [UInt8] = [UInt8(ascii: "{")]
    object.append(contentsOf: members)
    object.append(UInt8(ascii: "}"))
    member(name, raw: JSONText(normalised: object))
  }
}
