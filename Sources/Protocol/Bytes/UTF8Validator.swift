/// Checks UTF-8 as it arrives (RFC 3629 §4, the well-formed byte sequences of Unicode table 3-7).
///
/// Fails fast: `feed` says false with the first byte after which no continuation could be valid, such
/// as the second byte of an encoded surrogate.
package struct UTF8Validator: Sendable {
  /// Continuation bytes still missing from the open sequence: 0 … 3.
  private var missingByteCount: UInt8 = 0
  /// What the next byte must lie within; narrower than 80…BF only for the second byte after E0, ED, F0, F4.
  private var lowerBound: UInt8 = 0x80
  private var upperBound: UInt8 = 0xbf

  package init() {}

  /// Whether the bytes so far end on a character's border.
  package var isComplete: Bool { missingByteCount == 0 }

  /// Continues with `bytes`; false when they cannot belong to valid UTF-8, after which the validator is spent.
  package mutating func feed(_ bytes: Span<UInt8>) -> Bool {
    // SAFETY: `check` reads only at offsets below the buffer's count, and keeps no pointer.
    unsafe bytes.withUnsafeBytes { unsafe check($0) }
  }

  private mutating func check(_ buffer: UnsafeRawBufferPointer) -> Bool {
    guard let start = buffer.baseAddress else { return true }
    let count = buffer.count
    var offset = 0
    while true {
      while missingByteCount > 0 {
        guard offset < count else { return true }
        // SAFETY: offset < count, checked above.
        guard accept(continuation: unsafe start.load(fromByteOffset: offset, as: UInt8.self)) else { return false }
        offset &+= 1
      }
      // SAFETY: both helpers read only where offset + 8 (or 3) <= count, and return an offset <= count.
      unsafe offset = Self.skipASCII(start, from: offset, count: count)
      unsafe offset = Self.skipCommonThreeByteSequences(start, from: offset, count: count)
      guard offset < count else { return true }
      // SAFETY: offset < count, checked above.
      let byte = unsafe start.load(fromByteOffset: offset, as: UInt8.self)
      offset &+= 1
      if byte < 0x80 { continue }
      guard begin(lead: byte) else { return false }
    }
  }

  @inline(__always)
  private mutating func accept(continuation byte: UInt8) -> Bool {
    guard byte >= lowerBound && byte <= upperBound else { return false }
    missingByteCount &-= 1
    lowerBound = 0x80
    upperBound = 0xbf
    return true
  }

  @inline(__always)
  private mutating func begin(lead byte: UInt8) -> Bool {
    switch byte {
    case 0xc2...0xdf:
      missingByteCount = 1
    case 0xe0...0xef:
      missingByteCount = 2
      if byte == 0xe0 { lowerBound = 0xa0 }  // shorter forms exist
      if byte == 0xed { upperBound = 0x9f }  // surrogates
    case 0xf0...0xf4:
      missingByteCount = 3
      if byte == 0xf0 { lowerBound = 0x90 }  // shorter forms exist
      if byte == 0xf4 { upperBound = 0x8f }  // beyond U+10FFFF
    default:
      return false
    }
    return true
  }

  /// Past the ASCII bytes, eight at a time; stops in front of a word that has another.
  @inline(__always)
  private static func skipASCII(_ start: UnsafeRawPointer, from first: Int, count: Int) -> Int {
    var offset = first
    while offset &+ 8 <= count {
      // SAFETY: offset + 8 <= count.
      let word = unsafe start.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
      let highBits = word & 0x8080_8080_8080_8080
      guard highBits == 0 else { return offset &+ highBits.trailingZeroBitCount / 8 }
      offset &+= 8
    }
    return offset
  }

  /// Past whole sequences of the leads E1…EC, EE, EF, whose continuation bytes have no narrower bounds:
  /// the bulk of Chinese, Japanese and Korean text.
  @inline(__always)
  private static func skipCommonThreeByteSequences(_ start: UnsafeRawPointer, from first: Int, count: Int) -> Int {
    var offset = first
    while offset &+ 3 <= count {
      // SAFETY: offset + 3 <= count.
      let lead = unsafe start.load(fromByteOffset: offset, as: UInt8.self)
      guard lead > 0xe0 && lead < 0xf0 && lead != 0xed else { return offset }
      let second = unsafe start.load(fromByteOffset: offset &+ 1, as: UInt8.self)
      let third = unsafe start.load(fromByteOffset: offset &+ 2, as: UInt8.self)
      guard second & 0xc0 == 0x80 && third & 0xc0 == 0x80 else { return offset }
      offset &+= 3
    }
    return offset
  }
}
