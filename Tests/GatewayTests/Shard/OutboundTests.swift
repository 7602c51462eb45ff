import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: the queue of a connection and the slow consumer (contract §2.4)")
struct OutboundTests {
  private static let bound = 4096

  private func gateway(seed: UInt64 = 1, faults: SimulatedFaults = .none) -> SimulatedGateway {
    SimulatedGateway(seed: seed, faults: faults) { $0.sendBufferByteCount = Self.bound }
  }

  /// An open socket in slot 0 whose kernel takes so many bytes more.
  private func open(_ gateway: SimulatedGateway, roomByteCount: Int) -> SimulatedClient {
    let client = gateway.connect()
    client.upgrade("/ws")
    gateway.settle()
    #expect(client.answer()?.status == 101)
    client.isReading = false
    client.stream.roomByteCount = roomByteCount
    return client
  }

  /// A frame of exactly so many bytes, at least 4 + 2.
  private func frame(_ byteCount: Int, _ letter: Character = "x") -> SharedFrame {
    let header = byteCount - 2 <= 125 ? 2 : 4
    return .text(Array(String(repeating: letter, count: byteCount - header).utf8))
  }

  @Test func `a queue of exactly the bound is kept, and one byte more is a slow consumer`() {
    let gateway = gateway()
    let shard = gateway.shards[0]
    let client = open(gateway, roomByteCount: 10)
    shard.send(0, frame(1000, "a"))
    gateway.settle()
    #expect(shard.connections[0].pendingByteCount == 990)
    shard.send(0, frame(Self.bound - 990 - 100, "b"))
    shard.send(0, frame(100, "c"))
    gateway.settle()
    #expect(Int(shard.connections[0].pendingByteCount) == Self.bound)
    #expect(shard.connections[0].phase == .open)
    shard.send(0, frame(6, "d"))
    gateway.settle()
    #expect(shard.connections[0].phase == .closing)
    client.isReading = true
    gateway.settle()
    let frames = client.frames()
    // The frame that had left in part is whole; what stood behind it is gone.
    #expect(frames.map(\.opcode) == [.text, .close])
    #expect(frames.first?.text == String(repeating: "a", count: 996))
    #expect(frames.last?.closeCode == 1013)
    #expect(frames.last?.closeReason == "Slow consumer")
    #expect(client.received == [])
    gateway.expectNothingLeft()
  }

  @Test func `an empty queue takes a frame larger than the bound`() {
    let gateway = gateway()
    let client = open(gateway, roomByteCount: 10)
    gateway.shards[0].send(0, frame(60_000))
    gateway.settle()
    client.isReading = true
    gateway.settle()
    #expect(client.frames().map(\.payload.count) == [59_996])
    gateway.expectNothingLeft()
  }

  @Test func `who reads is not slow, however much comes in one turn`() {
    let gateway = gateway()
    let client = open(gateway, roomByteCount: 1 << 20)
    client.isReading = true
    for _ in 0..<100 { gateway.shards[0].send(0, frame(1000)) }
    gateway.settle()
    #expect(client.frames().count == 100)
    #expect(gateway.shards[0].connections[0].phase == .open)
    gateway.expectNothingLeft()
  }

  @Test func `nothing slips past a frame that did not fit`() {
    let gateway = gateway()
    let shard = gateway.shards[0]
    let client = open(gateway, roomByteCount: 0)
    shard.send(0, frame(4000, "a"))
    shard.send(0, frame(200, "b"))
    shard.send(0, frame(6, "c"))
    client.stream.roomByteCount = 1 << 20
    client.isReading = true
    gateway.settle()
    let text = client.frames().filter { $0.opcode == .text }.map { $0.text.first ?? "?" }
    #expect(text == [] || text == ["a"] || text == ["a", "b", "c"])
    gateway.expectNothingLeft()
  }

  @Test func `our last word fits into a full queue`() {
    let gateway = gateway()
    let shard = gateway.shards[0]
    let client = open(gateway, roomByteCount: 10)
    shard.send(0, frame(Self.bound, "a"))
    shard.close(0, .normal, "finished")
    gateway.settle()
    client.isReading = true
    gateway.settle()
    #expect(client.frames().map(\.closeCode) == [nil, 1000])
    gateway.expectNothingLeft()
  }

