import GatewayDomain
import Protocol
import Testing

@Suite("contract §3.2: nodes make a task's progress")
struct TaskNodeTests {
  @Test func `a report is one numbered event with what was given and the task's progress`() throws {
    let bench = TaskBench()
    let receipt = try bench.node("t", "fetch", 50)
    #expect(receipt.offset == 1)
    let effects = bench.takeEffects()
    // Registered, delivered, written behind.
    #expect(effects.count == 3)
    guard case .deliver(let event, let after) = effects[1], case .persist(.progressed) = effects[2] else {
      Issue.record("expected an event that is written behind, got \(effects)")
      return
    }
    guard case .nodeStatus = event.kind else {
      Issue.record("expected node_status, got \(event.kind)")
      return
    }
    #expect(!event.kind.isTerminal)
    #expect(bench.given(event) == #""node_id":"fetch","status":"running","task_progress":50"#)
    #expect(event.progress?.text == "50")
    #expect(event.statusWord == "running")
    #expect(after.snapshot.status == .running)
    #expect(bench.desk.events(of: task("t"), after: 0, limit: 10)?.events.count == 1)
  }

  @Test func `the task's progress is the weighted mean of its nodes`() throws {
    let bench = TaskBench()
    try bench.node("t", "a", 100)
    #expect(bench.progressText("t") == "100")
    try bench.node("t", "b", 0)
    #expect(bench.progressText("t") == "50")
    try bench.node("t", "c", 0)
    #expect(bench.progressText("t") == "33.33")
    // It keeps its weight until another one is given.
    try bench.node("t", "b", 40, weight: 8)
    #expect(bench.progressText("t") == "42")
    try bench.node("t", "b", 50)
    #expect(bench.progressText("t") == "50")
    #expect(bench.snapshot("t")?.progressValue == 50)
  }

  @Test(arguments: [
    ("completed", 20.0, "100"), ("skipped", nil, "100"), ("failed", 20, "20"), ("running", 20, "20"),
    ("Completed", 20, "20"), ("anything", -1, "0"),
  ])
  func `a node that is over counts in full, whatever it says`(
    _ status: String, _ progress: Double?, _ expected: String
  ) throws {
    let bench = TaskBench()
    try bench.node("t", "n", progress, status: status)
    #expect(bench.progressText("t") == expected)
    #expect(bench.snapshot("t")?.nodes.first?.shownProgress.text.hasPrefix(expected) == true)
  }

  @Test func `minus one and an absent progress count what the node had`() throws {
    let bench = TaskBench()
    try bench.node("t", "n", 30)
    try bench.node("t", "n", -1, status: "failed")
    #expect(bench.progressText("t") == "30")
    try bench.node("t", "n", status: "retrying")
    #expect(bench.progressText("t") == "30")
    #expect(bench.snapshot("t")?.nodes.first?.status == "retrying")
    // What a node had said before it was over is there again when it runs once more.
    try bench.node("t", "n", status: "completed")
    #expect(bench.progressText("t") == "100")
    try bench.node("t", "n", status: "running")
    #expect(bench.progressText("t") == "30")
  }

  @Test func `an explicit report stands until the next part changes`() throws {
    let bench = TaskBench()
    try bench.node("t", "a", 10)
    try bench.progress("t", progressReport(80))
    #expect(bench.progressText("t") == "80")
    try bench.node("t", "b", 30)
    #expect(bench.progressText("t") == "20")
  }

  @Test func `nodes are shown in the order of their first reports, with their last words`() throws {
    let bench = TaskBench()
    try bench.node("t", "b", 10, message: .value(json("\"x\"")))
    try bench.node("t", "a", 20)
    try bench.node("t", "b", status: "done")
    let nodes = try #require(bench.snapshot("t")?.nodes)
    #expect(nodes.map(\.identifier.text) == ["b", "a"])
    #expect(nodes.map(\.status) == ["done", "running"])
    #expect(nodes[0].message?.text == "\"x\"")
    try bench.node("t", "b", message: .null)
    #expect(bench.snapshot("t")?.nodes[0].message == nil)
  }

  @Test func `a task has so many nodes and not one more`() throws {
    let bench = TaskBench()
    let countMax = TaskDeskSettings().nodeCountMax
    #expect(countMax == 1024)
    for number in 1...countMax { try bench.node("t", "n\(number)", 50) }
    let before = bench.snapshot("t")?.offset
    _ = bench.takeEffects()
    #expect(code { try bench.node("t", "one-more", 50) } == .overCapacity)
    #expect(bench.takeEffects().isEmpty)
    #expect(bench.snapshot("t")?.offset == before)
    // Those that it has go on.
    try bench.node("t", "n7", 51)
    #expect(bench.snapshot("t")?.nodes.count == countMax)
  }

  @Test(arguments: [(0, false), (1, true), (64, true), (65, false)])
  func `a node's status has 1 to 64 characters`(_ characterCount: Int, _ isTaken: Bool) {
    let bench = TaskBench()
    let status = String(repeating: "字", count: characterCount)
    #expect(code { try bench.node("t", "n", status: status) } == (isTaken ? nil : .badRequest))
    #expect((bench.snapshot("t") != nil) == isTaken)
  }

  @Test(arguments: [
    (0.0, false), (-1, false), (.leastNonzeroMagnitude, true), (1e9, true), (1.000001e9, false), (.infinity, false),
    (.nan, false),
  ])
  func `a weight is above 0 and bounded`(_ weight: Double, _ isTaken: Bool) {
    let bench = TaskBench()
    #expect(code { try bench.node("t", "n", 50, weight: weight) } == (isTaken ? nil : .badRequest))
    if isTaken { #expect((bench.snapshot("t")?.progressValue ?? -1) >= 0) }
  }

  @Test func `nodes count among the bytes of snapshots`() throws {
    let bench = TaskBench { $0.snapshotByteCountMax = 100_000 }
    var count = 0
    while code({
      try bench.node("t", "n\(count)", 1, message: .value(JSONText(string: String(repeating: "m", count: 1000))))
    })
      == nil
    { count += 1 }
    #expect((40...100).contains(count))
    #expect(code { try bench.progress("u") } != nil || count < 100)
    // A shorter message makes room, an unknown task none.
    for number in 0..<count { _ = try? bench.node("t", "n\(number)", 1, message: .null) }
    #expect(code { try bench.progress("u") } == nil || count == 0)
  }

  @Test func `a finished task takes no node`() throws {
    let bench = TaskBench()
    try bench.node("t", "n", 10)
    try bench.complete("t")
    #expect(code { try bench.node("t", "n", 20) } == .taskFinished)
    #expect(bench.snapshot("t")?.nodes.first?.progress.text.hasPrefix("10") == true)
  }
}
