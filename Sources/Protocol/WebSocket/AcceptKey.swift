/// `Sec-WebSocket-Accept`: the base64 of the SHA-1 of the key and the protocol's GUID (RFC 6455 §4.2.2).
///
/// SHA-1 is no protection here but shows that the server has read the key, and the input always has 60 bytes: so these
/// lines compute it, which allocate nothing and cannot fail.
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
    var state = State()
    unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { words in
      // The first block: the key, the GUID, the bit that ends the message. The second: its length in bits.
      // SAFETY: 24 and 36 bytes are words 0 ..< 15 of 80; each load is within the key's or the GUID's bytes.
      for index in 0..<6 {
        let word = unsafe key.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index * 4, as: UInt32.self)
        unsafe words[index] = word.bigEndian
      }
      let guidBytes = unsafe UnsafeRawPointer(guid.utf8Start)
      for index in 0..<9 {
        unsafe words[6 + index] = guidBytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self).bigEndian
      }
      unsafe words[15] = 0x8000_0000
      unsafe state.add(words)
      for index in 0..<15 { unsafe words[index] = 0 }
      unsafe words[15] = 60 * 8
      unsafe state.add(words)
    }
    return base64(of: state)
  }

  private static func base64(of state: State) -> InlineArray<28, UInt8> {
    var text = InlineArray<28, UInt8>(repeating: UInt8(ascii: "="))
    // Five words are 160 bits: 26 characters of six, and one of the last four with two zero bits.
    var bits: UInt64 = 0
    var bitCount: UInt64 = 0
    var place = 0
    for index in 0..<5 {
      bits = bits &<< 32 | UInt64(state.word(index))
      bitCount &+= 32
      while bitCount >= 6 {
        bitCount &-= 6
        text[place] = character(bits &>> bitCount)
        place &+= 1
      }
    }
    text[place] = character(bits &<< (6 &- bitCount))
    return text
  }

  @inline(__always)
  private static func character(_ bits: UInt64) -> UInt8 {
    // SAFETY: six bits are below the 64 characters.
    unsafe alphabet.utf8Start[Int(bits & 63)]
  }

  /// SHA-1's chaining value (FIPS 180-4 §5.3.1, §6.1.2).
  private struct State {
    private var a: UInt32 = 0x6745_2301
    private var b: UInt32 = 0xefcd_ab89
    private var c: UInt32 = 0x98ba_dcfe
    private var d: UInt32 = 0x1032_5476
    private var e: UInt32 = 0xc3d2_e1f0

    func word(_ index: Int) -> UInt32 {
      switch index {
      case 0: a
      case 1: b
      case 2: c
      case 3: d
      default: e
      }
    }

    /// Takes in a block of 16 words; the other 64 are room for its schedule.
    mutating func add(_ words: UnsafeMutableBufferPointer<UInt32>) {
      guard words.count == 80, let word = words.baseAddress else { return }
      // SAFETY: every index below is in 0 ..< 80.
      for index in 16..<80 {
        let mixed =
          unsafe word[index &- 3] ^ word[index &- 8] ^ word[index &- 14] ^ word[index &- 16]
        unsafe word[index] = rotated(mixed, 1)
      }
      var next = self
      // Five rounds turn the names once round, so that nothing is moved.
      for index in stride(from: 0, to: 20, by: 5) {
        unsafe next.fiveRounds(word + index, 0x5a82_7999) { b, c, d in d ^ (b & (c ^ d)) }
      }
      for index in stride(from: 20, to: 40, by: 5) {
        unsafe next.fiveRounds(word + index, 0x6ed9_eba1) { b, c, d in b ^ c ^ d }
      }
      for index in stride(from: 40, to: 60, by: 5) {
        unsafe next.fiveRounds(word + index, 0x8f1b_bcdc) { b, c, d in (b & c) | (d & (b | c)) }
      }
      for index in stride(from: 60, to: 80, by: 5) {
        unsafe next.fiveRounds(word + index, 0xca62_c1d6) { b, c, d in b ^ c ^ d }
      }
      a &+= next.a
      b &+= next.b
      c &+= next.c
      d &+= next.d
      e &+= next.e
    }

    @inline(__always)
    private mutating func fiveRounds(
      _ words: UnsafeMutablePointer<UInt32>, _ constant: UInt32, _ mix: (UInt32, UInt32, UInt32) -> UInt32
    ) {
      // SAFETY: five words are there: the caller's index is at most 75 of 80.
      unsafe e = e &+ rotated(a, 5) &+ mix(b, c, d) &+ constant &+ words[0]
      b = rotated(b, 30)
      unsafe d = d &+ rotated(e, 5) &+ mix(a, b, c) &+ constant &+ words[1]
      a = rotated(a, 30)
      unsafe c = c &+ rotated(d, 5) &+ mix(e, a, b) &+ constant &+ words[2]
      e = rotated(e, 30)
      unsafe b = b &+ rotated(c, 5) &+ mix(d, e, a) &+ constant &+ words[3]
      d = rotated(d, 30)
      unsafe a = a &+ rotated(b, 5) &+ mix(c, d, e) &+ constant &+ words[4]
      c = rotated(c, 30)
    }

    @inline(__always)
    private func rotated(_ word: UInt32, _ bitCount: UInt32) -> UInt32 {
      word &<< bitCount | word &>> (32 &- bitCount)
    }
  }
}
