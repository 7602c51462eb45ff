import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("Shard: nothing that a crash could take back is told (contract §4.3)")
struct DurableAnswerTests {
  private static let failure = StoreFailure(kind: .full, detail: "the disk is full, free some room")

  /// A gateway whose store commits when it is told to.
  private func held(_ shardCount: Int = 1) -> (gateway: SimulatedGateway, disk: SimulatedDisk) {
    let disk = SimulatedDisk()
    let gateway = SimulatedGateway(shardCount: shardCount, disk: disk)
    gateway.store?.isHeld = true
    return (gateway, disk)
  }

  private func release(_ gateway: SimulatedGateway) {
    gateway.store?.isHeld = false
    gateway.settle()
    gateway.store?.isHeld = true
  }

  private func watcher(_ gateway: SimulatedGateway, _ task: String) -> SimulatedClient {
    let client = gateway.connect()
    client.upgrade("/ws", [("Sec-WebSocket-Protocol", "signalbox.v1")])
    client.sendText(#"{"action":"subscribe","task_id":"\#(task)"}"#)
    gateway.settle()
    _ = client.answer()
    _ = client.messages()
    return client
  }

  private func post(_ gateway: SimulatedGateway, _ path: String, _ body: String, _ fields: [(String, String)] = [])
    -> SimulatedClient
  {
    let client = gateway.connect()
    client.request("POST", "/api/v1/" + path, fields, body: body)
    gateway.settle()
    return client
  }

  private func get(_ gateway: SimulatedGateway, _ path: String) -> SimulatedClient {
    let client = gateway.connect()
    client.request("GET", path)
    gateway.settle()
    return client
  }

  @Test(arguments: [1, 2, 3])
  func `progress is told at once, an end when the store has it, to its publisher and to who watches`(shardCount: Int) {
    let (gateway, _) = held(shardCount)
    #expect(post(gateway, "tasks/t/progress", #"{"progress":1}"#).answer()?.status == 202)
    let page = watcher(gateway, "t")
    #expect(post(gateway, "tasks/t/progress", #"{"progress":2}"#).answer()?.status == 202)
    #expect(page.messages().map(\.type) == ["progress"])
    let worker = post(gateway, "tasks/t/complete", #"{"result":1}"#)
    #expect(worker.answer() == nil && page.messages().isEmpty)
    // Who comes now waits too: it would see an end that may not last.
    let late = gateway.connect()
    late.upgrade("/ws")
    late.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    let reader = get(gateway, "/api/v1/tasks/t")
    let second = post(gateway, "tasks/t/progress", #"{"progress":3}"#)
    #expect(late.answer()?.status == 101 && late.messages().isEmpty)
    #expect(reader.answer() == nil && second.answer() == nil)
    release(gateway)
    #expect(worker.answer()?.status == 200)
    #expect(page.messages().map(\.type) == ["complete"])
    #expect(late.messages().map { $0.int("offset") } == [3])
    #expect(reader.answer()?.text.contains(#""status":"completed""#) == true)
    #expect(second.answer()?.status == 409)
    gateway.store?.isHeld = false
    gateway.expectNothingLeft()
  }

  @Test func `an end that cannot be stored has not happened: 503, the task runs on, and the same end comes again`() {
    let (gateway, disk) = held()
    _ = post(gateway, "tasks/t/progress", #"{"progress":1}"#)
    let page = watcher(gateway, "t")
    disk.failure = Self.failure
    let worker = post(gateway, "tasks/t/complete", #"{"result":1}"#)
    let reader = get(gateway, "/api/v1/tasks/t")
    release(gateway)
    let refusal = worker.answer()
    #expect(refusal?.status == 503 && refusal?.field("Retry-After") == "1")
    #expect(refusal?.text.contains("store_unavailable") == true && refusal?.text.contains("the disk is full") == true)
    #expect(reader.answer()?.text.contains(#""status":"running""#) == true)
    #expect(page.messages().isEmpty)
    // Reports go on, and reach who watches; what would have to be kept is refused at the door.
    #expect(post(gateway, "tasks/t/progress", #"{"progress":2}"#).answer()?.status == 202)
    #expect(page.messages().map { $0.int("offset") } == [2])
    #expect(post(gateway, "tasks/t/error", #"{"error":"x"}"#).answer()?.status == 503)
    #expect(post(gateway, "tasks/t/progress", #"{"status":"completed"}"#).answer()?.status == 503)
    #expect(get(gateway, "/readyz").answer()?.status == 503)
    disk.failure = nil
    gateway.store?.isHeld = false
    gateway.advance(seconds: 2)
    #expect(get(gateway, "/readyz").answer()?.status == 200)
    #expect(post(gateway, "tasks/t/complete", #"{"result":1}"#).answer()?.status == 200)
    #expect(page.messages().map { $0.int("offset") } == [3])
    gateway.expectNothingLeft()
  }

  @Test func `lines of a bulk publish are answered when those among them that must last do`() {
    let (gateway, disk) = held(2)
    let lines = (0..<8).map { #"{"op":"complete","task_id":"t\#($0)"}"# }.joined(separator: "\n")
    let client = gateway.connect()
    client.request("POST", "/api/v1/publish", body: lines, contentType: "application/x-ndjson")
    gateway.settle()
    #expect(client.answer() == nil)
    disk.failure = Self.failure
    release(gateway)
    #expect(client.answer()?.status == 503)
    disk.failure = nil
    gateway.store?.isHeld = false
    gateway.advance(seconds: 2)
    client.request("POST", "/api/v1/publish", body: lines, contentType: "application/x-ndjson")
    gateway.settle()
    #expect(client.answer()?.text.contains(#""accepted":8"#) == true)
    gateway.expectNothingLeft()
  }

  @Test func `a question is asked when it is kept, and its outcome told when that is`() {
    let (gateway, disk) = held(2)
    let user = gateway.connect()
    user.upgrade("/ws", [("Sec-WebSocket-Protocol", "signalbox.v1")])
    user.sendText(#"{"action":"subscribe","user_id":"ann"}"#)
    gateway.settle()
    _ = user.answer()
    _ = user.messages()
    let question = #"{"task_id":"t","user_id":"ann","step":1,"timeout":60}"#
    let worker = post(gateway, "confirmations?wait=30", question)
    #expect(user.messages().isEmpty)
    release(gateway)
    let asked = user.messages()
    #expect(asked.map(\.type) == ["task_step_result"])
    let callback = asked.first?.string("callback_id") ?? ""
    user.sendText(#"{"action":"confirm","callback_id":"\#(callback)","proceed":true}"#)
    gateway.settle()
    #expect(user.messages().isEmpty && worker.answer() == nil)
    let reader = get(gateway, "/api/v1/confirmations/\(callback)")
    #expect(reader.answer() == nil)
    // The disk fails: the user is told so, and the answer stands until it can be kept.
    disk.failure = Self.failure
    release(gateway)
    #expect(user.messages().map(\.type) == ["error"])
    #expect(reader.answer()?.status == 503 && worker.answer() == nil)
    disk.failure = nil
    gateway.store?.isHeld = false
    gateway.advance(seconds: 2)
    #expect(user.messages().map { $0.string("status") } == ["confirmed"])
    #expect(worker.answer()?.text.contains(#""resolved_by":"user""#) == true)
    gateway.expectNothingLeft()
  }

  @Test func `a question that cannot be kept is asked of nobody, not even of who comes meanwhile`() {
    let (gateway, disk) = held()
    disk.failure = Self.failure
    let worker = post(gateway, "confirmations", #"{"task_id":"t","user_id":"ann","step":1}"#)
    let user = gateway.connect()
    user.upgrade("/ws")
    user.sendText(#"{"action":"subscribe","user_id":"ann"}"#)
    release(gateway)
    #expect(worker.answer()?.status == 503)
    _ = user.answer()
    #expect(user.messages().map(\.type) == ["subscription_confirmed"])
    #expect(gateway.metric(.confirmationsPending) == 0)
    disk.failure = nil
    gateway.store?.isHeld = false
    gateway.advance(seconds: 2)
    #expect(disk.rows.isEmpty)
    gateway.expectNothingLeft()
  }

  @Test func `a message that wants an acknowledgement leaves when it is kept, and is sent again until it has one`() {
    let (gateway, _) = held(2)
    let user = gateway.connect()
    user.upgrade("/ws")
    user.sendText(#"{"action":"subscribe","user_id":"ann"}"#)
    gateway.settle()
    _ = user.answer()
    _ = user.messages()
    let worker = post(gateway, "users/ann/messages?requires_ack=1&wait=60", #"{"x":1}"#)
    #expect(user.messages().isEmpty)
    release(gateway)
    let first = user.messages()
    #expect(first.count == 1)
    gateway.store?.isHeld = false
    gateway.advance(seconds: 11)
    let again = user.messages()
    #expect(again.map(\.description) == [first[0].description, first[0].description])
    user.sendText(#"{"action":"ack","message_id":"\#(first[0].string("message_id") ?? "")"}"#)
    gateway.settle()
    let answer = worker.answer()
    #expect(answer?.text.contains(#""acked":true"#) == true && answer?.text.contains(#""attempts":3"#) == true)
    gateway.advance(seconds: 30)
    #expect(user.messages().isEmpty)
    gateway.expectNothingLeft()
  }

  @Test func `however many reports come, a task is written once a tick`() {
    let (gateway, disk) = held()
    gateway.store?.isHeld = false
    let worker = gateway.connect()
    for value in 0..<100 {
      worker.request("POST", "/api/v1/tasks/t/progress", body: #"{"progress":\#(value)}"#)
      gateway.settle()
    }
    #expect(worker.answers().allSatisfy { $0.status == 202 })
    #expect(disk.commitCount == 0)
    gateway.advance(milliseconds: StoreLimits.tickMilliseconds)
    #expect(disk.commitCount == 1)
    let record = disk.rows.values.first.map { String(decoding: $0.record, as: UTF8.self) } ?? ""
    #expect(record.contains(#""offset":100"#) && record.contains(#""progress":99"#))
    gateway.advance(seconds: 5)
    #expect(disk.commitCount == 1)
  }

  @Test func `a tick that finds everything written keeps nobody from writing at the next one`() {
    let (gateway, disk) = held()
    gateway.store?.isHeld = false
    _ = post(gateway, "tasks/t/progress", #"{"progress":1}"#)
    // Its end writes the task before the tick comes.
    #expect(post(gateway, "tasks/t/complete", "{}").answer()?.status == 200)
    gateway.advance(milliseconds: StoreLimits.tickMilliseconds)
    for value in 1...2 {
      _ = post(gateway, "tasks/u/progress", #"{"progress":\#(value)}"#)
      gateway.advance(milliseconds: StoreLimits.tickMilliseconds)
      let records = disk.rows.values.map { String(decoding: $0.record, as: UTF8.self) }
      #expect(records.contains { $0.contains(#""task_id":"u""#) && $0.contains(#""offset":\#(value)"#) })
    }
    gateway.expectNothingLeft()
  }

  // MARK: Idempotency-Key

  @Test(arguments: [1, 2, 3])
  func `the same key is answered the same and acts once, another body is refused`(shardCount: Int) {
    let (gateway, disk) = held(shardCount)
    gateway.store?.isHeld = false
    let key = [("Idempotency-Key", "k-1")]
    let first = post(gateway, "executions", #"{"workflow_id":"w","input_data":1}"#, key).answer()
    let second = post(gateway, "executions", #"{"workflow_id":"w","input_data":1}"#, key).answer()
    #expect(first?.status == 201 && second?.status == 201 && first?.text == second?.text)
    #expect(first?.field("Idempotency-Replayed") == nil && second?.field("Idempotency-Replayed") == "true")
    let other = post(gateway, "executions", #"{"workflow_id":"w","input_data":2}"#, key).answer()
    #expect(other?.status == 422 && other?.text.contains("idempotency_mismatch") == true)
    // A key belongs to its path.
    #expect(post(gateway, "tasks", #"{"task_id":"t"}"#, key).answer()?.status == 201)
    #expect(get(gateway, "/api/v1/tasks").answer()?.text.components(of: "task_id") == 2)
    // Another life of the gateway remembers.
    gateway.stop()
    let next = SimulatedGateway(shardCount: 3, world: gateway.world, disk: disk)
    let third = post(next, "executions", #"{"workflow_id":"w","input_data":1}"#, key).answer()
    #expect(third?.text == first?.text && third?.field("Idempotency-Replayed") == "true")
    next.expectNothingLeft()
  }

  @Test func `one that comes while the first is under way waits for its answer`() {
    let (gateway, _) = held(2)
    let key = [("Idempotency-Key", "k-1")]
    let first = post(gateway, "tasks/t/complete", #"{"result":1}"#, key)
    let second = post(gateway, "tasks/t/complete", #"{"result":1}"#, key)
    #expect(first.answer() == nil && second.answer() == nil)
    release(gateway)
    #expect(first.answer()?.text == second.answer()?.text)
    gateway.store?.isHeld = false
    gateway.expectNothingLeft()
  }

  @Test func `a request that failed leaves its key free`() {
    let (gateway, disk) = held(2)
    let key = [("Idempotency-Key", "k-1")]
    disk.failure = Self.failure
    let refused = post(gateway, "tasks/t/complete", #"{"result":1}"#, key)
    release(gateway)
    #expect(refused.answer()?.status == 503)
    disk.failure = nil
    gateway.store?.isHeld = false
    gateway.advance(seconds: 2)
    #expect(post(gateway, "tasks/t/complete", "{", key).answer()?.status == 400)
    #expect(post(gateway, "tasks/t/complete", #"{"result":2}"#, key).answer()?.status == 200)
    #expect(post(gateway, "tasks/t/complete", #"{"result":2}"#, key).answer()?.status == 200)
    gateway.expectNothingLeft()
  }

  @Test func `a question under the same key is asked once, and who asks again waits for the same answer`() {
    let (gateway, _) = held(2)
    gateway.store?.isHeld = false
    let key = [("Idempotency-Key", "k-1")]
    let question = #"{"task_id":"t","user_id":"ann","step":1,"timeout":60}"#
    let first = post(gateway, "confirmations", question, key).answer()
    let second = post(gateway, "confirmations?wait=30", question, key)
    #expect(first?.status == 201 && second.answer() == nil)
    let user = gateway.connect()
    user.upgrade("/ws")
    user.sendText(#"{"action":"subscribe","user_id":"ann"}"#)
    gateway.settle()
    _ = user.answer()
    let asked = user.messages().filter { $0.type == "task_step_result" }
    #expect(asked.count == 1)
    user.sendText(#"{"action":"confirm","callback_id":"\#(asked[0].string("callback_id") ?? "")","proceed":true}"#)
    gateway.settle()
    let answer = second.answer()
    #expect(answer?.status == 201 && answer?.text.contains(#""status":"confirmed""#) == true)
    gateway.expectNothingLeft()
  }

  @Test func `a key has 1 to 255 bytes`() {
    let (gateway, _) = held()
    gateway.store?.isHeld = false
    func status(_ key: String) -> Int? {
      post(gateway, "tasks", #"{"task_id":"t"}"#, [("Idempotency-Key", key)]).answer()?.status
    }
    #expect(status(String(repeating: "k", count: 255)) == 201)
    #expect(status(String(repeating: "k", count: 256)) == 400)
  }
}

extension String {
  /// How often a word stands in it as a JSON name.
  fileprivate func components(of name: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.firstRange(of: "\"\(name)\":") {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
