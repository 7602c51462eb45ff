import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

/// A block of an event stream as the HTML Standard has a client read it.
private struct Block: Equatable {
  var type = "message"
  var data = ""
  var identifier: String?

  var message: Message { Message(Array(data.utf8)) }
}

extension SimulatedClient {
  fileprivate func stream(_ path: String, _ fields: [(String, String)] = []) {
    send(Self.request("GET", path, fields, isAuthorised: false))
  }

  /// Takes the whole blocks off the received bytes; comments and `retry` are not among them.
  fileprivate func blocks() -> [Block] {
    var list: [Block] = []
    while let end = received.firstRange(of: Array("\n\n".utf8)) {
      var block = Block()
      for line in String(decoding: received[..<end.lowerBound], as: UTF8.self).split(separator: "\n") {
        guard let colon = line.firstIndex(of: ":") else { continue }
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        switch line[..<colon] {
        case "event": block.type = String(value)
        case "data": block.data += String(value)
        case "id": block.identifier = String(value)
        default: break
        }
      }
      received.removeFirst(end.upperBound)
      if !block.data.isEmpty { list.append(block) }
    }
    return list
  }
}

@Suite("Shard: event streams (contract §2.6)")
struct StreamTests {
  private func publish(_ gateway: SimulatedGateway, _ path: String, _ body: String = "{}") {
    let publisher = gateway.connect()
    publisher.request("POST", path, body: body)
    gateway.settle()
    #expect((publisher.answer()?.status ?? 0) / 100 == 2)
    publisher.close()
    gateway.settle()
  }

  private func progress(_ gateway: SimulatedGateway, _ progress: Int, of task: String = "t", _ more: String = "") {
    publish(gateway, "/api/v1/tasks/\(task)/progress", "{\"progress\":\(progress)\(more)}")
  }

  /// A stream whose head has come.
  private func open(
    _ gateway: SimulatedGateway, _ path: String = "/api/v1/sse/tasks/t", _ fields: [(String, String)] = [],
    shard: Int = 0
  ) -> SimulatedClient {
    let client = gateway.connect(to: shard)
    client.stream(path, fields)
    gateway.settle()
    #expect(client.answer()?.status == 200)
    return client
  }

  private func epoch(_ gateway: SimulatedGateway, _ task: String = "t") -> String {
    let client = gateway.connect()
    client.request("GET", "/api/v1/tasks/\(task)")
    gateway.settle()
    let epoch = client.answer().map { Message($0.body).string("epoch") ?? "" } ?? ""
    client.close()
    gateway.settle()
    return epoch
  }

  @Test(arguments: [1, 2, 4])
  func `a stream begins with the snapshot, goes on with events and ends after the last`(shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount)
    progress(gateway, 20)
    let client = gateway.connect(to: shardCount - 1)
    client.stream("/api/v1/sse/tasks/t")
    gateway.settle()
    let answer = client.answer()
    #expect(answer?.status == 200)
    #expect(answer?.field("Content-Type") == "text/event-stream; charset=utf-8")
    #expect(answer?.field("Cache-Control") == "no-cache, no-transform")
    #expect(answer?.field("X-Accel-Buffering") == "no")
    #expect(answer?.field("Connection") == "close")
    #expect(answer?.field("Content-Length") == nil)
    #expect(String(decoding: client.received, as: UTF8.self).hasPrefix("retry: 2000\n\nevent: snapshot\n"))
    #expect(gateway.shared.activeConnections.load(ordering: .relaxed) == 1)
    #expect(gateway.metric(.connections(.sse)) == 1)

    progress(gateway, 70, of: "t", ",\"message\":\"half\"")
    #expect(!client.isEnded)
    publish(gateway, "/api/v1/tasks/t/complete", #"{"result":{"n":1}}"#)
    let epoch = epoch(gateway)
    let blocks = client.blocks()
    #expect(blocks.map(\.type) == ["snapshot", "progress", "complete"])
    #expect(blocks.map(\.identifier) == ["\(epoch):1", "\(epoch):2", "\(epoch):3"])
    #expect(blocks[0].message.raw("progress") == "20")
    #expect(blocks[1].message.type == "progress")
    #expect(blocks[1].message.string("message") == "half")
    #expect(blocks[2].message.raw("result") == #"{"n":1}"#)
    #expect(client.isEnded)
    #expect(gateway.metric(.connectionsOpened(.sse)) == 1)
    #expect(gateway.metric(.connectionsClosed(.code1000, .server)) == 0)
    gateway.expectNothingLeft()
    #expect(gateway.metric(.connectionsClosed(.code1000, .server)) == 1)
  }

