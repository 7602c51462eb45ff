import Protocol
import Testing

@Suite("RFC 6455 §5.1 masking is required of clients")
struct ClientMaskingTests {
  @Test func `an unmasked frame is a protocol error`() {
    #expect(observe([0x81, 0x05] + Array("Hello".utf8)) == [.violation(1002)])
  }

  @Test func `it is seen with the header's second byte`() {
    var conversation = Conversation()
    conversation.receive([0x81])
    #expect(conversation.observations == [])
    conversation.receive([0x05])
    #expect(conversation.observations == [.violation(1002)])
  }

  @Test func `a masked frame is unmasked`() {
    // RFC 6455 §5.7: a single-frame masked text message.
    let bytes: [UInt8] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
    #expect(observe(bytes) == [.text("Hello")])
  }
}

@Suite("RFC 6455 §5.2 frame headers")
struct FrameHeaderTests {
  @Test(arguments: [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] as [UInt8])
  func `a reserved opcode is a protocol error`(opcode: UInt8) {
    #expect(observe(frame(opcode, "x")) == [.violation(1002)])
  }

  @Test(arguments: 1...7 as ClosedRange<UInt8>)
  func `reserved bits are a protocol error without an extension`(bits: UInt8) {
    for opcode in [0x1, 0x2, 0x8, 0x9, 0xa] as [UInt8] {
      #expect(observe(frame(opcode, "", reserved: bits)) == [.violation(1002)])
    }
  }

  @Test(arguments: [0xb1, 0x83, 0x09, 0x80] as [UInt8])
  func `what the first byte shows is a violation before the second comes`(first: UInt8) {
    var conversation = Conversation()
    conversation.receive([first])
    #expect(conversation.observations == [.violation(1002)])
  }

  @Test(arguments: [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537])
  func `every length form is read`(byteCount: Int) {
    let payload = [UInt8](repeating: 0xfe, count: byteCount)
    #expect(observe(frame(2, payload), messageByteCountMax: 70_000) == [.binary(payload)])
  }

