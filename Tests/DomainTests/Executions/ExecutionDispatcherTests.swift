import GatewayDomain
import Testing

@Suite("Executions: the dispatcher")
struct ExecutionDispatcherTests {
  private func worker(_ number: UInt64) -> WorkerIdentifier { WorkerIdentifier(number: number) }

  private func execution(_ number: Int) -> TaskIdentifier {
    guard let identifier = TaskIdentifier(validating: "e\(number)") else { fatalError("e\(number) is a name") }
    return identifier
  }

  /// A dispatcher with its effects: `take` says who was offered what since the last look.
  private struct Bench {
    var dispatcher = ExecutionDispatcher()
    var effects: [DispatchEffect] = []

    mutating func take() -> [DispatchEffect] {
      defer { effects = [] }
      return effects
    }

    mutating func create(_ execution: TaskIdentifier, at createdAt: Double) {
      dispatcher.created(execution, at: createdAt, into: &effects)
    }

    mutating func accept(_ worker: WorkerIdentifier, _ limit: Int) throws {
      try dispatcher.accept(worker, limit: limit, into: &effects)
    }
  }

  @Test func `what waits is offered in the order of its creation, as soon as somebody has room`() throws {
    var bench = Bench()
    for number in [2, 1, 3] { bench.create(execution(number), at: Double(number)) }
    #expect(bench.take() == [])
    #expect(bench.dispatcher.waitingCount == 3)
    try bench.accept(worker(1), 2)
    #expect(bench.take() == [.offer(execution(1), to: worker(1)), .offer(execution(2), to: worker(1))])
    #expect(bench.dispatcher.waitingCount == 1)
    bench.dispatcher.finished(execution(1), into: &bench.effects)
    #expect(bench.take() == [.offer(execution(3), to: worker(1))])
  }

  @Test func `the worker with the fewest unfinished gets the next, and equal ones take turns`() throws {
    var bench = Bench()
    for number in 1...3 { try bench.accept(worker(UInt64(number)), 10) }
    for number in 1...6 { bench.create(execution(number), at: 0) }
    let offered = bench.take().map(\.workerNumber)
    #expect(offered == [1, 2, 3, 1, 2, 3])
    for number in [2, 5] { bench.dispatcher.finished(execution(number), into: &bench.effects) }
    for number in 7...9 { bench.create(execution(number), at: 0) }
    let next = bench.take().map(\.workerNumber)
    #expect(next == [2, 2, 1])
  }

