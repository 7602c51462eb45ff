import GatewayDomain
import Protocol
import Testing

@Suite("the expected end of a task")
struct TaskEstimateTests {
  private func shown(_ bench: TaskBench) -> TaskSnapshot? { bench.desk.snapshot(of: task("t"), at: bench.now) }

  /// Reports at a steady rate; the first one now.
  private func run(_ bench: TaskBench, from: Double = 0, perSecond: Double, every seconds: Double, count: Int) throws {
    for number in 0..<count {
      if number > 0 { bench.advance(seconds) }
      try bench.progress("t", progressReport(from + Double(number) * seconds * perSecond))
    }
  }

  @Test(arguments: [(0.1, 1.0), (1, 1), (5, 0.5), (60, 0.01), (0.01, 2)])
  func `a steady task is expected where it arrives`(_ interval: Double, _ perSecond: Double) throws {
    let bench = TaskBench()
    let count = Int(min(40 / perSecond, 3000) / interval) + 1
    try run(bench, perSecond: perSecond, every: interval, count: max(count, 4))
    let snapshot = try #require(shown(bench))
    let eta = try #require(snapshot.eta)
    let left = (100 - snapshot.progressValue) / perSecond
    #expect(abs(eta - bench.now.wall - left) < 0.05 * left)
    let earliest = try #require(snapshot.etaEarliest)
    let latest = try #require(snapshot.etaLatest)
    #expect(earliest <= eta && eta <= latest)
    #expect(latest - earliest < 0.2 * left)
  }

  @Test func `the range is that of the slowest and the fastest stretch`() throws {
    let bench = TaskBench()
    for progress in [0.0, 10, 30, 40, 60] {
      try bench.progress("t", progressReport(progress))
      bench.advance(10)
    }
    let snapshot = try #require(shown(bench))
    let now = bench.now.wall - 10
    #expect(abs((snapshot.eta ?? 0) - now - 40 / 1.5) < 0.1)
    #expect(abs((snapshot.etaEarliest ?? 0) - now - 20) < 0.1)
    #expect(abs((snapshot.etaLatest ?? 0) - now - 40) < 0.1)
  }

  @Test func `nothing is said of too few samples or too short a time`() throws {
    let bench = TaskBench()
    try run(bench, perSecond: 1, every: 5, count: 2)
    #expect(shown(bench)?.eta == nil)
    bench.advance(5)
    try bench.progress("t", progressReport(10))
    #expect(shown(bench)?.eta != nil)
    let quick = TaskBench()
    try run(quick, perSecond: 10, every: 0.3, count: 6)
    #expect(shown(quick)?.eta == nil)
    try run(quick, from: 15, perSecond: 10, every: 0.3, count: 4)
    #expect(shown(quick)?.eta != nil)
  }

  @Test func `nothing is said once the task is silent, stuck or has gone back`() throws {
    let silent = TaskBench()
    try run(silent, perSecond: 1, every: 1, count: 6)
    silent.advance(2.9)
    #expect(shown(silent)?.eta != nil)
    silent.advance(3)
    #expect(shown(silent)?.eta == nil)

    let stuck = TaskBench()
    try run(stuck, perSecond: 1, every: 1, count: 6)
    try run(stuck, from: 5, perSecond: 0, every: 1, count: 10)
    #expect(shown(stuck)?.eta == nil)

    let back = TaskBench()
    try run(back, perSecond: 1, every: 1, count: 6)
    try back.progress("t", progressReport(1))
    #expect(shown(back)?.eta == nil)
  }

  @Test func `nothing is said of a task that leaps about or takes months`() throws {
    let uneven = TaskBench()
    for progress in [0.0, 1, 30, 31, 60] {
      try uneven.progress("t", progressReport(progress))
      uneven.advance(2)
    }
    #expect(shown(uneven)?.eta == nil)
    let slow = TaskBench()
    try run(slow, perSecond: 0.00003, every: 100, count: 20)
    #expect(shown(slow)?.eta == nil)
    let slowEnough = TaskBench()
    try run(slowEnough, perSecond: 0.0001, every: 100, count: 20)
    #expect(shown(slowEnough)?.eta != nil)
  }

  @Test func `nothing is said of a task that is stale, waits or is over`() throws {
    let bench = TaskBench { $0.leaseGrace = 1000 }
    try bench.register("t", lease: 2)
    #expect(shown(bench)?.eta == nil)
    try run(bench, perSecond: 1, every: 1, count: 6)
    #expect(shown(bench)?.eta != nil)
    bench.advance(2.5)
    bench.expire()
    #expect(shown(bench)?.stale == true)
    #expect(shown(bench)?.eta == nil)
    try bench.progress("t", progressReport(8))
    #expect(shown(bench)?.eta != nil)
    try bench.complete("t")
    #expect(shown(bench)?.eta == nil)
  }

  @Test func `a recent change of pace counts more than the whole`() throws {
    let bench = TaskBench()
    try run(bench, perSecond: 0.05, every: 1, count: 400)
    let reached = try #require(shown(bench)?.progressValue)
    bench.advance(1)
    try run(bench, from: reached + 0.2, perSecond: 0.2, every: 1, count: 100)
    let snapshot = try #require(shown(bench))
    let left = (100 - snapshot.progressValue) / 0.2
    #expect(abs((snapshot.eta ?? 0) - bench.now.wall - left) < 0.1 * left)
  }

  @Test func `the estimate is in listings and what subscribers get first`() throws {
    let bench = TaskBench()
    try run(bench, perSecond: 1, every: 1, count: 6)
    let page = bench.desk.list(TaskFilter(), after: nil, limit: 10, at: bench.now)
    #expect(page.tasks.first?.eta != nil)
    guard case .snapshot(let snapshot) = bench.desk.resume(task("t"), since: nil, wait: false, at: bench.now) else {
      Issue.record("expected a snapshot")
      return
    }
    #expect(snapshot.eta != nil)
    #expect(try bench.register("t").eta != nil)
  }
}
