import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: the worker socket (contract §2.5)")
struct WorkerSocketTests {
  private static let path = "/api/v1/ws/workers"

  private func worker(_ gateway: SimulatedGateway, shard: Int = 0) -> SimulatedClient {
    let client = gateway.connect(to: shard)
    client.upgrade(Self.path, [("Authorization", "Bearer " + SimulatedGateway.publisherKey)])
    gateway.settle()
    #expect(client.answer()?.status == 101)
    return client
  }

  private func ask(_ gateway: SimulatedGateway, _ client: SimulatedClient, _ text: String) -> Message? {
    client.sendText(text)
    gateway.settle()
    let messages = client.messages()
    #expect(messages.count == 1)
    return messages.first
  }

  private func call(
    _ gateway: SimulatedGateway, _ method: String, _ path: String, _ body: String? = nil
  ) -> SimulatedClient.Answer? {
    let client = gateway.connect()
    client.request(method, path, body: body)
    gateway.settle()
    let answer = client.answer()
    client.close()
    gateway.settle()
    return answer
  }

  private func create(_ gateway: SimulatedGateway, _ workflow: String = "w") -> String {
    let answer = call(gateway, "POST", "/api/v1/executions", #"{"workflow_id":"\#(workflow)","input_data":{"n":1}}"#)
    #expect(answer?.status == 201)
    return answer.map { Message($0.body).string("execution_id") ?? "" } ?? ""
  }

  // MARK: Who may

  @Test func `only who may publish is let in`() {
    let gateway = SimulatedGateway {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
    }
    func close(_ path: String, _ fields: [(String, String)] = []) -> SimulatedClient.Frame? {
      let client = gateway.connect()
      client.upgrade(path, fields)
      gateway.settle()
      #expect(client.answer()?.status == 101)
      return client.frames().first
    }
    #expect(close(Self.path)?.closeReason == "Authentication failed")
    #expect(close(Self.path + "?token=nonsense")?.closeCode == 1008)
    let refused = close(Self.path + "?token=" + gateway.token("alice"))
    #expect(refused?.closeCode == 1008 && refused?.closeReason == "Permission denied")
    #expect(close(Self.path + "?token=" + SimulatedGateway.publisherKey) == nil)
    #expect(close(Self.path + "?token=" + gateway.token("robot", role: .publisher)) == nil)
    #expect(close(Self.path, [("Authorization", "Bearer " + gateway.token("root", role: .admin))]) == nil)
    gateway.expectNothingLeft()
  }

  @Test func `with authentication off a key is still needed, and with dev none`() {
    let off = SimulatedGateway()
    let stranger = off.connect()
    stranger.upgrade(Self.path)
    off.settle()
    #expect(stranger.answer()?.status == 101)
    #expect(stranger.frames().first?.closeReason == "Authentication failed")
    off.expectNothingLeft()
    let open = SimulatedGateway { $0.isDevelopment = true }
    let client = open.connect()
    client.upgrade(Self.path)
    open.settle()
    #expect(client.answer()?.status == 101)
    #expect(ask(open, client, #"{"id":1,"op":"heartbeat","task_id":"t"}"#)?.raw("ok") == "true")
    open.expectNothingLeft()
  }

  @Test func `with an internal port it is there and nowhere else`() {
    let gateway = SimulatedGateway { $0.internalPort = 9 }
    let outside = gateway.connect()
    outside.upgrade(Self.path, [("Authorization", "Bearer " + SimulatedGateway.publisherKey)])
    let inside = gateway.connect(isInternal: true)
    inside.upgrade(Self.path, [("Authorization", "Bearer " + SimulatedGateway.publisherKey)])
    gateway.settle()
    #expect(outside.answer()?.status == 404)
    #expect(inside.answer()?.status == 101)
    gateway.expectNothingLeft()
  }

  @Test func `with statuses for refusals a user's token gets 403`() {
    let gateway = SimulatedGateway {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
      $0.rejectionStyle = .http
    }
    for (query, status) in [("", 401), ("?token=" + gateway.token("alice"), 403)] {
      let client = gateway.connect()
      client.upgrade(Self.path + query)
      gateway.settle()
      #expect(client.answer()?.status == status)
    }
    gateway.expectNothingLeft()
  }

  // MARK: Operations

  @Test(arguments: [1, 2, 4])
  func `an operation is answered as its call is, under its id`(shardCount: Int) throws {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let worker = worker(gateway, shard: shardCount - 1)
    let made = try #require(ask(gateway, worker, #"{"id":"a","op":"register","task_id":"t","owner":"alice"}"#))
    #expect(made.raw("id") == #""a""# && made.raw("ok") == "true")
    #expect(made.string("owner") == "alice" && made.string("status") == "pending")
    let first = try #require(ask(gateway, worker, #"{"id":1,"op":"progress","task_id":"t","progress":5}"#))
    #expect(first.raw("offset") == "1" && first.raw("cancel_requested") == "false" && first.string("epoch") != nil)
    #expect(ask(gateway, worker, #"{"id":2,"op":"heartbeat","task_id":"t"}"#)?.raw("cancel_requested") == "false")
    let last = try #require(ask(gateway, worker, #"{"id":3,"op":"complete","task_id":"t","result":[1]}"#))
    #expect(last.raw("offset") == "2" && !last.has("cancel_requested"))
    let refused = try #require(ask(gateway, worker, #"{"id":4,"op":"progress","task_id":"t","progress":6}"#))
    #expect(refused.raw("ok") == "false" && refused.raw("error").contains(#""code":"task_finished""#))
    #expect(ask(gateway, worker, #"{"id":5,"op":"broadcast","a":1}"#)?.raw("connections") == "0")
    let message = try #require(ask(gateway, worker, #"{"id":6,"op":"message","user_id":"alice","a":1}"#))
    #expect(message.raw("acked") == "false" && message.raw("message_id") == "null")
    #expect(ask(gateway, worker, #"{"op":"channel","channel":"c","a":1}"#)?.raw("id") == "null")
    #expect(ask(gateway, worker, "nonsense")?.raw("ok") == "false")
    #expect(gateway.metric(.publishRequests(.progress, .accepted)) == 1)
    #expect(gateway.metric(.publishRequests(.progress, .rejected)) == 1)
    #expect(gateway.metric(.connections(.worker)) == 1)
    gateway.expectNothingLeft()
  }

  @Test(arguments: 0..<30 as Range<UInt64>)
  func `a task's operations are carried out in their order, however they arrive`(seed: UInt64) {
    let shardCount = [1, 2, 4][Int(seed % 3)]
    let gateway = SimulatedGateway(shardCount: shardCount, seed: seed, faults: .pieces)
    let client = gateway.connect()
    client.upgrade(Self.path, [("Authorization", "Bearer " + SimulatedGateway.publisherKey)])
    for number in 1...40 {
      client.sendText(#"{"id":\#(number),"op":"progress","task_id":"t\#(number % 3)","progress":\#(number)}"#)
      if number % 7 == 0 { gateway.turnOnce() }
    }
    gateway.settle()
    #expect(client.answer()?.status == 101)
    var offsets = [0, 0, 0]
    var seen: Set<Int> = []
    for message in client.messages() {
      let number = message.int("id") ?? 0
      seen.insert(number)
      offsets[number % 3] += 1
      #expect(message.int("offset") == offsets[number % 3], "seed \(seed)")
    }
    #expect(seen.count == 40, "seed \(seed)")
    gateway.expectNothingLeft()
  }

  @Test func `a message may be as large as a request's body`() {
    let gateway = SimulatedGateway { $0.maxMessageByteCount = 1024 }
    let worker = worker(gateway)
    let text = String(repeating: "x", count: 100_000)
    #expect(
      ask(gateway, worker, #"{"id":1,"op":"progress","task_id":"t","progress":1,"details":"\#(text)"}"#)?.raw("ok")
        == "true")
    worker.sendText(String(repeating: " ", count: gateway.shared.configuration.maxRequestByteCount + 1))
    gateway.settle()
    #expect(worker.frames().last?.closeCode == 1009)
    gateway.expectNothingLeft()
  }

  // MARK: Commands

  @Test(arguments: [1, 2, 4])
  func `who last reported and who watches are told of a cancel, each once`(shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let former = worker(gateway)
    let latest = worker(gateway, shard: shardCount - 1)
    let watcher = worker(gateway, shard: shardCount / 2)
    for client in [former, latest] {
      #expect(ask(gateway, client, #"{"id":1,"op":"progress","task_id":"t","progress":1}"#)?.raw("ok") == "true")
    }
    for client in [latest, watcher] {
      let answer = ask(gateway, client, #"{"id":2,"op":"watch","task_id":"t"}"#)
      #expect(answer?.description == #"{"id":2,"ok":true}"#)
    }
    #expect(call(gateway, "POST", "/api/v1/tasks/t/cancel", #"{"user_id":"alice","reason":"enough"}"#)?.status == 202)
    for client in [latest, watcher] {
      #expect(
        client.messages().map(\.description)
          == [#"{"type":"cancel_requested","task_id":"t","user_id":"alice","reason":"enough"}"#])
    }
    #expect(former.messages().isEmpty)
    // Asked again nothing is new.
    #expect(call(gateway, "POST", "/api/v1/tasks/t/cancel", "{}")?.status == 202)
    #expect(latest.messages().isEmpty)
    #expect(
      ask(gateway, latest, #"{"id":3,"op":"progress","task_id":"t","progress":2}"#)?.raw("cancel_requested") == "true")
    gateway.expectNothingLeft()
  }

  @Test func `who watches a task too late for its cancel is told at once`() {
    let gateway = SimulatedGateway(shardCount: 2)
    #expect(call(gateway, "POST", "/api/v1/tasks/t/progress", #"{"progress":1}"#)?.status == 202)
    #expect(call(gateway, "POST", "/api/v1/tasks/t/cancel", "{}")?.status == 202)
    let worker = worker(gateway)
    worker.sendText(#"{"id":1,"op":"watch","task_id":"t"}"#)
    gateway.settle()
    #expect(worker.messages().map(\.type) == ["", "cancel_requested"])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2, 4])
  func `the outcome of a question reaches the worker, whatever it is`(shardCount: Int) throws {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let worker = worker(gateway, shard: shardCount - 1)
    let other = self.worker(gateway)
    #expect(ask(gateway, worker, #"{"id":1,"op":"progress","task_id":"t","progress":1}"#) != nil)
    func question(_ timeout: Int) -> String {
      let answer = call(
        gateway, "POST", "/api/v1/confirmations",
        #"{"task_id":"t","user_id":"alice","timeout":\#(timeout),"step":1,"step_result":{"step":"s"}}"#)
      return answer.map { Message($0.body).string("callback_id") ?? "" } ?? ""
    }
    let withdrawn = question(60)
    #expect(call(gateway, "DELETE", "/api/v1/confirmations/\(withdrawn)")?.status == 200)
    let first = try #require(worker.messages().first)
    #expect(first.type == "confirmation_resolved" && first.string("task_id") == "t")
    #expect(first.string("callback_id") == withdrawn && first.string("status") == "withdrawn")
    #expect(first.raw("proceed") == "null" && first.string("resolved_by") == "withdrawn")
    let timed = question(5)
    gateway.advance(seconds: 6)
    let second = try #require(worker.messages().first)
    #expect(second.string("callback_id") == timed && second.string("status") == "timed_out")
    #expect(second.raw("proceed") == "true" && second.raw("feedback") == "null")
    #expect(other.messages().isEmpty)
    gateway.expectNothingLeft()
  }

  @Test func `a worker that is gone is forgotten`() {
    let gateway = SimulatedGateway(shardCount: 2)
    let worker = worker(gateway)
    #expect(ask(gateway, worker, #"{"id":1,"op":"progress","task_id":"t","progress":1}"#) != nil)
    #expect(ask(gateway, worker, #"{"id":2,"op":"watch","task_id":"u"}"#) != nil)
    #expect(gateway.shards.reduce(0) { $0 + $1.workerDirectory.taskCount } == 2)
    worker.reset()
    gateway.settle()
    #expect(gateway.shards.allSatisfy { $0.workerDirectory.isEmpty && $0.workers.isEmpty })
    #expect(gateway.shared.workerConnections.load(ordering: .relaxed) == 0)
    gateway.expectNothingLeft()
  }

  @Test func `nothing is kept of a task that has ended`() {
    let gateway = SimulatedGateway(shardCount: 2)
    let worker = worker(gateway)
    #expect(ask(gateway, worker, #"{"id":1,"op":"progress","task_id":"t","progress":1}"#) != nil)
    #expect(ask(gateway, worker, #"{"id":2,"op":"complete","task_id":"t"}"#) != nil)
    #expect(gateway.shards.allSatisfy { $0.workerDirectory.isEmpty })
    gateway.expectNothingLeft()
  }

  // MARK: Executions

  @Test(arguments: [1, 2, 4])
  func `an execution is offered to one that accepts, with what it was created with`(shardCount: Int) throws {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let early = create(gateway, "early")
    let worker = worker(gateway, shard: shardCount - 1)
    worker.sendText(#"{"id":1,"op":"accept_executions","limit":2}"#)
    gateway.settle()
    var messages = worker.messages()
    #expect(messages.map(\.type) == ["", "execution_created"])
    #expect(messages.first?.description == #"{"id":1,"ok":true}"#)
    #expect(messages.last?.string("execution_id") == early && messages.last?.string("workflow_id") == "early")
    #expect(messages.last?.raw("input_data") == #"{"n":1}"# && messages.last?.string("status") == "pending")
    let second = create(gateway)
    let third = create(gateway)
    messages = worker.messages()
    #expect(messages.map { $0.string("execution_id") } == [second])
    // There is room only when one has ended.
    #expect(ask(gateway, worker, #"{"id":2,"op":"progress","task_id":"\#(early)","progress":1}"#) != nil)
    worker.sendText(#"{"id":3,"op":"complete","task_id":"\#(early)"}"#)
    gateway.settle()
    messages = worker.messages()
    #expect(messages.map { $0.string("execution_id") } == [nil, third])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2, 4])
  func `what a worker has not begun goes to another when its socket is gone, what it has begun does not`(
    shardCount: Int
  ) {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let first = worker(gateway, shard: shardCount - 1)
    #expect(ask(gateway, first, #"{"id":1,"op":"accept_executions","limit":10}"#) != nil)
    let names = (0..<3).map { _ in create(gateway) }
    #expect(first.messages().map { $0.string("execution_id") } == names)
    #expect(ask(gateway, first, #"{"id":2,"op":"progress","task_id":"\#(names[1])","progress":1}"#) != nil)
    let second = worker(gateway)
    #expect(ask(gateway, second, #"{"id":1,"op":"accept_executions","limit":10}"#) != nil)
    first.reset()
    gateway.settle()
    #expect(second.messages().map { $0.string("execution_id") } == [names[0], names[2]])
    gateway.expectNothingLeft()
  }

  @Test func `who closes in order gives back what it has not begun, too`() {
    let gateway = SimulatedGateway(shardCount: 2)
    let first = worker(gateway)
    #expect(ask(gateway, first, #"{"id":1,"op":"accept_executions","limit":10}"#) != nil)
    let name = create(gateway)
    first.sendClose()
    gateway.settle()
    let second = worker(gateway, shard: 1)
    second.sendText(#"{"id":1,"op":"accept_executions","limit":1}"#)
    gateway.settle()
    #expect(second.messages().last?.string("execution_id") == name)
    gateway.expectNothingLeft()
  }

  @Test func `one that was begun over HTTP is not offered, and one that has ended makes room`() {
    let gateway = SimulatedGateway(shardCount: 2)
    let begun = create(gateway)
    #expect(call(gateway, "POST", "/api/v1/tasks/\(begun)/heartbeat", "{}")?.status == 200)
    let ended = create(gateway)
    #expect(call(gateway, "POST", "/api/v1/tasks/\(ended)/error", #"{"error":"no"}"#)?.status == 200)
    let worker = worker(gateway)
    #expect(ask(gateway, worker, #"{"id":1,"op":"accept_executions","limit":1}"#) != nil)
    let first = create(gateway)
    #expect(worker.messages().map { $0.string("execution_id") } == [first])
    let second = create(gateway)
    #expect(worker.messages().isEmpty)
    #expect(call(gateway, "POST", "/api/v1/tasks/\(first)/complete", "{}")?.status == 200)
    #expect(worker.messages().map { $0.string("execution_id") } == [second])
    gateway.expectNothingLeft()
  }

  @Test func `a restart puts back what nobody had begun, in the order of its creation`() throws {
    let gateway = SimulatedGateway(shardCount: 2)
    var snapshots: [TaskSnapshot] = []
    for number in 0..<4 {
      var snapshot = TaskSnapshot(
        identifier: try #require(TaskIdentifier(validating: "old\(number)")), epoch: Epoch(text: "e"),
        createdAt: Double(100 - number))
      snapshot.isExecution = number != 3
      if number == 1 { snapshot.status = .running }
      snapshots.append(snapshot)
    }
    for snapshot in snapshots {
      let shard = gateway.shards[gateway.shared.home(of: snapshot.identifier)]
      shard.offerExecution(snapshot)
      shard.offerExecution(snapshot)
    }
    gateway.settle()
    #expect(gateway.shards[0].dispatcher.waitingCount == 2)
    #expect(gateway.metric(.executionsWaiting) == 2)
    gateway.expectNothingLeft()
  }

  @Test func `where too many wait a new one is refused`() {
    let gateway = SimulatedGateway()
    gateway.shared.waitingExecutions.store(ExecutionDispatcher.waitingCountMax, ordering: .relaxed)
    let answer = call(gateway, "POST", "/api/v1/executions", #"{"workflow_id":"w"}"#)
    #expect(answer?.status == 503)
    gateway.shared.waitingExecutions.store(ExecutionDispatcher.waitingCountMax - 1, ordering: .relaxed)
    _ = create(gateway)
    gateway.expectNothingLeft()
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func `every execution is run, however workers come and go`(seed: UInt64) {
    var random = SeededGenerator(seed: seed &+ 0xe8ec)
    let shardCount = [1, 2, 4][Int(seed % 3)]
    let gateway = SimulatedGateway(shardCount: shardCount, seed: seed, faults: seed % 5 == 0 ? .none : .pieces)
    let publisher = gateway.connect()
    var createdCount = 0
    var sockets: [SimulatedClient] = []
    var fresh: Set<ObjectIdentifier> = []
    var runs: [String: Int] = [:]
    func look() {
      for socket in sockets {
        if fresh.contains(ObjectIdentifier(socket)) {
          guard socket.answer() != nil else { continue }
          fresh.remove(ObjectIdentifier(socket))
        }
        for message in socket.messages() where message.type == "execution_created" {
          let name = message.string("execution_id") ?? ""
          // Some die before they begin.
          if random.once(in: 3) {
            socket.reset()
            sockets.removeAll { $0 === socket }
            break
          }
          runs[name, default: 0] += 1
          socket.sendText(#"{"id":1,"op":"progress","task_id":"\#(name)","progress":1}"#)
          socket.sendText(#"{"id":2,"op":"complete","task_id":"\#(name)"}"#)
        }
      }
    }
    func join() {
      let socket = gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
      socket.upgrade(Self.path, [("Authorization", "Bearer " + SimulatedGateway.publisherKey)])
      socket.sendText(#"{"id":0,"op":"accept_executions","limit":\#(Int.random(in: 1...3, using: &random))}"#)
      fresh.insert(ObjectIdentifier(socket))
      sockets.append(socket)
    }
    for _ in 0..<150 {
      switch Int.random(in: 0..<6, using: &random) {
      case 0..<2:
        createdCount += 1
        publisher.request("POST", "/api/v1/executions", body: #"{"workflow_id":"w"}"#)
      case 2 where sockets.count < 4: join()
      case 3: gateway.settle()
      default: gateway.turnOnce()
      }
      look()
    }
    // One that died took its last reports with it: those executions are offered again.
    for _ in 0..<200 where runs.count < createdCount || gateway.shards[0].dispatcher.executionCount > 0 {
      if sockets.count < 2 { join() }
      gateway.settle()
      look()
    }
    gateway.settle()
    #expect(runs.count == createdCount, "seed \(seed)")
    #expect(gateway.shards[0].dispatcher.executionCount == 0, "seed \(seed)")
    #expect(gateway.shards.allSatisfy { $0.unclaimedExecutions.isEmpty }, "seed \(seed)")
    gateway.expectNothingLeft()
  }
}