  @Test(
    arguments: [
      [0x82, 0xfe, 0, 0], [0x82, 0xfe, 0, 125],
      [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1], [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
    ] as [[UInt8]])
  func `a length not in its shortest form is a protocol error`(header: [UInt8]) {
    #expect(observe(header + [1, 2, 3, 4]) == [.violation(1002)])
  }

  @Test(
    arguments: [
      [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] as [[UInt8]])
  func `the top bit of a length is a protocol error`(header: [UInt8]) {
    #expect(observe(header + [1, 2, 3, 4]) == [.violation(1002)])
  }

  @Test func `the largest length that may be written is merely too big`() {
    let header: [UInt8] = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
    #expect(observe(header + [1, 2, 3, 4]) == [.violation(1009)])
  }

  @Test func `what precedes a violation is delivered, what follows is not`() {
    let bytes = frame(1, "before") + frame(3, "") + frame(1, "after")
    #expect(observe(bytes) == [.text("before"), .violation(1002)])
  }
}

@Suite("RFC 6455 §5.4 fragmentation")
struct FragmentationTests {
  @Test func `fragments make one message`() {
    let bytes = frame(1, "Hel", final: false) + frame(0, "", final: false) + frame(0, "lo")
    #expect(observe(bytes) == [.text("Hello")])
  }

  @Test func `empty fragments make an empty message`() {
    #expect(observe(frame(2, "", final: false) + frame(0, "")) == [.binary([])])
  }

  @Test func `messages follow one another`() {
    let bytes =
      frame(1, "a", final: false) + frame(0, "b") + frame(2, [1, 2]) + frame(2, [3], final: false) + frame(0, [4])
    #expect(observe(bytes) == [.text("ab"), .binary([1, 2]), .binary([3, 4])])
  }

  @Test func `control frames between fragments are told at once`() {
    let bytes =
      frame(1, "a", final: false) + frame(9, "1") + frame(0, "b", final: false) + frame(10, "2") + frame(9, "")
      + frame(0, "c")
    #expect(observe(bytes) == [.ping([49]), .pong([50]), .ping([]), .text("abc")])
  }

  @Test func `a continuation of nothing is a protocol error`() {
    #expect(observe(frame(0, "x")) == [.violation(1002)])
    #expect(observe(frame(0, "x", final: false)) == [.violation(1002)])
    #expect(observe(frame(1, "a") + frame(0, "x")) == [.text("a"), .violation(1002)])
  }

  @Test(arguments: [1, 2] as [UInt8])
  func `a message within a message is a protocol error`(opcode: UInt8) {
    #expect(observe(frame(1, "a", final: false) + frame(opcode, "b")) == [.violation(1002)])
  }

  @Test func `a close ends an incomplete message`() {
    let bytes = frame(1, "a", final: false) + closeFrame(1000) + frame(0, "b")
    #expect(observe(bytes) == [.close(1000, [])])
  }
}

@Suite("RFC 6455 §5.5 control frames")
struct ControlFrameTests {
  @Test(arguments: [8, 9, 10] as [UInt8])
  func `a fragmented control frame is a protocol error`(opcode: UInt8) {
    #expect(observe(frame(opcode, "x", final: false)) == [.violation(1002)])
  }

  @Test func `125 bytes are the most a ping carries`() {
    let payload = [UInt8](repeating: 7, count: 125)
    #expect(observe(frame(9, payload)) == [.ping(payload)])
    #expect(observe(frame(10, payload)) == [.pong(payload)])
  }

  @Test(arguments: [8, 9, 10] as [UInt8])
  func `126 bytes are a protocol error`(opcode: UInt8) {
    #expect(observe(frame(opcode, [UInt8](repeating: 7, count: 126))) == [.violation(1002)])
  }

  @Test func `pings need not be UTF-8`() {
    #expect(observe(frame(9, [0x00, 0xff, 0xfe])) == [.ping([0x00, 0xff, 0xfe])])
  }

  @Test func `ten pings are ten events`() {
    let bytes = (0..<10).flatMap { frame(9, [UInt8($0)]) }
    #expect(observe(bytes) == (0..<10).map { .ping([UInt8($0)]) })
  }
}

@Suite("RFC 6455 §5.5.1 and §7.4 close frames")
struct CloseFrameTests {
  @Test func `an empty body has no code`() {
    #expect(observe(frame(8, "")) == [.close(nil, [])])
  }

  @Test func `a body of one byte is a protocol error`() {
    #expect(observe(frame(8, [3])) == [.violation(1002)])
  }

  @Test(
    arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
      as [UInt16])
  func `a valid code is told`(code: UInt16) {
    #expect(observe(closeFrame(code, Array("why".utf8))) == [.close(code, Array("why".utf8))])
  }

  @Test(arguments: [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] as [UInt16])
  func `an invalid code is a protocol error`(code: UInt16) {
    #expect(observe(closeFrame(code)) == [.violation(1002)])
  }

  @Test func `the reason may have 123 bytes and not 124`() {
    let reason = [UInt8](repeating: 0x2a, count: 123)
    #expect(observe(closeFrame(1000, reason)) == [.close(1000, reason)])
    #expect(observe(closeFrame(1000, reason + [0x2a])) == [.violation(1002)])
  }

  @Test(arguments: [[0xff], [0xce, 0xba, 0xed, 0xa0, 0x80], [0xe4, 0xb8]] as [[UInt8]])
  func `a reason that is not UTF-8 is invalid payload`(reason: [UInt8]) {
    #expect(observe(closeFrame(1000, reason)) == [.violation(1007)])
  }

  @Test func `nothing after a close is looked at`() {
    let bytes = closeFrame(1000) + frame(9, "x") + frame(3, "x") + closeFrame(1001) + [0xff, 0xff]
    #expect(observe(bytes) == [.close(1000, [])])
  }
}

@Suite("RFC 6455 §5.6 and §8.1 texts are UTF-8")
struct TextValidityTests {
  @Test func `a text of many scripts is delivered`() {
    let text = "Hello-µ@ßöäüàá-UTF-8!! κόσμε 任务完成 🂡\u{0}\u{10ffff}"
    #expect(observe(frame(1, text)) == [.text(text)])
  }

  @Test func `characters may be split over fragments anywhere`() {
    let bytes = Array("κ任🂡".utf8)
    for split in 0...bytes.count {
      let input = frame(1, Array(bytes[..<split]), final: false) + frame(0, Array(bytes[split...]))
      #expect(observe(input) == [.text(bytes)])
    }
  }

  @Test(
    arguments: [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xfe], [0xce]] as [[UInt8]])
  func `an invalid text is 1007`(bytes: [UInt8]) {
    #expect(observe(frame(1, Array("abcdefgh".utf8) + bytes)) == [.violation(1007)])
    #expect(observe(frame(1, "abc", final: false) + frame(0, bytes)) == [.violation(1007)])
  }

  @Test func `an invalid byte ends it within a frame that is still arriving`() {
    let valid = Array("κόσμε".utf8)
    let bytes = frame(1, valid + [0xf4, 0x90, 0x80, 0x80] + Array("edited".utf8))
    let headerByteCount = 6
    var conversation = Conversation()
    conversation.receive(Array(bytes[..<(headerByteCount + valid.count + 1)]))
    #expect(conversation.observations == [])
    conversation.receive([bytes[headerByteCount + valid.count + 1]])
    #expect(conversation.observations == [.violation(1007)])
  }

  @Test func `an invalid fragment ends it before the next one comes`() {
    var conversation = Conversation()
    conversation.receive(frame(1, [0xce, 0xba], final: false) + frame(0, [0xf4, 0x90], final: false))
    #expect(conversation.observations == [.violation(1007)])
  }

  @Test func `a binary message may hold anything`() {
    #expect(observe(frame(2, [0xff, 0xc0, 0x80])) == [.binary([0xff, 0xc0, 0x80])])
  }

  @Test func `a character open at the end of one text does not spoil the next session's`() {
    #expect(observe(frame(1, [0xe4, 0xb8]) + frame(1, "x")) == [.violation(1007)])
    #expect(observe(frame(1, [0xe4, 0xb8, 0xad]) + frame(1, "x")) == [.text("中"), .text("x")])
  }
}

@Suite("RFC 6455 §10.4 the bound on a message")
struct MessageBoundTests {
  @Test func `a plain message at the bound passes and one byte more is 1009`() {
    let payload = [UInt8](repeating: 1, count: 300)
    #expect(observe(frame(2, payload), messageByteCountMax: 300) == [.binary(payload)])
    #expect(observe(frame(2, payload + [1]), messageByteCountMax: 300) == [.violation(1009)])
  }

