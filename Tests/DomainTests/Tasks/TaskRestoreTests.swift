import GatewayDomain
import Synchronization
import Testing

@Suite("contract §1 and §4.3: what the store had is put back, and what it could not take is taken back")
struct TaskRestoreTests {
  /// Another life of the gateway, whose monotonic clock begins anew.
  private func restored(
    _ bench: TaskBench, _ names: [String], wasStoppedCleanly: Bool, after seconds: Double = 0,
    _ change: (inout TaskDeskSettings) -> Void = { _ in }
  ) -> TaskBench {
    let next = TaskBench(change)
    next.random = bench.random
    next.now = Moment(wall: bench.now.wall + seconds, monotonic: 5)
    for (row, name) in names.enumerated() {
      guard let snapshot = bench.snapshot(name) else { continue }
      var stored = StoredTask(snapshot: snapshot, row: Int64(row + 1), isImplicit: false)
      let events = bench.desk.events(of: task(name), after: 0, limit: 1000)?.events ?? []
      stored.history = SealedEvents(count: events.count, byteCount: 100 * events.count) { events }
      if snapshot.status.isTerminal { stored.end = events.last }
      next.desk.restore(
        stored, wasStoppedCleanly: wasStoppedCleanly, at: next.now, random: &next.random, into: &next.effects)
    }
    return next
  }

  @Test func `after a stop in order numbering and history go on in the same epoch`() throws {
    let bench = TaskBench()
    for value in 1...3 { try bench.progress("t", progressReport(Double(value))) }
    let next = restored(bench, ["t"], wasStoppedCleanly: true)
    let before = try #require(bench.snapshot("t"))
    let after = try #require(next.snapshot("t"))
    #expect(after.epoch == before.epoch && after.offset == 3 && after.progress.text == "3")
    let decision = next.desk.resume(
      task("t"), since: EventPosition(epoch: before.epoch, offset: 1), wait: false, at: next.now)
    guard case .replay(let events, _, let offset) = decision else {
      Issue.record("expected a replay, got \(decision)")
      return
    }
    #expect(offset == 1 && events.map(\.offset) == [2, 3])
    #expect(try next.progress("t").offset == 4)
    #expect(next.desk.count(of: .running) == 1)
  }

  @Test func `after a crash an unfinished task begins another numbering, which is written`() throws {
    let bench = TaskBench()
    try bench.progress("t", progressReport(40))
    let next = restored(bench, ["t"], wasStoppedCleanly: false)
    let before = try #require(bench.snapshot("t"))
    let after = try #require(next.snapshot("t"))
    #expect(after.epoch != before.epoch && after.offset == 0 && after.progress.text == "40")
    guard case .persist(.progressed(let record)) = next.effects.first else {
      Issue.record("expected the new epoch to be written, got \(next.effects)")
      return
    }
    #expect(record.snapshot.epoch == after.epoch)
    guard
      case .snapshot = next.desk.resume(
        task("t"), since: EventPosition(epoch: before.epoch, offset: 1), wait: false, at: next.now)
    else {
      Issue.record("an old place is no place any more")
      return
    }
    #expect(try next.progress("t").offset == 1)
  }

  @Test func `after a crash a finished task keeps its numbering, and its end can still be given`() throws {
    let bench = TaskBench()
    try bench.progress("t")
    try bench.complete("t", result: "7")
    let next = restored(bench, ["t"], wasStoppedCleanly: false)
    let snapshot = try #require(next.snapshot("t"))
    #expect(snapshot.epoch == bench.snapshot("t")?.epoch && snapshot.offset == 2 && snapshot.result?.text == "7")
    let decision = next.desk.resume(
      task("t"), since: EventPosition(epoch: snapshot.epoch, offset: 1), wait: false, at: next.now)
    guard case .replay(let events, _, _) = decision else {
      Issue.record("expected the end, got \(decision)")
      return
    }
    #expect(events.map(\.offset) == [2])
    #expect(code { try next.progress("t") } == .taskFinished)
  }

