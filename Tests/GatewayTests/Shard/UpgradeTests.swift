import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: the opening handshake and the cap (contract §2)")
struct UpgradeTests {
  private static let proxy = InternetAddress(version4: 0x0A09_0909)

  private func closeFrame(_ client: SimulatedClient) -> SimulatedClient.Frame? {
    client.frames().first { $0.opcode == .close }
  }

  @Test func `a socket's path without an upgrade gets 426 and says what it would understand`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.request("GET", "/ws")
    gateway.settle()
    let answer = client.answer()
    #expect(answer?.status == 426)
    #expect(answer?.field("Upgrade") == "websocket")
    #expect(answer?.field("Sec-WebSocket-Version") == "13")
    gateway.expectNothingLeft()
  }

  @Test(arguments: ["/", "/ws", "/ws/"])
  func `the action dialect lives at three paths`(path: String) {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.upgrade(path)
    gateway.settle()
    #expect(client.answer()?.status == 101)
    gateway.expectNothingLeft()
  }

  @Test(arguments: ["/wss", "/ws/task", "/ws/task/a/b", "/api/v1/ws/executions", "/echo"])
  func `an upgrade elsewhere gets 404 and the end`(path: String) {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.upgrade(path)
    gateway.settle()
    #expect(client.answers().map(\.status) == [404])
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test(
    arguments: [
      (nil, 101), ("http://gateway", 101), ("https://gateway", 101), ("http://evil", 403), ("null", 403),
      ("http://gateway.evil", 403), ("http://evil/gateway", 403),
    ] as [(String?, Int)])
  func `a page of another host is refused before the upgrade`(origin: String?, status: Int) {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.upgrade("/ws", origin.map { [("Origin", $0)] } ?? [])
    gateway.settle()
    #expect(client.answer()?.status == status)
    gateway.expectNothingLeft()
  }

  @Test(arguments: 0..<30 as Range<UInt64>)
  func `bytes behind the handshake are frames already`(seed: UInt64) {
    let gateway = SimulatedGateway(seed: seed, faults: seed == 0 ? .none : .pieces)
    let client = gateway.connect()
    client.request("GET", "/livez")
    client.upgrade("/ws")
    client.sendText(#"{"action":"ping","n":1}"#)
    client.sendText(#"{"action":"ping","n":2}"#)
    client.sendClose(1000)
    gateway.settle()
    #expect(client.answer()?.status == 200)
    #expect(client.answer()?.status == 101)
    let frames = client.frames()
    #expect(frames.map(\.opcode) == [.text, .text, .close], "seed \(seed)")
    #expect(frames.last?.closeCode == 1000)
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  // MARK: The cap

  @Test(arguments: [1, 2, 4])
  func `exactly so many connections open, and one more is told why`(shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount) { $0.connectionCountMax = 5 }
    var clients: [SimulatedClient] = []
    for number in 0..<6 {
      let client = gateway.connect(to: number % shardCount)
      client.upgrade("/ws")
      clients.append(client)
    }
    gateway.settle()
    var refused: [SimulatedClient] = []
    for client in clients {
      #expect(client.answer()?.status == 101)
      let frames = client.frames()
      if let close = frames.first(where: { $0.opcode == .close }) {
        #expect(frames.count == 1)
        #expect(close.closeCode == 1013)
        #expect(close.closeReason == "Server connection limit reached")
        refused.append(client)
      }
    }
    #expect(refused.count == 1)
    #expect(gateway.shared.activeConnections.load(ordering: .relaxed) == 5)
    // A place that becomes free can be taken.
    let leaving = clients.first { client in !refused.contains { $0 === client } }
    leaving?.sendClose()
    gateway.settle()
    let next = gateway.connect()
    next.upgrade("/ws")
    gateway.settle()
    #expect(next.answer()?.status == 101)
    #expect(closeFrame(next) == nil)
    gateway.expectNothingLeft()
  }

  @Test func `256 connections are parked for their close, and the one past them just sees the end`() {
    let gateway = SimulatedGateway { $0.connectionCountMax = 1 }
    let first = gateway.connect()
    first.upgrade("/ws")
    gateway.settle()
    var parked: [SimulatedClient] = []
    for _ in 0..<ShardLimits.parkedCountMax {
      let client = gateway.connect()
      client.upgrade("/ws")
      parked.append(client)
    }
    gateway.settle()
    #expect(gateway.shared.parkedConnections.load(ordering: .relaxed) == 256)
    for client in parked {
      #expect(client.answer()?.status == 101)
      #expect(closeFrame(client)?.closeCode == 1013)
      #expect(!client.isEnded)
    }
    let beyond = gateway.connect()
    beyond.upgrade("/ws")
    gateway.settle()
    #expect(beyond.isEnded)
    #expect(beyond.received == [])
    // Who does not answer the close frame is let go.
    gateway.advance(seconds: 6)
    #expect(gateway.shared.parkedConnections.load(ordering: .relaxed) == 0)
    #expect(parked.allSatisfy { $0.isEnded })
    #expect(gateway.shared.activeConnections.load(ordering: .relaxed) == 1)
    gateway.expectNothingLeft()
  }

  @Test(arguments: [(true, 503), (false, 101)])
  func `at the cap a trusted proxy that asks for a status gets 503, others the close frame`(
    isTrusted: Bool, status: Int
  ) throws {
    let block = try #require(AddressBlock(parsing: "10.9.9.9/32"))
    let gateway = SimulatedGateway {
      $0.connectionCountMax = 1
      $0.trustedProxies = [block]
    }
    let first = gateway.connect()
    first.upgrade("/ws")
    gateway.settle()
    let client = gateway.connect(peer: isTrusted ? Self.proxy : nil)
    client.upgrade("/ws", [("X-Signalbox-Overload", "status")])
    gateway.settle()
    let answer = client.answer()
    #expect(answer?.status == status)
    #expect((answer?.field("Retry-After") != nil) == isTrusted)
    gateway.expectNothingLeft()
  }

  @Test func `a trusted proxy that does not ask gets the close frame`() throws {
    let block = try #require(AddressBlock(parsing: "10.9.9.9/32"))
    let gateway = SimulatedGateway {
      $0.connectionCountMax = 1
      $0.trustedProxies = [block]
    }
    let first = gateway.connect()
    first.upgrade("/ws")
    let client = gateway.connect(peer: Self.proxy)
    client.upgrade("/ws")
    gateway.settle()
    let pair = [first, client].map { ($0.answer()?.status, closeFrame($0)?.closeCode) }
    #expect(pair.allSatisfy { $0.0 == 101 })
    #expect(pair.contains { $0.1 == 1013 })
    gateway.expectNothingLeft()
  }

  @Test(arguments: [RejectionStyle.close, .http], ["/ws/task/a%20b", "/ws/task/none", "/ws?token=bad", "/ws"])
  func `whoever is refused, every count comes back`(style: RejectionStyle, path: String) {
    let gateway = SimulatedGateway {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
      $0.rejectionStyle = style
      $0.connectionCountMaxPerUser = 1
      $0.connectionCountMaxPerAddress = 1
    }
    let peer = InternetAddress(version4: 0x0A01_0101)
    for _ in 0..<3 {
      let client = gateway.connect(peer: peer)
      let isNamed = path.hasPrefix("/ws/task")
      client.upgrade(isNamed ? "\(path)?token=\(gateway.token("alice"))" : path)
      gateway.settle()
      client.close()
      gateway.settle()
      gateway.advance(seconds: 6)
    }
    let client = gateway.connect(peer: peer)
    client.upgrade("/ws?token=\(gateway.token("alice"))")
    gateway.settle()
    #expect(client.answer()?.status == 101)
    #expect(closeFrame(client) == nil)
    gateway.expectNothingLeft()
  }

  @Test func `a user's places are counted over all shards`() {
    let gateway = SimulatedGateway(shardCount: 2) {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
      $0.connectionCountMaxPerUser = 1
    }
    let clients = (0..<2).map { shard in
      let client = gateway.connect(to: shard)
      client.upgrade("/ws?token=\(gateway.token("alice"))")
      return client
    }
    gateway.settle()
    for client in clients { #expect(client.answer()?.status == 101) }
    #expect(clients.compactMap { closeFrame($0)?.closeCode } == [1008])
    gateway.expectNothingLeft()
  }

  // MARK: --reject-with http

  @Test func `a handshake that waits for its task's home opens with everything that came behind it`() {
    let gateway = SimulatedGateway(shardCount: 2) { $0.rejectionStyle = .http }
    let publisher = gateway.connect()
    for number in 0..<4 { publisher.request("POST", "/api/v1/tasks", body: #"{"task_id":"t\#(number)"}"#) }
    gateway.settle()
    for number in 0..<4 {
      let client = gateway.connect()
      client.upgrade("/ws/task/t\(number)")
      // More bytes than are kept behind a request, in fewer messages than may wait for an answer.
      for _ in 0..<1000 {
        client.sendText("ping")
        client.sendText(String(repeating: "x", count: 200))
      }
      gateway.settle()
      #expect(client.answer()?.status == 101)
      #expect(client.messages().map(\.type) == ["connected"] + Array(repeating: "pong", count: 1000))
    }
    gateway.expectNothingLeft()
  }

  @Test func `a task that is unknown or another's is refused by status, and every count comes back`() {
    let gateway = SimulatedGateway(shardCount: 2) {
      $0.rejectionStyle = .http
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
      $0.connectionCountMaxPerUser = 1
    }
    let publisher = gateway.connect()
    for number in 0..<4 {
      publisher.request("POST", "/api/v1/tasks", body: #"{"task_id":"t\#(number)","owner":"bob"}"#)
    }
    gateway.settle()
    for number in 0..<8 {
      let client = gateway.connect()
      client.upgrade("/ws/task/t\(number)?token=\(gateway.token("alice"))")
      gateway.settle()
      #expect(client.answer()?.status == (number < 4 ? 403 : 404))
      client.close()
      gateway.settle()
      gateway.advance(seconds: 2)
    }
    gateway.expectNothingLeft()
  }

  @Test func `a handshake that was at its task's home when the drain began is refused`() {
    for number in 0..<4 {
      let gateway = SimulatedGateway(shardCount: 2) { $0.rejectionStyle = .http }
      let publisher = gateway.connect()
      publisher.request("POST", "/api/v1/tasks", body: #"{"task_id":"t\#(number)"}"#)
      gateway.settle()
      let client = gateway.connect()
      client.upgrade("/ws/task/t\(number)")
      gateway.shards[0].turn()
      guard client.stream.toClient.isEmpty else { continue }
      gateway.shared.isDraining.store(true, ordering: .relaxed)
      for mailbox in gateway.shared.mailboxes { mailbox.post([.drain]) }
      gateway.settle()
      #expect(client.answer()?.status == 503)
      gateway.expectNothingLeft()
    }
  }

  // MARK: Descriptors

  @Test func `without descriptors peers see the end, and the listener rests instead of spinning`() {
    let gateway = SimulatedGateway()
    gateway.world.descriptorCountMax = 2
    let clients = (0..<5).map { _ in gateway.connect() }
    gateway.settle()
    #expect(gateway.environments[0].discardedCount == 3)
    #expect(!gateway.environments[0].isAccepting)
    #expect(clients.filter { $0.isEnded }.count == 3)
    for client in clients { client.close() }
    gateway.advance(milliseconds: 100)
    #expect(gateway.environments[0].isAccepting)
    let late = gateway.connect()
    late.request("GET", "/livez")
    gateway.settle()
    #expect(late.answer()?.status == 200)
    gateway.expectNothingLeft()
  }

  @Test func `a listener that fails rests and tries again`() {
    let gateway = SimulatedGateway()
    gateway.environments[0].acceptFailure = 105
    let client = gateway.connect()
    client.request("GET", "/livez")
    gateway.settle()
    #expect(!gateway.environments[0].isAccepting)
    gateway.environments[0].acceptFailure = nil
    gateway.advance(milliseconds: 100)
    #expect(client.answer()?.status == 200)
    gateway.expectNothingLeft()
  }
}
