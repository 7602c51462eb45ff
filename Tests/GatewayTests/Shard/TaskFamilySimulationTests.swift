import GatewayDomain
import Protocol
import Testing

@testable import Gateway

/// Parents, children and cancels whose homes are different shards. Replay: the argument is the seed.
@Suite("Simulation: families of tasks over several shards")
struct TaskFamilySimulationTests {
  private struct Member {
    var parent: Int?
    var weight = 1
    /// Hundredths, of a leaf.
    var progress = 0
    var isFinished = false
  }

  private static func snapshot(_ gateway: SimulatedGateway, _ client: SimulatedClient, _ name: String) -> Message? {
    client.request("GET", "/api/v1/tasks/\(name)")
    gateway.settle()
    return client.answer().map { Message($0.body) }
  }

  /// What the member shows: hundredths, rounded at each of its descendants as the desks do.
  private static func shown(_ number: Int, _ family: [Member]) -> Int {
    let children = family.indices.filter { family[$0].parent == number }
    if children.isEmpty { return family[number].isFinished ? 10_000 : family[number].progress }
    var weight = 0.0
    var progress = 0.0
    for child in children {
      weight += Double(family[child].weight)
      progress += Double(family[child].weight) * (Double(shown(child, family)) / 100)
    }
    return Int((progress / weight * 100).rounded())
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `every parent comes to the weighted mean of its children, in gapless events`(seed: UInt64) {
    var random = SeededGenerator(seed: seed &+ 99)
    let shardCount = [1, 2, 4][Int(seed % 3)]
    let gateway = SimulatedGateway(shardCount: shardCount, seed: seed, faults: seed % 2 == 0 ? .none : .pieces)
    let publishers = (0..<3).map { _ in gateway.connect(to: Int.random(in: 0..<shardCount, using: &random)) }
    var family: [Member] = []
    for number in 0..<Int.random(in: 2...14, using: &random) {
      var member = Member()
      member.parent = number == 0 ? nil : Int.random(in: 0..<number, using: &random)
      member.weight = Int.random(in: 1...5, using: &random)
      let parent = member.parent.map { #","parent_id":"m\#($0)""# } ?? ""
      family.append(member)
      publishers[0].request(
        "POST", "/api/v1/tasks", body: #"{"task_id":"m\#(number)","weight":\#(member.weight)\#(parent)}"#)
      gateway.settle()
    }
    let leaves = family.indices.filter { number in !family.contains { $0.parent == number } }
    let watcher = gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
    watcher.upgrade("/ws")
    watcher.sendText(#"{"action":"subscribe","task_id":"m0"}"#)
    gateway.settle()
    #expect(watcher.answer()?.status == 101)
    for _ in 0..<120 {
      guard let leaf = leaves.filter({ !family[$0].isFinished }).randomElement(using: &random) else { break }
      // A leaf has one publisher, so that its reports are in order.
      let publisher = publishers[leaf % publishers.count]
      if random.once(in: 20) {
        family[leaf].isFinished = true
        publisher.request("POST", "/api/v1/tasks/m\(leaf)/complete", body: "{}")
      } else {
        family[leaf].progress = Int.random(in: 0...10_000, using: &random)
        let text =
          "\(family[leaf].progress / 100).\(family[leaf].progress % 100 < 10 ? "0" : "")\(family[leaf].progress % 100)"
        publisher.request("POST", "/api/v1/tasks/m\(leaf)/progress", body: #"{"progress":\#(text)}"#)
      }
      if random.once(in: 3) { gateway.turnOnce() }
    }
    gateway.settle()
    for publisher in publishers { #expect(publisher.answers().allSatisfy { $0.status / 100 == 2 }, "seed \(seed)") }
    for number in family.indices where !leaves.contains(number) {
      let message = Self.snapshot(gateway, publishers[0], "m\(number)")
      let progress = Double(message?.raw("progress") ?? "") ?? -1
      // Both sides round, in another order of the children.
      #expect(abs(progress * 100 - Double(Self.shown(number, family))) <= 1, "seed \(seed): m\(number)")
    }
    let messages = watcher.messages()
    let start = messages.first?.int("offset") ?? -1
    #expect(messages.dropFirst().map { $0.int("offset") } == messages.indices.dropFirst().map { start + $0 })
    #expect(messages.dropFirst().last?.raw("progress") == Self.snapshot(gateway, publishers[0], "m0")?.raw("progress"))
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2, 4])
  func `what a turn brings of a child its parent is told once`(_ shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let client = gateway.connect()
    client.request("POST", "/api/v1/tasks", body: #"{"task_id":"p"}"#)
    client.request("POST", "/api/v1/tasks", body: #"{"task_id":"c","parent_id":"p"}"#)
    gateway.settle()
    let lines = (1...50).map { #"{"op":"progress","task_id":"c","progress":\#($0)}"# }.joined(separator: "\n")
    client.request("POST", "/api/v1/publish", body: lines, contentType: "application/x-ndjson")
    gateway.settle()
    #expect(client.answers().map(\.status) == [201, 201, 200])
    let parent = Self.snapshot(gateway, client, "p")
    #expect(parent?.raw("progress") == "50")
    #expect(parent?.int("offset") == 1)
    gateway.expectNothingLeft()
  }

  @Test(arguments: 0..<30 as Range<UInt64>)
  func `a cancel reaches every unfinished descendant, whoever's home it is, and each watcher once`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let shardCount = [1, 2, 4][Int(seed % 3)]
    let gateway = SimulatedGateway(shardCount: shardCount, seed: seed)
    let client = gateway.connect()
    let count = Int.random(in: 2...12, using: &random)
    var parents: [Int] = [0]
    for number in 0..<count {
      // The first one's parent is the last: a circle.
      let parent = number == 0 ? count - 1 : Int.random(in: 0..<number, using: &random)
      if number > 0 { parents.append(parent) }
      client.request("POST", "/api/v1/tasks", body: #"{"task_id":"m\#(number)","parent_id":"m\#(parent)"}"#)
      gateway.settle()
    }
    let finished = count > 3 ? count - 2 : nil
    if let finished { client.request("POST", "/api/v1/tasks/m\(finished)/complete", body: "{}") }
    let watchers = (0..<count).map { number in
      let watcher = gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
      watcher.upgrade("/ws")
      watcher.sendText(#"{"action":"subscribe","task_id":"m\#(number)","user_id":"somebody else"}"#)
      gateway.settle()
      _ = (watcher.answer(), watcher.messages())
      return watcher
    }
    client.request("POST", "/api/v1/tasks/m0/cancel", body: #"{"user_id":"u","reason":"late"}"#)
    gateway.settle()
    _ = client.answers()
    /// A finished task passes nothing on.
    func isReached(_ number: Int) -> Bool {
      number == 0 || (number != finished && parents[number] != finished && isReached(parents[number]))
    }
    for (number, watcher) in watchers.enumerated() {
      let cancels = watcher.messages().filter { $0.type == "task_cancelled" }
      #expect(cancels.map { $0.string("task_id") } == (isReached(number) ? ["m\(number)"] : []), "seed \(seed)")
      #expect(
        Self.snapshot(gateway, client, "m\(number)")?.raw("cancel_requested") == (isReached(number) ? "true" : "false"),
        "seed \(seed): m\(number)")
    }
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2, 4])
  func `many cancels are answered in the order asked, each judged by itself`(_ shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount) {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
    }
    let client = gateway.connect()
    for number in 0..<8 {
      client.request(
        "POST", "/api/v1/tasks", body: #"{"task_id":"t\#(number)","owner":"\#(number % 2 == 0 ? "ann" : "bob")"}"#)
    }
    client.request("POST", "/api/v1/tasks/t4/complete", body: "{}")
    gateway.settle()
    _ = client.answers()
    let names = ["t6", "t1", "t0", "unknown", "t4", "t2", "t0"]
    client.request(
      "POST", "/api/v1/tasks/cancel", [("Authorization", "Bearer \(gateway.token("ann"))")],
      body: #"{"task_ids":[\#(names.map { "\"\($0)\"" }.joined(separator: ","))]}"#)
    gateway.settle()
    let answer = client.answer()
    #expect(answer?.status == 202)
    let message = Message(answer?.body ?? [])
    #expect(message.raw("cancel_requested") == #"["t6","t0","t2","t0"]"#)
    let codes = message.raw("rejected").matches(of: /"task_id":"(\w+)".*?"code":"(\w+)"/).map { "\($0.1) \($0.2)" }
    #expect(codes == ["t1 forbidden", "unknown task_not_found", "t4 task_finished"])
    gateway.expectNothingLeft()
  }
}
