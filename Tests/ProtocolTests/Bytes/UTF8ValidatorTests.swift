import Protocol
import Testing

@Suite("RFC 3629 §4 UTF-8 as it arrives")
struct UTF8ValidatorTests {
  enum Verdict: Equatable {
    case valid
    case incomplete
    /// The index of the byte that cannot be.
    case invalid(at: Int)
  }

  static func verdict(_ bytes: [UInt8]) -> Verdict {
    var validator = UTF8Validator()
    for index in bytes.indices {
      guard validator.feed([bytes[index]].span) else { return .invalid(at: index) }
    }
    return validator.isComplete ? .valid : .incomplete
  }

  static func isValid(_ pieces: [[UInt8]]) -> Bool {
    var validator = UTF8Validator()
    for piece in pieces where !validator.feed(piece.span) { return false }
    return validator.isComplete
  }

  @Test(
    arguments: [
      ([0xc0], 0), ([0xc1], 0), ([0xf5], 0), ([0xff], 0), ([0x80], 0), ([0xbf], 0),
      ([0xe0, 0x9f], 1), ([0xed, 0xa0], 1), ([0xf0, 0x8f], 1), ([0xf4, 0x90], 1),
      ([0xe1, 0x7f], 1), ([0xe1, 0xc0], 1), ([0xf1, 0x80, 0x7f], 2), ([0xf1, 0x80, 0x80, 0xc0], 3), ([0xc2, 0xc2], 1),
    ] as [([UInt8], Int)])
  func `it fails with the first byte that cannot be`(bytes: [UInt8], index: Int) {
    #expect(Self.verdict(bytes) == .invalid(at: index))
    #expect(Self.verdict(Array("任务".utf8) + bytes) == .invalid(at: 6 + index))
  }

  @Test(
    arguments: [[0xe0, 0xa0], [0xed, 0x9f], [0xf0, 0x90], [0xf4, 0x8f], [0xc2], [0xf1, 0x80, 0x80]] as [[UInt8]])
  func `an open sequence is incomplete`(bytes: [UInt8]) {
    #expect(Self.verdict(bytes) == .incomplete)
    #expect(Self.verdict(bytes + [0x80]) != .invalid(at: bytes.count))
  }

  @Test func `every scalar is valid`() {
    for value in UInt32(0)...0x10ffff {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let encoded = Array(String(Character(scalar)).utf8)
      if !Self.isValid([encoded]) { Issue.record("U+\(String(value, radix: 16)) is refused") }
    }
  }

  @Test func `every pair and every triple of border bytes is as in Swift's decoder`() {
    let borders: [UInt8] = [
      0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
      0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    ]
    for first in borders {
      for second in borders {
        for third in borders {
          for fourth in borders {
            let bytes = [first, second, third, fourth]
            let expected = String(validating: bytes, as: UTF8.self) != nil
            if Self.isValid([bytes]) != expected { Issue.record("\(bytes)") }
            if Self.isValid([[0x61], bytes, []]) != expected { Issue.record("\(bytes) after another piece") }
          }
        }
      }
    }
  }

  /// Replay one seed by making it the only argument.
  @Test(arguments: 1...50 as ClosedRange<UInt64>)
  func `random texts with and without an error are as in Swift's decoder`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let alphabet = Array("aZ09 {}\"µßκόσ任务完成進度推送🂡👩‍🚀\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}".unicodeScalars)
    for _ in 0..<40 {
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...40, using: &generator) {
        let isPlain = Int.random(in: 0..<3, using: &generator) == 0
        text.append(isPlain ? "x" : alphabet.randomElement(using: &generator) ?? "x")
      }
      var bytes = Array(String(text).utf8)
      if !bytes.isEmpty, Bool.random(using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      let expected = String(validating: bytes, as: UTF8.self) != nil
      #expect(Self.isValid([bytes]) == expected)
      #expect((Self.verdict(bytes) == .valid) == expected)
      for split in 0...bytes.count {
        #expect(Self.isValid([Array(bytes[..<split]), Array(bytes[split...])]) == expected, "split at \(split)")
      }
    }
  }
}
