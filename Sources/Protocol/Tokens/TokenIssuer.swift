/// Mints tokens for tests, `signalbox token` and `--dev`.
package enum TokenIssuer {
  package static func mint(
    _ claims: TokenClaims, secret: TokenSecret, algorithm: TokenAlgorithm = .hs256
  ) -> String {
    sign(payload: claims.encoded(), secret: secret, algorithm: algorithm)
  }

  /// A token with any payload, for tests of what a verifier refuses.
  package static func sign(payload: [UInt8], secret: TokenSecret, algorithm: TokenAlgorithm) -> String {
    var writer = JSONWriter(reserving: 32)
    writer.beginObject()
    writer.member("alg", string: algorithm.rawValue)
    writer.member("typ", literal: "JWT")
    writer.endObject()
    return sign(header: writer.bytes, payload: payload, secret: secret, algorithm: algorithm)
  }

  /// The same with any header.
  package static func sign(
    header: [UInt8], payload: [UInt8], secret: TokenSecret, algorithm: TokenAlgorithm
  ) -> String {
    var token = Base64URL.encode(header.span)
    token.append(UInt8(ascii: "."))
    token.append(contentsOf: Base64URL.encode(payload.span))
    // Nil only where the library has no such hash; the token is then unsigned and nobody accepts it.
    let code = secret.authenticationCode(of: token.span, algorithm: algorithm) ?? []
    token.append(UInt8(ascii: "."))
    token.append(contentsOf: Base64URL.encode(code.span))
    return String(decoding: token, as: UTF8.self)
  }
}
