import Testing

@testable import Protocol

@Suite("Bytes: strings")
struct StringDecodingTests {
  /// Texts whose lengths lie around the 15 bytes that a string holds in itself.
  private static let texts: [String] = {
    var texts: [String] = []
    for count in 0...40 {
      let ascii = String(repeating: "a", count: count)
      texts.append(ascii)
      for letter in ["é", "€", "😀"] where letter.utf8.count <= count {
        texts.append(ascii.dropLast(letter.utf8.count) + letter)
      }
    }
    return texts
  }()

  @Test func `a string is its bytes, whatever its length`() {
    for text in Self.texts {
      let bytes = Array(text.utf8)
      let validated = String(validating: bytes.span)
      let decoded = String(decoding: bytes.span)
      #expect(validated == text)
      #expect(Array(decoded.utf8) == bytes)
    }
  }

  @Test func `what is cut within a character is no string`() {
    for text in Self.texts where text.utf8.count != text.unicodeScalars.count {
      let cut = Array(text.utf8.dropLast())
      let validated = String(validating: cut.span)
      #expect(validated == nil)
    }
  }

  private func isPlain(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    HTTPGrammar.isASCII(bytes.span, range, without: UInt8(ascii: "#"))
  }

  @Test func `a byte that may not be there is found at every place`() {
    for count in 0..<40 {
      let plain = [UInt8](repeating: UInt8(ascii: "a"), count: count)
      for start in 0...min(count, 9) {
        #expect(isPlain(plain, start..<count))
        for place in start..<count {
          for byte in [UInt8(ascii: "#"), 0x7F, 0x80, 0xFF] {
            var spoilt = plain
            spoilt[place] = byte
            #expect(!isPlain(spoilt, start..<count))
            // Outside of the range it does not matter.
            #expect(isPlain(spoilt, start..<place))
          }
          for byte in [UInt8(ascii: "\""), UInt8(ascii: "$"), 0x7E, 0x00] {
            var other = plain
            other[place] = byte
            #expect(isPlain(other, start..<count))
          }
        }
      }
    }
  }
}
