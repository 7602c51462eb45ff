import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: HTTP requests in and answers out")
struct HTTPExchangeTests {
  private static func task(_ number: Int) -> String {
    SimulatedClient.request("POST", "/api/v1/tasks", body: #"{"task_id":"t\#(number)"}"#)
  }

  @Test func `a connection is kept for further requests`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    for number in 1...3 {
      client.send(Self.task(number))
      gateway.settle()
      #expect(client.answer()?.status == 201)
      gateway.advance(seconds: 60)
    }
    #expect(!client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `an idle connection is closed after 75 seconds, and not before`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.request("GET", "/livez")
    gateway.settle()
    #expect(client.answer()?.status == 200)
    gateway.advance(seconds: 74)
    #expect(!client.isEnded)
    gateway.advance(seconds: 2)
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a peer that says nothing is closed after ten seconds`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    gateway.advance(milliseconds: 9_900)
    #expect(!client.isEnded)
    gateway.advance(milliseconds: 200)
    #expect(client.isEnded)
    #expect(client.received == [])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [
    "G", "GET / HTTP/1.1\r\nHost: x\r\n", "POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{",
  ])
  func `a request that does not arrive in time gets 408 and the end`(part: String) {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.send(part)
    gateway.advance(milliseconds: 9_900)
    #expect(client.answers().isEmpty)
    gateway.advance(milliseconds: 300)
    #expect(client.answer()?.status == 408)
    gateway.advance(seconds: 2)
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a head that comes byte by byte has ten seconds from its first byte`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    for byte in SimulatedClient.request("GET", "/livez").utf8.prefix(60) {
      client.send([byte])
      gateway.advance(milliseconds: 200)
    }
    #expect(client.answer()?.status == 408)
    gateway.expectNothingLeft()
  }

