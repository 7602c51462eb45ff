import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: keep-alive, grace and goodbye (contract §2.1–2.4)")
struct KeepAliveTests {
  private func open(
    _ gateway: SimulatedGateway, _ path: String = "/ws", _ fields: [(String, String)] = []
  ) -> SimulatedClient {
    let client = gateway.connect()
    client.upgrade(path, fields)
    gateway.settle()
    #expect(client.answer()?.status == 101)
    return client
  }

  private func publish(_ gateway: SimulatedGateway, _ path: String, _ body: String) {
    let publisher = gateway.connect()
    publisher.request("POST", path, body: body)
    gateway.settle()
    #expect((publisher.answer()?.status ?? 0) / 100 == 2)
    publisher.close()
    gateway.settle()
  }

  @Test(arguments: [5, 30, 51, 52, 120, 600] as [Int64])
  func `a silent connection is pinged after the interval, whatever its length`(interval: Int64) {
    let gateway = SimulatedGateway { $0.pingInterval = .seconds(interval) }
    let client = open(gateway)
    gateway.advance(milliseconds: interval * 1000 - 100)
    #expect(client.frames() == [])
    gateway.advance(milliseconds: 200)
    #expect(client.frames().map(\.opcode) == [.ping])
    gateway.expectNothingLeft()
  }

