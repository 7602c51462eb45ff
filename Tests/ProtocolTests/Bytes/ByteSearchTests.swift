import Testing

@testable import Protocol

@Suite("Bytes searched a word at a time")
struct ByteSearchTests {
  /// Replay: run again, the seed is the argument.
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `the first byte is found wherever it stands`(_ seed: UInt64) {
    var random = SplitMix(state: seed)
    for _ in 0..<20_000 {
      let count = Int(random.next() % 90)
      // Neighbours of the byte looked for are frequent: they are what a borrow could be mistaken about.
      let bytes = (0..<count).map { _ in
        [0x0A, 0x09, 0x0B, 0x00, 0x8A, 0xFF, 0x61, 0x61][Int(random.next() % 8)] as UInt8
      }
      let lower = Int(random.next() % UInt64(count + 1))
      let upper = lower + Int(random.next() % UInt64(count - lower + 1))
      let expected = bytes[lower..<upper].firstIndex(of: 0x0A) ?? upper
      #expect(bytes.span.firstIndex(of: 0x0A, in: lower..<upper) == expected, "\(bytes) \(lower)..<\(upper)")
    }
  }

  @Test func `strings are decoded where they are UTF-8 and nowhere else`() {
    let cases: [([UInt8], String?)] = [
      ([], ""), (Array("abc".utf8), "abc"), (Array("a longer text, 中文 😀".utf8), "a longer text, 中文 😀"),
      ([0xC3], nil), ([0x61, 0xFF], nil), ([0xED, 0xA0, 0x80], nil), ([0x65, 0xCC, 0x81], "e\u{301}"),
    ]
    for (bytes, expected) in cases {
      let decoded = String(validating: bytes.span)
      #expect(decoded.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
    }
  }
}