  // MARK: Resuming

  @Test func `who comes back is given what it has missed, without a snapshot`() {
    let gateway = SimulatedGateway(shardCount: 2)
    for value in 1...5 { progress(gateway, value) }
    let epoch = epoch(gateway)
    let client = open(gateway, "/api/v1/sse/tasks/t", [("Last-Event-ID", "\(epoch):3")])
    let blocks = client.blocks()
    #expect(blocks.map(\.type) == ["progress", "progress"])
    #expect(blocks.map(\.identifier) == ["\(epoch):4", "\(epoch):5"])
    let polyfill = open(gateway, "/api/v1/sse/tasks/t?last_event_id=\(epoch):4", shard: 1)
    #expect(polyfill.blocks().map(\.identifier) == ["\(epoch):5"])
    let current = open(gateway, "/api/v1/sse/tasks/t", [("Last-Event-ID", "\(epoch):5")])
    #expect(current.blocks() == [])
    progress(gateway, 6)
    for client in [client, polyfill, current] {
      #expect(client.blocks().map(\.identifier) == ["\(epoch):6"])
    }
    gateway.expectNothingLeft()
  }

  @Test(arguments: ["another:3", "EPOCH:6", "EPOCH:-1", "nonsense", "", ":", "EPOCH:9223372036854775808"])
  func `who comes back with what cannot be resumed is given the snapshot`(identifier: String) {
    let gateway = SimulatedGateway()
    for value in 1...5 { progress(gateway, value) }
    let given = identifier.replacing("EPOCH", with: epoch(gateway))
    let client = open(gateway, "/api/v1/sse/tasks/t", [("Last-Event-ID", given)])
    let blocks = client.blocks()
    #expect(blocks.map(\.type) == ["snapshot"])
    #expect(blocks.first?.message.int("offset") == 5)
    gateway.expectNothingLeft()
  }

