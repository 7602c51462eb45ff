import GatewayDomain
import Protocol
import Testing

@Suite("contract §2.3, §4.2 and §6: resuming by offset")
struct TaskResumeTests {
  /// Ten events, of which the last four are held.
  private func bench() throws -> TaskBench {
    let bench = TaskBench { $0.historyEventCountMax = 4 }
    for value in 1...10 { try bench.progress("t", progressReport(Double(value))) }
    return bench
  }

  @Test(arguments: [
    Int.min, -1, 0, 1, 5, 6, 7, 8, 9, 10, 11, Int.max,
  ])
  func `every offset is replayed exactly or answered with the snapshot`(_ offset: Int) throws {
    let bench = try bench()
    let epoch = try #require(bench.snapshot("t")?.epoch)
    switch bench.desk.resume(task("t"), since: EventPosition(epoch: epoch, offset: offset), wait: false) {
    case .replay(let events, let replayed, let start):
      #expect((6...10).contains(offset))
      #expect(replayed == epoch && start == offset)
      #expect(events.map(\.offset) == Array((offset + 1)..<11))
      #expect(events.map { $0.progress?.text } == ((offset + 1)..<11).map { String($0) })
    case .snapshot(let snapshot):
      #expect(!(6...10).contains(offset))
      #expect(snapshot.offset == 10)
    case .unknownTask, .waiting:
      Issue.record("the task is known")
    }
  }

  @Test func `another epoch or none gets the snapshot`() throws {
    let bench = try bench()
    for position in [nil, EventPosition(epoch: Epoch(text: "other"), offset: 10)] {
      guard case .snapshot(let snapshot) = bench.desk.resume(task("t"), since: position, wait: true) else {
        Issue.record("expected a snapshot")
        return
      }
      #expect(snapshot.offset == 10)
    }
  }

  @Test func `an unknown task is refused unless the subscriber waits`() {
    let bench = TaskBench()
    guard case .unknownTask = bench.desk.resume(task("t"), since: nil, wait: false),
      case .waiting = bench.desk.resume(task("t"), since: nil, wait: true)
    else {
      Issue.record("expected unknownTask and waiting")
      return
    }
  }

  @Test(arguments: [
    (-1, 100, [7, 8, 9, 10]), (0, 2, [7, 8]), (6, 2, [7, 8]), (7, 100, [8, 9, 10]), (9, 1, [10]), (10, 5, []),
    (11, 5, []), (Int.max, 5, []), (Int.min, 100, [7, 8, 9, 10]), (0, 0, []), (0, -1, []),
  ])
  func `events are those held after an offset, oldest first`(_ after: Int, _ limit: Int, _ offsets: [Int]) throws {
    let bench = try bench()
    let events = try #require(bench.desk.events(of: task("t"), after: after, limit: limit)?.events)
    #expect(events.map(\.offset) == offsets)
    #expect(bench.desk.events(of: task("unheard"), after: 0, limit: 1) == nil)
  }

  @Test(arguments: [0, 1, 2, 3, 4, 5, 7, 8, 9])
  func `a history of any bound keeps just its last events`(_ bound: Int) throws {
    let bench = TaskBench { $0.historyEventCountMax = bound }
    for count in 1...20 {
      try bench.progress("t")
      let held = try #require(bench.desk.events(of: task("t"), after: 0, limit: 100)?.events)
      #expect(held.map(\.offset) == Array((max(count - bound, 0) + 1)..<(count + 1)))
    }
  }

  @Test func `the bytes of all histories are bounded and a task pays with its own oldest`() throws {
    // Room for two events of about 600 bytes.
    let bench = TaskBench { $0.historyByteCountMax = 1300 }
    try bench.progress("a")
    for _ in 1...5 { try bench.progress("b") }
    #expect(bench.desk.events(of: task("a"), after: 0, limit: 9)?.events.map(\.offset) == [1])
    #expect(bench.desk.events(of: task("b"), after: 0, limit: 9)?.events.map(\.offset) == [5])
    let large = progressReport(message: .value(json("\"" + String(repeating: "x", count: 2000) + "\"")))
    try bench.progress("b", large)
    #expect(bench.desk.events(of: task("b"), after: 0, limit: 9)?.events.isEmpty == true)
    let epoch = try #require(bench.snapshot("b")?.epoch)
    guard
      case .snapshot = bench.desk.resume(task("b"), since: EventPosition(epoch: epoch, offset: 5), wait: false),
      case .replay(let events, _, 6) = bench.desk.resume(
        task("b"), since: EventPosition(epoch: epoch, offset: 6), wait: false)
    else {
      Issue.record("a history that lost its head must not be replayed")
      return
    }
    #expect(events.isEmpty)
    try bench.progress("b")
    #expect(bench.desk.events(of: task("b"), after: 0, limit: 9)?.events.map(\.offset) == [7])
  }
}
