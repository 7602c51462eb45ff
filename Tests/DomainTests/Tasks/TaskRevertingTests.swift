import GatewayDomain
import Protocol
import Testing

@Suite("what could not be stored is taken back")
struct TaskRevertingTests {
  /// A command, then its failure.
  private func undo(_ bench: TaskBench, _ name: String, isRegistered: Bool = false, _ command: () throws -> Void) throws
  {
    let former = bench.desk.former(task(name), isRegistered: isRegistered)
    try command()
    bench.desk.revert(to: former, into: &bench.effects)
  }

  private func register(_ bench: TaskBench, _ name: String) throws {
    try bench.register(TaskRegistration(identifier: task(name)))
  }

  @Test func `an end leaves the task as it was, with its number free`() throws {
    let bench = TaskBench()
    try bench.progress("t")
    let before = bench.snapshot("t")
    bench.advance(1)
    try undo(bench, "t") { try bench.complete("t", result: "1") }
    let after = bench.snapshot("t")
    #expect(after?.status == before?.status && after?.offset == before?.offset)
    #expect(after?.updatedAt == before?.updatedAt && after?.result == nil && after?.finishedAt == nil)
    #expect(try bench.progress("t").offset == 2)
    #expect(bench.desk.events(of: task("t"), after: 0, limit: 10)?.events.map(\.offset) == [1, 2])
  }

  @Test func `an end that made its task leaves none`() throws {
    let bench = TaskBench()
    try undo(bench, "t") { try bench.complete("t") }
    #expect(bench.snapshot("t") == nil && bench.desk.taskCount == 0)
  }

  @Test func `a new task to which nothing has happened leaves none`() throws {
    let bench = TaskBench()
    try undo(bench, "t", isRegistered: true) { try register(bench, "t") }
    #expect(bench.snapshot("t") == nil && bench.desk.taskCount == 0)
    #expect(
      bench.takeEffects().contains {
        if case .persist(.removed) = $0 { true } else { false }
      })
  }

  @Test func `a new task stays where somebody has done something with it`() throws {
    let deeds: [(TaskBench) throws -> Void] = [
      { try $0.progress("t") }, { try $0.complete("t") }, { try $0.requestCancel("t") },
    ]
    for deed in deeds {
      let bench = TaskBench()
      try undo(bench, "t", isRegistered: true) {
        try register(bench, "t")
        try deed(bench)
      }
      #expect(bench.snapshot("t") != nil)
    }
  }

  @Test func `registering what was there takes nothing back`() throws {
    let bench = TaskBench()
    try register(bench, "t")
    try undo(bench, "t", isRegistered: true) { try register(bench, "t") }
    #expect(bench.snapshot("t") != nil)
  }
}
