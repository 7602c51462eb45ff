import Protocol
import Testing

@testable import GatewayDomain

@Suite("contract §1 and §6: leases")
struct TaskLeaseTests {
  private func bench() throws -> TaskBench {
    let bench = TaskBench { $0.leaseGrace = 20 }
    try bench.register("t", lease: 10)
    return bench
  }

  private func pass(_ bench: TaskBench, _ seconds: Double) {
    bench.advance(seconds)
    bench.expire()
  }

  @Test func `a lease does not run before the first report`() throws {
    let bench = try bench()
    #expect(bench.desk.nextDeadline == nil)
    pass(bench, 1000)
    #expect(bench.snapshot("t")?.stale == false)
    #expect(bench.snapshot("t")?.status == .pending)
  }

  @Test func `a missed lease makes the task stale, the grace after it ends it`() throws {
    let bench = try bench()
    try bench.progress("t", progressReport(40))
    _ = bench.takeEffects()
    pass(bench, 9.9)
    #expect(bench.snapshot("t")?.stale == false)
    pass(bench, 0.2)
    #expect(bench.snapshot("t")?.stale == true)
    #expect(bench.snapshot("t")?.offset == 1)
    guard case .persist(.progressed) = bench.takeEffects().first else {
      Issue.record("a stale task is written down")
      return
    }
    pass(bench, 19.8)
    #expect(bench.snapshot("t")?.status == .running)
    pass(bench, 0.2)
    let snapshot = try #require(bench.snapshot("t"))
    #expect(snapshot.status == .failed)
    #expect(snapshot.finishedBy == .error)
    #expect(snapshot.errorCode?.text == "\"worker_lost\"")
    #expect(snapshot.error?.text == "\"the worker has not reported for 30 s, its lease was 10 s\"")
    #expect(snapshot.progress.text == "40")
    let events = bench.takeEvents()
    #expect(events.map(\.offset) == [2])
    #expect(events.first.map { bench.given($0) }?.contains(#""error_code":"worker_lost""#) == true)
  }

  enum Operation: CaseIterable {
    case progress, node, log, heartbeat
  }

  @Test(arguments: Operation.allCases)
  func `every operation of a publisher renews it and makes the task fresh again`(_ operation: Operation) throws {
    let bench = try bench()
    func report() throws {
      switch operation {
      case .progress: try bench.progress("t")
      case .node: try bench.node("t", "n", 5)
      case .log: try bench.log("t", "line")
      case .heartbeat: try bench.heartbeat("t")
      }
    }
    try report()
    for _ in 0..<5 {
      pass(bench, 8)
      try report()
    }
    #expect(bench.snapshot("t")?.stale == false)
    pass(bench, 12)
    #expect(bench.snapshot("t")?.stale == true)
    try report()
    #expect(bench.snapshot("t")?.stale == false)
    // The next miss is noticed in time, though the queue had an entry for the end of the grace.
    pass(bench, 10.1)
    #expect(bench.snapshot("t")?.stale == true)
    pass(bench, 20)
    #expect(bench.snapshot("t")?.errorCode?.text == "\"worker_lost\"")
  }

  @Test func `renewing files nothing, and an old entry is filed again when it comes up`() throws {
    let bench = try bench()
    try bench.progress("t")
    #expect(bench.desk.nextDeadline == 110)
    for _ in 0..<100 {
      bench.advance(0.09)
      try bench.progress("t")
    }
    #expect(bench.desk.nextDeadline == 110)
    pass(bench, 1.01)
    let next = try #require(bench.desk.nextDeadline)
    #expect(abs(next - 119) < 0.01)
  }

  @Test func `a registration that follows the first report starts it at once`() throws {
    let bench = TaskBench()
    try bench.progress("t")
    try bench.register("t", lease: 10)
    pass(bench, 10.1)
    #expect(bench.snapshot("t")?.stale == true)
  }

  @Test func `a child's progress does not renew its parent's`() throws {
    let bench = try bench()
    try bench.register("a", parent: "t")
    try bench.progress("t")
    for value in 1...4 {
      pass(bench, 3)
      try bench.progress("a", progressReport(Double(value)))
      bench.tellParents()
    }
    #expect(bench.snapshot("t")?.stale == true)
    #expect(bench.progressText("t") == "4")
  }

  @Test func `a finished task has no lease`() throws {
    let bench = try bench()
    try bench.progress("t")
    try bench.complete("t")
    pass(bench, 1000)
    #expect(bench.snapshot("t")?.status == .completed)
    #expect(bench.snapshot("t")?.stale == false)
  }

  @Test func `the clock on the wall has no say`() throws {
    let bench = try bench()
    try bench.progress("t")
    bench.now.wall += 100_000
    bench.expire()
    #expect(bench.snapshot("t")?.stale == false)
  }

  @Test func `entries of tasks that are gone do not pile up`() throws {
    let bench = TaskBench { $0.taskCountMax = 1 }
    for number in 0..<5000 {
      try bench.register("t\(number)", lease: 600_000)
      try bench.progress("t\(number)")
      try bench.complete("t\(number)")
    }
    // One task is there: twice that and the queue's slack.
    #expect(bench.desk.leaseDeadlines.count <= 2 + 1024 + 1)
  }

  @Test func `a tiny lease that is missed again and again leaves no heap of entries`() throws {
    let bench = TaskBench { $0.leaseGrace = 1e6 }
    try bench.register("t", lease: 1e-6)
    for _ in 0..<5000 {
      try bench.progress("t")
      pass(bench, 0.01)
      #expect(bench.snapshot("t")?.stale == true)
    }
    #expect(bench.desk.leaseDeadlines.count <= 2 + 1024 + 1)
    #expect(bench.snapshot("t")?.status == .running)
  }
}
