import Testing

@testable import Gateway

/// A gateway's several lives in one thread: publishers, pages and questions, broken connections, a store that fails, crashes
/// that keep what was committed and nothing else. Everything follows from the seed.
final class DurabilitySimulation {
  struct Flaws {
    var disk: SimulatedDisk.Flaw?
    var watcher: SimulatedWatcher.Flaw?
  }

  let seed: UInt64
  let ledger = PromiseLedger()
  private let disk = SimulatedDisk()
  private let world: SimulatedWorld
  private var random: SeededGenerator
  private var gateway: SimulatedGateway
  private let publishers: [SimulatedPublisher]
  private let watchers: [SimulatedWatcher]
  private var crashCount = 0
  /// When the disk last failed.
  private var troubleAt: Int64 = 0

  init(seed: UInt64, flaws: Flaws = Flaws()) {
    self.seed = seed
    random = SeededGenerator(seed: seed &* 0x9e37_79b9 &+ 1)
    disk.flaw = flaws.disk
    world = SimulatedWorld(seed: seed, faults: seed % 3 == 0 ? .none : .pieceAndResets)
    gateway = Self.start(seed, world, disk)
    let ledger = ledger
    let users = ["ann", "bob"]
    publishers = (0..<2).map { SimulatedPublisher(name: "p\($0)", users: users, ledger: ledger) }
    watchers = (0..<3).map {
      SimulatedWatcher(
        name: "w\($0)", user: users[$0 % 2], ledger: ledger, isForgetful: seed % 4 == 1, flaw: flaws.watcher)
    }
  }

  private static func start(_ seed: UInt64, _ world: SimulatedWorld, _ disk: SimulatedDisk) -> SimulatedGateway {
    SimulatedGateway(shardCount: [1, 2, 3][Int(seed % 3)], seed: seed, world: world, disk: disk) {
      $0.sendBufferByteCount = 20_000
      $0.cancelTimeout = .seconds(4)
      $0.leaseGrace = .seconds(2)
    }
  }

  /// Runs to the end, and answers with what was wrong.
  func run() -> [String] {
    for _ in 0..<Self.stepCount where ledger.mistakes.isEmpty { step() }
    heal()
    if ledger.mistakes.isEmpty { checkAcknowledged("at the end") }
    if ledger.mistakes.isEmpty { checkCleanStop() }
    return ledger.mistakes + world.misuses
  }

  private static let stepCount = 260

  private func step() {
    for publisher in publishers where !random.once(in: 3) { publisher.step(gateway, &random, mayBegin: true) }
    let tasks = publishers.flatMap(\.knownTasks)
    for watcher in watchers where random.once(in: 2) { watcher.step(gateway, tasks, &random) }
    for _ in 0..<Int.random(in: 0...2, using: &random) { gateway.turnOnce() }
    if disk.failure != nil { troubleAt = world.milliseconds }
    switch Int.random(in: 0..<60, using: &random) {
    case 0: crash()
    case 1, 2:
      ledger.trace("the disk fails")
      disk.failure = StoreFailure(
        kind: random.once(in: 2) ? .full : .locked, detail: "the simulated disk takes nothing")
    case 3..<8:
      if disk.failure != nil { ledger.trace("the disk is well") }
      disk.failure = nil
    case 8..<16: gateway.advance(milliseconds: Int64.random(in: 1...900, using: &random))
    case 17:
      // Somebody sets the clock; deadlines go by another one.
      world.wallShift = min(max(world.wallShift + Double.random(in: -600...600, using: &random), -1000), 1000)
    case 16: gateway.advance(seconds: Int64.random(in: 1...4, using: &random))
    default: break
    }
  }

  /// SIGKILL at any moment: perhaps the last transaction has just become durable, and nobody was told.
  private func crash() {
    crashCount += 1
    ledger.trace("crash")
    if random.once(in: 2) { gateway.store?.commit(at: world.milliseconds) }
    let at = world.milliseconds
    replaceGateway()
    if at - troubleAt > 3000 { checkProgress(crashedAt: at) }
    // What this crash may have cost is no matter of the next one.
    ledger.reports = [:]
  }

  /// Of progress at most the last second is lost (contract §4.3).
  private func checkProgress(crashedAt milliseconds: Int64) {
    for (task, reports) in ledger.reports.sorted(by: { $0.key < $1.key }) where ledger.ends[task] == nil {
      guard let last = reports.lastIndex(where: { $0.milliseconds <= milliseconds - 1000 }) else { continue }
      var possible = Set(reports[last...].map(\.progress))
      for case let report? in publishers.map(\.reportUnderWay) where report.task == task {
        possible.insert(report.progress)
      }
      guard let answer = ask("/api/v1/tasks/\(task)"), answer.status == 200 else {
        ledger.note("\(task) reported more than a second before the crash, and is gone")
        continue
      }
      ledger.count("progress kept")
      let message = Message(answer.body)
      if message.string("status") == "running", !possible.contains(message.raw("progress")) {
        ledger.note("\(task) is at \(message.raw("progress")) after the crash, expected one of \(possible.sorted())")
      }
    }
  }

