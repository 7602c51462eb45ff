import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("Shard: log lines, nodes and leases on their way to watchers")
struct TaskLaneTests {
  private static func watch(_ gateway: SimulatedGateway, _ path: String, shard: Int = 0) -> SimulatedClient {
    let client = gateway.connect(to: shard)
    client.upgrade(path)
    if path == "/ws" { client.sendText(#"{"action":"subscribe","task_id":"t","wait":true}"#) }
    gateway.settle()
    #expect(client.answer()?.status == 101)
    _ = client.messages()
    return client
  }

  private static func shards(_ shardCount: Int) -> (SimulatedGateway, SimulatedClient) {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let publisher = gateway.connect()
    publisher.request("POST", "/api/v1/tasks", body: #"{"task_id":"t"}"#)
    gateway.settle()
    #expect(publisher.answer()?.status == 201)
    return (gateway, publisher)
  }

  @Test(arguments: [1, 2, 4])
  func `lines and events of one publisher arrive in its order, in the dialects that want them`(_ shardCount: Int) {
    let (gateway, publisher) = Self.shards(shardCount)
    let last = shardCount - 1
    let native = Self.watch(gateway, "/ws", shard: last)
    let task = Self.watch(gateway, "/ws/task/t", shard: last)
    let plain = Self.watch(gateway, "/api/v1/ws/executions/t", shard: last)
    let logs = Self.watch(gateway, "/api/v1/ws/executions/t?logs=1", shard: 0)
    let nodes = Self.watch(gateway, "/api/v1/ws/executions/t?x=1&nodes=1", shard: last)
    let lines = [
      #"{"op":"progress","task_id":"t","progress":1}"#, #"{"op":"log","task_id":"t","level":"info","message":"a"}"#,
      #"{"op":"log","task_id":"t","level":"info","message":"b"}"#,
      #"{"op":"node","task_id":"t","node_id":"n","status":"running","progress":40}"#,
      #"{"op":"log","task_id":"t","lines":[{"level":"x","message":"c"},{"level":"x","message":"d"}]}"#,
      #"{"op":"progress","task_id":"t","progress":2}"#,
    ]
    publisher.request(
      "POST", "/api/v1/publish", body: lines.joined(separator: "\n"), contentType: "application/x-ndjson")
    gateway.settle()
    #expect(publisher.answer()?.status == 200)
    #expect(
      native.messages().map { "\($0.type) \($0.int("log_offset") ?? $0.int("offset") ?? -1)" } == [
        "progress 1", "log 1", "log 2", "node_status 2", "log 3", "log 4", "progress 3",
      ])
    #expect(task.messages().map { "\($0.type) \($0.raw("progress"))" } == ["progress 1", "progress 40", "progress 2"])
    #expect(plain.messages().map { "\($0.type) \($0.raw("progress"))" } == ["status 1", "status 40", "status 2"])
    #expect(
      logs.messages().map { "\($0.type) \($0.string("message") ?? $0.raw("progress"))" } == [
        "status 1", "log a", "log b", "status 40", "log c", "log d", "status 2",
      ])
    let told = nodes.messages()
    #expect(told.map { "\($0.type) \($0.raw("progress"))" } == ["status 1", "status 40", "node_status 40", "status 2"])
    #expect(
      told[2].description
        == #"{"type":"node_status","execution_id":"t","node_id":"n","status":"running","progress":40,"task_progress":40}"#
    )
    gateway.expectNothingLeft()
  }

  @Test func `a task's events over HTTP show a node's with what was given`() {
    let (gateway, publisher) = Self.shards(1)
    publisher.request("POST", "/api/v1/tasks/t/nodes/fetch", body: #"{"status":"running","progress":25,"extra":[1]}"#)
    publisher.request("GET", "/api/v1/tasks/t/events")
    gateway.settle()
    let answers = publisher.answers()
    #expect(answers.map(\.status) == [202, 200])
    #expect(Message(answers[0].body).raw("cancel_requested") == "false")
    #expect(
      Message(answers[1].body).raw("events")
        == #"[{"type":"node_status","offset":1,"node_id":"fetch","status":"running","progress":25,"extra":[1],"task_progress":25}]"#
    )
    gateway.expectNothingLeft()
  }

