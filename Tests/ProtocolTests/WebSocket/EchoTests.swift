import Protocol
import Testing

/// The short way for whole frames against the long way: whatever is echoed must be what `next` hands out where no frame is
/// ever whole, and what is left to `next` must be exactly the rest.
@Suite("Whole frames: the short way does what the long way does")
struct EchoTests {
  /// At the borders of the length forms and of the unmasking's steps.
  private static let byteCounts = [0, 1, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 125, 126, 127, 128, 200]
  private static let longByteCounts = [65_535, 65_536]

  private static func fed(
    _ pieces: [ArraySlice<UInt8>], messageByteCountMax: Int = 70_000, deflate: NegotiatedDeflate? = nil,
    echoRoomByteCount: Int? = 1 << 17, echoedPayloadByteCountMax: Int = .max
  ) -> (observations: [Observation], echoedCount: Int) {
    var conversation = Conversation(
      messageByteCountMax: messageByteCountMax, deflate: deflate, echoRoomByteCount: echoRoomByteCount,
      echoedPayloadByteCountMax: echoedPayloadByteCountMax)
    for piece in pieces { conversation.receive(Array(piece)) }
    return (conversation.observations, conversation.echoedCount)
  }

  /// What a session makes of pieces in which no frame can be whole.
  private static func long(_ bytes: [UInt8], deflate: NegotiatedDeflate? = nil) -> [Observation] {
    let pieces = stride(from: 0, to: bytes.count, by: 5).map { bytes[$0..<min($0 + 5, bytes.count)] }
    return fed(pieces, deflate: deflate, echoRoomByteCount: nil).observations
  }

  /// Messages whole, in fragments with control frames between them, compressed; sometimes a violation or an end.
  private static func conversation(
    _ generator: inout SeededGenerator, byteCounts: [Int], withEnd: Bool
  ) throws -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      let byteCount = byteCounts.randomElement(using: &generator) ?? 0
      let key = Bool.random(using: &generator) ? generator.bytes(4) : [0, 0, 0, 0]
      let text = text(byteCount, &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0...2: bytes += frame(1, text, key: key)
      case 3: bytes += frame(2, generator.bytes(byteCount), key: key)
      case 4:
        let cut = Int.random(in: 0...text.count, using: &generator)
        bytes += frame(1, Array(text[..<cut]), final: false, key: key)
        if Bool.random(using: &generator) { bytes += frame(9, generator.bytes(7), key: key) }
        bytes += frame(0, Array(text[cut...]), key: generator.bytes(4))
      case 5: bytes += frame(10, generator.bytes(min(byteCount, 125)), key: key)
      case 6: bytes += frame(1, try compressed([UInt8](repeating: 0x61, count: byteCount + 40)), reserved: 4, key: key)
      default: bytes += frame(9, [], key: key)
      }
    }
    guard withEnd else { return bytes }
    switch Int.random(in: 0..<5, using: &generator) {
    // Not UTF-8 at all, within a character at the end, a wrong continuation after many good bytes.
    case 0: bytes += frame(1, text(40, &generator) + [0xff])
    case 1: bytes += frame(1, text(40, &generator) + [0xe2, 0x82])
    // The length of 125 in the longer form.
    case 2: bytes += [0x82, 0xfe, 0, 125, 1, 2, 3, 4] + generator.bytes(125)
    case 3: bytes += [0x81, 0x05] + Array("Hello".utf8)
    default: bytes += closeFrame(1000)
    }
    return bytes + frame(1, "behind the end")
  }

  /// ASCII, or with a longer character somewhere.
  private static func text(_ byteCount: Int, _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = generator.bytes(byteCount).map { $0 & 0x7f }
    if byteCount >= 4, Bool.random(using: &generator) {
      let start = Int.random(in: 0...(byteCount - 4), using: &generator)
      bytes.replaceSubrange(start..<(start + 4), with: Array("🂡".utf8))
    }
    return bytes
  }

  @Test(arguments: 1...60 as ClosedRange<UInt64>)
  func `whole, and cut at every place`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed &* 0x9e37_79b9)
    let bytes = try Self.conversation(&generator, byteCounts: Self.byteCounts, withEnd: seed % 2 == 0)
    let expected = Self.long(bytes, deflate: .forTests)
    #expect(Self.fed([bytes[...]], deflate: .forTests).observations == expected, "seed \(seed)")
    for cut in 0...bytes.count {
      let pieces = [bytes[..<cut], bytes[cut...]]
      #expect(Self.fed(pieces, deflate: .forTests).observations == expected, "seed \(seed), cut at \(cut)")
      #expect(
        Self.fed(pieces, deflate: .forTests, echoRoomByteCount: nil).observations == expected,
        "seed \(seed), cut at \(cut), not echoed")
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `in pieces of a receive buffer's size`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let bytes = try Self.conversation(
      &generator, byteCounts: Self.longByteCounts + [200], withEnd: seed % 2 == 0)
    let expected = Self.long(bytes, deflate: .forTests)
    for pieceByteCount in [65_536, 65_541, 65_543, 4_096] {
      let pieces = stride(from: 0, to: bytes.count, by: pieceByteCount).map {
        bytes[$0..<min($0 + pieceByteCount, bytes.count)]
      }
      #expect(Self.fed(pieces, deflate: .forTests).observations == expected, "seed \(seed), \(pieceByteCount)")
    }
  }

  @Test(arguments: [0, 1, 125, 126, 65_535])
  func `a whole frame is echoed, one byte less of it is not, nor without room`(byteCount: Int) {
    let bytes = frame(2, [UInt8](repeating: 7, count: byteCount))
    let payload = [Observation.binary([UInt8](repeating: 7, count: byteCount))]
    #expect(Self.fed([bytes[...]]) == (payload, 1))
    #expect(Self.fed([bytes.dropLast(), bytes.suffix(1)]) == (payload, 0))
    // Room is asked for the longest header that a whole frame may have.
    #expect(Self.fed([bytes[...]], echoRoomByteCount: byteCount + 4) == (payload, 1))
    #expect(Self.fed([bytes[...]], echoRoomByteCount: byteCount + 3) == (payload, 0))
    #expect(Self.fed([bytes[...]], echoedPayloadByteCountMax: byteCount) == (payload, 1))
    #expect(Self.fed([bytes[...]], echoedPayloadByteCountMax: byteCount - 1) == (payload, 0))
    #expect(Self.fed([bytes[...]], messageByteCountMax: byteCount) == (payload, 1))
    guard byteCount > 0 else { return }
    #expect(Self.fed([bytes[...]], messageByteCountMax: byteCount - 1) == ([.violation(1009)], 0))
  }

  @Test func `many frames are echoed in one go, up to the room`() {
    let one = frame(1, "sixteen letters!")
    let bytes = Array(repeating: one, count: 10).flatMap(\.self)
    let expected = Array(repeating: Observation.text("sixteen letters!"), count: 10)
    #expect(Self.fed([bytes[...]]) == (expected, 10))
    // One leaves through `next` whenever the room is full: 40 bytes hold two echoes of 18.
    let (observations, echoedCount) = Self.fed([bytes[...]], echoRoomByteCount: 40)
    #expect(observations == expected)
    #expect(echoedCount == 7)
  }
}