  @Test func `a fragmented message at the bound passes and one byte more is 1009`() {
    let payload = [UInt8](repeating: 1, count: 100)
    let first = frame(2, payload, final: false) + frame(0, payload, final: false)
    #expect(observe(first + frame(0, payload), messageByteCountMax: 300) == [.binary(payload + payload + payload)])
    #expect(observe(first + frame(0, payload + [1]), messageByteCountMax: 300) == [.violation(1009)])
  }

  @Test func `the claim suffices, no payload need come`() {
    var conversation = Conversation(messageByteCountMax: 300)
    conversation.receive([0x82, 0xfe, 0x01, 0x2d, 1, 2, 3, 4])
    #expect(conversation.observations == [.violation(1009)])
  }

  @Test func `a bound of nothing lets empty messages through`() {
    #expect(observe(frame(1, "") + frame(1, "x"), messageByteCountMax: 0) == [.text(""), .violation(1009)])
  }

  @Test func `64 MiB in pieces of 64 KiB`() {
    let byteCount = 64 << 20
    let header: [UInt8] = [0x82, 0xff, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0]
    var session = WebSocketSession(messageByteCountMax: byteCount, deflate: nil)
    var inflaters = InflaterPool()
    var received: Int?
    func feed(_ input: [UInt8], _ session: inout WebSocketSession) {
      var bytes = input
      var position = 0
      while true {
        var span = bytes.mutableSpan
        switch session.next(&span, position: &position, inflaters: &inflaters) {
        case .needMoreBytes: return
        case .message(.binary, .owned(let payload)):
          #expect(payload.capacity < byteCount + 65_536, "growth stays within the bound")
          received = payload.count
        case let other:
          Issue.record("unexpected \(other)")
          return
        }
      }
    }
    feed(header, &session)
    let piece = [UInt8](repeating: 5, count: 65_536)
    for _ in 0..<(byteCount / piece.count) { feed(piece, &session) }
    #expect(received == byteCount)
  }
}

@Suite("RFC 6455 §5.7 what is delivered in place")
struct InPlaceTests {
  @Test func `whole frames are, and cut ones are not`() {
    let bytes = frame(1, "one") + frame(2, [2]) + frame(9, "p") + frame(1, "three")
    var whole = Conversation()
    whole.receive(bytes)
    #expect(whole.inPlaceCount == 3)

    var cut = Conversation()
    cut.receive(Array(bytes.dropLast(2)))
    cut.receive(Array(bytes.suffix(2)))
    #expect(cut.observations == whole.observations)
    #expect(cut.inPlaceCount == 2)
  }

