import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: who does not keep up reads on where it was, or at the newest")
struct SlowReaderTests {
  private static let limit = 65_536
  /// Of an event's padding: about a kibibyte on the wire.
  private static let pad = 900

  private func makeGateway(
    seed: UInt64 = 1, faults: SimulatedFaults = .none, limit: Int = Self.limit, isCompressionOn: Bool = false
  ) -> SimulatedGateway {
    SimulatedGateway(seed: seed, faults: faults) {
      $0.sendBufferByteCount = limit
      $0.isCompressionOn = isCompressionOn
    }
  }

  private func open(
    _ gateway: SimulatedGateway, _ path: String = "/ws", following tasks: [String] = [], isCompressed: Bool = false
  ) -> SimulatedClient {
    let client = gateway.connect()
    client.upgrade(path, isCompressed ? [("Sec-WebSocket-Extensions", "permessage-deflate")] : [])
    for task in tasks { client.sendText(#"{"action":"subscribe","task_id":"\#(task)","wait":true}"#) }
    gateway.settle()
    #expect(client.answer()?.status == 101)
    _ = client.frames()
    return client
  }

  /// It reads no more, and the kernel keeps nearly nothing for it.
  private func stall(_ client: SimulatedClient, roomByteCount: Int = 100) {
    client.isReading = false
    client.stream.roomByteCount = roomByteCount
  }

  private func publish(_ gateway: SimulatedGateway, _ lines: [String]) {
    let publisher = gateway.connect()
    publisher.request(
      "POST", "/api/v1/publish", body: lines.joined(separator: "\n"), contentType: "application/x-ndjson")
    gateway.settle()
    #expect(publisher.answers().map(\.status) == [200])
    publisher.close()
  }

  private func progress(_ task: String, _ value: Int, pad: Int = Self.pad) -> String {
    #"{"op":"progress","task_id":"\#(task)","progress":\#(value % 100),"message":"\#(String(repeating: "p", count: pad))"}"#
  }

  private func publishProgress(_ gateway: SimulatedGateway, _ task: String, _ offsets: ClosedRange<Int>) {
    for offset in offsets { publish(gateway, [progress(task, offset)]) }
  }

  /// What `skipped` counts between offsets; every message of the task must fit behind the one before.
  private func skipped(_ messages: [Message], after offset: Int = 0) -> Int {
    var last = offset
    var sum = 0
    for message in messages {
      let skipped = message.int("skipped") ?? 0
      #expect(message.int("offset") == last + skipped + 1, "\(message.type) after \(last), skipped \(skipped)")
      #expect(skipped > 0 || !message.has("skipped"))
      last = message.int("offset") ?? 0
      sum += skipped
    }
    return sum
  }

  @Test func `who was away for a moment gets every event, once and in order`() {
    let gateway = makeGateway()
    let client = open(gateway, following: ["t"])
    stall(client)
    publishProgress(gateway, "t", 1...60)
    let shard = gateway.shards[0]
    #expect(shard.topics.laggardCount == 1)
    #expect(Int(shard.connections[0].pendingByteCount) <= ShardLimits.lagByteCountMax)
    client.isReading = true
    gateway.settle()
    let messages = client.messages()
    #expect(messages.map { $0.int("offset") } == Array(1...60))
    #expect(skipped(messages) == 0)
    #expect(shard.topics.laggardCount == 0 && shard.topics.ringByteCount == 0)
    #expect(gateway.metric(.eventsConflated) == 0)
    publishProgress(gateway, "t", 61...62)
    #expect(client.messages().map { $0.int("offset") } == [61, 62])
    gateway.expectNothingLeft()
  }

  @Test func `where the ring has moved on it gets the newest, is told how many it missed, and goes on from there`() {
    let gateway = makeGateway()
    let client = open(gateway, following: ["t"])
    stall(client)
    publishProgress(gateway, "t", 1...200)
    client.isReading = true
    gateway.settle()
    let messages = client.messages()
    let queuedCount = messages.count - 1
    #expect(queuedCount < 30)
    #expect(messages.last?.int("offset") == 200)
    #expect(skipped(messages) == 199 - queuedCount)
    #expect(gateway.metric(.eventsConflated) == 199 - queuedCount)
    #expect(gateway.metric(.slowConsumers(.conflated)) == 1)
    publishProgress(gateway, "t", 201...201)
    #expect(client.messages().map { $0.int("offset") } == [201])
    gateway.expectNothingLeft()
  }

  @Test func `events that wait in the ring leave together`() {
    let gateway = makeGateway()
    let client = open(gateway, following: ["t"])
    stall(client)
    for offset in 1...80 { publish(gateway, [progress("t", offset, pad: 150)]) }
    let queued = Int(gateway.shards[0].connections[0].pendingByteCount)
    #expect(gateway.shards[0].topics.laggardCount == 1)
    client.stream.roomByteCount = 1 << 20
    client.isReading = true
    client.stream.sendCount = 0
    gateway.settle()
    #expect(client.messages().count == 80)
    #expect(queued < 2 * ShardLimits.lagByteCountMax)
    #expect(client.stream.sendCount <= 3)
    gateway.expectNothingLeft()
  }

  @Test func `the end comes behind what is queued and says how much was left out`() {
    let gateway = makeGateway()
    let clients = (0..<5).map { _ in open(gateway, following: ["t"]) }
    for client in clients { stall(client) }
    publishProgress(gateway, "t", 1...50)
    #expect(gateway.shards[0].topics.laggardCount == 5)
    publish(gateway, [#"{"op":"complete","task_id":"t","result":"the end"}"#])
    #expect(gateway.shards[0].topics.laggardCount == 0 && gateway.shards[0].topics.ringByteCount == 0)
    for client in clients {
      client.isReading = true
      gateway.settle()
      let messages = client.messages()
      #expect(messages.last?.type == "complete" && messages.last?.int("offset") == 51)
      #expect(skipped(messages) == 51 - messages.count && messages.count < 50)
    }
    gateway.expectNothingLeft()
  }

  @Test func `readers of the other dialects get the newest, and the end`() {
    let gateway = makeGateway()
    publish(gateway, [#"{"op":"register","task_id":"t"}"#])
    let task = open(gateway, "/ws/task/t")
    let execution = open(gateway, "/api/v1/ws/executions/t")
    for client in [task, execution] { stall(client) }
    publishProgress(gateway, "t", 1...99)
    #expect(gateway.shards[0].topics.laggardCount == 2)
    for client in [task, execution] { client.isReading = true }
    gateway.settle()
    #expect(task.messages().last?.int("progress") == 99)
    #expect(execution.messages().last?.int("progress") == 99)
    for client in [task, execution] { stall(client) }
    publishProgress(gateway, "t", 100...199)
    publish(gateway, [#"{"op":"complete","task_id":"t"}"#])
    for client in [task, execution] { client.isReading = true }
    gateway.settle()
    #expect(task.messages().last?.type == "complete")
    let frames = execution.frames()
    #expect(frames.last?.closeCode == 1000)
    #expect(frames.dropLast().last.map { Message($0.payload).string("status") } == "completed")
    gateway.expectNothingLeft()
  }

  @Test func `readers of compressed frames read on in compressed frames`() {
    let gateway = makeGateway(isCompressionOn: true)
    let client = open(gateway, following: ["t"], isCompressed: true)
    stall(client, roomByteCount: 10)
    // A message that may not be left out makes it wait; compressed events are too small to.
    publish(gateway, [#"{"op":"broadcast","type":"news","pad":"\#((0..<9_000).map { "\($0)" }.joined())"}"#])
    #expect(Int(gateway.shards[0].connections[0].pendingByteCount) > gateway.shards[0].lagByteCount)
    publishProgress(gateway, "t", 1...20)
    #expect(gateway.shards[0].topics.laggardCount == 1)
    client.isReading = true
    gateway.settle()
    let frames = client.frames()
    #expect(frames.count == 21 && frames.allSatisfy(\.isCompressed))
    gateway.expectNothingLeft()
  }

  @Test func `a subscribe while it lags begins anew`() throws {
    let gateway = makeGateway()
    let client = open(gateway, following: ["t"])
    stall(client)
    publishProgress(gateway, "t", 1...40)
    client.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    gateway.settle()
    #expect(gateway.shards[0].topics.laggardCount == 0 && gateway.shards[0].topics.ringByteCount == 0)
    publishProgress(gateway, "t", 41...45)
    client.isReading = true
    gateway.settle()
    let messages = client.messages()
    let place = try #require(messages.firstIndex { $0.type == "subscription_confirmed" })
    #expect(messages[place].int("offset") == 40)
    #expect(skipped(Array(messages[..<place])) == 0)
    #expect(skipped(Array(messages[(place + 1)...]), after: 40) == 0)
    #expect(messages.last?.int("offset") == 45)
    gateway.expectNothingLeft()
  }

  @Test func `who unsubscribes, is closed or goes while it lags leaves no ring`() {
    let gateway = makeGateway()
    let clients = (0..<3).map { _ in open(gateway, following: ["t"]) }
    for client in clients { stall(client) }
    publishProgress(gateway, "t", 1...40)
    let topics = gateway.shards[0].topics
    #expect(topics.laggardCount == 3)
    clients[0].sendText(#"{"action":"unsubscribe","task_id":"t"}"#)
    gateway.settle()
    #expect(topics.laggardCount == 2)
    clients[1].reset()
    gateway.settle()
    #expect(topics.laggardCount == 1 && topics.ringByteCount > 0)
    // More than the limit of what may not be left out.
    for _ in 0..<3 {
      publish(gateway, [#"{"op":"broadcast","type":"news","pad":"\#(String(repeating: "p", count: 30_000))"}"#])
    }
    #expect(topics.laggardCount == 0 && topics.ringByteCount == 0)
    clients[2].isReading = true
    gateway.settle()
    #expect(clients[2].frames().last?.closeCode == 1013)
    gateway.expectNothingLeft()
  }

  @Test func `messages that may not be left out are queued for one who lags`() {
    let gateway = makeGateway()
    let client = open(gateway, following: ["t"])
    stall(client)
    publishProgress(gateway, "t", 1...40)
    publish(gateway, [#"{"op":"broadcast","type":"news"}"#])
    publish(gateway, [#"{"op":"heartbeat","task_id":"t"}"#])
    publishProgress(gateway, "t", 41...42)
    client.isReading = true
    gateway.settle()
    let messages = client.messages()
    #expect(messages.count { $0.type == "news" } == 1)
    #expect(messages.filter { $0.type == "progress" }.map { $0.int("offset") } == Array(1...42))
    gateway.expectNothingLeft()
  }

  @Test func `a repeated status makes nobody lag`() {
    let gateway = SimulatedGateway {
      $0.sendBufferByteCount = 4096
      $0.statusInterval = .seconds(1)
      $0.pingInterval = .seconds(600)
    }
    publish(gateway, [#"{"op":"register","task_id":"t"}"#])
    let client = open(gateway, "/api/v1/ws/executions/t")
    stall(client, roomByteCount: 10)
    publish(gateway, [progress("t", 1, pad: 1500)])
    let shard = gateway.shards[0]
    func pending() -> Int {
      (0..<Int32(shard.connections.placeCount)).reduce(0) { $0 + Int(shard.connections[$1].pendingByteCount) }
    }
    let pendingBefore = pending()
    #expect(pendingBefore > shard.lagByteCount)
    gateway.advance(seconds: 60)
    #expect(pending() == pendingBefore)
    #expect(gateway.shards[0].topics.laggardCount == 0)
    client.isReading = true
    gateway.settle()
    #expect(client.messages().map { $0.int("progress") } == [1])
    gateway.expectNothingLeft()
  }

  @Test func `states alone never close a reader, even where one turn brings more than the limit`() {
    let gateway = makeGateway(limit: 16_384)
    let tasks = (0..<60).map { "t\($0)" }
    let client = open(gateway, following: tasks)
    stall(client)
    publish(gateway, tasks.map { progress($0, 1) })
    #expect(gateway.shards[0].connections[0].pendingByteCount <= 16_384 / ShardLimits.unflushedShare)
    for value in 2...4 { publish(gateway, tasks.map { progress($0, value) }) }
    client.isReading = true
    gateway.settle()
    let messages = client.messages()
    for task in tasks {
      #expect(messages.filter { $0.string("task_id") == task }.map { $0.int("offset") } == [1, 2, 3, 4])
    }
    #expect(gateway.metric(.slowConsumers(.closed)) == 0)
    gateway.expectNothingLeft()
  }

  @Test func `a thousand who never read hold a bounded amount, and each gets the end when it reads`() {
    let gateway = makeGateway(limit: 1 << 20)
    let shard = gateway.shards[0]
    let tasks = (0..<8).map { "t\($0)" }
    let clients = (0..<1000).map { _ in
      let client = gateway.connect()
      client.upgrade("/ws")
      for task in tasks { client.sendText(#"{"action":"subscribe","task_id":"\#(task)","wait":true}"#) }
      return client
    }
    gateway.settle()
    for client in clients {
      #expect(client.answer()?.status == 101)
      _ = client.frames()
      stall(client, roomByteCount: 1000)
    }
    func publishRound(_ value: Int) { publish(gateway, tasks.map { progress($0, value) }) }
    for value in 1...20 { publishRound(value) }
    #expect(shard.topics.laggardCount == clients.count * tasks.count)
    let (frameCount, nodeCount) = (shard.frames.count, shard.outboundNodes.count)
    for value in 21...120 { publishRound(value) }
    // Nothing more is queued for anybody, and the rings are at their bound.
    #expect(shard.frames.count == frameCount && shard.outboundNodes.count == nodeCount)
    #expect(frameCount <= 3 * tasks.count)
    #expect(nodeCount <= clients.count * 3 * tasks.count)
    #expect(shard.topics.ringByteCount <= tasks.count * RingLimits.byteCountMax)
    publish(gateway, tasks.map { #"{"op":"complete","task_id":"\#($0)"}"# })
    #expect(shard.topics.ringByteCount == 0)
    #expect(shard.frames.count <= frameCount + clients.count * tasks.count)
    for client in clients {
      client.stream.roomByteCount = 1 << 20
      client.isReading = true
    }
    gateway.settle()
    for client in clients {
      let messages = client.messages()
      for task in tasks {
        let own = messages.filter { $0.string("task_id") == task }
        #expect(own.last?.type == "complete" && own.last?.int("offset") == 121)
        #expect(skipped(own) == 121 - own.count)
      }
    }
    #expect(gateway.metric(.slowConsumers(.closed)) == 0)
    gateway.expectNothingLeft()
  }

  /// Tasks that publish and end at any time, readers that stop and go on at any time, with kernels that take any piece.
  /// Replay: the seed is the test's argument.
  @Test(arguments: 0..<120 as Range<UInt64>)
  func `offsets less what was skipped have no gap, whenever one reads`(seed: UInt64) {
    var random = SeededGenerator(seed: seed &+ 0x51_0e)
    let gateway = makeGateway(
      seed: seed, faults: seed % 3 == 0 ? .none : .pieces, limit: Int.random(in: 4096...40_000, using: &random),
      isCompressionOn: true)
    let tasks = (0..<4).map { "t\($0)" }
    let clients = (0..<5).map { open(gateway, following: tasks, isCompressed: $0 == 0) }
    var last = [[Int]](repeating: [Int](repeating: 0, count: tasks.count), count: clients.count)
    var published = [Int](repeating: 0, count: tasks.count)
    var hasEnded = [Bool](repeating: false, count: tasks.count)
    func look(_ number: Int) {
      for message in clients[number].messages() {
        guard let name = message.string("task_id"), let task = tasks.firstIndex(of: name) else { continue }
        guard message.type == "progress" || message.type == "complete" else { continue }
        let offset = message.int("offset") ?? 0
        #expect(offset == last[number][task] + 1 + (message.int("skipped") ?? 0), "seed \(seed): \(message)")
        last[number][task] = offset
      }
    }
    for client in clients { client.stream.roomByteCount = Int.random(in: 50...3000, using: &random) }
    let publisher = gateway.connect()
    for _ in 0..<150 {
      var lines: [String] = []
      for _ in 0..<Int.random(in: 0...(random.once(in: 8) ? 90 : 5), using: &random) {
        let task = Int.random(in: 0..<tasks.count, using: &random)
        guard !hasEnded[task] else { continue }
        published[task] += 1
        if published[task] > 150, random.once(in: 30) {
          hasEnded[task] = true
          lines.append(#"{"op":"complete","task_id":"\#(tasks[task])"}"#)
        } else {
          // Short enough to leave uncompressed, so that its numbers can be read.
          lines.append(progress(tasks[task], published[task], pad: Int.random(in: 0...100, using: &random)))
        }
      }
      if !lines.isEmpty {
        publisher.request(
          "POST", "/api/v1/publish", body: lines.joined(separator: "\n"), contentType: "application/x-ndjson")
      }
      for client in clients where random.once(in: 3) { client.isReading = random.once(in: 3) }
      if random.once(in: 15), let client = clients.randomElement(using: &random) {
        client.sendText(#"{"action":"ping"}"#)
      }
      for _ in 0..<Int.random(in: 0...4, using: &random) { gateway.turnOnce() }
      for number in clients.indices { look(number) }
    }
    for client in clients { client.isReading = true }
    gateway.settle()
    for number in clients.indices {
      look(number)
      #expect(last[number] == published, "seed \(seed): reader \(number) stopped")
    }
    #expect(gateway.metric(.slowConsumers(.closed)) == 0, "seed \(seed)")
    #expect(gateway.shards[0].topics.laggardCount == 0, "seed \(seed)")
    gateway.expectNothingLeft()
  }
}
