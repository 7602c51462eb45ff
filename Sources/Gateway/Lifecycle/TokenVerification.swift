import Protocol

/// `signalbox verify`: JSON lines `{"jwk":…,"jws":…}` on standard input, `1` or `0` per line on standard output.
enum TokenVerification {
  static func run() -> Int32 {
    while let line = readLine() {
      print(isValid(Array(line.utf8)) ? "1" : "0")
    }
    return 0
  }

  /// Whether the JWS is signed by the key; claims are not looked at.
  static func isValid(_ line: [UInt8]) -> Bool {
    var object = JSONObject()
    var key = JSONObject()
    do throws(JSONError) {
      try object.scan(line.span)
      guard let jwk = object.member("jwk", in: line.span), jwk.kind == .object,
        let jws = object.member("jws", in: line.span), let token = JSONDecode.string(jws, in: line.span)
      else { return false }
      try key.scan(line.span, in: jwk.value)
      guard let kind = key.member("kty", in: line.span), JSONDecode.string(kind, in: line.span) == "oct",
        let value = key.member("k", in: line.span), let text = JSONDecode.string(value, in: line.span),
        let bytes = Base64URL.decode(Array(text.utf8).span), let secret = TokenSecret(bytes: bytes)
      else { return false }
      return TokenVerifier(keys: [.secret(secret)]).isSigned(Array(token.utf8).span)
    } catch {
      return false
    }
  }
}
