import GatewayDomain
import Protocol

/// The members of a request's JSON object, read by name and rule. Every refusal names the field, the value and the rule.
struct RequestFields {
  private(set) var object = JSONObject()
  /// Members that are not the publisher's own, whatever is asked for: `given` and `body` leave them out.
  var hidden: RequestFieldSet = []

  /// No members; to be filled by `read`.
  init() {}

  /// - Parameter allowsNothing: no body at all means an object without members.
  init(_ bytes: Span<UInt8>, allowsNothing: Bool = false) throws(Problem) {
    if allowsNothing, bytes.isEmpty { return }
    try read(bytes)
  }

  /// The object that a member is.
  init(_ member: JSONMember, _ name: RequestFieldName, in bytes: Span<UInt8>) throws(Problem) {
    guard member.kind == .object else { throw Self.refusal(name, member, "must be an object", in: bytes) }
    try scan(bytes, in: member.value, what: name.text)
  }

  /// Takes the members of another body; the table of the last one's is used again.
  mutating func read(_ bytes: Span<UInt8>) throws(Problem) {
    try scan(bytes, in: 0..<bytes.count, what: "the body")
  }

  /// Takes the members of the object that one element of an array is.
  mutating func read(
    _ element: JSONScanner.Element, of name: RequestFieldName, in bytes: Span<UInt8>
  ) throws(Problem) {
    guard element.kind == .object else {
      throw Problem(.badRequest, "\(name) is \(Self.shown(element.value, in: bytes)), each must be an object")
    }
    try scan(bytes, in: element.value, what: name.text)
  }

  private mutating func scan(_ bytes: Span<UInt8>, in range: Range<Int>, what: StaticString) throws(Problem) {
    do throws(JSONError) {
      try object.scan(bytes, in: range, names: RequestFieldName.table)
    } catch .notAnObject {
      throw Problem(.badRequest, "\(what) is not a JSON object")
    } catch .tooManyMembers {
      throw Problem(.badRequest, "\(what) has more than \(JSONLimits.memberCountMax) members")
    } catch {
      throw Problem(.badRequest, "\(what) is not valid JSON: \(error.detail)")
    }
  }

  /// The member, null or not: of duplicates the last.
  func member(_ name: RequestFieldName) -> JSONMember? { object.member(known: name.rawValue) }

  /// The member, unless it is absent or null.
  func present(_ name: RequestFieldName) -> JSONMember? {
    guard let member = member(name), member.kind != .null else { return nil }
    return member
  }

  /// Any value; nil for absent and null.
  func value(_ name: RequestFieldName, in bytes: Span<UInt8>) -> JSONText? {
    present(name).map { JSONText(normalising: $0, of: bytes) }
  }

  /// A string that is passed through.
  func text(_ name: RequestFieldName, in bytes: Span<UInt8>) throws(Problem) -> JSONText? {
    guard let member = present(name) else { return nil }
    guard member.kind == .string else { throw Self.refusal(name, member, "must be a string or null", in: bytes) }
    return JSONText(normalising: member, of: bytes)
  }

  /// A string that the gateway itself reads.
  func string(
    _ name: RequestFieldName, rule: String = "must be a string or null", in bytes: Span<UInt8>
  ) throws(Problem) -> String? {
    guard let member = present(name) else { return nil }
    guard let string = JSONDecode.string(member, in: bytes) else {
      throw Self.refusal(name, member, rule, in: bytes)
    }
    return string
  }

  func number(
    _ name: RequestFieldName, rule: String = "must be a number or null", in bytes: Span<UInt8>
  ) throws(Problem) -> JSONText? {
    guard let member = present(name) else { return nil }
    guard member.kind == .number else { throw Self.refusal(name, member, rule, in: bytes) }
    return JSONText(normalising: member, of: bytes)
  }

  func bool(_ name: RequestFieldName, in bytes: Span<UInt8>) throws(Problem) -> Bool? {
    guard let member = present(name) else { return nil }
    guard let bool = JSONDecode.bool(member) else {
      throw Self.refusal(name, member, "must be true or false", in: bytes)
    }
    return bool
  }

  /// A field of a progress report: absent keeps, null clears.
  func reported(
    _ name: RequestFieldName, kind: JSONKind? = nil, rule: String = "", in bytes: Span<UInt8>
  ) throws(Problem) -> ReportedField {
    guard let member = member(name) else { return .absent }
    if member.kind == .null { return .null }
    if let kind, member.kind != kind { throw Self.refusal(name, member, rule, in: bytes) }
    return .value(JSONText(normalising: member, of: bytes))
  }

  func task(_ name: RequestFieldName, in bytes: Span<UInt8>) throws(Problem) -> TaskIdentifier? {
    guard let member = present(name) else { return nil }
    return try Self.task(member.element, name, "must be \(TaskIdentifier.rule)", in: bytes)
  }

  func user(_ name: RequestFieldName, in bytes: Span<UInt8>) throws(Problem) -> UserIdentifier? {
    guard let member = present(name) else { return nil }
    return try Self.user(member.element, name, "must be \(UserIdentifier.rule)", in: bytes)
  }

  func channel(_ name: RequestFieldName, in bytes: Span<UInt8>) throws(Problem) -> ChannelName? {
    guard let member = present(name) else { return nil }
    guard let text = JSONDecode.string(member, in: bytes), let channel = ChannelName(validating: text) else {
      throw Self.refusal(name, member, "must be \(ChannelName.rule)", in: bytes)
    }
    return channel
  }

