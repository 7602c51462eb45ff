import GatewayDomain
import Testing

@Suite("contract §3.2: listing tasks")
struct TaskListingTests {
  private func add(_ name: String, owner: String? = nil, to bench: TaskBench) throws {
    var registration = TaskRegistration(identifier: task(name))
    registration.owner = owner.map { user($0) }
    registration.kind = name.hasPrefix("k") ? "import" : nil
    registration.parent = name.hasSuffix("1") ? task("p") : nil
    try bench.register(registration)
  }

  private func names(_ page: TaskPage) -> [String] { page.tasks.map(\.identifier.text) }

  @Test(arguments: [1, 2, 3, 6, 7, 8])
  func `pages of any size give every task once, newest first and then by name`(_ limit: Int) throws {
    let bench = TaskBench()
    for name in ["b", "a", "c"] { try add(name, to: bench) }
    bench.advance(1)
    for name in ["z", "y"] { try add(name, to: bench) }
    // The wall clock steps back.
    bench.advance(-5)
    for name in ["n", "m"] { try add(name, to: bench) }
    var listed: [String] = []
    var cursor: TaskSortKey?
    repeat {
      let page = bench.desk.list(TaskFilter(), after: cursor, limit: limit)
      #expect(page.tasks.count <= limit)
      listed += names(page)
      cursor = try page.nextCursor.map { try #require(TaskSortKey(cursor: $0)) }
    } while cursor != nil
    #expect(listed == ["y", "z", "a", "b", "c", "m", "n"])
  }

  @Test func `filters choose and combine`() throws {
    let bench = TaskBench()
    try add("k1", owner: "ann", to: bench)
    try add("k2", owner: "bob", to: bench)
    try add("x1", to: bench)
    try bench.progress("k2")
    func listed(_ change: (inout TaskFilter) -> Void) -> [String] {
      var filter = TaskFilter()
      change(&filter)
      return names(bench.desk.list(filter, after: nil, limit: 10))
    }
    #expect(listed { $0.status = .pending } == ["k1", "x1"])
    #expect(listed { $0.status = .running } == ["k2"])
    #expect(listed { $0.owner = user("ann") } == ["k1"])
    #expect(listed { $0.kind = "import" } == ["k1", "k2"])
    #expect(listed { $0.parent = task("p") } == ["k1", "x1"])
    #expect(listed { $0.restrictedTo = user("bob") } == ["k2"])
    #expect(
      listed {
        $0.restrictedTo = user("bob")
        $0.owner = user("ann")
      } == [])
  }

  @Test func `a forgotten task leaves the listing and its cursor still works`() throws {
    let bench = TaskBench { $0.historySecondsMax = 0 }
    for name in ["a", "b", "c"] { try add(name, to: bench) }
    let page = bench.desk.list(TaskFilter(), after: nil, limit: 2)
    try bench.complete("b")
    bench.expire()
    #expect(names(bench.desk.list(TaskFilter(), after: page.end, limit: 2)) == ["c"])
    #expect(names(bench.desk.list(TaskFilter(), after: nil, limit: 9)) == ["a", "c"])
  }

  @Test func `a call looks at a bounded number of tasks and says where it stopped`() throws {
    let bench = TaskBench()
    try add("a", owner: "ann", to: bench)
    bench.advance(1)
    for index in 0...TaskDeskSettings.listScanCountMax { try add("x\(100_000 + index)", to: bench) }
    var filter = TaskFilter()
    filter.owner = user("ann")
    let first = bench.desk.list(filter, after: nil, limit: 5)
    #expect(first.tasks.isEmpty)
    let end = try #require(first.end)
    let second = bench.desk.list(filter, after: end, limit: 5)
    #expect(names(second) == ["a"] && second.end == nil)
  }

  @Test(arguments: [1, 2, 3, 5, 100])
  func `pages of several shards merge into one order`(_ limit: Int) throws {
    let benches = [TaskBench(), TaskBench(), TaskBench()]
    var all: [String] = []
    for index in 0..<20 {
      let bench = benches[index * index % 3]
      for bench in benches { bench.advance(1) }
      try add("t\(10 + index)", to: bench)
      all.append("t\(10 + index)")
    }
    var listed: [String] = []
    var cursor: TaskSortKey?
    repeat {
      let pages = benches.map { $0.desk.list(TaskFilter(), after: cursor, limit: limit) }
      let page = TaskPage.merged(pages, limit: limit)
      #expect(page.tasks.count <= limit)
      listed += names(page)
      cursor = page.end
    } while cursor != nil
    #expect(listed == all.reversed())
  }

  @Test(arguments: ["", ".", "x", "zz.t", "3ff0000000000000.", "3ff0000000000000.a b", "7ff0000000000000.t", "fff.a/b"])
  func `a foreign cursor is refused`(_ cursor: String) {
    #expect(TaskSortKey(cursor: cursor) == nil)
  }
}