  @Test func `beyond the history there is the snapshot`() {
    let gateway = SimulatedGateway { $0.historyEventCount = 2 }
    for value in 1...5 { progress(gateway, value) }
    let epoch = epoch(gateway)
    #expect(
      open(gateway, "/api/v1/sse/tasks/t", [("Last-Event-ID", "\(epoch):2")]).blocks().map(\.type) == ["snapshot"])
    #expect(
      open(gateway, "/api/v1/sse/tasks/t", [("Last-Event-ID", "\(epoch):3")]).blocks().map(\.identifier)
        == ["\(epoch):4", "\(epoch):5"])
    gateway.expectNothingLeft()
  }

  @Test func `a finished task's stream tells the rest and ends, or says 204 where there is none`() {
    let gateway = SimulatedGateway(shardCount: 2)
    progress(gateway, 1)
    publish(gateway, "/api/v1/tasks/t/complete")
    let epoch = epoch(gateway)
    let fresh = open(gateway)
    #expect(fresh.blocks().map(\.type) == ["snapshot"])
    #expect(fresh.isEnded)
    let late = open(gateway, "/api/v1/sse/tasks/t", [("Last-Event-ID", "\(epoch):1")])
    #expect(late.blocks().map(\.type) == ["complete"])
    #expect(late.isEnded)
    let done = gateway.connect()
    done.stream("/api/v1/sse/tasks/t", [("Last-Event-ID", "\(epoch):2")])
    gateway.settle()
    #expect(done.answer()?.status == 204)
    #expect(done.isEnded)
    for client in [fresh, late] { client.close() }
    gateway.settle()
    #expect(gateway.shared.activeConnections.load(ordering: .relaxed) == 0)
    gateway.expectNothingLeft()
  }

  @Test func `who waits for an unknown task is told of its first event`() {
    let gateway = SimulatedGateway(shardCount: 2)
    let client = open(gateway, "/api/v1/sse/tasks/t?wait=true")
    #expect(client.blocks() == [])
    progress(gateway, 1)
    let blocks = client.blocks()
    #expect(blocks.map(\.type) == ["progress"])
    #expect(blocks.first?.identifier == "\(epoch(gateway)):1")
    let wrong = gateway.connect()
    wrong.stream("/api/v1/sse/tasks/t?wait=perhaps")
    gateway.settle()
    #expect(wrong.answer()?.status == 400)
    gateway.expectNothingLeft()
  }

  // MARK: Refusals

  @Test func `a refusal is a status`() {
    let gateway = SimulatedGateway(shardCount: 2) {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
    }
    publish(gateway, "/api/v1/tasks", #"{"task_id":"t","owner":"alice"}"#)
    func status(_ path: String, _ fields: [(String, String)] = []) -> Int? {
      let client = gateway.connect()
      client.stream(path, fields)
      gateway.settle()
      let answer = client.answer()
      if answer?.status != 200 {
        #expect(answer?.field("Content-Type") == "application/problem+json")
        #expect(answer?.status == 400 || client.isEnded)
      }
      client.close()
      gateway.settle()
      return answer?.status
    }
    let path = "/api/v1/sse/tasks/t"
    let alice = gateway.token("alice")
    #expect(status(path) == 401)
    #expect(status(path + "?token=nonsense") == 401)
    #expect(status(path + "?token=" + gateway.token("mallory")) == 403)
    #expect(status("/api/v1/sse/tasks/unknown?token=" + alice) == 404)
    #expect(status("/api/v1/sse/tasks/no%20name?token=" + alice) == 400)
    #expect(status(path + "?token=" + alice, [("Origin", "http://evil")]) == 403)
    #expect(status(path + "?token=" + alice) == 200)
    #expect(status(path, [("Authorization", "Bearer " + alice)]) == 200)
    #expect(status(path, [("Authorization", "Bearer " + SimulatedGateway.publisherKey)]) == 200)
    #expect(gateway.shared.activeConnections.load(ordering: .relaxed) == 0)
    gateway.expectNothingLeft()
  }

  @Test func `at the cap it is 503 with Retry-After, and a place that becomes free can be taken`() {
    let gateway = SimulatedGateway { $0.connectionCountMax = 2 }
    progress(gateway, 1)
    let first = open(gateway)
    let socket = gateway.connect()
    socket.upgrade("/ws")
    gateway.settle()
    let refused = gateway.connect()
    refused.stream("/api/v1/sse/tasks/t")
    gateway.settle()
    let answer = refused.answer()
    #expect(answer?.status == 503)
    #expect(answer?.field("Retry-After") == "1")
    first.close()
    gateway.settle()
    _ = open(gateway)
    gateway.expectNothingLeft()
  }

  @Test func `a refused stream gives its place back`() {
    let gateway = SimulatedGateway { $0.connectionCountMax = 1 }
    for _ in 0..<3 {
      let client = gateway.connect()
      client.stream("/api/v1/sse/tasks/unknown")
      gateway.settle()
      #expect(client.answer()?.status == 404)
    }
    #expect(gateway.shared.activeConnections.load(ordering: .relaxed) == 0)
    gateway.expectNothingLeft()
  }

  @Test func `HEAD gets the fields, and another method what is allowed`() {
    let gateway = SimulatedGateway()
    progress(gateway, 1)
    let client = gateway.connect()
    client.request("HEAD", "/api/v1/sse/tasks/t")
    gateway.settle()
    #expect(client.answer(toHead: true)?.field("Content-Type") == "text/event-stream; charset=utf-8")
    #expect(client.received == [] && client.isEnded)
    let poster = gateway.connect()
    poster.request("POST", "/api/v1/sse/tasks/t", body: "{}")
    gateway.settle()
    #expect(poster.answer()?.status == 405)
    gateway.expectNothingLeft()
  }

  // MARK: Living

  @Test func `a silent stream says that it lives, after every interval of silence, and needs no answer`() {
    let gateway = SimulatedGateway()
    progress(gateway, 1)
    let client = open(gateway)
    _ = client.blocks()
    gateway.advance(milliseconds: 29_800)
    #expect(client.received == [])
    gateway.advance(milliseconds: 400)
    #expect(client.received == Array(":\n\n".utf8))
    client.received = []
    for _ in 0..<4 {
      gateway.advance(milliseconds: 30_200)
      #expect(client.received == Array(":\n\n".utf8))
      client.received = []
    }
    gateway.advance(seconds: 10)
    progress(gateway, 2)
    #expect(client.blocks().count == 1)
    // It has just spoken: the interval begins anew.
    gateway.advance(milliseconds: 29_500)
    #expect(client.received == [])
    gateway.advance(seconds: 1)
    #expect(client.received == Array(":\n\n".utf8))
    gateway.expectNothingLeft()
  }

  @Test func `what is pipelined behind the request is ignored`() {
    let gateway = SimulatedGateway()
    progress(gateway, 1)
    let client = gateway.connect()
    client.send(
      SimulatedClient.request("GET", "/api/v1/sse/tasks/t", isAuthorised: false)
        + SimulatedClient.request("GET", "/livez"))
    gateway.settle()
    client.request("GET", "/livez")
    client.send([UInt8](repeating: 0x81, count: 100_000))
    gateway.settle()
    #expect(client.answer()?.status == 200)
    progress(gateway, 2)
    #expect(client.blocks().map(\.type) == ["snapshot", "progress"])
    #expect(client.received == [])
    gateway.expectNothingLeft()
  }

  @Test func `a cancel request and a heartbeat reach the stream, without a number`() {
    let gateway = SimulatedGateway(shardCount: 2)
    progress(gateway, 1)
    let clients = [open(gateway), open(gateway, shard: 1)]
    for client in clients { _ = client.blocks() }
    publish(gateway, "/api/v1/tasks/t/heartbeat", #"{"user_id":"alice"}"#)
    publish(gateway, "/api/v1/tasks/t/cancel", #"{"user_id":"alice"}"#)
    publish(gateway, "/api/v1/tasks/t/cancel/ack")
    for client in clients {
      let blocks = client.blocks()
      #expect(blocks.map(\.type) == ["heartbeat", "task_cancelled", "cancelled"])
      #expect(blocks.map { $0.identifier == nil } == [true, true, false])
      #expect(blocks.first?.message.string("user_id") == "alice")
      #expect(client.isEnded)
    }
    gateway.expectNothingLeft()
  }

  @Test func `broadcasts and messages to the user are not the stream's`() {
    let gateway = SimulatedGateway {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
    }
    progress(gateway, 1)
    let client = open(gateway, "/api/v1/sse/tasks/t?token=" + gateway.token("alice"))
    _ = client.blocks()
    publish(gateway, "/api/v1/broadcast", #"{"a":1}"#)
    publish(gateway, "/api/v1/users/alice/messages", #"{"a":1}"#)
    publish(
      gateway, "/api/v1/confirmations",
      #"{"task_id":"t","user_id":"alice","step":1,"step_result":{"step":"s"}}"#)
    #expect(client.received == [])
    gateway.expectNothingLeft()
  }

  // MARK: Ends

  @Test func `a stream ends with its token, and when its user's connections are closed`() {
    let gateway = SimulatedGateway {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
      $0.jwtLeeway = .seconds(1)
    }
    progress(gateway, 1)
    let short = open(gateway, "/api/v1/sse/tasks/t?token=" + gateway.token("alice", secondsLeft: 40))
    let long = open(gateway, "/api/v1/sse/tasks/t?token=" + gateway.token("alice"))
    gateway.advance(seconds: 40)
    #expect(!short.isEnded)
    gateway.advance(seconds: 2)
    #expect(short.isEnded && !long.isEnded)
    let publisher = gateway.connect()
    publisher.request("DELETE", "/api/v1/users/alice/connections")
    gateway.settle()
    #expect(publisher.answer()?.text == #"{"connections":1}"#)
    #expect(long.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a drain ends streams and refuses new ones`() {
    let gateway = SimulatedGateway(shardCount: 2)
    progress(gateway, 1)
    let client = open(gateway, shard: 1)
    gateway.shared.isDraining.store(true, ordering: .relaxed)
    for shard in gateway.shards { shard.post(.drain, to: shard.index) }
    gateway.settle()
    #expect(client.blocks().map(\.type) == ["snapshot"])
    #expect(client.isEnded)
    let late = gateway.connect()
    late.stream("/api/v1/sse/tasks/t")
    gateway.settle()
    #expect(late.answer()?.status == 503)
    gateway.expectNothingLeft()
  }

  @Test func `a slow reader is told how much it has not been told, in order`() {
    let gateway = SimulatedGateway { $0.sendBufferByteCount = 4000 }
    progress(gateway, 1)
    let client = open(gateway)
    _ = client.blocks()
    client.isReading = false
    client.stream.roomByteCount = 200
    // More than the ring keeps for it.
    let lastOffset = RingLimits.eventCountMax + 80
    for value in 2..<lastOffset { progress(gateway, value % 100) }
    client.stream.roomByteCount = 1 << 20
    client.isReading = true
    gateway.settle()
    progress(gateway, 61)
    #expect(gateway.metric(.slowConsumers(.closed)) == 0)
    var expected = 2
    var skipped = 0
    for block in client.blocks() {
      let message = block.message
      skipped += message.int("skipped") ?? 0
      #expect(message.int("offset") == expected + (message.int("skipped") ?? 0))
      expected = (message.int("offset") ?? 0) + 1
    }
    #expect(expected == lastOffset + 1)
    #expect(skipped > 0)
    #expect(gateway.metric(.eventsConflated) >= skipped)
    gateway.expectNothingLeft()
  }

  @Test func `who reads nothing at all is cut off at the limit`() {
    let gateway = SimulatedGateway { $0.sendBufferByteCount = 4000 }
    progress(gateway, 1)
    let client = open(gateway)
    _ = client.blocks()
    client.isReading = false
    client.stream.roomByteCount = 10
    // A control message is never held back.
    for _ in 0..<40 { publish(gateway, "/api/v1/tasks/t/heartbeat", #"{"user_id":"alice"}"#) }
    #expect(gateway.metric(.slowConsumers(.closed)) == 1)
    #expect(gateway.metric(.connections(.sse)) == 1)
    gateway.advance(seconds: 6)
    #expect(gateway.metric(.connections(.sse)) == 0)
    #expect(gateway.metric(.connectionsClosed(.code1013, .server)) == 1)
    gateway.expectNothingLeft()
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `every stream sees every offset, in order and once, however it is cut and resumed`(seed: UInt64) {
    var random = SeededGenerator(seed: seed &+ 0x55e)
    let shardCount = [1, 2, 4][Int(seed % 3)]
    let gateway = SimulatedGateway(shardCount: shardCount, seed: seed, faults: seed % 5 == 0 ? .none : .pieces)
    let publisher = gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
    var published = 0
    var client: SimulatedClient?
    var headIsDone = false
    var last: (identifier: String, offset: Int)?
    func look() {
      guard let client else { return }
      if !headIsDone {
        guard let answer = client.answer() else { return }
        headIsDone = true
        #expect(answer.status == 200, "seed \(seed)")
      }
      for block in client.blocks() {
        let message = block.message
        let offset = message.int("offset") ?? -1
        if let last, block.type != "snapshot" {
          #expect(offset - (message.int("skipped") ?? 0) == last.offset + 1, "seed \(seed)")
        }
        if block.type == "snapshot" { #expect(last == nil, "seed \(seed)") }
        last = (block.identifier ?? "", offset)
      }
    }
    for _ in 0..<200 {
      switch Int.random(in: 0..<8, using: &random) {
      case 0..<4 where published < 90:
        published += 1
        publisher.request("POST", "/api/v1/tasks/t/progress", body: "{\"progress\":\(published)}")
      case 4 where published > 0:
        look()
        client?.close()
        let next = gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
        next.stream("/api/v1/sse/tasks/t?wait=1", last.map { [("Last-Event-ID", $0.identifier)] } ?? [])
        client = next
        headIsDone = false
      case 5: gateway.settle()
      default: gateway.turnOnce()
      }
      look()
    }
    gateway.settle()
    look()
    if client != nil, last != nil { #expect(last?.offset == published, "seed \(seed)") }
    gateway.expectNothingLeft()
  }
}
