import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: answers on the short way out")
struct DirectSendTests {
  private func gateway(
    seed: UInt64 = 1, faults: SimulatedFaults = .none, sendBufferByteCount: Int = 4096, compresses: Bool = false
  ) -> SimulatedGateway {
    SimulatedGateway(seed: seed, faults: faults) {
      $0.isEchoOn = true
      $0.isCompressionOn = compresses
      $0.sendBufferByteCount = sendBufferByteCount
    }
  }

  /// An open echo in slot 0.
  private func open(_ gateway: SimulatedGateway, compressed: Bool = false) -> SimulatedClient {
    let client = gateway.connect()
    client.upgrade("/echo", compressed ? [("Sec-WebSocket-Extensions", "permessage-deflate")] : [])
    gateway.settle()
    #expect(client.answer()?.status == 101)
    return client
  }

  @Test func `the messages of one read leave in one call, without the queue`() {
    let gateway = gateway()
    let client = open(gateway)
    let before = gateway.environments[0].sendCount
    let texts = (0..<16).map { "message \($0) " + String(repeating: "é", count: $0 * 20) }
    client.send(texts.flatMap { client.frame(.text, Array($0.utf8)) })
    gateway.turnOnce()
    #expect(gateway.environments[0].sendCount - before == 1)
    #expect(client.frames().map(\.text) == texts)
    #expect(gateway.shards[0].outboundNodes.count == 0)
    #expect(gateway.metric(.messagesReceived(.echo)) == 16)
    // The handshake's answer counts as one.
    #expect(gateway.metric(.messagesSent) == 17)
    gateway.expectNothingLeft()
  }

  @Test func `who reads compressed frames is counted as long as the connection is there`() {
    let gateway = gateway(compresses: true)
    let count = { gateway.shards[0].shared.compressedReaders.load(ordering: .relaxed) }
    let plain = open(gateway)
    #expect(count() == 0)
    let first = open(gateway, compressed: true)
    let second = open(gateway, compressed: true)
    #expect(count() == 2)
    for client in [plain, first, second] { client.sendClose() }
    gateway.settle()
    gateway.expectNothingLeft()
    #expect(count() == 0)
  }

  @Test func `pongs keep their place among echoes, and the close frame comes last`() {
    let gateway = gateway()
    let client = open(gateway)
    let before = gateway.environments[0].sendCount
    client.send(
      client.frame(.text, [0x61]) + client.frame(.ping, [1, 2]) + client.frame(.binary, [3])
        + client.frame(.text, [0x62], isFinal: false) + client.frame(.ping, []) + client.frame(.continuation, [0x63])
        + client.frame(.text, [0x64]))
    gateway.turnOnce()
    #expect(gateway.environments[0].sendCount - before == 1)
    client.send(client.frame(.text, [0x65]))
    client.sendClose()
    gateway.settle()
    let frames = client.frames()
    #expect(frames.map(\.opcode) == [.text, .pong, .binary, .pong, .text, .text, .text, .close])
    #expect(frames.map(\.payload) == [[0x61], [1, 2], [3], [], [0x62, 0x63], [0x64], [0x65], [0x03, 0xe8]])
    gateway.expectNothingLeft()
  }

  @Test func `a text that is not UTF-8 is refused behind the echoes before it`() {
    let gateway = gateway()
    let client = open(gateway)
    client.send(
      client.frame(.text, [0x61]) + client.frame(.text, [0xc3, 0x28]) + client.frame(.text, [0x62]))
    gateway.settle()
    let frames = client.frames()
    #expect(frames.map(\.opcode) == [.text, .close])
    #expect(frames.last?.closeCode == 1007)
    gateway.expectNothingLeft()
  }

  @Test(arguments: [0, 1, 2, 101, 102, 103, 203, 204, 205, 1019, 1020, 1021])
  func `what the kernel refuses waits in the queue, and what follows waits behind it`(roomByteCount: Int) {
    let gateway = gateway()
    let client = open(gateway)
    client.isReading = false
    client.stream.roomByteCount = roomByteCount
    let payloads = (0..<12).map { [UInt8](repeating: UInt8($0), count: 100) }
    // Ten echoes of 102 bytes.
    client.send(payloads[..<10].flatMap { client.frame(.binary, $0) })
    gateway.settle()
    #expect(Int(gateway.shards[0].connections[0].pendingByteCount) == max(0, 1020 - roomByteCount))
    client.send(payloads[10...].flatMap { client.frame(.binary, $0) })
    gateway.settle()
    #expect(client.stream.toClient.count == min(roomByteCount, 1224))
    client.isReading = true
    client.stream.roomByteCount = 64
    gateway.settle()
    #expect(client.frames().map(\.payload) == payloads)
    #expect(gateway.shards[0].outboundNodes.count == 0)
    gateway.expectNothingLeft()
  }