  @Test func `what a worker has not begun is offered again when its connection ends, in its old place`() throws {
    var bench = Bench()
    try bench.accept(worker(1), 2)
    for number in 1...4 { bench.create(execution(number), at: Double(number)) }
    _ = bench.take()
    bench.dispatcher.reported(execution(1), by: worker(1), into: &bench.effects)
    bench.dispatcher.left(worker(1), into: &bench.effects)
    #expect(bench.take() == [])
    #expect(bench.dispatcher.waitingCount == 3)
    try bench.accept(worker(2), 10)
    // The first was begun: whether its worker still lives is its lease's matter.
    #expect(
      bench.take() == [2, 3, 4].map { .offer(execution($0), to: worker(2)) })
  }

  @Test func `what was created in one moment returns in the order in which it came`() throws {
    var bench = Bench()
    try bench.accept(worker(1), 50)
    for number in 1...50 { bench.create(execution(number), at: 7) }
    _ = bench.take()
    bench.dispatcher.left(worker(1), into: &bench.effects)
    try bench.accept(worker(2), 50)
    #expect(bench.take() == (1...50).map { .offer(execution($0), to: worker(2)) })
  }

  @Test func `a report over HTTP claims for whoever was offered it`() throws {
    var bench = Bench()
    try bench.accept(worker(1), 1)
    bench.create(execution(1), at: 1)
    bench.create(execution(2), at: 2)
    _ = bench.take()
    bench.dispatcher.reported(execution(1), by: nil, into: &bench.effects)
    // It has not ended: there is no room.
    #expect(bench.take() == [])
    bench.dispatcher.left(worker(1), into: &bench.effects)
    try bench.accept(worker(2), 2)
    #expect(bench.take() == [.offer(execution(2), to: worker(2))])
  }

  @Test func `a report on one that waits takes it out of the line`() throws {
    var bench = Bench()
    bench.create(execution(1), at: 1)
    bench.create(execution(2), at: 2)
    bench.dispatcher.reported(execution(1), by: nil, into: &bench.effects)
    #expect(bench.dispatcher.waitingCount == 1)
    try bench.accept(worker(1), 5)
    #expect(bench.take() == [.offer(execution(2), to: worker(1))])
  }

  @Test func `another worker's report moves the claim to that one`() throws {
    var bench = Bench()
    try bench.accept(worker(1), 1)
    bench.create(execution(1), at: 1)
    try bench.accept(worker(2), 1)
    bench.create(execution(2), at: 2)
    _ = bench.take()
    bench.dispatcher.finished(execution(2), into: &bench.effects)
    bench.dispatcher.reported(execution(1), by: worker(2), into: &bench.effects)
    bench.create(execution(3), at: 3)
    #expect(bench.take() == [.offer(execution(3), to: worker(1))])
  }

  @Test func `a worker that takes none keeps what it has, and gets nothing more`() throws {
    var bench = Bench()
    try bench.accept(worker(1), 1)
    bench.create(execution(1), at: 1)
    bench.create(execution(2), at: 2)
    _ = bench.take()
    try bench.accept(worker(1), 0)
    bench.dispatcher.finished(execution(1), into: &bench.effects)
    #expect(bench.take() == [])
    #expect(bench.dispatcher.workerCount == 0)
    try bench.accept(worker(1), 1)
    #expect(bench.take() == [.offer(execution(2), to: worker(1))])
  }

  @Test func `twice created is once, and what is unknown changes nothing`() throws {
    var bench = Bench()
    bench.create(execution(1), at: 1)
    bench.create(execution(1), at: 1)
    bench.dispatcher.reported(execution(9), by: worker(9), into: &bench.effects)
    bench.dispatcher.finished(execution(9), into: &bench.effects)
    bench.dispatcher.left(worker(9), into: &bench.effects)
    try bench.accept(worker(1), 5)
    #expect(bench.take() == [.offer(execution(1), to: worker(1))])
    #expect(bench.dispatcher.waitingCount == 0)
  }

  @Test func `a limit is refused past its bound, and so is one worker too many`() throws {
    var bench = Bench()
    try bench.accept(worker(0), ExecutionDispatcher.limitMax)
    #expect(throws: Problem.self) { try bench.accept(worker(0), ExecutionDispatcher.limitMax + 1) }
    #expect(throws: Problem.self) { try bench.accept(worker(0), -1) }
    for number in 1..<UInt64(ExecutionDispatcher.workerCountMax) { try bench.accept(worker(number), 1) }
    let refusal = #expect(throws: Problem.self) { try bench.accept(worker(1_000_000), 1) }
    #expect(refusal?.code == .overCapacity)
    // Who is there may still change its mind, and who takes none may come.
    try bench.accept(worker(1), 3)
    try bench.accept(worker(1_000_000), 0)
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `none is lost, none is offered twice at a time, and no limit is passed`(seed: UInt64) throws {
    var random = Seeded(state: seed)
    var bench = Bench()
    var limits: [WorkerIdentifier: Int] = [:]
    /// Who has it, and whether it was begun.
    var holders: [TaskIdentifier: (worker: WorkerIdentifier?, isBegun: Bool)] = [:]
    var nextExecution = 0
    var nextWorker: UInt64 = 0
    for _ in 0..<600 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3:
        nextExecution += 1
        holders[execution(nextExecution)] = (nil, false)
        bench.create(execution(nextExecution), at: Double(nextExecution))
      case 3:
        nextWorker += 1
        limits[worker(nextWorker)] = Int.random(in: 1...3, using: &random)
        try bench.accept(worker(nextWorker), limits[worker(nextWorker)] ?? 0)
      case 4:
        let present = limits.keys.sorted { $0.number < $1.number }
        guard let gone = present.randomElement(using: &random) else { continue }
        limits[gone] = nil
        for (name, holder) in holders where holder.worker == gone {
          holders[name] = holder.isBegun ? nil : .some((nil, false))
        }
        bench.dispatcher.left(gone, into: &bench.effects)
      case 5..<8:
        let offered = holders.filter { $0.value.worker != nil && !$0.value.isBegun }.keys
        guard let name = offered.sorted(by: { $0.text < $1.text }).randomElement(using: &random) else { continue }
        let holder = holders[name]?.worker
        holders[name]?.isBegun = true
        bench.dispatcher.reported(name, by: Bool.random(using: &random) ? holder : nil, into: &bench.effects)
      default:
        let all = holders.keys.sorted(by: { $0.text < $1.text })
        guard let name = all.randomElement(using: &random) else { continue }
        holders[name] = nil
        bench.dispatcher.finished(name, into: &bench.effects)
      }
      for case .offer(let name, let to) in bench.take() {
        #expect(holders[name] != nil && holders[name]?.worker == nil, "seed \(seed)")
        #expect(limits[to] != nil, "seed \(seed)")
        holders[name]?.worker = to
      }
      for (worker, limit) in limits {
        #expect(holders.values.count { $0.worker == worker } <= limit, "seed \(seed)")
      }
      let waiting = holders.values.count { $0.worker == nil }
      let room = limits.reduce(0) { sum, entry in
        sum + entry.value - holders.values.count { $0.worker == entry.key }
      }
      #expect(waiting == bench.dispatcher.waitingCount, "seed \(seed)")
      #expect(waiting == 0 || room == 0, "seed \(seed)")
    }
  }
}

extension DispatchEffect {
  fileprivate var workerNumber: UInt64 {
    switch self {
    case .offer(_, let worker): worker.number
    }
  }
}

private struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &+ 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