  @Test func `a finished task is kept for what is left of its time, and no longer where the wall clock went back`()
    throws
  {
    let bench = TaskBench()
    try bench.complete("t")
    let later = restored(bench, ["t"], wasStoppedCleanly: true, after: 60) { $0.historySecondsMax = 100 }
    #expect(later.desk.nextDeadline == 45.0)
    let earlier = restored(bench, ["t"], wasStoppedCleanly: true, after: -3600) { $0.historySecondsMax = 100 }
    #expect(earlier.desk.nextDeadline == 105.0)
    let overdue = restored(bench, ["t"], wasStoppedCleanly: true, after: 3600) { $0.historySecondsMax = 100 }
    #expect(overdue.desk.nextDeadline == 5.0)
  }

  @Test func `a requested cancel has its time anew`() throws {
    let bench = TaskBench()
    try bench.progress("t")
    try bench.requestCancel("t")
    let next = restored(bench, ["t"], wasStoppedCleanly: false) { $0.cancelTimeout = 60 }
    next.effects = []
    next.advance(59)
    next.expire()
    #expect(next.snapshot("t")?.status == .running)
    next.advance(1)
    next.expire()
    #expect(next.snapshot("t")?.status == .cancelled)
    #expect(next.snapshot("t")?.errorCode?.text == "\"cancel_timeout\"")
  }

  @Test func `a lease runs anew, so that a worker that went with the gateway is noticed`() throws {
    let bench = TaskBench()
    var registration = TaskRegistration(identifier: task("t"))
    registration.leaseSeconds = 10
    try bench.register(registration)
    try bench.progress("t")
    let next = restored(bench, ["t"], wasStoppedCleanly: true, after: 1000) { $0.leaseGrace = 30 }
    next.advance(10)
    next.expire()
    #expect(next.snapshot("t")?.stale == true)
    next.advance(30)
    next.expire()
    #expect(next.snapshot("t")?.errorCode?.text == "\"worker_lost\"")
  }

  // MARK: Histories that nobody has read yet