  @Test(arguments: [0, 1, 50, 101, 102, 103])
  func `a frame that has left in part is not dropped for a close frame`(roomByteCount: Int) {
    let gateway = gateway()
    let shard = gateway.shards[0]
    let client = open(gateway)
    client.isReading = false
    client.stream.roomByteCount = roomByteCount
    client.send(client.frame(.binary, [UInt8](repeating: 7, count: 100)))
    gateway.settle()
    shard.condemn(0, .slowConsumer)
    gateway.settle()
    client.isReading = true
    client.stream.roomByteCount = 4096
    gateway.settle()
    let frames = client.frames()
    #expect(frames.map(\.opcode) == (roomByteCount == 0 ? [.close] : [.binary, .close]))
    #expect(frames.last?.closeCode == 1013)
    #expect(client.received == [])
    gateway.expectNothingLeft()
  }

  @Test func `an echo whose reader does not read is held back, and goes on`() {
    let gateway = gateway()
    let client = open(gateway)
    client.isReading = false
    client.stream.roomByteCount = 10
    let payload = [UInt8](repeating: 9, count: 1000)
    for _ in 0..<20 {
      client.send(client.frame(.binary, payload))
      gateway.settle()
    }
    let isHeldBack = gateway.shards[0].connections[0].isReadPaused
    #expect(isHeldBack)
    #expect(!client.stream.toServer.isEmpty)
    #expect(Int(gateway.shards[0].connections[0].pendingByteCount) < 2 * 4096)
    client.isReading = true
    client.stream.roomByteCount = 4096
    gateway.settle()
    #expect(client.frames().map(\.payload) == Array(repeating: payload, count: 20))
    gateway.expectNothingLeft()
  }

  @Test(arguments: [255, 256])
  func `an echo is compressed from the worthwhile size on`(byteCount: Int) throws {
    let gateway = gateway(compresses: true)
    let client = open(gateway, compressed: true)
    let payload = [UInt8](repeating: 0x61, count: byteCount)
    let before = gateway.environments[0].sendCount
    client.send(client.frame(.text, payload) + client.frame(.text, payload) + client.frame(.ping, []))
    gateway.turnOnce()
    #expect(gateway.environments[0].sendCount - before == 1)
    let frames = client.frames()
    #expect(frames.map(\.opcode) == [.text, .text, .pong])
    #expect(frames.map(\.isCompressed) == [byteCount == 256, byteCount == 256, false])
    var inflaters = InflaterPool()
    for frame in frames.prefix(2) {
      var inflated: [UInt8] = []
      if frame.isCompressed {
        try inflaters.inflate(frame.payload.span, byteCountMax: 1000, into: &inflated)
      } else {
        inflated = frame.payload
      }
      #expect(inflated == payload)
    }
    gateway.expectNothingLeft()
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `everything comes back in order over a kernel that moves pieces`(seed: UInt64) {
    let gateway = gateway(seed: seed, faults: .pieces, compresses: seed % 2 == 0)
    let client = open(gateway, compressed: seed % 2 == 0)
    client.stream.roomByteCount = 3000
    var generator = SeededGenerator(seed: seed)
    var expected: [[UInt8]] = []
    for _ in 0..<40 {
      let byteCount = [0, 1, 7, 125, 126, 300, 2_000, 70_000].randomElement(using: &generator) ?? 0
      let payload = (0..<byteCount).map { _ in UInt8.random(in: 0...3, using: &generator) }
      expected.append(payload)
      if Bool.random(using: &generator) {
        client.send(client.frame(.binary, payload))
      } else {
        client.send(client.frame(.binary, Array(payload.prefix(byteCount / 2)), isFinal: false))
        client.send(client.frame(.continuation, Array(payload.dropFirst(byteCount / 2))))
      }
      client.isReading = Bool.random(using: &generator)
      if Bool.random(using: &generator) { gateway.turnOnce() }
    }
    client.isReading = true
    gateway.settle()
    var inflaters = InflaterPool()
    let payloads = client.frames().map { frame in
      guard frame.isCompressed else { return frame.payload }
      var inflated: [UInt8] = []
      #expect(throws: Never.self) {
        try inflaters.inflate(frame.payload.span, byteCountMax: 100_000, into: &inflated)
      }
      return inflated
    }
    #expect(payloads == expected, "seed \(seed)")
    gateway.expectNothingLeft()
  }
}
