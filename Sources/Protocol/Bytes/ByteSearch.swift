/// Searches eight bytes at a time. A word holds eight bytes, the first of them lowest; a mask has bit 7 set of the bytes
/// that were looked for. A mask may also have bits *above* its lowest one that stand for nothing: the subtractions
/// borrow from the bytes behind a hit, never from those before it.
enum ByteSearch {
  static let ones: UInt64 = 0x0101_0101_0101_0101
  static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// Where the word has the byte.
  @inline(__always)
  static func mask(of byte: UInt8, in word: UInt64) -> UInt64 {
    let difference = word ^ (ones &* UInt64(byte))
    return (difference &- ones) & ~difference & highBits
  }

  /// Where a JSON string has a byte that is not simply itself: quotation mark, backslash, a control below 0x20, or one
  /// of a multi-byte sequence.
  @inline(__always)
  static func maskOfStringSpecials(in word: UInt64) -> UInt64 {
    let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
    let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
    // Bytes from 0x80 on are hits of their own, so the other terms need not be masked by what they came from: their
    // high bit says either "below", or "0x80 or more".
    return ((quote &- ones) | (backslash &- ones) | (word &- ones &* 0x20) | word) & highBits
  }

  /// How many bytes stand before the first hit.
  @inline(__always)
  static func offset(ofFirst mask: UInt64) -> Int { mask.trailingZeroBitCount &>> 3 }
}

extension Span where Element == UInt8 {
  /// The eight bytes from `index` on, the first lowest. The caller has checked `index + 8 <= count`.
  @unsafe @inline(__always)
  func word(at index: Int) -> UInt64 {
    // SAFETY: the caller's promise.
    unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self).littleEndian
  }

  /// The index of the first such byte in `range`, which lies within the bytes; its end where there is none.
  package func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let end = range.upperBound
    var index = range.lowerBound
    // Four words at a time while none has it: one branch for 32 bytes.
    while index &+ 32 <= end {
      // SAFETY: index + 32 <= end <= count.
      let first = ByteSearch.mask(of: byte, in: unsafe word(at: index))
      let second = ByteSearch.mask(of: byte, in: unsafe word(at: index &+ 8))
      let third = ByteSearch.mask(of: byte, in: unsafe word(at: index &+ 16))
      let fourth = ByteSearch.mask(of: byte, in: unsafe word(at: index &+ 24))
      guard first | second | third | fourth == 0 else { break }
      index &+= 32
    }
    while index &+ 8 <= end {
      // SAFETY: index + 8 <= end <= count.
      let mask = ByteSearch.mask(of: byte, in: unsafe word(at: index))
      if mask != 0 { return index &+ ByteSearch.offset(ofFirst: mask) }
      index &+= 8
    }
    while index < end, self[index] != byte { index &+= 1 }
    return index
  }
}
