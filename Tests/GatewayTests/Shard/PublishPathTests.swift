import GatewayDomain
import Protocol
import Testing

@testable import Gateway

/// A report goes one of two ways: carried out while its request is read, where its home is the shard that reads it, or
/// by mail. Nobody can tell which.
@Suite("Shard: the two ways of a publish")
struct PublishPathTests {
  private static let bodies = [
    #"{"progress":40}"#, #"{"progress":40.5,"message":"\\u4e2d","current":3,"total":null}"#, #"{"progress":101}"#, "{",
    #"{"status":"training","details":{"a":[1,2]}}"#, #"{"status":"completed","result":1}"#, #"{"progress":-1}"#,
    #"{"status":"failed","message":"no"}"#, #"{"progress":7,"type":"x","epoch":1,"unknown":[true]}"#, "[]", "",
  ]

  /// A request to one of a few tasks.
  private static func request(using random: inout SeededGenerator, number: Int) -> String {
    let task = "t\(Int.random(in: 0..<4, using: &random))-\(number / 40)"
    let body = bodies.randomElement(using: &random) ?? ""
    switch Int.random(in: 0..<15, using: &random) {
    case 0: return SimulatedClient.request("POST", "/api/v1/tasks/\(task)/complete", body: #"{"success":true}"#)
    case 1: return SimulatedClient.request("POST", "/api/v1/tasks/\(task)/error", body: #"{"error":"x"}"#)
    case 2: return SimulatedClient.request("POST", "/api/v1/tasks/\(task)/heartbeat", body: "{}")
    case 3: return SimulatedClient.request("POST", "/api/v1/tasks/\(task)/cancel", body: "{}")
    case 4: return SimulatedClient.request("POST", "/api/v1/tasks/\(task)/cancel/ack", body: "{}")
    case 5: return SimulatedClient.request("GET", "/api/v1/tasks/\(task)/events")
    case 6: return SimulatedClient.request("POST", "/api/v1/tasks", body: #"{"task_id":"\#(task)","kind":"k"}"#)
    case 12:
      return SimulatedClient.request(
        "POST", "/api/v1/tasks/\(task)/nodes/n\(number % 3)", body: #"{"status":"running","progress":\#(number % 100)}"#
      )
    case 13:
      return SimulatedClient.request(
        "POST", "/api/v1/tasks/\(task)/logs", body: #"{"lines":[{"level":"info","message":"line \#(number)"}]}"#)
    case 14:
      return SimulatedClient.request("POST", "/api/v1/tasks/cancel", body: #"{"task_ids":["\#(task)","no-such"]}"#)
    case 7...8: return bulk(using: &random, number: number)
    default: return SimulatedClient.request("POST", "/api/v1/tasks/\(task)/progress", body: body)
    }
  }

  private static func bulk(using random: inout SeededGenerator, number: Int) -> String {
    var lines = ""
    for _ in 0..<Int.random(in: 0...12, using: &random) {
      let task = "t\(Int.random(in: 0..<4, using: &random))-\(number / 40)"
      switch Int.random(in: 0..<11, using: &random) {
      case 0: lines += #"{"op":"complete","task_id":"\#(task)"}"#
      case 1: lines += #"{"op":"heartbeat","task_id":"\#(task)"}"#
      case 2: lines += #"{"op":"register","task_id":"\#(task)","title":"x"}"#
      case 3: lines += #"{"op":"broadcast","n":\#(number)}"#
      case 4: lines += #"{"op":"progress","task_id":"\#(task)"}"#
      case 5: lines += "nonsense"
      case 6: lines += #"{"op":"error","task_id":"\#(task)","error":"e"}"#
      case 9: lines += #"{"op":"node","task_id":"\#(task)","node_id":"n","status":"x","progress":\#(number % 100)}"#
      case 10: lines += #"{"op":"log","task_id":"\#(task)","level":"info","message":"\#(number)"}"#
      default: lines += #"{"op":"progress","task_id":"\#(task)","progress":\#(number % 100)}"#
      }
      lines += "\n"
    }
    return SimulatedClient.request("POST", "/api/v1/publish", body: lines, contentType: "application/x-ndjson")
  }

  /// What a run has answered and delivered, without what is random or of the clock.
  private struct Transcript: Equatable {
    var answers: [String] = []
    var messages: [String] = []
  }

  private static func plain(_ text: String) -> String {
    let random = /"(epoch|created_at|started_at|updated_at|finished_at|timestamp)":("[^"]*"|[0-9.]+)/
    return text.replacing(random) { "\"\($0.1)\":_" }.replacing(/since [0-9.]+/, with: "since _")
  }

  /// - Parameter byMail: every task's home is the other shard.
  private func run(_ seed: UInt64, byMail: Bool) -> Transcript {
    let gateway = SimulatedGateway(shardCount: byMail ? 2 : 1, seed: seed)
    var random = SeededGenerator(seed: seed)
    var transcript = Transcript()
    let watcher = gateway.connect()
    watcher.upgrade("/ws")
    gateway.settle()
    #expect(watcher.answer()?.status == 101)
    let clients = byMail ? [gateway.connect(to: 0), gateway.connect(to: 1)] : [gateway.connect()]
    var watched: Set<String> = []
    for number in 0..<200 {
      let round = number / 40
      for place in 0..<3 where watched.insert("t\(place)-\(round)").inserted {
        watcher.sendText(#"{"action":"subscribe","task_id":"t\#(place)-\#(round)","wait":true}"#)
        gateway.settle()
      }
      let request = Self.request(using: &random, number: number)
      let client = byMail ? clients[gateway.shared.home(ofFirstTaskIn: request) == 0 ? 1 : 0] : clients[0]
      client.send(request)
      gateway.settle()
      transcript.answers += client.answers().map { "\($0.status) \(Self.plain($0.text))" }
      transcript.messages += watcher.messages().map { Self.plain($0.description) }
    }
    gateway.expectNothingLeft()
    return transcript
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `answers and deliveries are the same`(_ seed: UInt64) {
    let here = run(seed, byMail: false)
    let byMail = run(seed, byMail: true)
    #expect(here.answers == byMail.answers, "seed \(seed)")
    #expect(here.answers.count == 200)
    // Tasks of one bulk publish may live on two shards, whose events have no order among each other.
    #expect(here.messages.sorted() == byMail.messages.sorted(), "seed \(seed)")
    #expect(here.messages.count > 50)
  }

  /// The lines of one body about one task, which begin with the task: so every line has its place among the others.
  private static func linesOfOneTask(_ task: String, using random: inout SeededGenerator) -> String {
    var lines = #"{"op":"progress","task_id":"\#(task)","progress":0}"# + "\n"
    for number in 1...Int.random(in: 1...40, using: &random) {
      switch Int.random(in: 0..<16, using: &random) {
      case 0: lines += #"{"op":"broadcast","type":"news","n":\#(number)}"#
      case 1: lines += #"{"op":"heartbeat","task_id":"\#(task)"}"#
      case 2 where number > 20: lines += #"{"op":"complete","task_id":"\#(task)","result":\#(number)}"#
      case 3 where number > 20: lines += #"{"op":"progress","task_id":"\#(task)","status":"failed"}"#
      case 4: lines += #"{"op":"progress","task_id":"\#(task)","progress":\#(number),"status":"word \#(number)"}"#
      case 5: lines += #"{"op":"progress","task_id":"\#(task)","progress":101}"#
      case 6: lines += #"{"op":"progress","task_id":"\#(task)","status":"x","message":"m","total":null,"y":[1]}"#
      case 7: lines += #"{"op":"log","task_id":"\#(task)","level":"info","message":"\#(number)"}"#
      case 8: lines += #"{"op":"node","task_id":"\#(task)","node_id":"n","status":"s","progress":\#(number)}"#
      default: lines += #"{"op":"progress","task_id":"\#(task)","progress":\#(number)}"#
      }
      lines += "\n"
    }
    return lines
  }

  /// What each watcher of a task is told, in order; of one in each dialect.
  private func deliveries(_ seed: UInt64, byMail: Bool) -> [[String]] {
    let gateway = SimulatedGateway(shardCount: byMail ? 2 : 1, seed: seed)
    var random = SeededGenerator(seed: seed)
    let publishers = byMail ? [gateway.connect(to: 0), gateway.connect(to: 1)] : [gateway.connect()]
    var told: [[String]] = []
    for number in 0..<12 {
      let register = SimulatedClient.request("POST", "/api/v1/tasks", body: #"{"task_id":"t1-\#(number)"}"#)
      let home = gateway.shared.home(ofFirstTaskIn: register)
      let publisher = publishers[byMail && home == 0 ? 1 : 0]
      publisher.send(register)
      gateway.settle()
      let watchers = ["/ws", "/ws/task/t1-\(number)", "/api/v1/ws/executions/t1-\(number)?nodes=1&logs=1"].map { path in
        let watcher = gateway.connect()
        watcher.upgrade(path)
        if path == "/ws" { watcher.sendText(#"{"action":"subscribe","task_id":"t1-\#(number)"}"#) }
        gateway.settle()
        #expect(watcher.answer()?.status == 101)
        return watcher
      }
      let lines = Self.linesOfOneTask("t1-\(number)", using: &random)
      // Two bodies that are read in one turn, the second of them behind what the first one's lines have sent.
      for part in [lines, #"{"op":"progress","task_id":"t1-\#(number)","progress":99}"#] {
        publisher.send(
          SimulatedClient.request("POST", "/api/v1/publish", body: part, contentType: "application/x-ndjson"))
      }
      gateway.settle()
      #expect(publisher.answers().map(\.status) == [201, 200, 200])
      told += watchers.map { watcher in watcher.messages().map { Self.plain($0.description) } }
    }
    return told
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `lines about a task, relays between them and its end arrive in the order of the lines`(_ seed: UInt64) {
    let here = deliveries(seed, byMail: false)
    #expect(here == deliveries(seed, byMail: true), "seed \(seed)")
    #expect(here.joined().count > 12 * 3 * 10)
  }

  @Test func `an event joins its run at once where no mail waits, and waits behind mail that does`() {
    let gateway = SimulatedGateway()
    let watcher = gateway.connect()
    watcher.upgrade("/ws")
    watcher.sendText(#"{"action":"subscribe","task_id":"t","wait":true}"#)
    gateway.settle()
    _ = (watcher.answer(), watcher.messages())
    let shard = gateway.shards[0]
    shard.taskEffects.append(contentsOf: shard.progressEffects(of: "t"))
    shard.carryTaskEffects(betweenMails: true)
    #expect(shard.openEvents.count == 1 && shard.localMail.isEmpty)
    // Within a mail the others of its batch may have to come first.
    shard.taskEffects.append(contentsOf: shard.progressEffects(of: "t"))
    shard.carryTaskEffects()
    #expect(shard.openEvents.count == 1 && shard.localMail.count == 1)
    // Behind that one: its place is after it.
    shard.taskEffects.append(contentsOf: shard.progressEffects(of: "t"))
    shard.carryTaskEffects(betweenMails: true)
    #expect(shard.openEvents.count == 1 && shard.localMail.count == 2)
    gateway.settle()
    #expect(watcher.messages().map { $0.int("offset") } == [1, 2, 3])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 63, 64, 65, 129, 300])
  func `requests that stand behind each other are all answered in order`(_ count: Int) {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    let other = gateway.connect()
    var requests = ""
    for number in 1...count {
      requests += SimulatedClient.request(
        "POST", "/api/v1/tasks/t/progress", body: #"{"progress":\#(number % 100)}"#)
    }
    client.send(requests)
    other.request("POST", "/api/v1/tasks/u/progress", body: #"{"progress":1}"#)
    gateway.settle()
    let answers = client.answers()
    #expect(answers.map(\.status) == Array(repeating: 202, count: count))
    #expect(answers.map { Message($0.body).int("offset") } == Array(1...count))
    #expect(other.answer()?.status == 202)
    gateway.expectNothingLeft()
  }

  @Test func `a publish waits for mail that was there before it`() {
    let gateway = SimulatedGateway()
    let watcher = gateway.connect()
    watcher.upgrade("/ws")
    gateway.settle()
    _ = watcher.answer()
    let client = gateway.connect()
    // Both arrive in one turn; whichever is read first, the subscription begins where the events go on.
    watcher.sendText(#"{"action":"subscribe","task_id":"t","wait":true}"#)
    for number in 1...5 {
      client.request("POST", "/api/v1/tasks/t/progress", body: #"{"progress":\#(number)}"#)
    }
    gateway.settle()
    #expect(client.answers().map { Message($0.body).int("offset") } == [1, 2, 3, 4, 5])
    let messages = watcher.messages()
    let start = messages.first?.int("offset") ?? -1
    #expect(messages.first?.type == "subscription_confirmed")
    #expect(messages.dropFirst().map { $0.int("offset") } == Array((start + 1)..<6))
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 7, 40, 150, 200])
  func `a receipt that the kernel takes in pieces arrives whole and before what follows`(_ roomByteCount: Int) {
    let gateway = SimulatedGateway()
    let client = gateway.connect(roomByteCount: roomByteCount)
    for round in 1...4 {
      client.isReading = false
      client.request("POST", "/api/v1/tasks/t/progress", body: #"{"progress":\#(round)}"#)
      gateway.settle()
      client.request("POST", "/api/v1/tasks/t/complete", body: #"{"message":1}"#)
      client.isReading = true
      gateway.settle()
      let answers = client.answers()
      #expect(answers.map(\.status) == [202, 400])
      #expect(answers.first.map { Message($0.body).int("offset") } == round)
    }
    gateway.expectNothingLeft()
  }

  @Test func `the receipt on a connection that ends says so`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.request("POST", "/api/v1/tasks/t/progress", [("Connection", "close")], body: #"{"progress":1}"#)
    gateway.settle()
    let answer = client.answer()
    #expect(answer?.status == 202)
    #expect(answer?.field("Connection") == "close")
    gateway.expectNothingLeft()
  }
}

extension Shard {
  /// The effects of a report, which are not carried yet.
  fileprivate func progressEffects(of text: String) -> [TaskEffect] {
    var effects: [TaskEffect] = []
    var random = EnvironmentRandom(environment: environment)
    guard let task = TaskIdentifier(validating: text),
      let report = try? RequestBodies.progress(Array(#"{"progress":1}"#.utf8).span),
      (try? taskDesk.progress(task, report, at: moment, random: &random, into: &effects)) != nil
    else { return [] }
    return effects
  }
}

extension GatewayShared {
  /// The home of the task whose name stands first in a request's bytes.
  fileprivate func home(ofFirstTaskIn request: String) -> Int {
    guard let match = request.firstMatch(of: /t[0-9]-[0-9]+/), let task = TaskIdentifier(validating: String(match.0))
    else { return 0 }
    return home(of: task)
  }
}
