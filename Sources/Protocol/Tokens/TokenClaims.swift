/// What a token says of its bearer (contract §5). Times are Unix seconds.
package struct TokenClaims: Sendable, Equatable {
  package enum Role: String, Sendable, CaseIterable {
    case user
    case publisher
    case admin
  }

  /// `sub`, the user id, as it stands: whether it is needed and its length are the caller's rules.
  package var subject: String?
  /// `exp`; required.
  package var expiresAt: Double
  package var notBefore: Double?
  package var issuedAt: Double?
  package var issuer: String?
  /// `aud`: one string or an array of them.
  package var audience: [String]
  package var role: Role
  /// Task ids or `prefix*`; nil where the claim is absent.
  package var tasks: [String]?

  package init(
    subject: String?, expiresAt: Double, notBefore: Double? = nil, issuedAt: Double? = nil, issuer: String? = nil,
    audience: [String] = [], role: Role = .user, tasks: [String]? = nil
  ) {
    self.subject = subject
    self.expiresAt = expiresAt
    self.notBefore = notBefore
    self.issuedAt = issuedAt
    self.issuer = issuer
    self.audience = audience
    self.role = role
    self.tasks = tasks
  }
}

extension TokenClaims {
  /// Reads the claims set. A claim of the wrong type, an unknown role and a duplicate are `.malformed`.
  init(parsing bytes: Span<UInt8>) throws(TokenError) {
    let object = try TokenObject(bytes)
    guard let expiresAt = try object.number("exp", in: bytes) else { throw .malformed }
    var role = Role.user
    if let word = try object.string("role", in: bytes) {
      guard let known = Role(rawValue: word) else { throw .malformed }
      role = known
    }
    self.init(
      subject: try object.string("sub", in: bytes), expiresAt: expiresAt,
      notBefore: try object.number("nbf", in: bytes), issuedAt: try object.number("iat", in: bytes),
      issuer: try object.string("iss", in: bytes),
      audience: try object.strings("aud", in: bytes, allowsOne: true) ?? [], role: role,
      tasks: try object.strings("tasks", in: bytes, allowsOne: false))
  }

  /// The claims set as JSON, absent claims left out.
  func encoded() -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    if let subject { writer.member("sub", string: subject) }
    writer.member("exp", raw: Self.numericDate(expiresAt))
    if let notBefore { writer.member("nbf", raw: Self.numericDate(notBefore)) }
    if let issuedAt { writer.member("iat", raw: Self.numericDate(issuedAt)) }
    if let issuer { writer.member("iss", string: issuer) }
    if audience.count == 1 {
      writer.member("aud", string: audience[0])
    } else if !audience.isEmpty {
      writer.key("aud")
      writer.beginArray()
      for entry in audience { writer.value(string: entry) }
      writer.endArray()
    }
    writer.member("role", string: role.rawValue)
    if let tasks {
      writer.key("tasks")
      writer.beginArray()
      for entry in tasks { writer.value(string: entry) }
      writer.endArray()
    }
    writer.endObject()
    return writer.bytes
  }

  /// Whole seconds are written as integers: some readers refuse `1700000000.0`.
  private static func numericDate(_ seconds: Double) -> JSONText {
    if let whole = JSONDecode.wholeNumber(seconds) { JSONText(integer: whole) } else { JSONText(double: seconds) }
  }
}

/// An object of a token: typed members, no duplicates.
struct TokenObject {
  private var object = JSONObject()

  init(_ bytes: Span<UInt8>) throws(TokenError) {
    do throws(JSONError) {
      try object.scan(bytes)
    } catch {
      throw .malformed
    }
    // Two readers that pick different ones of two `exp` or `role` would disagree (RFC 7519 §4 lets us refuse).
    var names: Set<String> = []
    for member in object.members {
      guard let name = JSONDecode.key(member, in: bytes), names.insert(name).inserted else { throw .malformed }
    }
  }

  func has(_ name: StaticString, in bytes: Span<UInt8>) -> Bool {
    object.member(name, in: bytes) != nil
  }

  func string(_ name: StaticString, in bytes: Span<UInt8>) throws(TokenError) -> String? {
    guard let member = object.member(name, in: bytes) else { return nil }
    guard let value = JSONDecode.string(member, in: bytes) else { throw .malformed }
    return value
  }

  func number(_ name: StaticString, in bytes: Span<UInt8>) throws(TokenError) -> Double? {
    guard let member = object.member(name, in: bytes) else { return nil }
    guard let value = JSONDecode.double(member, in: bytes) else { throw .malformed }
    return value
  }

  func strings(
    _ name: StaticString, in bytes: Span<UInt8>, allowsOne: Bool
  ) throws(TokenError) -> [String]? {
    guard let member = object.member(name, in: bytes) else { return nil }
    if allowsOne, let one = JSONDecode.string(member, in: bytes) { return [one] }
    var values: [String] = []
    do throws(JSONError) {
      for element in try JSONScanner.elements(of: member.value, in: bytes) {
        guard let value = JSONDecode.string(element.value, in: bytes) else { throw .notAnArray }
        values.append(value)
      }
    } catch {
      throw .malformed
    }
    return values
  }
}
