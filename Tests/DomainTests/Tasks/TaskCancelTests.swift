import GatewayDomain
import Protocol
import Testing

@Suite("contract §2.3: cancelling")
struct TaskCancelTests {
  private func requests(_ effects: [TaskEffect]) -> [CancelRequest] {
    effects.compactMap { if case .cancelRequested(let request) = $0 { request } else { nil } }
  }

  @Test func `a request is told and kept, and asking twice changes nothing`() throws {
    let bench = TaskBench()
    try bench.progress("t")
    _ = bench.takeEffects()
    #expect(try bench.requestCancel("t"))
    let first = bench.takeEffects()
    #expect(requests(first).map(\.isFirst) == [true])
    #expect(requests(first).first?.user == user("ann"))
    #expect(requests(first).first?.reason?.text == "\"late\"")
    #expect(first.count == 2)
    let deadline = bench.desk.nextDeadline
    bench.advance(30)
    #expect(try bench.requestCancel("t"))
    let second = bench.takeEffects()
    #expect(requests(second).map(\.isFirst) == [false])
    #expect(second.count == 1)
    #expect(bench.desk.nextDeadline == deadline)
    #expect(bench.snapshot("t")?.cancelRequested == true)
    #expect(bench.snapshot("t")?.status == .running)
    #expect(try bench.progress("t").cancelRequested)
    #expect(try bench.heartbeat("t"))
  }

  @Test func `the worker's word cancels the task`() throws {
    let bench = TaskBench()
    try bench.progress("t", progressReport(40))
    try bench.requestCancel("t")
    _ = bench.takeEffects()
    #expect(try bench.acknowledgeCancel("t").offset == 2)
    let snapshot = try #require(bench.snapshot("t"))
    #expect(snapshot.status == .cancelled && snapshot.errorCode == nil && snapshot.progress.text == "40")
    #expect(bench.takeEvents().count == 1)
    bench.advance(60)
    bench.expire()
    #expect(bench.takeEffects().isEmpty)
  }

  @Test func `the deadline cancels the task, not a moment before`() throws {
    let bench = TaskBench { $0.cancelTimeout = 60 }
    try bench.progress("t")
    try bench.requestCancel("t")
    _ = bench.takeEffects()
    bench.advance(59.5)
    bench.expire()
    #expect(bench.takeEffects().isEmpty)
    bench.advance(0.5)
    bench.expire()
    let event = try #require(bench.takeEvents().first)
    guard case .cancelled = event.kind else {
      Issue.record("expected cancelled, got \(event.kind)")
      return
    }
    #expect(event.offset == 2)
    #expect(event.errorCode?.text == "\"cancel_timeout\"")
    #expect(String(decoding: event.given, as: UTF8.self) == "\"error_code\":\"cancel_timeout\"")
    #expect(bench.snapshot("t")?.status == .cancelled)
    #expect(bench.snapshot("t")?.errorCode?.text == "\"cancel_timeout\"")
  }

  @Test func `with authentication off an unknown task's request is relayed`() throws {
    let bench = TaskBench()
    #expect(try bench.requestCancel("t", relaysUnknown: true) == false)
    #expect(requests(bench.takeEffects()).map(\.taskIsKnown) == [false])
    #expect(bench.desk.taskCount == 0)
  }

  @Test func `a finished task is kept for its time and then forgotten`() throws {
    let bench = TaskBench { $0.historySecondsMax = 10 }
    try bench.complete("t")
    #expect(bench.desk.nextDeadline == 110)
    bench.advance(9.5)
    bench.expire()
    #expect(bench.snapshot("t") != nil)
    _ = bench.takeEffects()
    bench.advance(0.5)
    bench.expire()
    #expect(bench.snapshot("t") == nil)
    #expect(bench.desk.count(of: .completed) == 0)
    #expect(bench.desk.nextDeadline == nil)
    guard case .persist(.removed(let removed)) = bench.effects[0], removed.snapshot.identifier == task("t"),
      case .forgotten(task("t")) = bench.effects[1]
    else {
      Issue.record("expected removed and forgotten, got \(bench.effects)")
      return
    }
    let receipt = try bench.progress("t")
    #expect(receipt.offset == 1)
  }

  @Test func `a name that returns gets another epoch`() throws {
    let bench = TaskBench { $0.historySecondsMax = 0 }
    let first = try bench.complete("t").epoch
    bench.expire()
    #expect(try bench.progress("t").epoch != first)
  }

  @Test func `one call works off a bounded number of deadlines`() throws {
    let bench = TaskBench { $0.historySecondsMax = 0 }
    for index in 0...TaskDeskSettings.expireCountMax { try bench.complete("t\(index)") }
    bench.expire()
    #expect(bench.desk.taskCount == 1)
    #expect(bench.desk.nextDeadline == bench.now.monotonic)
    bench.expire()
    #expect(bench.desk.taskCount == 0)
  }
}
