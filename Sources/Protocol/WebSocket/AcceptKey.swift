import CCrypto

/// `Sec-WebSocket-Accept`: the base64 of the SHA-1 of the key and the protocol's GUID (RFC 6455 §4.2.2), without an
/// allocation.
enum AcceptKey {
  /// 20 bytes in base64.
  static let byteCount = 28
  /// What a client's key has: 16 bytes in base64.
  static let keyByteCount = 24

  private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  private static let guid: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

  /// The accepting value for a key of `keyByteCount` bytes.
  static func make(for key: Span<UInt8>) -> InlineArray<28, UInt8> {
    precondition(key.count == keyByteCount, "the key has \(key.count) bytes")
    var context = SHA_CTX()
    var digest = InlineArray<20, UInt8>(repeating: 0)
    // SAFETY: each call reads or writes as many bytes as its span or constant has; SHA-1's digest has 20. None of the
    // three can fail: they compute on the context only.
    unsafe SHA1_Init(&context)
    _ = unsafe key.withUnsafeBytes { unsafe SHA1_Update(&context, $0.baseAddress, $0.count) }
    unsafe SHA1_Update(&context, guid.utf8Start, guid.utf8CodeUnitCount)
    var span = digest.mutableSpan
    _ = unsafe span.withUnsafeMutableBufferPointer { unsafe SHA1_Final($0.baseAddress, &context) }
    return base64(of: digest)
  }

  private static func base64(of digest: InlineArray<20, UInt8>) -> InlineArray<28, UInt8> {
    var text = InlineArray<28, UInt8>(repeating: UInt8(ascii: "="))
    // 18 bytes are six groups of three; of the last two come three characters, the third with two zero bits.
    var group = 0
    while group < 6 {
      let bits =
        UInt32(digest[3 &* group]) &<< 16 | UInt32(digest[3 &* group &+ 1]) &<< 8 | UInt32(digest[3 &* group &+ 2])
      text[4 &* group] = character(bits &>> 18)
      text[4 &* group &+ 1] = character(bits &>> 12)
      text[4 &* group &+ 2] = character(bits &>> 6)
      text[4 &* group &+ 3] = character(bits)
      group &+= 1
    }
    let bits = UInt32(digest[18]) &<< 16 | UInt32(digest[19]) &<< 8
    text[24] = character(bits &>> 18)
    text[25] = character(bits &>> 12)
    text[26] = character(bits &>> 6)
    return text
  }

  @inline(__always)
  private static func character(_ bits: UInt32) -> UInt8 {
    // SAFETY: six bits are below the 64 characters.
    unsafe alphabet.utf8Start[Int(bits & 63)]
  }
}
