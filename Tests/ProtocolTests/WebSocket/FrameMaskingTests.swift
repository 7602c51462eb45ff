import Protocol
import Testing

@Suite("RFC 6455 §5.3 masking")
struct FrameMaskingTests {
  @Test func `every alignment and length is as byte by byte, and nothing else is touched`() {
    let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    let word: UInt32 = 0x7856_3412
    var generator = SeededGenerator(seed: 42)
    for start in 0..<17 {
      for byteCount in 0...140 {
        let original = generator.bytes(start + byteCount + 9)
        var expected = original
        for index in 0..<byteCount { expected[start + index] ^= key[index % 4] }
        var actual = original
        var span = actual.mutableSpan
        let isASCII = FrameMasking.apply(key: word, to: &span, in: start..<start + byteCount)
        #expect(actual == expected, "start \(start), \(byteCount) bytes")
        #expect(isASCII == expected[start..<start + byteCount].allSatisfy { $0 < 0x80 })
      }
    }
  }

  @Test func `one byte beyond ASCII is seen wherever it is`() {
    for byteCount in 1...127 {
      for place in 0..<byteCount {
        var bytes = (0..<byteCount).map { UInt8($0) ^ [0xff, 0, 0x80, 0x7f][$0 % 4] }
        bytes[place] ^= 0x80
        var span = bytes.mutableSpan
        #expect(!FrameMasking.apply(key: 0x7f80_00ff, to: &span, in: 0..<byteCount))
        #expect(bytes[place] == UInt8(place) | 0x80)
        var again = bytes.mutableSpan
        FrameMasking.apply(key: 0, to: &again, in: 0..<byteCount)
        bytes[place] &= 0x7f
        var ascii = bytes.mutableSpan
        #expect(FrameMasking.apply(key: 0, to: &ascii, in: 0..<byteCount))
      }
    }
  }

  @Test(arguments: 0...9)
  func `a key is turned by the bytes it has met`(byteCount: Int) {
    let key: [UInt8] = [1, 2, 3, 4]
    let turned = FrameMasking.rotated(0x0403_0201, by: byteCount)
    for index in 0..<4 {
      let byte = UInt8(truncatingIfNeeded: turned >> UInt32(8 * index))
      #expect(byte == key[(index + byteCount) % 4])
    }
  }

  @Test func `in two pieces with the turned key it is as in one`() {
    var generator = SeededGenerator(seed: 7)
    let original = generator.bytes(40)
    var whole = original
    var wholeSpan = whole.mutableSpan
    FrameMasking.apply(key: 0xdead_beef, to: &wholeSpan, in: 0..<40)
    for split in 0...40 {
      var pieces = original
      var span = pieces.mutableSpan
      FrameMasking.apply(key: 0xdead_beef, to: &span, in: 0..<split)
      FrameMasking.apply(key: FrameMasking.rotated(0xdead_beef, by: split), to: &span, in: split..<40)
      #expect(pieces == whole)
    }
  }
}
