import GatewayDomain
import Protocol
import Testing

@Suite("contract §3.2: children make their parent's progress, and stop with it")
struct TaskFamilyTests {
  @Test func `a parent shows the weighted mean of its children`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.register("a", parent: "p")
    try bench.register("b", parent: "p", weight: 3)
    try bench.progress("a", progressReport(100))
    bench.tellParents()
    #expect(bench.progressText("p") == "25")
    try bench.progress("b", progressReport(50))
    bench.tellParents()
    #expect(bench.progressText("p") == "62.5")
    #expect(bench.snapshot("p")?.status == .running)
  }

  @Test func `what changes in a turn is told once, and one event follows`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.register("a", parent: "p")
    bench.tellParents()
    _ = bench.takeEffects()
    for value in 1...9 { try bench.progress("a", progressReport(Double(value))) }
    _ = bench.takeEffects()
    let changes = bench.desk.takeChangedChildren()
    #expect(changes.map(\.progress) == [9])
    #expect(!bench.desk.hasChangedChildren)
    bench.desk.takeChildren(changes, at: bench.now, into: &bench.effects)
    let events = bench.takeEvents()
    #expect(events.map { bench.given($0) } == [#""progress":9"#])
    #expect(events.map(\.offset) == [1])
    #expect(events.first?.statusWord == "running")
  }

  @Test func `of many children that change together the parent has one event`() throws {
    let bench = TaskBench()
    try bench.register("p")
    for number in 0..<100 { try bench.register("c\(number)", parent: "p") }
    bench.tellParents()
    for number in 0..<100 { try bench.progress("c\(number)", progressReport(Double(number))) }
    _ = bench.takeEffects()
    bench.tellParents()
    #expect(bench.takeEvents().map { bench.given($0) } == [#""progress":49.5"#])
  }

  @Test func `a child that is cancelled before it ran does not start its parent`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.register("a", parent: "p")
    try bench.acknowledgeCancel("a")
    bench.tellParents()
    #expect(bench.snapshot("p")?.status == .pending)
    // And no status changes without an event.
    try bench.register("b", parent: "p")
    try bench.progress("b", progressReport(0))
    bench.tellParents()
    #expect(bench.snapshot("p")?.status == .pending)
    try bench.progress("b", progressReport(1))
    bench.tellParents()
    #expect(bench.snapshot("p")?.status == .running)
  }

  @Test func `a change that shows nothing new is no event`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.register("a", parent: "p")
    try bench.progress("a", progressReport(33.333))
    bench.tellParents()
    #expect(bench.progressText("p") == "33.33")
    _ = bench.takeEffects()
    try bench.progress("a", progressReport(33.334))
    bench.tellParents()
    #expect(bench.takeEvents().map(\.task.text) == ["a"])
  }

  @Test func `nodes and children count together, and an explicit report stands until one changes`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.register("a", parent: "p")
    try bench.node("p", "n", 100)
    bench.tellParents()
    #expect(bench.progressText("p") == "50")
    try bench.progress("p", progressReport(5))
    #expect(bench.progressText("p") == "5")
    try bench.progress("a", progressReport(50))
    bench.tellParents()
    #expect(bench.progressText("p") == "75")
  }

  @Test func `a completed child counts in full, a failed one what it had`() throws {
    let bench = TaskBench()
    try bench.register("p")
    for name in ["a", "b"] {
      try bench.register(name, parent: "p")
      try bench.progress(name, progressReport(40))
    }
    try bench.complete("a")
    try bench.fail("b")
    bench.tellParents()
    #expect(bench.progressText("p") == "70")
    #expect(bench.snapshot("p")?.status == .running)
  }

  @Test func `unknown and finished parents take no notice`() throws {
    let bench = TaskBench()
    try bench.register("a", parent: "nobody")
    try bench.register("p")
    try bench.register("b", parent: "p")
    bench.tellParents()
    try bench.complete("p")
    let offset = bench.snapshot("p")?.offset
    try bench.progress("a", progressReport(10))
    try bench.progress("b", progressReport(10))
    bench.tellParents()
    #expect(bench.snapshot("nobody") == nil)
    #expect(bench.snapshot("p")?.offset == offset)
  }

  @Test func `a child that is removed leaves the sum`() throws {
    let bench = TaskBench { $0.historySecondsMax = 10 }
    try bench.register("p")
    try bench.register("a", parent: "p")
    try bench.register("b", parent: "p")
    try bench.progress("b", progressReport(20))
    try bench.complete("a")
    bench.tellParents()
    #expect(bench.progressText("p") == "60")
    bench.advance(11)
    bench.expire()
    bench.tellParents()
    #expect(bench.snapshot("a") == nil)
    #expect(bench.progressText("p") == "20")
  }

  @Test func `a registration after the first report names the parent too`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.progress("a", progressReport(30))
    try bench.register("a", parent: "p")
    bench.tellParents()
    #expect(bench.progressText("p") == "30")
  }

  @Test func `grandparents are told in turn, and a circle of parents comes to rest`() throws {
    let bench = TaskBench()
    try bench.register("g")
    try bench.register("p", parent: "g")
    try bench.register("a", parent: "p")
    try bench.progress("a", progressReport(44))
    bench.tellParents()
    #expect(bench.progressText("g") == "44")

    try bench.register("x", parent: "z")
    try bench.register("y", parent: "x")
    try bench.register("z", parent: "y")
    try bench.node("x", "n", 100)
    #expect(bench.tellParents() < 100)
    try bench.progress("y", progressReport(10))
    #expect(bench.tellParents() < 100)
  }

  @Test func `a task is not its own parent`() {
    let bench = TaskBench()
    #expect(code { try bench.register("a", parent: "a") } == .badRequest)
    #expect(bench.snapshot("a") == nil)
  }

  @Test func `so many children count and not one more`() throws {
    let bench = TaskBench()
    let countMax = TaskDeskSettings().childCountMax
    #expect(countMax == 1024)
    try bench.register("p")
    for number in 0...countMax {
      try bench.register("c\(number)", parent: "p")
      bench.tellParents()
    }
    // The last one came too late: of those that count one has all.
    try bench.progress("c\(countMax)", progressReport(100))
    bench.tellParents()
    #expect(bench.progressText("p") == "0")
    try bench.progress("c\(countMax - 1)", progressReport(100))
    bench.tellParents()
    #expect(bench.progressText("p") == "0.1")
  }

  @Test(arguments: [(0.0, false), (-2, false), (0.5, true), (1e9, true), (2e9, false)])
  func `a child's weight is above 0 and bounded`(_ weight: Double, _ isTaken: Bool) {
    let bench = TaskBench()
    #expect(code { try bench.register("a", weight: weight) } == (isTaken ? nil : .badRequest))
  }

  @Test func `a parent's cancel asks every unfinished child, and theirs, once`() throws {
    let bench = TaskBench()
    try bench.register("g")
    try bench.register("p", parent: "g")
    for name in ["a", "b", "done"] { try bench.register(name, parent: "p") }
    try bench.complete("done")
    bench.tellParents()
    _ = bench.takeEffects()
    try bench.requestCancel("g")
    #expect(bench.askChildren().sorted() == ["a", "b", "p"])
    for name in ["g", "p", "a", "b"] { #expect(bench.snapshot(name)?.cancelRequested == true) }
    #expect(bench.snapshot("done")?.cancelRequested == false)
    // Asked again, nobody is asked again.
    try bench.requestCancel("g")
    #expect(bench.askChildren() == [])
  }

  @Test func `a circle of parents is cancelled once round`() throws {
    let bench = TaskBench()
    try bench.register("x", parent: "z")
    try bench.register("y", parent: "x")
    try bench.register("z", parent: "y")
    bench.tellParents()
    _ = bench.takeEffects()
    try bench.requestCancel("x")
    #expect(bench.askChildren() == ["y", "z", "x"])
  }

  @Test func `a child that comes after the cancel is asked too`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.requestCancel("p")
    _ = bench.takeEffects()
    try bench.register("late", parent: "p")
    bench.tellParents()
    #expect(bench.askChildren() == ["late"])
    try bench.progress("late", progressReport(5))
    bench.tellParents()
    #expect(bench.askChildren() == [])
  }

  @Test func `a parent that stops by itself asks its children`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.register("a", parent: "p")
    bench.tellParents()
    _ = bench.takeEffects()
    try bench.acknowledgeCancel("p")
    #expect(bench.askChildren() == ["a"])
  }

  @Test func `after a restart the children are told again`() throws {
    let bench = TaskBench()
    try bench.register("p")
    try bench.register("a", parent: "p")
    bench.tellParents()
    #expect(!bench.desk.hasChangedChildren)
    let next = TaskBench()
    for name in ["p", "a"] {
      let stored = StoredTask(snapshot: try #require(bench.snapshot(name)), row: 1, isImplicit: false)
      next.desk.restore(
        stored, wasStoppedCleanly: true, at: next.now, random: &next.random, into: &next.effects)
    }
    #expect(next.desk.takeChangedChildren().map(\.child.text) == ["a"])
  }
}