  func tasks(_ name: RequestFieldName, in bytes: Span<UInt8>) throws(Problem) -> [TaskIdentifier]? {
    var tasks: [TaskIdentifier] = []
    guard let elements = try elements(name, in: bytes) else { return nil }
    tasks.reserveCapacity(elements.count)
    for element in elements {
      tasks.append(try Self.task(element, name, "each must be \(TaskIdentifier.rule)", in: bytes))
    }
    return tasks
  }

  func users(_ name: RequestFieldName, in bytes: Span<UInt8>) throws(Problem) -> [UserIdentifier]? {
    var users: [UserIdentifier] = []
    guard let elements = try elements(name, in: bytes) else { return nil }
    users.reserveCapacity(elements.count)
    for element in elements {
      users.append(try Self.user(element, name, "each must be \(UserIdentifier.rule)", in: bytes))
    }
    return users
  }

  func elements(
    _ name: RequestFieldName, rule: String = "must be an array of strings", in bytes: Span<UInt8>
  ) throws(Problem) -> [JSONScanner.Element]? {
    guard let member = present(name) else { return nil }
    do throws(JSONError) {
      return try JSONScanner.elements(of: member.value, in: bytes)
    } catch .tooManyMembers {
      throw Problem(.badRequest, "\(name) has more than \(JSONLimits.memberCountMax) entries")
    } catch {
      throw Self.refusal(name, member, rule, in: bytes)
    }
  }

  /// - Parameter rule: made only where it is broken.
  private static func task(
    _ element: JSONScanner.Element, _ field: RequestFieldName, _ rule: @autoclosure () -> String, in bytes: Span<UInt8>
  ) throws(Problem) -> TaskIdentifier {
    // A task's name needs no escapes: nearly all are taken as the bytes that they are.
    if element.kind == .string, !element.hasEscapes {
      let contents = bytes.extracting((element.value.lowerBound + 1)..<(element.value.upperBound - 1))
      if let task = TaskIdentifier(validating: contents) { return task }
    } else if let text = JSONDecode.string(element.value, in: bytes), let task = TaskIdentifier(validating: text) {
      return task
    }
    throw Problem(.badRequest, "\(field) is \(shown(element.value, in: bytes)), \(rule())")
  }

  private static func user(
    _ element: JSONScanner.Element, _ field: RequestFieldName, _ rule: @autoclosure () -> String, in bytes: Span<UInt8>
  ) throws(Problem) -> UserIdentifier {
    guard let text = JSONDecode.string(element.value, in: bytes), let user = UserIdentifier(validating: text) else {
      throw Problem(.badRequest, "\(field) is \(shown(element.value, in: bytes)), \(rule())")
    }
    return user
  }

  /// `field is value, rule`.
  static func refusal(
    _ name: RequestFieldName, _ member: JSONMember, _ rule: String, in bytes: Span<UInt8>
  ) -> Problem {
    Problem(.badRequest, "\(name) is \(shown(member.value, in: bytes)), \(rule)")
  }

  static func missing(_ name: RequestFieldName, _ rule: String) -> Problem {
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
  func given(without reserved: RequestFieldSet, in bytes: Span<UInt8>) -> [UInt8] {
    var given: [UInt8] = []
    given.reserveCapacity(byteCount(without: reserved))
    appendGiven(without: reserved, in: bytes, to: &given)
    return given
  }

  /// The same as an object.
  func body(without reserved: RequestFieldSet, in bytes: Span<UInt8>) -> JSONText {
    var body: [UInt8] = []
    body.reserveCapacity(byteCount(without: reserved) + 2)
    body.append(UInt8(ascii: "{"))
    appendGiven(without: reserved, in: bytes, to: &body)
    body.append(UInt8(ascii: "}"))
    return JSONText(normalised: body)
  }

  /// At least what the members come to, with a comma each: normalising never makes them longer.
  private func byteCount(without reserved: RequestFieldSet) -> Int {
    let reserved = reserved.union(hidden)
    var count = 0
    for member in object.members where !reserved.contains(member) { count += member.range.count + 1 }
    return count
  }

  private func appendGiven(without reserved: RequestFieldSet, in bytes: Span<UInt8>, to output: inout [UInt8]) {
    let reserved = reserved.union(hidden)
    // Neighbours that are normal as they stand, with nothing but a comma between them, are copied together.
    var run = 0..<0
    var needsComma = false
    for member in object.members where !reserved.contains(member) {
      let range = member.range
      if member.isNormal, !run.isEmpty, run.upperBound + 1 == range.lowerBound {
        run = run.lowerBound..<range.upperBound
        continue
      }
      output.append(bytes.extracting(run))
      run = 0..<0
      if needsComma { output.append(UInt8(ascii: ",")) }
      needsComma = true
      if member.isNormal {
        run = range
      } else {
        JSONText.appendNormalised(range, of: bytes, to: &output)
      }
    }
    output.append(bytes.extracting(run))
  }
}

extension JSONMember {
  /// The value, as an array's would be told.
  fileprivate var element: JSONScanner.Element {
    JSONScanner.Element(value: value, kind: kind, hasEscapes: valueHasEscapes)
  }
}
