import GatewayDomain
import Protocol

/// The members of a request's JSON object, read by name and rule. Every refusal names the field, the value and the rule.
struct RequestFields {
  private(set) var object = JSONObject()

  /// - Parameter allowsNothing: no body at all means an object without members.
  init(_ bytes: Span<UInt8>, allowsNothing: Bool = false) throws(Problem) {
    if allowsNothing, bytes.isEmpty { return }
    try scan(bytes, in: 0..<bytes.count, what: "the body")
  }

  /// The object that a member is.
  init(_ member: JSONMember, _ name: StaticString, in bytes: Span<UInt8>) throws(Problem) {
    guard member.kind == .object else { throw Self.refusal(name, member, "must be an object", in: bytes) }
    try scan(bytes, in: member.value, what: name)
  }

  private mutating func scan(_ bytes: Span<UInt8>, in range: Range<Int>, what: StaticString) throws(Problem) {
    do throws(JSONError) {
      try object.scan(bytes, in: range)
    } catch .notAnObject {
      throw Problem(.badRequest, "\(what) is not a JSON object")
    } catch .tooManyMembers {
      throw Problem(.badRequest, "\(what) has more than \(JSONLimits.memberCountMax) members")
    } catch {
      throw Problem(.badRequest, "\(what) is not valid JSON: \(error.detail)")
    }
  }

  /// The member, unless it is absent or null.
  func present(_ name: StaticString, in bytes: Span<UInt8>) -> JSONMember? {
    guard let member = object.member(name, in: bytes), member.kind != .null else { return nil }
    return member
  }

  /// Any value; nil for absent and null.
  func value(_ name: StaticString, in bytes: Span<UInt8>) -> JSONText? {
    present(name, in: bytes).map { JSONText(normalising: $0.value, of: bytes) }
  }

  /// A string that is passed through.
  func text(_ name: StaticString, in bytes: Span<UInt8>) throws(Problem) -> JSONText? {
    guard let member = present(name, in: bytes) else { return nil }
    guard member.kind == .string else { throw Self.refusal(name, member, "must be a string or null", in: bytes) }
    return JSONText(normalising: member.value, of: bytes)
  }

  /// A string that the gateway itself reads.
  func string(
    _ name: StaticString, rule: String = "must be a string or null", in bytes: Span<UInt8>
  ) throws(Problem) -> String? {
    guard let member = present(name, in: bytes) else { return nil }
    guard let string = JSONDecode.string(member, in: bytes) else {
      throw Self.refusal(name, member, rule, in: bytes)
    }
    return string
  }

  func number(
    _ name: StaticString, rule: String = "must be a number or null", in bytes: Span<UInt8>
  ) throws(Problem) -> JSONText? {
    guard let member = present(name, in: bytes) else { return nil }
    guard member.kind == .number else { throw Self.refusal(name, member, rule, in: bytes) }
    return JSONText(normalising: member.value, of: bytes)
  }

  func bool(_ name: StaticString, in bytes: Span<UInt8>) throws(Problem) -> Bool? {
    guard let member = present(name, in: bytes) else { return nil }
    guard let bool = JSONDecode.bool(member) else {
      throw Self.refusal(name, member, "must be true or false", in: bytes)
    }
    return bool
  }

  /// A field of a progress report: absent keeps, null clears.
  func reported(
    _ name: StaticString, kind: JSONKind? = nil, rule: String = "", in bytes: Span<UInt8>
  ) throws(Problem) -> ReportedField {
    guard let member = object.member(name, in: bytes) else { return .absent }
    if member.kind == .null { return .null }
    if let kind, member.kind != kind { throw Self.refusal(name, member, rule, in: bytes) }
    return .value(JSONText(normalising: member.value, of: bytes))
  }

  func task(_ name: StaticString, in bytes: Span<UInt8>) throws(Problem) -> TaskIdentifier? {
    guard let member = present(name, in: bytes) else { return nil }
    return try Self.named(member.value, name, "must be \(TaskIdentifier.rule)", in: bytes) {
      TaskIdentifier(validating: $0)
    }
  }

  func user(_ name: StaticString, in bytes: Span<UInt8>) throws(Problem) -> UserIdentifier? {
    guard let member = present(name, in: bytes) else { return nil }
    return try Self.named(member.value, name, "must be \(UserIdentifier.rule)", in: bytes) {
      UserIdentifier(validating: $0)
    }
  }

