/// Masking of client frames (RFC 6455 §5.3): XOR with a four-byte key, its own inverse.
///
/// Every byte of a client passes here, so the pass tells its caller on the way whether all of them came out as ASCII:
/// a text that did is valid UTF-8 and need not be read again. By 32-byte steps: 200 bytes take 75 instructions.
package enum FrameMasking {
  /// Applies the key to `bytes[range]` in place and writes nowhere else. The key's byte i stands in bits
  /// 8i ..< 8i + 8; its byte 0 meets the range's first byte.
  ///
  /// Returns whether every byte of the range is now below 80.
  @discardableResult
  package static func apply(key: UInt32, to bytes: inout MutableSpan<UInt8>, in range: Range<Int>) -> Bool {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range lies outside the bytes")
    // SAFETY: the range was checked above to lie inside the bytes; the pointer does not leave the closure.
    return unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return true }
      let start = unsafe base + range.lowerBound
      return unsafe apply(key: key, from: UnsafeRawPointer(start), to: start, byteCount: range.count)
    }
  }

  /// As `apply`, but the result is written to `target`, which must have room for the whole range and not overlap the bytes.
  package static func copy(
    _ bytes: Span<UInt8>, in range: Range<Int>, key: UInt32, to target: UnsafeMutableRawBufferPointer
  ) -> Bool {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range lies outside the bytes")
    precondition(range.count <= target.count, "the target is too small")
    guard let to = target.baseAddress else { return true }
    // SAFETY: the range lies inside the bytes and is no longer than the target, both checked above; the pointer does
    // not leave the closure.
    return unsafe bytes.withUnsafeBytes { buffer in
      guard let from = buffer.baseAddress else { return true }
      return unsafe apply(key: key, from: from + range.lowerBound, to: to, byteCount: range.count)
    }
  }

  /// `from` and `to` are the same, or do not overlap; both have `byteCount` bytes.
  @inline(__always)
  private static func apply(
    key: UInt32, from: UnsafeRawPointer, to: UnsafeMutableRawPointer, byteCount: Int
  ) -> Bool {
    // SAFETY: every access below is at an offset in 0 ..< byteCount, as each loop's condition says. A step reads what it
    // writes before it writes it, so that both may be in one place.
    let word = (UInt64(key) << 32 | UInt64(key)).littleEndian
    let words = SIMD2(repeating: word)
    var seenWords = SIMD2<UInt64>(repeating: 0)
    var offset = 0
    while offset &+ 32 <= byteCount {
      let low = unsafe from.loadUnaligned(fromByteOffset: offset, as: SIMD2<UInt64>.self) ^ words
      let high = unsafe from.loadUnaligned(fromByteOffset: offset &+ 16, as: SIMD2<UInt64>.self) ^ words
      unsafe to.storeBytes(of: low, toByteOffset: offset, as: SIMD2<UInt64>.self)
      unsafe to.storeBytes(of: high, toByteOffset: offset &+ 16, as: SIMD2<UInt64>.self)
      seenWords |= low | high
      offset &+= 32
    }
    var seen = seenWords[0] | seenWords[1]
    while offset &+ 8 <= byteCount {
      let unmasked = unsafe from.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ word
      unsafe to.storeBytes(of: unmasked, toByteOffset: offset, as: UInt64.self)
      seen |= unmasked
      offset &+= 8
    }
    var tailKey = key  // offset is a multiple of 8, hence of 4
    while offset < byteCount {
      let unmasked =
        unsafe from.load(fromByteOffset: offset, as: UInt8.self) ^ UInt8(truncatingIfNeeded: tailKey)
      unsafe to.storeBytes(of: unmasked, toByteOffset: offset, as: UInt8.self)
      seen |= UInt64(unmasked)
      tailKey = rotated(tailKey, by: 1)
      offset &+= 1
    }
    return seen & 0x8080_8080_8080_8080 == 0
  }

  /// The key as it meets the byte `byteCount` further on.
  @inlinable
  package static func rotated(_ key: UInt32, by byteCount: Int) -> UInt32 {
    let shift = UInt32(truncatingIfNeeded: byteCount & 3) &* 8
    return key &>> shift | key &<< (32 &- shift)  // both shifts count modulo 32: a shift of 0 keeps the key
  }
}