  @Test func `who does not keep up misses lines, and is never closed for them`() {
    let gateway = SimulatedGateway { $0.sendBufferByteCount = 65_536 }
    let slow = gateway.connect(roomByteCount: 2000)
    slow.upgrade("/ws")
    slow.sendText(#"{"action":"subscribe","task_id":"t","wait":true}"#)
    gateway.settle()
    _ = (slow.answer(), slow.messages())
    let quick = Self.watch(gateway, "/ws")
    slow.isReading = false
    let publisher = gateway.connect()
    let line = #"{"level":"info","message":"\#(String(repeating: "x", count: 900))"}"#
    for _ in 0..<20 {
      publisher.request(
        "POST", "/api/v1/tasks/t/logs",
        body: #"{"lines":[\#(Array(repeating: line, count: 50).joined(separator: ","))]}"#)
      gateway.settle()
    }
    publisher.request("POST", "/api/v1/tasks/t/complete", body: "{}")
    gateway.settle()
    #expect(publisher.answers().map(\.status) == Array(repeating: 202, count: 20) + [200])
    #expect(quick.messages().filter { $0.type == "log" }.count == 1000)
    #expect(gateway.metric(.eventsConflated) > 0)
    slow.isReading = true
    gateway.settle()
    let frames = slow.frames()
    #expect(!frames.contains { $0.opcode == .close })
    let messages = frames.map { Message($0.payload) }
    let offsets = messages.filter { $0.type == "log" }.compactMap { $0.int("log_offset") }
    #expect(!offsets.isEmpty && offsets.count < 1000)
    #expect(offsets == offsets.sorted())
    // The end is never left out.
    #expect(messages.last?.type == "complete")
    #expect(gateway.metric(.slowConsumers(.closed)) == 0)
    gateway.expectNothingLeft()
  }

  @Test func `who reads gets every line, however many come in one turn`() {
    let (gateway, publisher) = Self.shards(2)
    let watcher = Self.watch(gateway, "/ws", shard: 1)
    let line = #"{"level":"info","message":"\#(String(repeating: "x", count: 700))"}"#
    let body = #"{"lines":[\#(Array(repeating: line, count: 1000).joined(separator: ","))]}"#
    publisher.request("POST", "/api/v1/tasks/t/logs", body: body)
    gateway.settle()
    #expect(publisher.answer().map { Message($0.body).int("log_offset") } == 1000)
    #expect(watcher.messages().map { $0.int("log_offset") } == Array(1...1000))
    gateway.expectNothingLeft()
  }

  @Test func `lines are read over HTTP by offset`() {
    let (gateway, publisher) = Self.shards(2)
    publisher.request(
      "POST", "/api/v1/tasks/t/logs",
      body: #"{"lines":[{"level":"a","message":"1","timestamp":5.50},{"level":"b","message":"2"}]}"#)
    publisher.request("GET", "/api/v1/tasks/t/logs?limit=1")
    publisher.request("GET", "/api/v1/tasks/t/logs?after=1")
    publisher.request("GET", "/api/v1/tasks/unknown/logs")
    publisher.request("GET", "/api/v1/tasks/t/logs?limit=1001")
    gateway.settle()
    let answers = publisher.answers()
    #expect(answers.map(\.status) == [202, 200, 200, 404, 400])
    #expect(answers[0].text == #"{"log_offset":2,"cancel_requested":false}"#)
    #expect(
      answers[1].text == #"{"log_offset":2,"lines":[{"log_offset":1,"level":"a","message":"1","timestamp":5.50}]}"#)
    #expect(Message(answers[2].body).raw("lines").contains(#""log_offset":2"#))
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2])
  func `a worker that is lost makes its task stale, and ends it after the grace`(_ shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount) { $0.leaseGrace = .seconds(5) }
    let publisher = gateway.connect()
    publisher.request("POST", "/api/v1/tasks", body: #"{"task_id":"t","lease_seconds":10}"#)
    publisher.request("POST", "/api/v1/tasks/t/progress", body: #"{"progress":40}"#)
    gateway.settle()
    #expect(publisher.answers().map(\.status) == [201, 202])
    let watcher = Self.watch(gateway, "/ws", shard: shardCount - 1)
    func snapshot() -> Message? {
      let reader = gateway.connect()
      reader.request("GET", "/api/v1/tasks/t")
      gateway.settle()
      defer { reader.close() }
      return reader.answer().map { Message($0.body) }
    }
    gateway.advance(seconds: 9)
    #expect(snapshot()?.raw("stale") == "false")
    gateway.advance(seconds: 2)
    #expect(snapshot()?.raw("stale") == "true")
    #expect(watcher.messages().isEmpty)
    gateway.advance(seconds: 5)
    #expect(snapshot()?.string("error_code") == "worker_lost")
    let told = watcher.messages()
    #expect(told.map(\.type) == ["error"])
    #expect(told.first?.string("error_code") == "worker_lost")
    #expect(told.first?.int("offset") == 2)
    gateway.expectNothingLeft()
  }
}
