import CCrypto

/// The signature algorithms we know (RFC 7518 §3.1). `none` is not one of them.
package enum TokenAlgorithm: String, Sendable, CaseIterable {
  case hs256 = "HS256"
  case hs384 = "HS384"
  case hs512 = "HS512"
}

/// A configured key, which knows the algorithms that it serves: a token's header can only choose among these, so that a
/// public key is never taken for a secret.
///
/// Public keys (RS, PS, ES, EdDSA) become further cases; callers only ask `verifies`.
package enum TokenKey: Sendable {
  case secret(TokenSecret)

  package func allows(_ algorithm: TokenAlgorithm) -> Bool {
    switch self {
    case .secret(let secret): secret.algorithms.contains(algorithm)
    }
  }

  /// Whether `signature` is the key's signature of `message`.
  func verifies(_ signature: Span<UInt8>, of message: Span<UInt8>, algorithm: TokenAlgorithm) -> Bool {
    switch self {
    case .secret(let secret):
      guard let expected = secret.authenticationCode(of: message, algorithm: algorithm) else { return false }
      return MessageAuthentication.isEqual(expected.span, signature)
    }
  }
}

/// The bytes of a shared secret and the algorithms that it serves.
package struct TokenSecret: Sendable {
  /// RFC 7518 §3.2 wants a key as long as the hash. Shorter ones work, because the systems we replace have them; start-up
  /// should warn below this.
  package static let byteCountAdvised = 32

  let bytes: [UInt8]
  let algorithms: Set<TokenAlgorithm>

  /// Nil for an empty secret.
  package init?(bytes: [UInt8], algorithms: Set<TokenAlgorithm> = Set(TokenAlgorithm.allCases)) {
    guard !bytes.isEmpty else { return nil }
    self.bytes = bytes
    self.algorithms = algorithms
  }

  /// Nil where the library refuses.
  func authenticationCode(of message: Span<UInt8>, algorithm: TokenAlgorithm) -> [UInt8]? {
    MessageAuthentication.code(of: message, secret: bytes.span, algorithm: algorithm)
  }
}

/// The doors to libcrypto.
package enum MessageAuthentication {
  /// HMAC (RFC 2104) with the algorithm's hash.
  static func code(of message: Span<UInt8>, secret: Span<UInt8>, algorithm: TokenAlgorithm) -> [UInt8]? {
    let hash =
      switch algorithm {
      case .hs256: unsafe EVP_sha256()
      case .hs384: unsafe EVP_sha384()
      case .hs512: unsafe EVP_sha512()
      }
    guard let secretByteCount = Int32(exactly: secret.count) else { return nil }
    var code = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var codeByteCount: UInt32 = 0
    // SAFETY: the three buffers outlive the call, and HMAC writes at most EVP_MAX_MD_SIZE bytes.
    let succeeded = unsafe message.withUnsafeBufferPointer { message in
      unsafe secret.withUnsafeBufferPointer { secret in
        unsafe HMAC(
          hash, secret.baseAddress, secretByteCount, message.baseAddress, message.count, &code, &codeByteCount) != nil
      }
    }
    guard succeeded else { return nil }
    return Array(code.prefix(Int(codeByteCount)))
  }

  /// Compares in a time that depends on the lengths only.
  package static func isEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    guard !left.isEmpty else { return true }
    // SAFETY: both buffers hold `left.count` bytes.
    return unsafe left.withUnsafeBufferPointer { left in
      unsafe right.withUnsafeBufferPointer { right in
        unsafe CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
      }
    }
  }
}
