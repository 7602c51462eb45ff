/// Masking of client frames (RFC 6455 §5.3): XOR with a four-byte key, its own inverse.
///
/// Every byte of a client passes here, so the pass tells its caller on the way whether all of them came out as ASCII:
/// a text that did is valid UTF-8 and need not be read again. By 64-byte steps.
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

  /// `from` and `to` are the same, or do not overlap; both have `byteCount` bytes.
  @inline(__always)
  static func apply(
    key: UInt32, from: UnsafeRawPointer, to: UnsafeMutableRawPointer, byteCount: Int
  ) -> Bool {
    // SAFETY: every access below is at an offset in 0 ..< byteCount, as the loop's and then the count's bits say. A step reads what it
    // writes before it writes it, so that both may be in one place.
    let word = (UInt64(key) << 32 | UInt64(key)).littleEndian
    let words = SIMD2(repeating: word)
    var seenWords = SIMD2<UInt64>(repeating: 0)
    var offset = 0
    while offset &+ 64 <= byteCount {
      let first = unsafe from.loadUnaligned(fromByteOffset: offset, as: SIMD2<UInt64>.self) ^ words
      let second = unsafe from.loadUnaligned(fromByteOffset: offset &+ 16, as: SIMD2<UInt64>.self) ^ words
      let third = unsafe from.loadUnaligned(fromByteOffset: offset &+ 32, as: SIMD2<UInt64>.self) ^ words
      let fourth = unsafe from.loadUnaligned(fromByteOffset: offset &+ 48, as: SIMD2<UInt64>.self) ^ words
      unsafe to.storeBytes(of: first, toByteOffset: offset, as: SIMD2<UInt64>.self)
      unsafe to.storeBytes(of: second, toByteOffset: offset &+ 16, as: SIMD2<UInt64>.self)
      unsafe to.storeBytes(of: third, toByteOffset: offset &+ 32, as: SIMD2<UInt64>.self)
      unsafe to.storeBytes(of: fourth, toByteOffset: offset &+ 48, as: SIMD2<UInt64>.self)
      seenWords |= (first | second) | (third | fourth)
      offset &+= 64
    }
    // At most 63 bytes are left: a half of each size where the count has its bit, with no loop to set up.
    if byteCount & 32 != 0 {
      let low = unsafe from.loadUnaligned(fromByteOffset: offset, as: SIMD2<UInt64>.self) ^ words
      let high = unsafe from.loadUnaligned(fromByteOffset: offset &+ 16, as: SIMD2<UInt64>.self) ^ words
      unsafe to.storeBytes(of: low, toByteOffset: offset, as: SIMD2<UInt64>.self)
      unsafe to.storeBytes(of: high, toByteOffset: offset &+ 16, as: SIMD2<UInt64>.self)
      seenWords |= low | high
      offset &+= 32
    }
    var seen = seenWords[0] | seenWords[1]
    if byteCount & 16 != 0 {
      let unmasked = unsafe from.loadUnaligned(fromByteOffset: offset, as: SIMD2<UInt64>.self) ^ words
      unsafe to.storeBytes(of: unmasked, toByteOffset: offset, as: SIMD2<UInt64>.self)
      seen |= unmasked[0] | unmasked[1]
      offset &+= 16
    }
    if byteCount & 8 != 0 {
      let unmasked = unsafe from.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ word
      unsafe to.storeBytes(of: unmasked, toByteOffset: offset, as: UInt64.self)
      seen |= unmasked
      offset &+= 8
    }
    if byteCount & 4 != 0 {
      let unmasked = unsafe from.loadUnaligned(fromByteOffset: offset, as: UInt32.self) ^ key.littleEndian
      unsafe to.storeBytes(of: unmasked, toByteOffset: offset, as: UInt32.self)
      seen |= UInt64(unmasked)
      offset &+= 4
    }
    var tailKey = key  // offset is a multiple of 4
    if byteCount & 2 != 0 {
      let unmasked =
        unsafe from.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
        ^ UInt16(truncatingIfNeeded: tailKey).littleEndian
      unsafe to.storeBytes(of: unmasked, toByteOffset: offset, as: UInt16.self)
      seen |= UInt64(unmasked)
      tailKey &>>= 16
      offset &+= 2
    }
    if byteCount & 1 != 0 {
      let unmasked = unsafe from.load(fromByteOffset: offset, as: UInt8.self) ^ UInt8(truncatingIfNeeded: tailKey)
      unsafe to.storeBytes(of: unmasked, toByteOffset: offset, as: UInt8.self)
      seen |= UInt64(unmasked)
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