  @Test func `a connection that is slow and closed in one turn gets one close frame`() {
    let gateway = gateway()
    let shard = gateway.shards[0]
    let client = open(gateway, roomByteCount: 10)
    shard.send(0, frame(Self.bound, "a"))
    gateway.settle()
    shard.send(0, frame(Self.bound, "b"))
    shard.close(0, .normal, "finished")
    shard.close(0, .goingAway, "again")
    gateway.settle()
    client.isReading = true
    gateway.settle()
    let closes = client.frames().compactMap(\.closeCode)
    #expect(closes == [1000] || closes == [1013])
    gateway.expectNothingLeft()
  }

  @Test func `the handshake's answer leaves before the close frame of a slow consumer`() {
    let gateway = gateway()
    let client = gateway.connect(roomByteCount: 0)
    client.upgrade("/ws")
    gateway.settle()
    gateway.shards[0].send(0, frame(3000, "a"))
    gateway.shards[0].send(0, frame(3000, "b"))
    gateway.settle()
    client.stream.roomByteCount = 1 << 20
    gateway.settle()
    #expect(client.answer()?.status == 101)
    #expect(client.frames().map(\.closeCode) == [1013])
    gateway.expectNothingLeft()
  }

  @Test func `a peer that takes nothing is let go five seconds after our close`() {
    let gateway = gateway()
    let client = open(gateway, roomByteCount: 10)
    gateway.shards[0].send(0, frame(4000))
    gateway.shards[0].send(0, frame(4000))
    gateway.settle()
    gateway.advance(milliseconds: 4_900)
    #expect(!client.stream.serverClosed)
    gateway.advance(milliseconds: 200)
    #expect(client.stream.serverClosed)
    gateway.expectNothingLeft()
  }

  @Test func `the slow one costs the others nothing`() {
    let gateway = SimulatedGateway(shardCount: 2) { $0.sendBufferByteCount = Self.bound }
    let clients = (0..<4).map { gateway.connect(to: $0 % 2) }
    for client in clients {
      client.upgrade("/ws")
      client.sendText(#"{"action":"subscribe","channel":"c"}"#)
    }
    gateway.settle()
    for client in clients { #expect(client.answer()?.status == 101) }
    for client in clients { #expect(client.messages().count == 1) }
    clients[0].isReading = false
    clients[0].stream.roomByteCount = 100
    let publisher = gateway.connect()
    for number in 0..<200 {
      publisher.request(
        "POST", "/api/v1/channels/c", body: #"{"n":\#(number),"pad":"\#(String(repeating: "p", count: 100))"}"#)
    }
    gateway.settle()
    for client in clients.dropFirst() {
      #expect(client.messages().map { $0.int("n") } == Array(0..<200))
    }
    clients[0].isReading = true
    gateway.settle()
    let frames = clients[0].frames()
    #expect(frames.last?.closeCode == 1013)
    #expect(gateway.metric(.slowConsumers(.closed)) == 1)
    gateway.expectNothingLeft()
  }

  /// Frames of any size to a peer that reads now and then: it sees a prefix of them, whole and in order, and then
  /// either all of the rest or the close frame. Replay: the seed is the test's argument.
  @Test(arguments: 0..<300 as Range<UInt64>)
  func `the stream is never broken in the middle of a frame`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let gateway = gateway(seed: seed, faults: .pieces)
    let shard = gateway.shards[0]
    let client = open(gateway, roomByteCount: Int.random(in: 0...2000, using: &random))
    var sent = 0
    while sent < 60 {
      for _ in 0..<Int.random(in: 0...6, using: &random) where shard.connections[0].phase == .open {
        let padding = Int.random(in: 0...(random.once(in: 10) ? 30_000 : 900), using: &random)
        shard.send(0, .text(Array("\(sent) \(String(repeating: "p", count: padding))".utf8)))
        sent += 1
      }
      client.isReading = random.once(in: 2)
      if random.once(in: 40) { shard.close(0, .normal, "finished") }
      gateway.turnOnce()
      if shard.connections[0].phase != .open { break }
    }
    client.isReading = true
    gateway.settle()
    let frames = client.frames()
    #expect(client.received == [], "seed \(seed)")
    let numbers = frames.filter { $0.opcode == .text }.map { Int($0.text.split(separator: " ")[0]) }
    #expect(numbers == (0..<numbers.count).map { $0 }, "seed \(seed)")
    if shard.connections[0].phase == .open {
      #expect(numbers.count == sent, "seed \(seed)")
    } else {
      #expect(frames.last?.opcode == .close, "seed \(seed)")
      #expect(frames.filter { $0.opcode == .close }.count == 1, "seed \(seed)")
    }
    gateway.expectNothingLeft()
  }
}