  @Test func `a body may take long as long as it arrives`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    let request = Array(Self.task(1).utf8)
    client.send(Array(request.dropLast(10)))
    for byte in request.suffix(10) {
      gateway.advance(seconds: 8)
      client.send([byte])
    }
    gateway.settle()
    #expect(client.answer()?.status == 201)
    gateway.expectNothingLeft()
  }

  // MARK: Pipelining (RFC 9112 §9.3.2)

  @Test(arguments: [1, 2, 4])
  func `pipelined requests are answered in order, wherever their tasks live`(shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount, seed: 7, faults: .pieces)
    let client = gateway.connect()
    for number in 0..<50 { client.send(Self.task(number)) }
    gateway.settle()
    let answers = client.answers()
    #expect(answers.map(\.status) == Array(repeating: 201, count: 50))
    #expect(
      answers.map { Message($0.body).string("task_id") ?? "" } == (0..<50).map { "t\($0)" })
    gateway.expectNothingLeft()
  }

  @Test func `a held request holds those behind it`() {
    let gateway = SimulatedGateway(shardCount: 2)
    let client = gateway.connect()
    let question =
      #"{"task_id":"t","user_id":"u","step":"s","step_result":{"step":"s","result":1},"timeout":100}"#
    client.request("POST", "/api/v1/confirmations?wait=20", body: question)
    client.request("GET", "/livez")
    client.send(Self.task(1))
    gateway.advance(seconds: 19)
    #expect(client.answers().isEmpty)
    gateway.advance(seconds: 2)
    let answers = client.answers()
    #expect(answers.map(\.status) == [201, 200, 201])
    #expect(answers.first.map { Message($0.body).string("status") } == "pending")
    gateway.expectNothingLeft()
  }

  @Test func `behind a held request only so many bytes are taken`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    let question = #"{"task_id":"t","user_id":"u","step":"s","step_result":{"step":"s","result":1}}"#
    client.request("POST", "/api/v1/confirmations?wait=20", body: question)
    gateway.settle()
    let more = Array(SimulatedClient.request("GET", "/livez").utf8)
    for _ in 0..<4000 { client.send(more) }
    gateway.settle()
    let exchange = gateway.shards[0].connections[0].exchange
    let kept = exchange.map { $0.inbound.count - $0.consumed } ?? 0
    #expect(kept > ShardLimits.pipelinedByteCountMax)
    #expect(kept <= ShardLimits.pipelinedByteCountMax + ShardLimits.receiveByteCount)
    #expect(!client.stream.toServer.isEmpty)
    gateway.advance(seconds: 21)
    #expect(client.answers().map(\.status) == [201] + Array(repeating: 200, count: 4000))
    gateway.expectNothingLeft()
  }

  @Test func `who does not read its answers is held back, and goes on once it reads`() {
    let gateway = SimulatedGateway { $0.sendBufferByteCount = 65_536 }
    let client = gateway.connect(roomByteCount: 4096)
    client.isReading = false
    let more = Array(SimulatedClient.request("GET", "/metrics").utf8)
    for _ in 0..<500 { client.send(more) }
    gateway.settle()
    let pending = Int(gateway.shards[0].connections[0].pendingByteCount)
    #expect(pending > 65_536 && pending < 200_000)
    client.isReading = true
    gateway.settle()
    #expect(client.answers().count == 500)
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2])
  func `a client that ends its half still gets every answer`(shardCount: Int) {
    for seed in 0..<40 as Range<UInt64> {
      let gateway = SimulatedGateway(shardCount: shardCount, seed: seed, faults: .pieces)
      let client = gateway.connect(roomByteCount: 512)
      client.send(Self.task(0))
      client.request("GET", "/livez")
      client.send(Self.task(1))
      client.request("GET", "/api/v1/status")
      client.send(Self.task(2))
      client.endSending()
      gateway.settle()
      #expect(client.answers().map(\.status) == [201, 200, 201, 200, 201], "seed \(seed)")
      #expect(client.isEnded, "seed \(seed)")
      gateway.expectNothingLeft()
    }
  }

  @Test(arguments: [1, 2, 4])
  func `a client that pipelines many and ends its half gets them all`(shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let client = gateway.connect()
    for number in 0..<60 { client.send(Self.task(number)) }
    client.endSending()
    gateway.settle()
    #expect(client.answers().count == 60)
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a client that ends its half gets the whole of a last answer that leaves in pieces`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect(roomByteCount: 100)
    client.isReading = false
    client.request("GET", "/metrics", [("Connection", "close")])
    client.endSending()
    gateway.settle()
    gateway.settle()
    client.isReading = true
    gateway.settle()
    let answer = client.answer()
    #expect(answer?.status == 200)
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  // MARK: Bodies

  @Test func `who expects 100 Continue gets it once, before the body`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    let body = #"{"task_id":"t"}"#
    client.request(
      "POST", "/api/v1/tasks",
      [("Expect", "100-continue"), ("Content-Length", "\(body.utf8.count)"), ("Content-Type", "application/json")])
    gateway.settle()
    #expect(client.answers().map(\.status) == [100])
    client.send(body)
    gateway.settle()
    #expect(client.answers().map(\.status) == [201])
    client.send(
      SimulatedClient.request("POST", "/api/v1/tasks", [("Expect", "100-continue")], body: #"{"task_id":"v"}"#))
    gateway.settle()
    #expect(client.answers().map(\.status) == [201])
    gateway.expectNothingLeft()
  }

  @Test func `a body in chunks is a body`() {
    let gateway = SimulatedGateway(faults: .pieces)
    let client = gateway.connect()
    client.request("POST", "/api/v1/tasks", [("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")])
    client.send("5\r\n{\"tas\r\nA;x=y\r\nk_id\":\"t\"}\r\n0\r\nTrailer: 1\r\n\r\n")
    client.request("GET", "/livez")
    gateway.settle()
    #expect(client.answers().map(\.status) == [201, 200])
    gateway.expectNothingLeft()
  }

  @Test func `a body of the bound is taken and one byte more gets 413 and the end`() {
    let gateway = SimulatedGateway { $0.maxRequestByteCount = 1000 }
    func body(_ byteCount: Int) -> String {
      let frame = #"{"task_id":"t","title":""}"#
      return #"{"task_id":"t","title":"\#(String(repeating: "x", count: byteCount - frame.utf8.count))"}"#
    }
    let client = gateway.connect()
    client.request("POST", "/api/v1/tasks", body: body(1000))
    gateway.settle()
    #expect((client.answer()?.status ?? 0) < 413)
    client.request("POST", "/api/v1/tasks", body: body(1001))
    gateway.settle()
    #expect(client.answer()?.status == 413)
    #expect(client.isEnded)
    let chunked = gateway.connect()
    chunked.request("POST", "/api/v1/tasks", [("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")])
    chunked.send("3E9\r\n")
    gateway.settle()
    #expect(chunked.answer()?.status == 413)
    gateway.expectNothingLeft()
  }

  @Test func `a large body is not kept by an idle connection`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    let lines = String(repeating: "\n", count: 500_000)
    client.request("POST", "/api/v1/publish", body: lines, contentType: "application/x-ndjson")
    gateway.settle()
    #expect(client.answer()?.status == 200)
    #expect((gateway.shards[0].connections[0].exchange?.body.capacity ?? 0) <= 65_536)
    #expect((gateway.shards[0].connections[0].exchange?.inbound.capacity ?? 0) <= 65_536)
    gateway.expectNothingLeft()
  }

  @Test func `HEAD has the fields of GET and no body`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.request("GET", "/api/v1/openapi.json")
    gateway.settle()
    let whole = client.answer()
    client.request("HEAD", "/api/v1/openapi.json")
    client.request("GET", "/livez")
    gateway.settle()
    let head = client.answer(toHead: true)
    #expect(head?.field("Content-Length") == whole?.field("Content-Length"))
    #expect(client.answer()?.status == 200)
    gateway.expectNothingLeft()
  }

  @Test func `an error after HEAD has its body`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.request("HEAD", "/livez")
    client.send("nonsense\r\n\r\n")
    gateway.settle()
    _ = client.answer(toHead: true)
    let answer = client.answer()
    #expect(answer?.status == 400)
    #expect(answer?.body.isEmpty == false)
    gateway.expectNothingLeft()
  }

  @Test(arguments: [
    ("GET /\r\n\r\n", 400), ("GET / HTTP/2.0\r\n\r\n", 505), ("GET / HTTP/1.1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417),
  ])
  func `where the framing is in doubt there is one answer and then the end`(_ bytes: String, _ status: Int) {
    let gateway = SimulatedGateway(faults: .pieces)
    let client = gateway.connect()
    client.send(bytes)
    client.request("GET", "/livez")
    gateway.settle()
    let answers = client.answers()
    #expect(answers.map(\.status) == [status])
    #expect(answers.first?.field("Connection") == "close")
    #expect(answers.first?.field("Content-Type") == "application/problem+json")
    gateway.advance(seconds: 2)
    #expect(client.isEnded)
    gateway.expectNothingLeft()
  }

  @Test func `a last answer waits a second for the peer's end, so that a reset does not eat it`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.request("GET", "/livez", [("Connection", "close")])
    gateway.settle()
    #expect(client.answer()?.status == 200)
    #expect(client.stream.serverEnded && !client.stream.serverClosed)
    client.send("late bytes")
    gateway.advance(milliseconds: 900)
    #expect(!client.stream.serverClosed)
    gateway.advance(milliseconds: 200)
    #expect(client.stream.serverClosed && !client.stream.isReset)
    gateway.expectNothingLeft()
  }

  @Test func `answers that come too late are dropped`() {
    let gateway = SimulatedGateway(shardCount: 2)
    let question = #"{"task_id":"t","user_id":"u","step":"s","step_result":{"step":"s","result":1},"timeout":5}"#
    let first = gateway.connect()
    first.request("POST", "/api/v1/confirmations?wait=20", body: question)
    gateway.settle()
    first.reset()
    gateway.settle()
    // The slot is another peer's by now.
    let second = gateway.connect()
    second.request("POST", "/api/v1/confirmations?wait=3", body: question)
    gateway.advance(seconds: 10)
    #expect(second.answers().map(\.status) == [201])
    gateway.expectNothingLeft()
  }
}