  /// A task whose three events the store has, as `open` gives them.
  private func sealed(
    _ open: @escaping @Sendable ([TaskEvent]) -> [TaskEvent], _ change: (inout TaskDeskSettings) -> Void = { _ in }
  ) throws -> TaskBench {
    let bench = TaskBench()
    for value in 1...3 { try bench.progress("t", progressReport(Double(value))) }
    let events = try #require(bench.desk.events(of: task("t"), after: 0, limit: 9)?.events)
    var stored = StoredTask(snapshot: try #require(bench.snapshot("t")), row: 1, isImplicit: false)
    stored.history = SealedEvents(count: 3, byteCount: 300) { open(events) }
    let next = TaskBench(change)
    next.desk.restore(stored, wasStoppedCleanly: true, at: next.now, random: &next.random, into: &next.effects)
    return next
  }

  @Test func `a history is read once, when somebody asks for it`() throws {
    let readCount = Atomic(0)
    let bench = try sealed { events in
      readCount.add(1, ordering: .relaxed)
      return events
    }
    #expect(bench.snapshot("t")?.offset == 3 && readCount.load(ordering: .relaxed) == 0)
    for _ in 1...2 {
      #expect(bench.desk.events(of: task("t"), after: 1, limit: 9)?.events.map(\.offset) == [2, 3])
    }
    #expect(readCount.load(ordering: .relaxed) == 1)
  }

  @Test func `a history goes on with what is reported before anybody has read it`() throws {
    let bench = try sealed { $0 }
    try bench.progress("t")
    #expect(bench.desk.events(of: task("t"), after: 0, limit: 9)?.events.map(\.offset) == [1, 2, 3, 4])
  }

  @Test func `a history whose record turns out to be broken is none, and a new one begins`() throws {
    let bench = try sealed { Array($0.dropFirst()) }
    let epoch = try #require(bench.snapshot("t")?.epoch)
    guard
      case .snapshot = bench.desk.resume(task("t"), since: EventPosition(epoch: epoch, offset: 2), wait: false)
    else {
      Issue.record("what is missing cannot be given")
      return
    }
    try bench.progress("t")
    #expect(bench.desk.events(of: task("t"), after: 0, limit: 9)?.events.map(\.offset) == [4])
  }

  @Test func `a history that is read loses its oldest where it is too long or all are too large`() throws {
    let short = try sealed({ $0 }) { $0.historyEventCountMax = 2 }
    #expect(short.desk.events(of: task("t"), after: 0, limit: 9)?.events.map(\.offset) == [2, 3])
    let small = try sealed({ $0 }) { $0.historyByteCountMax = 1500 }
    #expect(small.desk.events(of: task("t"), after: 0, limit: 9)?.events.map(\.offset) == [2, 3])
  }

  // MARK: Taken back

  @Test func `an end that is taken back leaves the task as it was, and comes again at the same place`() throws {
    let bench = TaskBench { $0.cancelTimeout = 60 }
    try bench.progress("t", progressReport(30))
    try bench.requestCancel("t")
    let former = bench.desk.former(task("t"))
    let first = try bench.complete("t", result: "1")
    bench.effects = []
    bench.desk.revert(to: former, into: &bench.effects)
    let snapshot = try #require(bench.snapshot("t"))
    #expect(snapshot.status == .running && snapshot.progress.text == "30" && snapshot.result == nil)
    #expect(snapshot.finishedAt == nil && snapshot.finishedBy == nil && snapshot.cancelRequested)
    #expect(bench.desk.count(of: .completed) == 0 && bench.desk.count(of: .running) == 1)
    guard case .persist(.reverted) = bench.effects.first, bench.effects.count == 1 else {
      Issue.record("expected the former state to be written, got \(bench.effects)")
      return
    }
    #expect(bench.desk.events(of: task("t"), after: 0, limit: 10)?.events.map(\.offset) == [1])
    // The cancel's time runs on.
    #expect(bench.desk.nextDeadline == bench.now.monotonic + 60)
    let second = try bench.complete("t", result: "2")
    #expect(second.epoch == first.epoch && second.offset == first.offset)
  }

  @Test func `a task that came with its end goes with it`() throws {
    let bench = TaskBench()
    let former = bench.desk.former(task("t"))
    try bench.complete("t")
    bench.effects = []
    bench.desk.revert(to: former, into: &bench.effects)
    #expect(bench.snapshot("t") == nil)
    guard case .persist(.removed) = bench.effects.first else {
      Issue.record("expected the row to go, got \(bench.effects)")
      return
    }
  }

  @Test func `what was refused is not taken back`() throws {
    let bench = TaskBench()
    try bench.complete("t")
    let former = bench.desk.former(task("t"))
    #expect(code { try bench.complete("t") } == .taskFinished)
    bench.effects = []
    bench.desk.revert(to: former, into: &bench.effects)
    #expect(bench.snapshot("t")?.status == .completed && bench.effects.isEmpty)
  }

  @Test func `no task ends by itself while ends are put off, and each does afterwards`() throws {
    let bench = TaskBench {
      $0.cancelTimeout = 10
      $0.leaseGrace = 5
    }
    var registration = TaskRegistration(identifier: task("leased"))
    registration.leaseSeconds = 5
    try bench.register(registration)
    try bench.progress("leased")
    try bench.progress("asked")
    try bench.requestCancel("asked")
    bench.effects = []
    for _ in 0..<20 {
      bench.advance(1)
      var ends = EndsOfTime(areDue: false, areKept: true)
      bench.desk.expire(at: bench.now, ends: &ends, into: &bench.effects)
      #expect(ends.former.isEmpty)
    }
    #expect(bench.snapshot("leased")?.status == .running && bench.snapshot("leased")?.stale == true)
    #expect(bench.snapshot("asked")?.status == .running)
    bench.advance(1)
    var ends = EndsOfTime(areDue: true, areKept: true)
    bench.desk.expire(at: bench.now, ends: &ends, into: &bench.effects)
    #expect(bench.snapshot("leased")?.status == .failed && bench.snapshot("asked")?.status == .cancelled)
    #expect(ends.former.count == 2)
    for former in ends.former { bench.desk.revert(to: former, into: &bench.effects) }
    #expect(bench.snapshot("leased")?.status == .running && bench.snapshot("asked")?.status == .running)
    bench.advance(1)
    bench.expire()
    #expect(bench.snapshot("leased")?.status == .failed && bench.snapshot("asked")?.status == .cancelled)
  }
}
