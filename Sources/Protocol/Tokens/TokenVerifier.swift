/// Reads and verifies JSON Web Tokens in the compact form (RFC 7515 §7.1, RFC 7519).
package struct TokenVerifier: Sendable {
  /// Bytes of a token. It arrives in a header or a URL, which are themselves bounded about there.
  package static let byteCountMax = 8 * 1024

  package let keys: [TokenKey]
  /// What `iss` must be, where it is configured.
  package let issuer: String?
  /// What `aud` must contain, where it is configured.
  package let audience: String?
  /// Seconds by which the issuer's clock may differ from ours.
  package let leeway: Double

  package init(keys: [TokenKey], issuer: String? = nil, audience: String? = nil, leeway: Double = 30) {
    self.keys = keys
    self.issuer = issuer
    self.audience = audience
    self.leeway = leeway
  }

  /// The claims of a token that some configured key signed and that is valid at `now` (Unix seconds).
  ///
  /// Nothing of the claims is read before the signature is verified.
  package func verify(_ token: Span<UInt8>, now: Double) throws(TokenError) -> TokenClaims {
    let payload = try signedPayload(of: token)
    let claims = try TokenClaims(parsing: payload.span)
    try check(claims, now: now)
    return claims
  }

  /// Whether some configured key signed the token, whatever it says.
  package func isSigned(_ token: Span<UInt8>) -> Bool {
    do throws(TokenError) {
      _ = try signedPayload(of: token)
      return true
    } catch {
      return false
    }
  }

  private func signedPayload(of token: Span<UInt8>) throws(TokenError) -> [UInt8] {
    guard token.count <= Self.byteCountMax else { throw .malformed }
    guard let parts = Self.parts(of: token),
      let header = Base64URL.decode(token.extracting(parts.header)),
      let payload = Base64URL.decode(token.extracting(parts.payload)),
      let signature = Base64URL.decode(token.extracting(parts.signature))
    else { throw .malformed }
    let algorithm = try Self.algorithm(of: header.span)
    let candidates = keys.filter { $0.allows(algorithm) }
    guard !candidates.isEmpty else { throw .algorithm }
    let message = token.extracting(0..<parts.payload.upperBound)
    var isVerified = false
    for key in candidates where key.verifies(signature.span, of: message, algorithm: algorithm) {
      isVerified = true
      break
    }
    guard isVerified else { throw .signature }
    return payload
  }

  private func check(_ claims: TokenClaims, now: Double) throws(TokenError) {
    // RFC 7519 §4.1.4: `exp` itself is already too late.
    guard now - leeway < claims.expiresAt else { throw .expired }
    if let notBefore = claims.notBefore, now + leeway < notBefore { throw .notYetValid }
    if let issuer, claims.issuer != issuer { throw .issuer }
    if let audience, !claims.audience.contains(audience) { throw .audience }
  }

  /// The algorithm that the header names. A header with `crit` asks for extensions, none of which we know (RFC 7515 §4.1.11).
  private static func algorithm(of header: Span<UInt8>) throws(TokenError) -> TokenAlgorithm {
    let object = try TokenObject(header)
    guard !object.has("crit", in: header), let word = try object.string("alg", in: header) else { throw .malformed }
    guard let algorithm = TokenAlgorithm(rawValue: word) else { throw .algorithm }
    return algorithm
  }

  private struct Parts {
    let header: Range<Int>
    let payload: Range<Int>
    let signature: Range<Int>
  }

  /// The three parts between exactly two points.
  private static func parts(of token: Span<UInt8>) -> Parts? {
    var points: (first: Int, second: Int)?
    var first: Int?
    for index in token.indices where token[index] == UInt8(ascii: ".") {
      if points != nil { return nil }
      if let first { points = (first, index) } else { first = index }
    }
    guard let points else { return nil }
    return Parts(
      header: 0..<points.first, payload: (points.first + 1)..<points.second,
      signature: (points.second + 1)..<token.count)
  }
}
