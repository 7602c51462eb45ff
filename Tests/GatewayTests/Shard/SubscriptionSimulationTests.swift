import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

/// Contract §4.1 and §4.2, on whole gateways with seeded interleavings and faults.
///
/// Replay: every case's argument is its seed; `swift test --filter SubscriptionSimulation` and the printed seed as the
/// only argument give the same run.
@Suite("Simulation: every subscriber sees every offset, in order and once")
struct SubscriptionSimulationTests {
  static let taskCount = 3

  /// A client of the action dialect and what it has been promised.
  private final class Watcher {
    let client: SimulatedClient
    var handshakeIsDone = false
    /// The next offset of each task that it follows.
    var expected: [String: Int] = [:]
    /// Positions to resume at, of what it followed once.
    var seen: [String: (epoch: String, offset: Int)] = [:]
    var mistakes: [String] = []
    var isGone = false
    /// Stops reading now and then, so that it may be cut off. (States may be skipped for anybody whose kernel refuses
    /// bytes for a moment; it is told how many.)
    let isSlow: Bool

    init(_ client: SimulatedClient, isSlow: Bool) {
      self.client = client
      self.isSlow = isSlow
    }

    func look() {
      if !handshakeIsDone {
        guard let answer = client.answer() else { return }
        if answer.status != 101 { mistakes.append("handshake \(answer.status)") }
        handshakeIsDone = true
      }
      for frame in client.frames() {
        guard frame.opcode == .text else {
          // One that does not read at all may be cut off; any other close is a mistake.
          if frame.opcode == .close, frame.closeCode != 1013 || !isSlow {
            mistakes.append("closed with \(frame.closeCode ?? 0) \(frame.closeReason)")
          }
          if frame.opcode == .close { isGone = true }
          continue
        }
        take(Message(frame.payload))
      }
    }

    private func take(_ message: Message) {
      let task = message.string("task_id") ?? ""
      switch message.type {
      case "subscription_confirmed":
        let offset = message.int("offset") ?? -1
        // What was held back for it is in the snapshot that it asks for again.
        if let next = expected[task], offset < next - 1 {
          mistakes.append("\(task) confirmed \(offset) at \(next)")
        }
        expected[task] = offset + 1
        seen[task] = (message.raw("epoch"), offset)
      case "unsubscribed": expected[task] = nil
      case "progress", "complete":
        let offset = message.int("offset") ?? -1
        let skipped = message.int("skipped") ?? 0
        if expected[task] != offset - skipped { mistakes.append("\(task) \(offset), not \(expected[task] ?? -1)") }
        expected[task] = offset + 1
        seen[task] = (message.raw("epoch"), offset)
      case "error": break
      default: mistakes.append("unexpected \(message)")
      }
    }
  }

  /// A client of the task or execution dialect: progress stands for the offset.
  private final class Follower {
    let client: SimulatedClient
    let task: String
    var handshakeIsDone = false
    var last: Int?
    var isTerminal = false
    var mistakes: [String] = []
    var isGone = false

    init(_ client: SimulatedClient, _ task: String) {
      self.client = client
      self.task = task
    }

    func look() {
      if !handshakeIsDone {
        guard client.answer() != nil else { return }
        handshakeIsDone = true
      }
      for frame in client.frames() where frame.opcode == .text {
        let message = Message(frame.payload)
        switch message.type {
        case "connected": last = message.int("current_progress")
        case "status":
          if message.string("status") == "completed" {
            isTerminal = true
          } else {
            step(message.int("progress"))
          }
        case "progress": step(message.int("progress"))
        case "complete": isTerminal = true
        case "error": break
        default: mistakes.append("unexpected \(message)")
        }
      }
    }

    private func step(_ progress: Int?) {
      guard let progress else { return mistakes.append("no progress") }
      if let last, progress != last + 1 { mistakes.append("\(task) \(progress) after \(last)") }
      last = progress
    }
  }

