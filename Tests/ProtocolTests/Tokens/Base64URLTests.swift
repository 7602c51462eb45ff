import Testing

@testable import Protocol

@Suite("RFC 4648 §5 base64url")
struct Base64URLTests {
  @Test(
    arguments: [
      ("", []), ("Zg", [0x66]), ("Zm8", [0x66, 0x6F]), ("Zm9v", [0x66, 0x6F, 0x6F]), ("-_8", [0xFB, 0xFF]),
      ("AAAA", [0, 0, 0]), ("____", [0xFF, 0xFF, 0xFF]),
    ] as [(String, [UInt8])])
  func `known texts decode and encode`(_ text: String, _ bytes: [UInt8]) {
    #expect(Base64URL.decode(Array(text.utf8)) == bytes)
    #expect(Base64URL.encode(bytes) == Array(text.utf8))
  }

  @Test(arguments: ["Z", "Zg==", "Zm8=", "Zh", "Zm9", "+_8", "/_8", "Zm9v\n", " Zm9v", "Zm.v", "Zm9vZ", "é"])
  func `padding, stray bits and other letters are refused`(_ text: String) {
    #expect(Base64URL.decode(Array(text.utf8)) == nil)
  }

  @Test func `every byte sequence comes back`() {
    var random = SplitMix(state: 11)
    for count in 0..<300 {
      let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
    }
  }
}
