import Testing

@testable import Protocol

/// RFC 7515 A.1.1: the key, and the token that it signs.
private let vectorKey =
  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
private let vectorToken =
  "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
  + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
  + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
private let vectorExpiry = 1_300_819_380.0

private func secret(
  _ text: String = "a secret", algorithms: Set<TokenAlgorithm> = Set(TokenAlgorithm.allCases)
) throws -> TokenSecret {
  try #require(TokenSecret(bytes: Array(text.utf8), algorithms: algorithms))
}

private func outcome(_ token: String, _ verifier: TokenVerifier, now: Double) -> Result<TokenClaims, TokenError> {
  do throws(TokenError) {
    return .success(try verifier.verify(Array(token.utf8), now: now))
  } catch {
    return .failure(error)
  }
}

private func signed(_ payload: String, header: String = #"{"alg":"HS256"}"#) throws -> String {
  TokenIssuer.sign(
    header: Array(header.utf8), payload: Array(payload.utf8), secret: try secret(), algorithm: .hs256)
}

@Suite("RFC 7519 tokens")
struct TokenVerifierTests {
  @Test func `RFC 7515 A1 is verified, and the key's bytes matter`() throws {
    let key = try #require(Base64URL.decode(Array(vectorKey.utf8)))
    let verifier = TokenVerifier(keys: [.secret(try #require(TokenSecret(bytes: key)))], leeway: 0)
    let claims = try verifier.verify(Array(vectorToken.utf8), now: vectorExpiry - 1)
    #expect(claims == TokenClaims(subject: nil, expiresAt: vectorExpiry, issuer: "joe"))
    let other = TokenVerifier(keys: [.secret(try #require(TokenSecret(bytes: key.dropLast() + [0])))], leeway: 0)
    #expect(outcome(vectorToken, other, now: 0) == .failure(.signature))
  }

  @Test func `a change of any byte is refused`() throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())])
    let token = try signed(#"{"sub":"u","exp":2000}"#)
    #expect(throws: Never.self) { try verifier.verify(Array(token.utf8), now: 1000) }
    let bytes = Array(token.utf8)
    for index in bytes.indices {
      for replacement in [bytes[index] ^ 1, bytes[index] ^ 2, UInt8(ascii: "."), UInt8(ascii: "A"), 0xFF] {
        guard replacement != bytes[index] else { continue }
        var changed = bytes
        changed[index] = replacement
        #expect(throws: TokenError.self) { try verifier.verify(changed, now: 1000) }
      }
      #expect(throws: TokenError.self) { try verifier.verify(Array(bytes[0..<index]), now: 1000) }
    }
  }

  @Test(arguments: TokenAlgorithm.allCases)
  func `each algorithm signs and verifies, and only where it is configured`(_ algorithm: TokenAlgorithm) throws {
    let claims = TokenClaims(
      subject: "用户 1", expiresAt: 2000.5, notBefore: 900, issuedAt: 901, issuer: "us", audience: ["a", "b"],
      role: .publisher, tasks: ["t-1", "batch-*"])
    let token = TokenIssuer.mint(claims, secret: try secret(), algorithm: algorithm)
    let only = TokenVerifier(keys: [.secret(try secret(algorithms: [algorithm]))])
    #expect(try only.verify(Array(token.utf8), now: 1000) == claims)
    let others = Set(TokenAlgorithm.allCases).subtracting([algorithm])
    let without = TokenVerifier(keys: [.secret(try secret(algorithms: others))])
    #expect(outcome(token, without, now: 1000) == .failure(.algorithm))
    #expect(outcome(token, TokenVerifier(keys: []), now: 1000) == .failure(.algorithm))
  }

  @Test func `a token of another algorithm's code is not taken for this one`() throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())])
    let token = TokenIssuer.sign(
      header: Array(#"{"alg":"HS256"}"#.utf8), payload: Array(#"{"exp":2000}"#.utf8), secret: try secret(),
      algorithm: .hs512)
    #expect(outcome(token, verifier, now: 1000) == .failure(.signature))
  }