  @Test(arguments: 0..<240 as Range<UInt64>)
  func `offsets have no gap, no repetition and no disorder`(seed: UInt64) {
    var random = SeededGenerator(seed: seed &+ 0x5eed)
    let shardCount = [1, 2, 4][Int(seed % 3)]
    let gateway = SimulatedGateway(shardCount: shardCount, seed: seed, faults: seed % 5 == 0 ? .none : .pieces) {
      $0.sendBufferByteCount = 6000
    }
    let publishers = (0..<Self.taskCount).map { _ in
      gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
    }
    var published = [Int](repeating: 0, count: Self.taskCount)
    var isFinished = [Bool](repeating: false, count: Self.taskCount)
    var watchers: [Watcher] = []
    var followers: [Follower] = []
    func task() -> Int { Int.random(in: 0..<Self.taskCount, using: &random) }

    for _ in 0..<400 {
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<7:
        let number = task()
        guard !isFinished[number], published[number] < 95 else { continue }
        if random.once(in: 4) {
          var lines = ""
          for _ in 0..<Int.random(in: 1...4, using: &random) {
            published[number] += 1
            lines += #"{"op":"progress","task_id":"t\#(number)","progress":\#(published[number])}"# + "\n"
          }
          publishers[number].request("POST", "/api/v1/publish", body: lines, contentType: "application/x-ndjson")
        } else {
          published[number] += 1
          publishers[number].request(
            "POST", "/api/v1/tasks/t\(number)/progress", body: #"{"progress":\#(published[number])}"#)
        }
      case 7:
        let number = task()
        guard !isFinished[number], published[number] > 60 else { continue }
        isFinished[number] = true
        published[number] += 1
        publishers[number].request("POST", "/api/v1/tasks/t\(number)/complete", body: "{}")
      case 8..<11:
        guard watchers.count < 12 else { continue }
        let client = gateway.connect(
          to: Int.random(in: 0..<shardCount, using: &random),
          roomByteCount: Int.random(in: 50...5000, using: &random))
        client.upgrade("/ws")
        let watcher = Watcher(client, isSlow: random.once(in: 3))
        // A client that comes back resumes where another one was.
        if let former = watchers.randomElement(using: &random) {
          former.look()
          watcher.seen = former.seen
        }
        watchers.append(watcher)
      case 11..<15:
        guard let watcher = watchers.randomElement(using: &random), !watcher.isGone else { continue }
        let name = "t\(task())"
        var since = ""
        if watcher.expected[name] == nil, let seen = watcher.seen[name], seen.epoch.hasPrefix("\""), random.once(in: 2)
        {
          since = #","since":{"epoch":\#(seen.epoch),"offset":\#(seen.offset)}"#
        }
        watcher.client.sendText(#"{"action":"subscribe","task_id":"\#(name)","wait":true\#(since)}"#)
      case 15:
        guard let watcher = watchers.randomElement(using: &random), !watcher.isGone else { continue }
        watcher.client.sendText(#"{"action":"unsubscribe","task_id":"t\#(task())"}"#)
      case 16:
        guard let watcher = watchers.randomElement(using: &random), random.once(in: 2) else { continue }
        watcher.look()
        watcher.isGone = true
        if random.once(in: 2) { watcher.client.reset() } else { watcher.client.close() }
      case 17:
        guard followers.count < 8 else { continue }
        let number = task()
        let client = gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
        client.upgrade((random.once(in: 2) ? "/ws/task/t" : "/api/v1/ws/executions/t") + "\(number)")
        followers.append(Follower(client, "t\(number)"))
      default:
        for _ in 0..<Int.random(in: 1...4, using: &random) { gateway.turnOnce() }
        for watcher in watchers where !watcher.isGone {
          if watcher.isSlow { watcher.client.isReading = random.once(in: 4) }
          watcher.look()
        }
      }
      if random.once(in: 3) { gateway.turnOnce() }
    }
    for watcher in watchers { watcher.client.isReading = true }
    gateway.settle()
    for watcher in watchers where !watcher.isGone { watcher.look() }

    for publisher in publishers { #expect(publisher.answers().allSatisfy { $0.status / 100 == 2 }, "seed \(seed)") }
    for watcher in watchers where !watcher.isGone {
      watcher.look()
      #expect(watcher.mistakes == [], "seed \(seed), \(shardCount) shards")
      for (name, next) in watcher.expected {
        guard let number = Int(name.dropFirst()) else { continue }
        #expect(next == published[number] + 1, "seed \(seed): \(name) stopped")
      }
    }
    for follower in followers {
      follower.look()
      #expect(follower.mistakes == [], "seed \(seed), \(shardCount) shards")
      guard let number = Int(follower.task.dropFirst()), let last = follower.last else { continue }
      if isFinished[number] {
        #expect(follower.isTerminal, "seed \(seed): \(follower.task) has no end")
      } else {
        #expect(last == published[number], "seed \(seed): \(follower.task) stopped")
      }
    }
    gateway.expectNothingLeft()
  }

  @Test(arguments: 0..<45 as Range<UInt64>)
  func `with connections that break anywhere nothing leaks and nothing is touched after its end`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let shardCount = [1, 2, 4][Int(seed % 3)]
    let gateway = SimulatedGateway(shardCount: shardCount, seed: seed, faults: .pieceAndResets) {
      $0.connectionCountMax = 12
      $0.sendBufferByteCount = 2000
    }
    gateway.world.descriptorCountMax = 25
    for step in 0..<500 {
      switch Int.random(in: 0..<12, using: &random) {
      case 0..<3:
        let client = gateway.connect(
          to: Int.random(in: 0..<shardCount, using: &random), roomByteCount: Int.random(in: 10...4000, using: &random))
        switch Int.random(in: 0..<5, using: &random) {
        case 0: client.upgrade("/ws/task/t")
        case 1: client.upgrade("/api/v1/ws/executions/t")
        default: client.upgrade("/ws", [("Sec-WebSocket-Protocol", "signalbox.v1")])
        }
      case 3..<8:
        guard let client = gateway.clients.suffix(20).randomElement(using: &random) else { continue }
        let texts = [
          #"{"action":"subscribe","task_id":"t","wait":true}"#, #"{"action":"subscribe","channel":"c","user_id":"u"}"#,
          #"{"action":"unsubscribe","task_id":"t","user_id":"u"}"#, #"{"action":"cancel","task_id":"t","user_id":"u"}"#,
          #"{"action":"ping","pad":"\#(String(repeating: "p", count: 500))"}"#, "nonsense",
        ]
        client.sendText(texts[Int.random(in: 0..<texts.count, using: &random)])
        client.isReading = !random.once(in: 3)
      case 8..<10:
        let client = gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
        client.request("POST", "/api/v1/tasks/t/progress", body: #"{"progress":\#(step % 100)}"#)
        client.request(
          "POST", "/api/v1/confirmations?wait=3",
          body: #"{"task_id":"t","user_id":"u","step":"s","step_result":{"step":"s","result":1},"timeout":5}"#)
        client.request("POST", "/api/v1/broadcast", body: #"{"n":\#(step)}"#)
        if random.once(in: 2) { client.endSending() }
      case 10:
        guard let client = gateway.clients.suffix(20).randomElement(using: &random) else { continue }
        switch Int.random(in: 0..<4, using: &random) {
        case 0: client.reset()
        case 1: client.close()
        case 2: client.endSending()
        default: client.sendClose()
        }
      default:
        gateway.advance(milliseconds: Int64.random(in: 1...3000, using: &random))
      }
      if random.once(in: 2) { gateway.turnOnce() }
    }
    gateway.world.faults = .none
    gateway.world.descriptorCountMax = .max
    gateway.expectNothingLeft()
    if gateway.leftovers != [] { Issue.record("seed \(seed)") }
  }
}