  @Test func `who answers stays, and is pinged again after the next silence`() {
    let gateway = SimulatedGateway()
    let client = open(gateway)
    for _ in 0..<5 {
      gateway.advance(milliseconds: 30_100)
      let frames = client.frames()
      #expect(frames.map(\.opcode) == [.ping])
      if let ping = frames.first { client.send(client.frame(.pong, ping.payload)) }
    }
    gateway.advance(seconds: 29)
    #expect(client.frames() == [])
    #expect(!client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `who speaks is not pinged`() {
    let gateway = SimulatedGateway()
    let client = open(gateway, "/ws/task/none")
    _ = client
    let talker = open(gateway)
    for _ in 0..<20 {
      gateway.advance(seconds: 20)
      talker.sendText(#"{"action":"ping"}"#)
      gateway.settle()
      #expect(talker.frames().map(\.opcode) == [.text])
    }
    gateway.expectNothingLeft()
  }

  @Test func `ten seconds after the ping without a byte it is 1011 keepalive ping timeout`() {
    let gateway = SimulatedGateway()
    let client = open(gateway)
    gateway.advance(milliseconds: 30_100)
    #expect(client.frames().map(\.opcode) == [.ping])
    gateway.advance(milliseconds: 9_800)
    #expect(client.frames() == [])
    gateway.advance(milliseconds: 300)
    let frames = client.frames()
    #expect(frames.map(\.closeCode) == [1011])
    #expect(frames.first?.closeReason == "keepalive ping timeout")
    #expect(!client.isEnded)
    gateway.advance(milliseconds: 5_100)
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a byte in the last moment is enough`() {
    let gateway = SimulatedGateway()
    let client = open(gateway)
    gateway.advance(milliseconds: 39_800)
    client.send([0x8a])
    gateway.advance(milliseconds: 1000)
    #expect(client.frames().map(\.opcode) == [.ping])
    #expect(!client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a close frame is answered with its code, and the server ends the stream`() {
    let gateway = SimulatedGateway()
    let client = open(gateway)
    client.sendClose(4321)
    gateway.settle()
    #expect(client.frames().map(\.closeCode) == [4321])
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a broken protocol is closed with its code, and what follows is not read`() {
    let gateway = SimulatedGateway()
    let client = open(gateway)
    client.send([0x81, 0x01, 0x41])
    client.sendText(#"{"action":"ping"}"#)
    gateway.settle()
    #expect(client.frames().map(\.closeCode) == [1002])
    gateway.advance(seconds: 2)
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a protocol broken after our close frame ends the stream soon`() {
    let gateway = SimulatedGateway()
    let client = open(gateway)
    gateway.shards[0].close(0, .normal, "finished")
    gateway.settle()
    #expect(client.frames().map(\.closeCode) == [1000])
    client.send([0x81, 0x01, 0x41])
    gateway.settle()
    #expect(client.stream.serverEnded)
    gateway.advance(milliseconds: 1_200)
    #expect(client.stream.serverClosed)
    gateway.expectNothingLeft()
  }

  // MARK: The end of a task

  @Test func `after a terminal message the task dialect keeps the socket for the grace and closes 1000`() {
    let gateway = SimulatedGateway()
    publish(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    let client = open(gateway, "/ws/task/t")
    #expect(client.messages().map(\.type) == ["connected"])
    publish(gateway, "/api/v1/tasks/t/complete", "{}")
    #expect(client.messages().map(\.type) == ["complete"])
    gateway.advance(milliseconds: 4_900)
    #expect(client.frames() == [])
    gateway.advance(milliseconds: 200)
    #expect(client.frames().map(\.closeCode) == [1000])
    gateway.expectNothingLeft()
  }

  @Test func `who comes after the end hears of it and is closed after the grace too`() {
    let gateway = SimulatedGateway()
    publish(gateway, "/api/v1/tasks/t/complete", "{}")
    let client = open(gateway, "/ws/task/t")
    #expect(client.messages().map(\.type) == ["connected", "complete"])
    gateway.advance(milliseconds: 5_100)
    #expect(client.frames().map(\.closeCode) == [1000])
    gateway.expectNothingLeft()
  }

  @Test func `the execution dialect closes 1000 with its last status, early or late`() {
    let gateway = SimulatedGateway()
    publish(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    let client = open(gateway, "/api/v1/ws/executions/t")
    #expect(client.messages().map { $0.string("status") } == ["pending"])
    publish(gateway, "/api/v1/tasks/t/complete", "{}")
    let frames = client.frames()
    #expect(frames.map(\.opcode) == [.text, .close])
    #expect(frames.last?.closeCode == 1000)
    let late = open(gateway, "/api/v1/ws/executions/t")
    #expect(late.frames().map(\.opcode) == [.text, .close])
    gateway.expectNothingLeft()
  }

  @Test func `the status interval repeats the latest status, also where nothing has changed`() {
    let gateway = SimulatedGateway { $0.statusInterval = .seconds(2) }
    publish(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    let client = open(gateway, "/api/v1/ws/executions/t")
    _ = client.messages()
    gateway.advance(milliseconds: 6_500)
    #expect(client.messages().map { $0.string("status") } == ["pending", "pending", "pending"])
    publish(gateway, "/api/v1/tasks/t/progress", #"{"progress":5}"#)
    gateway.advance(milliseconds: 4_000)
    #expect(client.messages().map { $0.int("progress") } == [5, 5, 5])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [("/ws/task/none", "Task not found"), ("/api/v1/ws/executions/none", "Execution not found")])
  func `an unknown task is refused after the handshake`(path: String, reason: String) {
    let gateway = SimulatedGateway(shardCount: 2)
    let client = open(gateway, path)
    let close = client.frames().last
    #expect(close?.closeCode == 1008)
    #expect(close?.closeReason == reason)
    gateway.expectNothingLeft()
  }

  // MARK: Tokens

  @Test func `a token's end is announced a minute before and closes with 1008`() {
    let gateway = SimulatedGateway {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
      $0.jwtLeeway = .seconds(5)
      $0.pingInterval = .seconds(600)
    }
    let client = open(
      gateway, "/ws?token=\(gateway.token("alice", secondsLeft: 200))", [("Sec-WebSocket-Protocol", "signalbox.v1")])
    #expect(client.messages().map(\.type) == ["welcome"])
    gateway.advance(seconds: 139)
    #expect(client.frames() == [])
    gateway.advance(seconds: 2)
    #expect(client.messages().map(\.type) == ["token_expiring"])
    gateway.advance(seconds: 63)
    #expect(client.frames() == [])
    gateway.advance(seconds: 2)
    #expect(client.frames().map(\.closeCode) == [1008])
    gateway.expectNothingLeft()
  }

  @Test func `a refreshed token carries the connection on`() {
    let gateway = SimulatedGateway {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
      $0.pingInterval = .seconds(600)
    }
    let client = open(gateway, "/ws?token=\(gateway.token("alice", secondsLeft: 100))")
    gateway.advance(seconds: 90)
    client.sendText(#"{"action":"refresh","token":"\#(gateway.token("bob"))"}"#)
    client.sendText(#"{"action":"refresh","token":"\#(gateway.token("alice"))"}"#)
    gateway.settle()
    #expect(client.messages().map(\.type) == ["error", "refreshed"])
    gateway.advance(seconds: 300)
    #expect(client.frames() == [])
    gateway.expectNothingLeft()
  }

  // MARK: Drain

  private func drain(_ gateway: SimulatedGateway) {
    gateway.shared.isDraining.store(true, ordering: .relaxed)
    for mailbox in gateway.shared.mailboxes { mailbox.post([.drain]) }
    gateway.settle()
  }

  @Test func `a shard drains once all have heard of it, so that their deliveries come before the end`() {
    let gateway = SimulatedGateway(shardCount: 3)
    let client = open(gateway)
    gateway.shared.isDraining.store(true, ordering: .relaxed)
    for shard in 0..<2 {
      gateway.shared.mailboxes[shard].post([.drain])
      gateway.settle()
      #expect(client.frames().isEmpty)
    }
    gateway.shared.mailboxes[2].post([.drain])
    gateway.settle()
    #expect(client.frames().map(\.closeCode) == [1012])
    gateway.expectNothingLeft()
  }

  @Test func `a drain tells who knows the message, closes 1012 and takes nobody new`() {
    let gateway = SimulatedGateway(shardCount: 2)
    publish(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    let seed = open(gateway)
    let native = open(gateway, "/ws", [("Sec-WebSocket-Protocol", "signalbox.v1")])
    let task = open(gateway, "/ws/task/t")
    _ = (native.frames(), task.frames())
    let idle = gateway.connect()
    idle.request("GET", "/readyz")
    gateway.settle()
    #expect(idle.answer()?.status == 200)
    let begun = gateway.connect()
    begun.send("GET /readyz HT")
    let beginsUpgrade = gateway.connect()
    beginsUpgrade.send("GET /ws HT")
    gateway.settle()
    drain(gateway)
    #expect(seed.frames().map(\.closeCode) == [1012])
    let told = native.frames()
    #expect(told.map(\.opcode) == [.text, .close])
    #expect(told.first.map { Message($0.payload).type } == "server_draining")
    #expect(task.frames().map(\.closeCode) == [1012])
    #expect(idle.isEnded)
    begun.send("TP/1.1\r\nHost: gateway\r\n\r\n")
    beginsUpgrade.send(String(SimulatedClient.handshake("/ws").dropFirst("GET /ws HT".count)))
    gateway.settle()
    let answer = begun.answer()
    #expect(answer?.status == 503)
    #expect(answer?.field("Connection") == "close")
    let refused = beginsUpgrade.answer()
    #expect(refused?.status == 503)
    #expect(refused?.field("Retry-After") != nil)
    // Load balancers still read its state.
    let late = gateway.connect()
    late.request("GET", "/readyz")
    gateway.settle()
    #expect(late.answer()?.status == 503)
    #expect(late.isEnded)
    for client in [seed, native, task] { client.sendClose(1012) }
    gateway.settle()
    #expect(gateway.shared.activeConnections.load(ordering: .relaxed) == 0)
  }

  @Test func `a held request is answered by a drain, and the connection then ends`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.request(
      "POST", "/api/v1/confirmations?wait=20",
      body: #"{"task_id":"t","user_id":"u","step":"s","step_result":{"step":"s","result":1},"timeout":5}"#)
    gateway.settle()
    drain(gateway)
    let answer = client.answer()
    #expect(answer?.status == 201)
    #expect(answer?.field("Connection") == "close")
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }
}
