import Testing

@testable import GatewayDomain

private func task(_ bytes: [UInt8]) -> TaskIdentifier? { TaskIdentifier(validating: bytes.span) }

@Suite("Contract §1 names of tasks")
struct TaskIdentifierTests {
  @Test func `each byte is allowed or not, as bytes and as text`() {
    let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-".utf8)
    for byte in UInt8.min...UInt8.max {
      let isAllowed = allowed.contains(byte)
      #expect((task([0x61, byte]) != nil) == isAllowed, "\(byte)")
      guard byte < 0x80 else { continue }
      #expect((TaskIdentifier(validating: "a\(Unicode.Scalar(byte))") != nil) == isAllowed, "\(byte)")
    }
    #expect(TaskIdentifier(validating: "é") == nil && TaskIdentifier(validating: "中") == nil)
  }

  @Test func `1 to 128 bytes`() {
    for count in [0, 1, 15, 16, 127, 128, 129] {
      let bytes = [UInt8](repeating: UInt8(ascii: "t"), count: count)
      let text = String(decoding: bytes, as: UTF8.self)
      let isAllowed = (1...128).contains(count)
      #expect((task(bytes) != nil) == isAllowed)
      #expect(TaskIdentifier(validating: text)?.text == (isAllowed ? text : nil))
      #expect(task(bytes) == TaskIdentifier(validating: text))
    }
  }

  /// Homes are found by it: another value would send a task elsewhere.
  @Test func `the hash of a topic stays what it is`() {
    #expect(TopicHash.of("") == 0x8570_e250_fe4c_2473)
    #expect(TopicHash.of("t") == 0x635f_0858_8d9e_5c47)
    #expect(TopicHash.of("bench-12") == 0x6a48_a0ba_59fa_53e6)
    #expect(TopicHash.of("a-name-of-more-than-fifteen-bytes") == 0xc561_d79f_c03f_4cb1)
    #expect(TopicHash.of("用户") == 0xe09f_a01f_187c_4f6d)
  }
}