  private func replaceGateway() {
    for publisher in publishers { publisher.disconnect() }
    for watcher in watchers { watcher.disconnect() }
    // Downtime, in which deadlines pass.
    world.nanoseconds += UInt64.random(in: 0...3_000_000_000, using: &random)
    world.descriptorCount = 0
    gateway = Self.start(seed, world, disk)
  }

  /// All is well again: every request is answered, every watcher gets what is left.
  private func heal() {
    disk.failure = nil
    world.faults = .none
    gateway.advance(seconds: 3)
    for _ in 0..<200 where !publishers.allSatisfy(\.isIdle) && ledger.mistakes.isEmpty {
      for publisher in publishers { publisher.step(gateway, &random, mayBegin: false) }
      for watcher in watchers { watcher.catchUp() }
      gateway.advance(milliseconds: 100)
    }
    for publisher in publishers where !publisher.isIdle { ledger.note("\(publisher.name) is not answered") }
    // Deadlines of questions, cancels and leases pass, and the last try of every message.
    gateway.advance(seconds: 26)
    for watcher in watchers {
      watcher.catchUp()
      watcher.checkEnds()
    }
  }

  // MARK: What was answered with 2xx

  private func ask(_ path: String) -> SimulatedClient.Answer? {
    // What is looked at here is the gateway, not the network.
    let faults = world.faults
    world.faults = .none
    defer { world.faults = faults }
    let client = gateway.connect()
    client.request("GET", path)
    gateway.settle()
    return client.answer()
  }

  private func checkAcknowledged(_ when: String) {
    for task in ledger.registered.sorted() {
      guard let answer = ask("/api/v1/tasks/\(task)"), answer.status == 200 else {
        ledger.note("\(when): \(task) was registered and is gone")
        continue
      }
      let message = Message(answer.body)
      ledger.shown(message.string("status") ?? "", of: task, knownEnd: ledger.ends[task]?.status)
      if ledger.leased.contains(task), message.string("status") == "running" {
        ledger.note("\(when): nobody has worked on \(task) for longer than its lease, and it is running")
      }
      if let result = ledger.acknowledgedEnds[task], message.raw("result") != result, message.raw("error") != result {
        ledger.note("\(when): \(task) ended with \(result), and has \(message)")
      }
      if let end = ledger.ends[task], (message.string("epoch"), message.int("offset")) != (end.epoch, end.offset) {
        ledger.note("\(when): \(task) ended at \(end), and is at \(message)")
      }
      if ledger.acknowledgedCancels.contains(task), message.raw("cancel_requested") != "true" {
        ledger.note("\(when): the cancel of \(task) was acknowledged and is gone")
      }
    }
    for message in ledger.messages.values.sorted() {
      guard let answer = ask("/api/v1/messages/\(message)"), answer.status == 200 else {
        ledger.note("\(when): message \(message) was accepted and is gone")
        continue
      }
      if Message(answer.body).string("status") == "pending" { ledger.note("\(when): \(message) is still being sent") }
    }
    for callback in ledger.questions.values.sorted() {
      guard let answer = ask("/api/v1/confirmations/\(callback)"), answer.status == 200 else {
        ledger.note("\(when): \(callback) was asked and is gone")
        continue
      }
      let message = Message(answer.body)
      if message.string("status") == "pending" {
        ledger.note("\(when): \(callback) is past its deadline and pending")
      } else {
        ledger.outcome(
          of: callback,
          "\(message.string("status") ?? "") \(message.raw("proceed")) \(message.raw("feedback")) "
            + message.raw("resolved_by"))
      }
    }
  }

  /// After a stop in order numbering goes on in the same epoch, with the history.
  private func checkCleanStop() {
    let places = places()
    gateway.stop()
    replaceGateway()
    gateway.settle()
    for (task, place) in self.places() where places[task] != place {
      ledger.note("after a stop in order \(task) is at \(place), and was at \(places[task] ?? "nowhere")")
    }
    checkAcknowledged("after a stop in order")
  }

  private func places() -> [String: String] {
    var places: [String: String] = [:]
    for task in ledger.registered {
      guard let answer = ask("/api/v1/tasks/\(task)/events?limit=1000") else { continue }
      places[task] = answer.text
    }
    return places
  }

  /// A line for people.
  var summary: String {
    "\(crashCount) crashes, \(disk.commitCount) commits, "
      + ledger.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
  }
}