  func channel(_ name: StaticString, in bytes: Span<UInt8>) throws(Problem) -> ChannelName? {
    guard let member = present(name, in: bytes) else { return nil }
    return try Self.named(member.value, name, "must be \(ChannelName.rule)", in: bytes) {
      ChannelName(validating: $0)
    }
  }

  func tasks(_ name: StaticString, in bytes: Span<UInt8>) throws(Problem) -> [TaskIdentifier]? {
    let rule = "each must be \(TaskIdentifier.rule)"
    return try names(name, rule, in: bytes) { TaskIdentifier(validating: $0) }
  }

  func users(_ name: StaticString, in bytes: Span<UInt8>) throws(Problem) -> [UserIdentifier]? {
    let rule = "each must be \(UserIdentifier.rule)"
    return try names(name, rule, in: bytes) { UserIdentifier(validating: $0) }
  }

  private func names<Name>(
    _ name: StaticString, _ rule: String, in bytes: Span<UInt8>, _ validate: (String) -> Name?
  ) throws(Problem) -> [Name]? {
    guard let member = present(name, in: bytes) else { return nil }
    let elements: [JSONScanner.Element]
    do throws(JSONError) {
      elements = try JSONScanner.elements(of: member.value, in: bytes)
    } catch .tooManyMembers {
      throw Problem(.badRequest, "\(name) has more than \(JSONLimits.memberCountMax) entries")
    } catch {
      throw Self.refusal(name, member, "must be an array of strings", in: bytes)
    }
    var names: [Name] = []
    names.reserveCapacity(elements.count)
    for element in elements {
      names.append(try Self.named(element.value, name, rule, in: bytes, validate))
    }
    return names
  }

  private static func named<Name>(
    _ range: Range<Int>, _ field: StaticString, _ rule: String, in bytes: Span<UInt8>, _ validate: (String) -> Name?
  ) throws(Problem) -> Name {
    guard let text = JSONDecode.string(range, in: bytes), let name = validate(text) else {
      throw Problem(.badRequest, "\(field) is \(shown(range, in: bytes)), \(rule)")
    }
    return name
  }

  /// `field is value, rule`.
  static func refusal(
    _ name: StaticString, _ member: JSONMember, _ rule: String, in bytes: Span<UInt8>
  ) -> Problem {
    Problem(.badRequest, "\(name) is \(shown(member.value, in: bytes)), \(rule)")
  }

  static func missing(_ name: StaticString, _ rule: String) -> Problem {
    Problem(.badRequest, "\(name) is missing, \(rule)")
  }

  /// Bytes of a value that a problem shows: enough to recognise it.
  static let shownByteCountMax = 64

  /// A value as a problem shows it, cut where it is long.
  static func shown(_ range: Range<Int>, in bytes: Span<UInt8>) -> String {
    // Never half a character.
    var end = range.upperBound
    let isCut = range.count > shownByteCountMax
    if isCut {
      end = range.lowerBound + shownByteCountMax
      while end > range.lowerBound, bytes[end] & 0xC0 == 0x80 { end -= 1 }
    }
    let text = String(validating: bytes.extracting(range.lowerBound..<end)) ?? ""
    return isCut ? text + "…" : text
  }
}

extension RequestFields {
  /// The members as normalised JSON without the braces, but for those in `reserved`.
  func given(without reserved: [StaticString], in bytes: Span<UInt8>) -> [UInt8] {
    var given: [UInt8] = []
    given.reserveCapacity(bytes.count)
    for member in object.members
    where !reserved.contains(where: { JSONObject.key(of: member, equals: $0, in: bytes) }) {
      if !given.isEmpty { given.append(UInt8(ascii: ",")) }
      JSONText.appendNormalised((member.key.lowerBound - 1)..<(member.key.upperBound + 1), of: bytes, to: &given)
      given.append(UInt8(ascii: ":"))
      JSONText.appendNormalised(member.value, of: bytes, to: &given)
    }
    return given
  }

  /// The same as an object.
  func body(without reserved: [StaticString], in bytes: Span<UInt8>) -> JSONText {
    JSONText(normalised: [UInt8(ascii: "{")] + given(without: reserved, in: bytes) + [UInt8(ascii: "}")])
  }
}
