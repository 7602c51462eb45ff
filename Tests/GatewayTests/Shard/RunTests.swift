import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: the events of a turn leave together, and a turn's flush has a budget")
struct RunTests {
  private func open(_ gateway: SimulatedGateway, _ path: String = "/ws", following tasks: [String] = [])
    -> SimulatedClient
  {
    let client = gateway.connect()
    client.upgrade(path)
    for task in tasks { client.sendText(#"{"action":"subscribe","task_id":"\#(task)"}"#) }
    gateway.settle()
    #expect(client.answer()?.status == 101)
    _ = client.frames()
    client.stream.sendCount = 0
    return client
  }

  /// Publishes on a connection that is there already, so that one turn reads it.
  private func publish(_ gateway: SimulatedGateway, _ lines: [String], settles: Bool = true) {
    let publisher = gateway.connect()
    if !settles { gateway.shards[0].turn() }
    publisher.request(
      "POST", "/api/v1/publish", body: lines.joined(separator: "\n"), contentType: "application/x-ndjson")
    if settles { gateway.settle() }
  }

  private func progress(_ task: String, _ value: Int, pad: Int = 0) -> String {
    #"{"op":"progress","task_id":"\#(task)","progress":\#(value),"message":"\#(String(repeating: "p", count: pad))"}"#
  }

  private func register(_ gateway: SimulatedGateway, _ tasks: String...) {
    publish(gateway, tasks.map { #"{"op":"register","task_id":"\#($0)"}"# })
  }

  @Test func `sixty-four events of one turn reach each subscriber in one write, in order`() {
    let gateway = SimulatedGateway()
    register(gateway, "t")
    let clients = (0..<3).map { _ in open(gateway, following: ["t"]) }
    publish(gateway, (1...64).map { progress("t", $0) })
    for client in clients {
      #expect(client.stream.sendCount == 1)
      #expect(client.messages().map { $0.int("offset") } == Array(1...64))
    }
    #expect(gateway.metric(.messagesSent) >= 3 * 64)
    gateway.expectNothingLeft()
  }

  @Test func `events of several tasks reach one who follows them in one write, each task's in order`() {
    let gateway = SimulatedGateway()
    register(gateway, "a", "b")
    let client = open(gateway, following: ["a", "b"])
    publish(gateway, (1...20).flatMap { [progress("a", $0), progress("b", $0)] })
    #expect(client.stream.sendCount == 1)
    let messages = client.messages()
    for task in ["a", "b"] {
      #expect(messages.filter { $0.string("task_id") == task }.map { $0.int("offset") } == Array(1...20))
    }
    gateway.expectNothingLeft()
  }

  @Test func `each dialect and each form gets the same events`() {
    let gateway = SimulatedGateway { $0.isCompressionOn = true }
    register(gateway, "t")
    let native = open(gateway, following: ["t"])
    let task = open(gateway, "/ws/task/t")
    let execution = open(gateway, "/api/v1/ws/executions/t")
    let compressed = gateway.connect()
    compressed.upgrade("/ws", [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")])
    compressed.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    gateway.settle()
    #expect(compressed.answer()?.field("Sec-WebSocket-Extensions") != nil)
    _ = compressed.frames()
    _ = (task.frames(), execution.frames())
    // The even ones are worth compressing, the odd ones are not: both stand in one run.
    publish(gateway, (1...10).map { progress("t", $0, pad: $0 % 2 == 0 ? 600 : 1) })
    #expect(native.messages().map { $0.int("offset") } == Array(1...10))
    #expect(task.messages().count == 10)
    #expect(execution.messages().count == 10)
    let frames = compressed.frames()
    #expect(frames.map(\.isCompressed) == (1...10).map { $0 % 2 == 0 })
    #expect(frames.filter { !$0.isCompressed }.map { Message($0.payload).int("offset") } == [1, 3, 5, 7, 9])
    gateway.expectNothingLeft()
  }

  @Test func `who subscribes between two events of a turn gets the later one only`() throws {
    let gateway = SimulatedGateway()
    register(gateway, "t")
    let first = open(gateway, following: ["t"])
    let second = open(gateway)
    // All of it is read in one turn: the order of the connections is the order in which they came.
    publish(gateway, [progress("t", 1)], settles: false)
    second.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    publish(gateway, [progress("t", 2)], settles: false)
    gateway.settle()
    #expect(first.messages().map { $0.int("offset") } == [1, 2])
    let messages = second.messages()
    let confirmed = try #require(messages.first?.int("offset"))
    #expect(messages.first?.type == "subscription_confirmed")
    #expect(messages.dropFirst().map { $0.int("offset") } == Array((confirmed + 1)..<3))
    gateway.expectNothingLeft()
  }

  @Test func `a message between two events of a turn arrives between them`() {
    let gateway = SimulatedGateway()
    register(gateway, "t")
    let client = open(gateway, following: ["t"])
    publish(
      gateway,
      [progress("t", 1), progress("t", 2), #"{"op":"broadcast","type":"news","n":1}"#, progress("t", 3)])
    #expect(client.messages().map(\.type) == ["progress", "progress", "news", "progress"])
    gateway.expectNothingLeft()
  }

  @Test func `a terminal event closes the run and ends the other dialects behind it`() {
    let gateway = SimulatedGateway()
    register(gateway, "t")
    let native = open(gateway, following: ["t"])
    let execution = open(gateway, "/api/v1/ws/executions/t")
    publish(gateway, [progress("t", 1), progress("t", 2), #"{"op":"complete","task_id":"t"}"#])
    #expect(native.messages().map(\.type) == ["progress", "progress", "complete"])
    let frames = execution.frames()
    #expect(frames.map(\.opcode) == [.text, .text, .text, .close])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [ShardLimits.runByteCountMax, ShardLimits.runByteCountMax + 1])
  func `a run beyond its bound leaves in pieces`(byteCount: Int) {
    let gateway = SimulatedGateway()
    register(gateway, "t")
    let client = open(gateway, following: ["t"])
    let lineCount = byteCount / 1024 + 1
    publish(gateway, (1...lineCount).map { progress("t", $0, pad: 1000) })
    #expect(client.messages().map { $0.int("offset") } == Array(1...lineCount))
    #expect(gateway.shards[0].openEvents.isEmpty && gateway.shards[0].openTopics.isEmpty)
    gateway.expectNothingLeft()
  }

  @Test func `who lags is told how many of a run it skipped`() {
    let gateway = SimulatedGateway { $0.sendBufferByteCount = 4096 }
    register(gateway, "t")
    let slow = open(gateway, following: ["t"])
    let fast = open(gateway, following: ["t"])
    slow.isReading = false
    slow.stream.roomByteCount = 100
    var value = 0
    for _ in 0..<10 {
      publish(gateway, (1...8).map { progress("t", value + $0, pad: 100) })
      value += 8
    }
    slow.isReading = true
    gateway.settle()
    slow.stream.roomByteCount = 1 << 20
    publish(gateway, (1...3).map { progress("t", value + $0) })
    #expect(fast.messages().map { $0.int("offset") } == Array(1...83))
    var next = 1
    var skippedCount = 0
    for message in slow.messages() {
      let skipped = message.int("skipped") ?? 0
      skippedCount += skipped
      #expect(message.int("offset") == next + skipped)
      next = (message.int("offset") ?? 0) + 1
    }
    #expect(next == 84)
    #expect(skippedCount > 0)
    #expect(gateway.metric(.slowConsumers(.closed)) == 0)
    gateway.expectNothingLeft()
  }

  // MARK: The budget

  /// So many subscribers that a publish to them takes five turns.
  private func crowd(_ gateway: SimulatedGateway) -> [SimulatedClient] {
    let clients = (0..<(4 * ShardLimits.flushesPerTurnMax + 10)).map { _ in
      let client = gateway.connect()
      client.upgrade("/ws")
      client.sendText(#"{"action":"subscribe","task_id":"big"}"#)
      return client
    }
    gateway.settle()
    for client in clients {
      #expect(client.answer()?.status == 101)
      _ = client.frames()
    }
    return clients
  }

  private func reachedCount(_ clients: [SimulatedClient]) -> Int {
    clients.count { !$0.received.isEmpty || !$0.stream.toClient.isEmpty }
  }

  @Test func `a turn writes to as many as its budget, and a ping is answered before the rest`() {
    let gateway = SimulatedGateway()
    register(gateway, "big", "small")
    let clients = crowd(gateway)
    let other = open(gateway, following: ["small"])
    publish(gateway, [progress("big", 1)], settles: false)
    gateway.turnOnce()
    #expect(reachedCount(clients) <= ShardLimits.flushesPerTurnMax)
    #expect(reachedCount(clients) >= ShardLimits.flushesPerTurnMax - 2)
    other.send(other.frame(.ping, Array("here?".utf8)))
    publish(gateway, [progress("small", 1)], settles: false)
    gateway.turnOnce()
    #expect(reachedCount(clients) < clients.count)
    #expect(other.frames().map(\.opcode).sorted { $0.rawValue < $1.rawValue } == [.text, .pong])
    gateway.settle()
    for client in clients { #expect(client.messages().map { $0.int("offset") } == [1]) }
    gateway.expectNothingLeft()
  }

  @Test func `who waits for the fan-out and asks something is answered at once, in order`() {
    let gateway = SimulatedGateway()
    register(gateway, "big")
    let clients = crowd(gateway)
    publish(gateway, [progress("big", 1)], settles: false)
    gateway.turnOnce()
    let waiting = clients.filter { $0.received.isEmpty && $0.stream.toClient.isEmpty }
    guard let last = waiting.last else {
      Issue.record("the whole crowd was served in one turn")
      return
    }
    last.send(last.frame(.ping, []))
    gateway.turnOnce()
    #expect(last.frames().map(\.opcode) == [.text, .pong])
    gateway.settle()
    #expect(last.frames().isEmpty)
    for client in clients where client !== last { #expect(client.messages().count == 1) }
    gateway.expectNothingLeft()
  }

  @Test func `publishing faster than the crowd can be written to loses nothing`() {
    let gateway = SimulatedGateway()
    register(gateway, "big")
    let clients = crowd(gateway)
    for value in 1...20 {
      publish(gateway, [progress("big", value)], settles: false)
      gateway.turnOnce()
    }
    gateway.settle()
    for client in clients { #expect(client.messages().map { $0.int("offset") } == Array(1...20)) }
    #expect(gateway.shards[0].leftOver.count == 0)
    gateway.expectNothingLeft()
  }

  @Test func `whoever leaves while it waits is not written to`() {
    let gateway = SimulatedGateway(seed: 3)
    register(gateway, "big")
    let clients = crowd(gateway)
    publish(gateway, [progress("big", 1)], settles: false)
    gateway.turnOnce()
    for client in clients.suffix(100) { client.reset() }
    let newcomers = (0..<100).map { _ in
      let client = gateway.connect()
      client.upgrade("/ws")
      return client
    }
    gateway.settle()
    for client in newcomers { #expect(client.answer()?.status == 101) }
    for client in newcomers { #expect(client.messages().isEmpty) }
    for client in clients.dropLast(100) { #expect(client.messages().map { $0.int("offset") } == [1]) }
    gateway.expectNothingLeft()
  }
}
