import GatewayDomain
import Protocol
import Testing

/// Thousands of random commands against `ReferenceTasks`. Replay a failure with the seed its message names.
@Suite("the task desk against a naive model")
struct TaskModelTests {
  /// What a faithful subscriber of everything has seen, checked as it comes.
  private struct Watcher {
    var lastOffset: [String: Int] = [:]
    var endedEpochs: Set<String> = []
    var seenPositions: Set<String> = []
  }

  @Test(arguments: 1...12)
  func `agree after every command`(_ seed: Int) throws {
    let bench = TaskBench {
      $0.historyEventCountMax = seed % 7
      $0.historySecondsMax = Double(seed % 3) * 40
      $0.cancelTimeout = 25
      $0.taskCountMax = 6 + seed % 4
    }
    // Both clocks alike and every step a binary fraction, so that the model needs only one.
    bench.now = Moment(wall: 1000, monotonic: 1000)
    var reference = ReferenceTasks(settings: bench.desk.settings)
    var random = SeededGenerator(seed: UInt64(seed))
    var watcher = Watcher()
    for step in 0..<1500 {
      let place: Comment = "seed \(seed), step \(step)"
      let name = "t\(Int.random(in: 0..<10, using: &random))"
      let now = bench.now.wall
      var expected: Problem.Code?
      var met: Problem.Code?
      switch Int.random(in: 0..<14, using: &random) {
      case 0:
        expected = code { try reference.register(name) }
        met = code { try bench.register(TaskRegistration(identifier: task(name))) }
      case 1...6:
        let value: Double? = [nil, -1, 0, 12.5, 50, 100].randomElement(using: &random) ?? nil
        let words = [
          nil, nil, nil, "running", "processing", "pending", "phase two", "completed", "failed", "cancelled",
        ]
        let word: String? = words.randomElement(using: &random) ?? nil
        let message: String? = Bool.random(using: &random) ? "\"m\(step)\"" : nil
        expected = code { try reference.progress(name, value, word: word, message: message, at: now) }
        let report = progressReport(
          value, status: word, message: message.map { .value(json($0)) } ?? .absent)
        met = code { try bench.progress(name, report) }
      case 7:
        let success = Bool.random(using: &random)
        expected = code { try reference.end(name, success ? .success : .failure, at: now) }
        met = code { try bench.complete(name, success: success) }
      case 8:
        expected = code { try reference.end(name, .failure, at: now) }
        met = code { try bench.fail(name) }
      case 9:
        expected = code { try reference.requestCancel(name, at: now) }
        met = code { try bench.requestCancel(name) }
      case 10:
        expected = code { try reference.end(name, .cancelled, at: now) }
        met = code { try bench.acknowledgeCancel(name) }
      case 11:
        expected = code { try reference.heartbeat(name) }
        met = code { try bench.heartbeat(name) }
      default:
        bench.advance(Double(Int.random(in: 1...6, using: &random)))
        reference.expire(at: bench.now.wall)
        bench.expire()
      }
      #expect(met == expected, place)
      // No two commands at one moment: the model knows no order among equal deadlines.
      bench.advance(0.25)
      try check(bench, reference, watcher: &watcher, name: name, using: &random, place)
    }
  }

  private func check(
    _ bench: TaskBench, _ reference: ReferenceTasks, watcher: inout Watcher, name: String,
    using random: inout SeededGenerator, _ place: Comment
  ) throws {
    for effect in bench.takeEffects() {
      switch effect {
      case .deliver(let event, let record):
        let after = record.snapshot
        let key = event.epoch.text
        #expect(event.offset == watcher.lastOffset[key, default: 0] + 1, place)
        #expect(!watcher.endedEpochs.contains(key), place)
        #expect(watcher.seenPositions.insert("\(key):\(event.offset)").inserted, place)
        #expect(after.offset == event.offset && after.epoch == event.epoch, place)
        #expect(event.kind.isTerminal == after.status.isTerminal, place)
        watcher.lastOffset[key] = event.offset
        if event.kind.isTerminal { watcher.endedEpochs.insert(key) }
      case .cancelRequested, .heartbeat, .logged, .cancelChildren, .persist, .forgotten: continue
      }
    }
    #expect(bench.desk.taskCount == reference.tasks.count, place)
    for status in TaskStatus.allCases {
      #expect(bench.desk.count(of: status) == reference.tasks.values.count { $0.status == status }, place)
    }
    let known = reference.tasks[name]
    #expect((bench.snapshot(name) == nil) == (known == nil), place)
    guard let known, let snapshot = bench.snapshot(name) else { return }
    #expect(snapshot.status == known.status, place)
    #expect(snapshot.progressValue == known.progress, place)
    #expect(snapshot.message?.text == known.message, place)
    #expect(snapshot.cancelRequested == known.cancelRequested, place)
    #expect(snapshot.finishedAt == known.finishedAt, place)
    #expect(snapshot.offset == known.eventProgress.count, place)
    #expect(snapshot.offset == watcher.lastOffset[snapshot.epoch.text, default: 0], place)

    let since = Int.random(in: -1...(snapshot.offset + 2), using: &random)
    let held = min(snapshot.offset, bench.desk.settings.historyEventCountMax)
    switch bench.desk.resume(
      task(name), since: EventPosition(epoch: snapshot.epoch, offset: since), wait: false)
    {
    case .replay(let events, let epoch, let offset):
      #expect(since >= snapshot.offset - held && since <= snapshot.offset && since >= 0, place)
      #expect(epoch == snapshot.epoch && offset == since, place)
      try #require(since >= 0 && since <= min(snapshot.offset, known.eventProgress.count))
      #expect(events.map(\.offset) == Array((since + 1)..<(snapshot.offset + 1)), place)
      #expect(events.map(\.kind.isTerminal) == Array(known.eventIsTerminal[since...]), place)
      let values = events.map { $0.progress.flatMap { Double($0.text) } }
      #expect(values == Array(known.eventProgress[since...]), place)
    case .snapshot(let sent):
      #expect(since < 0 || since < snapshot.offset - held || since > snapshot.offset, place)
      #expect(sent.offset == snapshot.offset, place)
    case .unknownTask, .waiting:
      Issue.record("the task is known")
    }
    let listed = bench.desk.list(TaskFilter(), after: nil, limit: 100).tasks.map(\.identifier.text)
    #expect(Set(listed) == Set(reference.tasks.keys) && listed.count == reference.tasks.count, place)
  }
}
