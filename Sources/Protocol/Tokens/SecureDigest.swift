import CCrypto

/// SHA-256 (FIPS 180-4), by libcrypto: names for things whose text should not be kept.
package enum SecureDigest {
  /// The first 16 bytes of the digest of the parts, each with its length before it, so that no two lists of parts are one text.
  package static func make(of parts: [[UInt8]]) -> (high: UInt64, low: UInt64) {
    var context = SHA256_CTX()
    var digest = InlineArray<32, UInt8>(repeating: 0)
    // SAFETY: each call reads or writes as many bytes as it is told, and SHA-256's digest has 32. None of them can fail: they
    // compute on the context only.
    unsafe SHA256_Init(&context)
    for part in parts {
      let length = (0..<8).map { UInt8(truncatingIfNeeded: part.count >> ($0 * 8)) }
      _ = unsafe length.withUnsafeBytes { unsafe SHA256_Update(&context, $0.baseAddress, $0.count) }
      _ = unsafe part.withUnsafeBytes { unsafe SHA256_Update(&context, $0.baseAddress, $0.count) }
    }
    var span = digest.mutableSpan
    _ = unsafe span.withUnsafeMutableBufferPointer { unsafe SHA256_Final($0.baseAddress, &context) }
    func word(_ start: Int) -> UInt64 { (start..<(start + 8)).reduce(0) { $0 << 8 | UInt64(digest[$1]) } }
    return (word(0), word(8))
  }
}
