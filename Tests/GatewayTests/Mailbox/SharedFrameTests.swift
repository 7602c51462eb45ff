import Testing

@testable import Gateway

@Suite("Mailbox: frames that go to several shards")
struct SharedFrameTests {
  private func bytes(_ frame: SharedFrame) -> [UInt8] { unsafe [UInt8](frame.plain) }

  @Test func `a frame handed over is another object with the same bytes`() {
    let frame = SharedFrame.text(Array("{\"n\":1}".utf8))
    let other = frame.handedOver()
    #expect(other !== frame)
    #expect(bytes(other) == bytes(frame))
    #expect(unsafe other.plain.baseAddress == frame.plain.baseAddress)
    #expect(other.messageCount == frame.messageCount)
    #expect(bytes(other.skipping(2)) == bytes(frame.skipping(2)))
  }

  @Test func `its bytes live as long as anybody's object does, and no longer`() {
    weak var origin: SharedFrame?
    var kept: [SharedFrame] = []
    do {
      let frame = SharedFrame.text(Array(repeating: 0x61, count: 100_000))
      origin = frame
      // Handed on from one that was handed over: the bytes are the first one's.
      kept = [frame.handedOver(), frame.handedOver().handedOver()]
    }
    #expect(bytes(kept[1]).suffix(100_000).allSatisfy { $0 == 0x61 })
    kept.removeFirst()
    #expect(origin != nil)
    #expect(bytes(kept[0]).suffix(100_000).allSatisfy { $0 == 0x61 })
    kept.removeAll()
    #expect(origin == nil)
  }

  @Test func `mail to all is the same for each`() {
    let frame = SharedFrame.text([0x7b, 0x7d])
    guard case .relay(let relay) = ShardMessage.relay(Relay(target: .everyone, frame: frame, from: .none)).handedOver()
    else {
      Issue.record("another message")
      return
    }
    #expect(relay.frame !== frame)
    #expect(bytes(relay.frame) == bytes(frame))
  }
}
