import GatewayDomain
import Protocol

/// The members of a stored record, read by name. What is missing or of another kind is nil: who reads decides what it cannot
/// do without, and names that it does not know were written by a later release of the same schema.
struct StoredObject {
  /// All of the record, which the objects within it share.
  private let bytes: [UInt8]
  private var scanned: JSONObject

  /// Nil where the bytes are no JSON object.
  /// - Parameter memberCount: as many members as it mostly has.
  init?(_ bytes: [UInt8], memberCount: Int = 8) {
    self.init(bytes, in: 0..<bytes.count, memberCount: memberCount)
  }

  private init?(_ bytes: [UInt8], in range: Range<Int>, memberCount: Int) {
    self.bytes = bytes
    scanned = JSONObject(memberCount: memberCount)
    do throws(JSONError) { try scanned.scan(bytes.span, in: range, names: StoredName.table) } catch { return nil }
  }

  private func member(_ name: StaticString) -> JSONMember? {
    guard let member = scanned.member(name, in: bytes.span), member.kind != .null else { return nil }
    return member
  }

  private func member(_ name: StoredName) -> JSONMember? {
    guard let member = scanned.member(known: name.rawValue), member.kind != .null else { return nil }
    return member
  }

  func string(_ name: StaticString) -> String? { string(member(name)) }
  func string(_ name: StoredName) -> String? { string(member(name)) }
  private func string(_ member: JSONMember?) -> String? {
    member.flatMap { JSONDecode.string($0, in: bytes.span) }
  }

  func double(_ name: StaticString) -> Double? { double(member(name)) }
  func double(_ name: StoredName) -> Double? { double(member(name)) }
  private func double(_ member: JSONMember?) -> Double? {
    member.flatMap { JSONDecode.double($0, in: bytes.span) }
  }

  func int(_ name: StaticString) -> Int? { int(member(name)) }
  func int(_ name: StoredName) -> Int? { int(member(name)) }
  private func int(_ member: JSONMember?) -> Int? {
    member.flatMap { JSONDecode.int($0, in: bytes.span) }
  }

  func bool(_ name: StaticString) -> Bool? { member(name).flatMap { JSONDecode.bool($0) } }
  func bool(_ name: StoredName) -> Bool? { member(name).flatMap { JSONDecode.bool($0) } }

  /// The value as it was written, which is normalised; nil for null too.
  func text(_ name: StaticString) -> JSONText? { text(member(name)) }
  func text(_ name: StoredName) -> JSONText? { text(member(name)) }
  private func text(_ member: JSONMember?) -> JSONText? {
    member.map { JSONText(normalised: bytes.span.extracting($0.value)) }
  }

  /// The strings of an array; none where there is no array.
  func strings(_ name: StaticString) -> [String] { strings(member(name)) }
  func strings(_ name: StoredName) -> [String] { strings(member(name)) }
  private func strings(_ member: JSONMember?) -> [String] {
    elements(member).compactMap { JSONDecode.string($0.value, in: bytes.span) }
  }

  /// The bytes of a value as they were written.
  func raw(_ name: StaticString) -> [UInt8]? {
    member(name).map { Array(bytes[$0.value]) }
  }

  /// What stands between the braces of an object.
  func members(_ name: StoredName) -> [UInt8]? {
    guard let member = member(name), member.kind == .object else { return nil }
    return Array(bytes[(member.value.lowerBound + 1)..<(member.value.upperBound - 1)])
  }

  func object(_ name: StoredName) -> StoredObject? {
    guard let member = member(name), member.kind == .object else { return nil }
    return StoredObject(bytes, in: member.value, memberCount: Self.nestedMemberCount)
  }

  /// The objects of an array; none where there is no array.
  func objects(_ name: StoredName) -> [StoredObject] {
    elements(member(name)).compactMap { StoredObject(bytes, in: $0.value, memberCount: Self.nestedMemberCount) }
  }

  private func elements(_ member: JSONMember?) -> [JSONScanner.Element] {
    guard let member, member.kind == .array else { return [] }
    return (try? JSONScanner.elements(of: member.value, in: bytes.span)) ?? []
  }

  private static let nestedMemberCount = 8
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