  @Test func `a frame whose header came earlier is`() {
    let bytes = frame(1, "payload")
    var conversation = Conversation()
    conversation.receive(Array(bytes[..<6]))
    conversation.receive(Array(bytes[6...]))
    #expect(conversation.observations == [.text("payload")])
    #expect(conversation.inPlaceCount == 1)
  }

  @Test func `a session is small`() {
    #expect(MemoryLayout<WebSocketSession>.size <= 64)
  }
}

@Suite("RFC 7692 §6 and §7.2 compressed messages")
struct CompressedMessageTests {
  static let text = String(repeating: "{\"type\":\"progress\",\"任务\":1}", count: 40)

  @Test func `the RFC's compressed Hello`() {
    let hello: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
    #expect(observe(frame(1, hello, reserved: 4), deflate: .forTests) == [.text("Hello")])
    let fragments = frame(1, Array(hello[..<3]), final: false, reserved: 4) + frame(0, Array(hello[3...]))
    #expect(observe(fragments, deflate: .forTests) == [.text("Hello")])
  }

  @Test func `a ping between compressed fragments is told at once`() throws {
    let bytes = try compressed(Array(Self.text.utf8))
    let input =
      frame(1, Array(bytes[..<5]), final: false, reserved: 4) + frame(9, "p") + frame(0, Array(bytes[5...]))
    #expect(observe(input, deflate: .forTests) == [.ping([112]), .text(Self.text)])
  }

  @Test func `plain and compressed messages mix`() throws {
    let bytes = try compressed(Array(Self.text.utf8))
    let input =
      frame(1, "plain") + frame(1, bytes, reserved: 4) + frame(1, "pl", final: false) + frame(0, "ain")
      + frame(2, bytes, reserved: 4)
    let expected: [Observation] = [
      .text("plain"), .text(Self.text), .text("plain"), .binary(Array(Self.text.utf8)),
    ]
    #expect(observe(input, deflate: .forTests) == expected)
  }

  @Test func `RSV1 in a continuation or in a control frame is a protocol error`() {
    let first = frame(1, [0xf2, 0x48, 0xcd], final: false, reserved: 4)
    #expect(observe(first + frame(0, [0xc9], reserved: 4), deflate: .forTests) == [.violation(1002)])
    for opcode in [8, 9, 10] as [UInt8] {
      #expect(observe(frame(opcode, "", reserved: 4), deflate: .forTests) == [.violation(1002)])
    }
  }

  @Test(arguments: [1, 2, 3, 5, 6, 7] as [UInt8])
  func `RSV2 and RSV3 stay protocol errors`(bits: UInt8) {
    #expect(observe(frame(1, [0x00], reserved: bits), deflate: .forTests) == [.violation(1002)])
  }

