import GatewayDomain
import Protocol
import Testing

@Suite("contract §3.2: registration")
struct TaskRegistrationTests {
  @Test func `registering again gives the task as it is`() throws {
    let bench = TaskBench()
    var first = TaskRegistration(identifier: task("t"))
    first.owner = user("ann")
    var second = TaskRegistration(identifier: task("t"))
    second.owner = user("bob")
    let (created, isNew) = try bench.register(first)
    #expect(isNew && created.status == .pending && created.offset == 0)
    let (found, isNewAgain) = try bench.register(second)
    #expect(!isNewAgain)
    #expect(found.owner == user("ann"))
    #expect(found.epoch == created.epoch)
    #expect(bench.takeEffects().count == 1)
  }

  @Test func `the first registration of a task that a publish registered names its owner`() throws {
    let bench = TaskBench()
    try bench.progress("t")
    #expect(bench.snapshot("t")?.owner == nil)
    var registration = TaskRegistration(identifier: task("t"))
    registration.owner = user("ann")
    let (found, isNew) = try bench.register(registration)
    #expect(!isNew && found.owner == user("ann") && found.offset == 1 && found.status == .running)
    registration.owner = user("bob")
    #expect(try bench.register(registration).0.owner == user("ann"))
  }

  @Test func `without register-on-publish an unknown task is refused`() {
    let bench = TaskBench { $0.registersOnPublish = false }
    #expect(code { try bench.progress("t") } == .taskNotFound)
    #expect(code { try bench.complete("t") } == .taskNotFound)
    #expect(code { try bench.heartbeat("t") } == .taskNotFound)
    #expect(bench.desk.taskCount == 0)
  }

  @Test func `cancelling registers nothing`() {
    let bench = TaskBench()
    #expect(code { try bench.requestCancel("t") } == .taskNotFound)
    #expect(code { try bench.acknowledgeCancel("t") } == .taskNotFound)
  }

  @Test func `a full desk refuses one more unfinished task`() throws {
    let bench = TaskBench { $0.taskCountMax = 2 }
    try bench.progress("a")
    try bench.progress("b")
    #expect(code { try bench.progress("c") } == .overCapacity)
    #expect(bench.desk.taskCount == 2)
    try bench.progress("a")
  }

  @Test func `a full desk lets the finished task that ended first go`() throws {
    let bench = TaskBench { $0.taskCountMax = 3 }
    try bench.complete("a")
    bench.advance(1)
    try bench.complete("b")
    try bench.progress("c")
    try bench.progress("d")
    #expect(bench.snapshot("a") == nil && bench.snapshot("b") != nil)
    #expect(bench.desk.evictedCount == 1)
  }

  @Test func `snapshots are bounded in bytes`() throws {
    let bench = TaskBench { $0.snapshotByteCountMax = 1000 }
    func report(_ byteCount: Int) -> ProgressReport {
      progressReport(details: .value(json("\"" + String(repeating: "x", count: byteCount - 2) + "\"")))
    }
    #expect(code { try bench.progress("a", report(1001)) } == .overCapacity)
    #expect(bench.desk.taskCount == 0)
    try bench.progress("a", report(990))
    #expect(code { try bench.progress("b", report(20)) } == .overCapacity)
    try bench.complete("a")
    bench.advance(86_400)
    bench.expire()
    try bench.progress("b", report(990))
  }

  @Test(arguments: [(256, true), (257, false)])
  func `viewers and dependencies are bounded`(_ count: Int, _ isTaken: Bool) {
    let bench = TaskBench()
    var viewers = TaskRegistration(identifier: task("v"))
    viewers.viewers = (0..<count).map { user("u\($0)") }
    var dependencies = TaskRegistration(identifier: task("d"))
    dependencies.dependsOn = (0..<count).map { task("t\($0)") }
    #expect(code { try bench.register(viewers) } == (isTaken ? nil : .badRequest))
    #expect(code { try bench.register(dependencies) } == (isTaken ? nil : .badRequest))
  }

  @Test(arguments: [(0.0, false), (0.5, true), (604_800, true), (604_801, false), (.nan, false)])
  func `a lease is positive and at most a week`(_ seconds: Double, _ isTaken: Bool) {
    let bench = TaskBench()
    var registration = TaskRegistration(identifier: task("t"))
    registration.leaseSeconds = seconds
    #expect(code { try bench.register(registration) } == (isTaken ? nil : .badRequest))
  }

  @Test(arguments: [(128, 1024, true), (129, 0, false), (0, 1025, false)])
  func `kind and title are bounded`(_ kindCount: Int, _ titleCount: Int, _ isTaken: Bool) {
    let bench = TaskBench()
    var registration = TaskRegistration(identifier: task("t"))
    registration.kind = String(repeating: "k", count: kindCount)
    registration.title = String(repeating: "字", count: titleCount)
    #expect(code { try bench.register(registration) } == (isTaken ? nil : .badRequest))
  }
}