  @Test func `the second of two keys verifies too`() throws {
    let token = try signed(#"{"exp":2000}"#)
    let verifier = TokenVerifier(keys: [.secret(try secret("old")), .secret(try secret())])
    #expect(throws: Never.self) { try verifier.verify(Array(token.utf8), now: 1000) }
  }

  @Test(
    arguments: [
      (#"{"alg":"none"}"#, TokenError.algorithm), (#"{"alg":"None"}"#, .algorithm), (#"{"alg":"hs256"}"#, .algorithm),
      (#"{"alg":"RS256"}"#, .algorithm), (#"{"alg":256}"#, .malformed), (#"{"alg":null}"#, .malformed),
      ("{}", .malformed),
      (#"{"alg":"HS256","crit":["exp"]}"#, .malformed), (#"{"alg":"HS256","crit":[]}"#, .malformed),
      (#"{"alg":"HS256","alg":"HS256"}"#, .malformed), (#"{"alg":"none","\u0061lg":"HS256"}"#, .malformed),
      (#"["HS256"]"#, .malformed), (#"{"alg":"HS256""#, .malformed), ("", .malformed),
    ])
  func `a header that asks for more than we know is refused`(_ header: String, _ expected: TokenError) throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())])
    #expect(outcome(try signed(#"{"exp":2000}"#, header: header), verifier, now: 1000) == .failure(expected))
  }

  @Test func `an unsigned token is refused`() throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())])
    let header = String(decoding: Base64URL.encode(Array(#"{"alg":"none"}"#.utf8)), as: UTF8.self)
    let payload = String(decoding: Base64URL.encode(Array(#"{"exp":2000}"#.utf8)), as: UTF8.self)
    #expect(outcome("\(header).\(payload).", verifier, now: 1000) == .failure(.algorithm))
    let honest = String(decoding: Base64URL.encode(Array(#"{"alg":"HS256"}"#.utf8)), as: UTF8.self)
    #expect(outcome("\(honest).\(payload).", verifier, now: 1000) == .failure(.signature))
  }

  @Test(arguments: ["", ".", "..", "a.b", "a.b.c.d", "....", "e30.e30", "e30.e30.=", " e30.e30.e30", "e30.e30.e30\n"])
  func `what is not three parts is refused`(_ token: String) throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())])
    #expect(outcome(token, verifier, now: 1000) == .failure(.malformed))
  }

  @Test(
    arguments: [
      "{}", #"{"sub":"u"}"#, #"{"exp":"2000"}"#, #"{"exp":null}"#, #"{"exp":1e400}"#, #"{"exp":2000,"exp":2000}"#,
      #"{"exp":2000,"sub":7}"#, #"{"exp":2000,"role":"root"}"#, #"{"exp":2000,"role":"Admin"}"#,
      #"{"exp":2000,"role":""}"#,
      #"{"exp":2000,"role":["admin"]}"#, #"{"exp":2000,"role":"user","r\u006fle":"admin"}"#,
      #"{"exp":2000,"tasks":"t"}"#,
      #"{"exp":2000,"tasks":[1]}"#, #"{"exp":2000,"tasks":{}}"#, #"{"exp":2000,"nbf":"0"}"#, #"{"exp":2000,"aud":7}"#,
      #"{"exp":2000,"aud":["a",7]}"#, #"{"exp":2000,"iss":["a"]}"#, #"{"exp":2000,"sub":"\ud800"}"#, "[]", "", "{",
    ])
  func `claims of a wrong shape are refused`(_ payload: String) throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())])
    #expect(outcome(try signed(payload), verifier, now: 1000) == .failure(.malformed))
  }

  @Test func `roles default to user, unknown claims are ignored`() throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())])
    let token = try signed(#"{"exp":2000,"sub":"u","scope":{"x":1},"aud":["x"],"iss":"y","tasks":[]}"#)
    #expect(
      try verifier.verify(Array(token.utf8), now: 1000)
        == TokenClaims(subject: "u", expiresAt: 2000, issuer: "y", audience: ["x"], role: .user, tasks: []))
    for role in TokenClaims.Role.allCases {
      let token = try signed(#"{"exp":2000,"role":"\#(role.rawValue)"}"#)
      #expect(try verifier.verify(Array(token.utf8), now: 1000).role == role)
    }
  }

  @Test func `times hold to the leeway and not past it`() throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())], leeway: 30)
    let token = try signed(#"{"exp":2000,"nbf":1000}"#)
    #expect(outcome(token, verifier, now: 969.75) == .failure(.notYetValid))
    #expect(throws: Never.self) { try verifier.verify(Array(token.utf8), now: 970) }
    #expect(throws: Never.self) { try verifier.verify(Array(token.utf8), now: 2029.75) }
    #expect(outcome(token, verifier, now: 2030) == .failure(.expired))
    let strict = TokenVerifier(keys: [.secret(try secret())], leeway: 0)
    #expect(throws: Never.self) { try strict.verify(Array(token.utf8), now: 1000) }
    #expect(outcome(token, strict, now: 2000) == .failure(.expired))
  }

  @Test(
    arguments: [
      (#""iss":"us","aud":"gateway""#, nil), (#""iss":"us","aud":["x","gateway"]"#, nil),
      (#""iss":"them","aud":"gateway""#, .issuer), (#""aud":"gateway""#, .issuer), (#""iss":"us""#, .audience),
      (#""iss":"us","aud":"gateway2""#, .audience), (#""iss":"us","aud":[]"#, .audience),
    ] as [(String, TokenError?)])
  func `issuer and audience must be ours where they are configured`(_ members: String, _ expected: TokenError?) throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())], issuer: "us", audience: "gateway")
    let result = outcome(try signed(#"{"exp":2000,\#(members)}"#), verifier, now: 1000)
    switch (result, expected) {
    case (.success, nil): break
    case (.failure(let error), let expected?): #expect(error == expected)
    default: Issue.record("\(result) for \(members)")
    }
  }

  @Test func `a token is read up to its bound and refused one past it`() throws {
    let verifier = TokenVerifier(keys: [.secret(try secret())])
    // The payload's length decides: each further 3 bytes are 4 letters, so some length meets the bound exactly.
    var found = false
    for padding in 5_900..<6_150 {
      let token = try signed(#"{"exp":2000,"x":"\#(String(repeating: "x", count: padding))"}"#)
      let isInBound = token.utf8.count <= TokenVerifier.byteCountMax
      if token.utf8.count == TokenVerifier.byteCountMax { found = true }
      switch outcome(token, verifier, now: 1000) {
      case .success: #expect(isInBound)
      case .failure(let error): #expect(!isInBound && error == .malformed)
      }
    }
    #expect(found)
  }

  @Test func `an empty secret is no secret`() {
    #expect(TokenSecret(bytes: []) == nil)
  }

  @Test func `every error has a label of its own`() {
    #expect(Set(TokenError.allCases.map { $0.label.description }).count == TokenError.allCases.count)
  }
}