  @Test(arguments: [[0xff, 0xff], [0x06, 0x00], [0xf2, 0x48, 0xcd], [0x01, 0x05, 0x00, 0xfa]] as [[UInt8]])
  func `corrupt or cut data is 1007`(bytes: [UInt8]) {
    #expect(observe(frame(2, bytes, reserved: 4), deflate: .forTests) == [.violation(1007)])
  }

  @Test func `a compressed text that is not UTF-8 is 1007`() throws {
    let bytes = try compressed([UInt8](repeating: 0xff, count: 200))
    #expect(observe(frame(1, bytes, reserved: 4), deflate: .forTests) == [.violation(1007)])
    let cut = try compressed([UInt8](repeating: 0x61, count: 200) + [0xe4, 0xb8])
    #expect(observe(frame(1, cut, reserved: 4), deflate: .forTests) == [.violation(1007)])
  }

  @Test func `an inflated message at the bound passes and one byte more is 1009`() throws {
    let payload = [UInt8](repeating: 1, count: 20_000)
    let atBound = frame(2, try compressed(payload), reserved: 4)
    #expect(observe(atBound, messageByteCountMax: 20_000, deflate: .forTests) == [.binary(payload)])
    #expect(observe(atBound, messageByteCountMax: 19_999, deflate: .forTests) == [.violation(1009)])
  }

  @Test func `a message at the bound may be longer compressed`() {
    var generator = SeededGenerator(seed: 3)
    let payload = generator.bytes(1_000)
    // One stored block and the header bits of the empty one (RFC 1951 §3.2.4).
    let stored = [0x00, 0xe8, 0x03, 0x17, 0xfc] + payload + [0x00]
    let bytes = frame(2, stored, reserved: 4)
    #expect(observe(bytes, messageByteCountMax: 1_000, deflate: .forTests) == [.binary(payload)])
  }

  @Test func `compressed bytes are bounded before they are inflated`() {
    // Empty stored blocks inflate to nothing, however many there are.
    let block: [UInt8] = [0x00, 0x00, 0x00, 0xff, 0xff]
    let payload = (0..<100).flatMap { _ in block }
    let bytes = frame(2, payload, final: false, reserved: 4) + frame(0, payload)
    #expect(observe(bytes, messageByteCountMax: 100, deflate: .forTests) == [.violation(1009)])
  }

  @Test func `a session reads on after a compressed message`() throws {
    let bytes = try compressed(Array(Self.text.utf8))
    let input = (0..<3).flatMap { _ in frame(1, bytes, reserved: 4) }
    #expect(observe(input, deflate: .forTests) == [.text(Self.text), .text(Self.text), .text(Self.text)])
  }
}

@Suite("Random frames")
struct RandomFrameTests {
  /// Replay one seed by making it the only argument.
  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func `random bytes never trap and read the same in any pieces`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...12, using: &generator) {
      let opcodes: [UInt8] = [0, 0, 0, 1, 1, 2, 2, 8, 9, 9, 10, 3]
      let byteCount = Int.random(in: 0...40, using: &generator)
      let payload =
        Bool.random(using: &generator)
        ? generator.bytes(byteCount) : (0..<byteCount).map { UInt8(ascii: "a") + UInt8($0 % 26) }
      bytes += frame(
        opcodes.randomElement(using: &generator) ?? 1, payload, final: Bool.random(using: &generator),
        reserved: Int.random(in: 0..<5, using: &generator) == 0 ? 4 : 0, key: generator.bytes(4))
    }
    if seed % 4 == 0 { bytes += generator.bytes(60) }
    _ = observe(bytes, messageByteCountMax: 100, deflate: seed % 2 == 0 ? .forTests : nil)
  }

  @Test func `noise never traps`() {
    for seed in 1...2_000 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      var conversation = Conversation(messageByteCountMax: 1_000, deflate: .forTests)
      for _ in 0..<4 {
        var bytes = generator.bytes(Int.random(in: 0...80, using: &generator))
        if !bytes.isEmpty { bytes[0] = [0x81, 0xc1, 0x02, 0x89, 0x00].randomElement(using: &generator) ?? 0x81 }
        conversation.receive(bytes)
      }
    }
  }
}
