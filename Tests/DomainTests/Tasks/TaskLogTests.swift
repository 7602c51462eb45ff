import GatewayDomain
import Protocol
import Testing

@Suite("contract §1 and §3.2: the log lane")
struct TaskLogTests {
  private func messages(_ bench: TaskBench, _ name: String, after: Int = 0, limit: Int = 1000) -> [String] {
    bench.desk.logLines(of: task(name), after: after, limit: limit)?.lines.compactMap(\.message.string) ?? []
  }

  @Test func `lines have an order of their own and are no events`() throws {
    let bench = TaskBench()
    #expect(try bench.log("t", "one", "two").logOffset == 2)
    #expect(try bench.log("t", "three").logOffset == 3)
    #expect(bench.snapshot("t")?.offset == 0)
    #expect(bench.snapshot("t")?.status == .pending)
    let logged = bench.takeEffects().compactMap { effect -> [Int]? in
      if case .logged(_, let lines) = effect { lines.map(\.offset) } else { nil }
    }
    #expect(logged == [[1, 2], [3]])
    #expect(messages(bench, "t") == ["one", "two", "three"])
    #expect(messages(bench, "t", after: 1) == ["two", "three"])
    #expect(messages(bench, "t", after: 0, limit: 2) == ["one", "two"])
    #expect(messages(bench, "t", after: 3) == [])
    #expect(messages(bench, "t", after: .max) == [])
    #expect(bench.desk.logLines(of: task("t"), after: 3, limit: 1)?.newest == 3)
    #expect(bench.desk.logLines(of: task("u"), after: 0, limit: 1) == nil)
  }

  @Test func `a line has the time it was given, else that of its arrival`() throws {
    let bench = TaskBench()
    try bench.log(
      "t", lines: [ReportedLogLine(level: json("\"x\""), message: json("\"m\""), timestamp: json("12.50"))])
    try bench.log("t", "m")
    let lines = try #require(bench.desk.logLines(of: task("t"), after: 0, limit: 9)?.lines)
    #expect(lines.map(\.timestamp.double) == [12.5, bench.now.wall])
    #expect(lines[0].timestamp.text == "12.50")
  }

  @Test func `so many lines are kept of a task, the oldest go`() throws {
    let bench = TaskBench()
    let countMax = TaskDeskSettings().logLineCountMax
    #expect(countMax == 1000)
    for number in 1...countMax { try bench.log("t", "\(number)") }
    #expect(messages(bench, "t").count == countMax)
    #expect(messages(bench, "t").first == "1")
    try bench.log("t", "one more")
    #expect(messages(bench, "t").count == countMax)
    #expect(messages(bench, "t").first == "2")
    #expect(messages(bench, "t").last == "one more")
    // What was asked for is gone: the oldest that is there comes first.
    #expect(messages(bench, "t", after: 0, limit: 1) == ["2"])
  }

  @Test func `so many bytes are kept of a task`() throws {
    let bench = TaskBench { $0.logByteCountMax = 10_000 }
    for number in 0..<100 { try bench.log("t", "\(number) " + String(repeating: "x", count: 1000)) }
    let kept = messages(bench, "t")
    #expect((7...9).contains(kept.count))
    #expect(kept.last?.hasPrefix("99 ") == true)
  }

  @Test func `so many bytes are kept of all tasks, and who would pass it drops its own oldest`() throws {
    let bench = TaskBench { $0.allLogsByteCountMax = 10_000 }
    let text = String(repeating: "x", count: 1000)
    for _ in 0..<5 { try bench.log("a", text) }
    for _ in 0..<50 { try bench.log("b", text) }
    #expect(messages(bench, "a").count == 5)
    #expect((2...4).contains(messages(bench, "b").count))
    // What a removed task held is free again.
    try bench.complete("a")
    bench.advance(100_000)
    bench.expire()
    for _ in 0..<50 { try bench.log("b", text) }
    #expect((7...9).contains(messages(bench, "b").count))
  }

  @Test(arguments: [(0, false), (1, true), (32, true), (33, false)])
  func `a level has 1 to 32 characters`(_ characterCount: Int, _ isTaken: Bool) {
    let bench = TaskBench()
    let level = String(repeating: "级", count: characterCount)
    #expect(code { try bench.log("t", "m", level: level) } == (isTaken ? nil : .badRequest))
    #expect((bench.snapshot("t") != nil) == isTaken)
  }

  @Test func `a message is bounded`() {
    let bench = TaskBench()
    let bound = ReportedLogLine.messageByteCountMax
    #expect(code { try bench.log("t", String(repeating: "x", count: bound)) } == nil)
    #expect(code { try bench.log("t", String(repeating: "x", count: bound + 1)) } == .badRequest)
  }

  @Test(arguments: [(0, false), (1, true), (1000, true), (1001, false)])
  func `a report has 1 to 1000 lines`(_ count: Int, _ isTaken: Bool) {
    let bench = TaskBench()
    let line = ReportedLogLine(level: json("\"x\""), message: json("\"m\""))
    #expect(
      code { try bench.log("t", lines: Array(repeating: line, count: count)) } == (isTaken ? nil : .badRequest))
  }

  @Test func `a worker that logs learns of a cancel, and a finished task takes no line`() throws {
    let bench = TaskBench()
    #expect(try bench.log("t", "m").cancelRequested == false)
    try bench.requestCancel("t")
    #expect(try bench.log("t", "m").cancelRequested == true)
    try bench.complete("t")
    #expect(code { try bench.log("t", "m") } == .taskFinished)
    #expect(messages(bench, "t").count == 2)
  }
}
