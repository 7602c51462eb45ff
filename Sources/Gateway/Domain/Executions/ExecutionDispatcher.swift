/// A worker's connection, as it is named where no connection is known. No two of a process's life have one number.
package struct WorkerIdentifier: Hashable, Sendable {
  package let number: UInt64

  package init(number: UInt64) {
    self.number = number
  }
}

/// What a dispatcher asks for.
package enum DispatchEffect: Equatable, Sendable {
  /// The execution to the worker.
  case offer(TaskIdentifier, to: WorkerIdentifier)
}

/// Who runs what: the executions that wait, in the order in which they were created, and the workers that take some. Each
/// is offered at least once: to one worker, and to another where that one's connection ends before it has reported.
///
/// A single-threaded value with one owner. Commands append what is to be done to `effects`, in order.
package struct ExecutionDispatcher: Sendable {
  /// Executions that may wait: more are refused at the door (`POST /api/v1/executions`), so that it stays bounded by what
  /// was let in.
  package static let waitingCountMax = 100_000
  /// Connections that accept at once; each is looked at whenever it takes or ends an execution.
  package static let workerCountMax = 10_000
  /// Executions that one connection may take at once.
  package static let limitMax = 10_000

  private struct Execution {
    enum State: Equatable {
      case waiting
      /// The worker has not reported yet.
      case offered(WorkerIdentifier)
      /// It has: it is not offered again, its lease tells when the worker is gone.
      case claimed(WorkerIdentifier)
    }

    /// Its place in line, which it keeps: Unix seconds, and of one moment the order in which they came.
    let createdAt: Double
    let number: UInt64
    var state = State.waiting

    func isBefore(_ other: Execution) -> Bool {
      createdAt < other.createdAt || (createdAt == other.createdAt && number < other.number)
    }
  }

  private struct Worker {
    var limit = 0
    /// Offered to it or claimed by it, and unfinished.
    var executions: Set<TaskIdentifier> = []
    /// Rises with every change, so that an older entry of `seats` is recognised.
    var version: UInt64 = 0

    var isFree: Bool { executions.count < limit }
  }

  private struct Seat: Sendable {
    let worker: WorkerIdentifier
    let version: UInt64
  }

  private var executions: [TaskIdentifier: Execution] = [:]
  private var workers: [WorkerIdentifier: Worker] = [:]
  /// Those that wait by their place in line, which stands where this kind of queue has a deadline.
  private var line = DeadlineQueue<TaskIdentifier>()
  /// Workers with room by how much they have: the fairest first, and of equal ones who has waited longest.
  private var seats = DeadlineQueue<Seat>()
  private var freeCount = 0
  private var createdCount: UInt64 = 0
  package private(set) var waitingCount = 0

  package init() {}

  /// Executions that wait, are offered, or are claimed by a connection.
  package var executionCount: Int { executions.count }
  package var workerCount: Int { workers.count }

  // MARK: Executions

  /// An execution that nobody has begun; after a restart too, in any order.
  ///
  /// - Parameter createdAt: Unix seconds.
  package mutating func created(
    _ execution: TaskIdentifier, at createdAt: Double, into effects: inout [DispatchEffect]
  ) {
    guard executions[execution] == nil else { return }
    createdCount += 1
    executions[execution] = Execution(createdAt: createdAt, number: createdCount)
    enqueue(execution)
    offer(into: &effects)
  }

  /// Somebody works on it. Over HTTP, where nobody says on which connection it was offered, it stays with who was.
  package mutating func reported(
    _ execution: TaskIdentifier, by reporter: WorkerIdentifier?, into effects: inout [DispatchEffect]
  ) {
    guard let known = executions[execution] else { return }
    switch known.state {
    case .waiting:
      waitingCount -= 1
      guard let reporter, workers[reporter] != nil else {
        executions[execution] = nil
        return
      }
      claim(execution, by: reporter)
    case .offered(let worker):
      let claimant = reporter.flatMap { workers[$0] == nil ? nil : $0 } ?? worker
      if claimant != worker { release(execution, from: worker) }
      claim(execution, by: claimant)
    case .claimed: return
    }
    offer(into: &effects)
  }

  /// It has ended, or is gone: whoever had it has room for another.
  package mutating func finished(_ execution: TaskIdentifier, into effects: inout [DispatchEffect]) {
    guard let known = executions.removeValue(forKey: execution) else { return }
    switch known.state {
    case .waiting: waitingCount -= 1
    case .offered(let worker), .claimed(let worker): release(execution, from: worker)
    }
    offer(into: &effects)
  }

  // MARK: Workers

  /// A worker takes so many at once from now on; 0 takes no more, and keeps what it has.
  package mutating func accept(
    _ worker: WorkerIdentifier, limit: Int, into effects: inout [DispatchEffect]
  ) throws(Problem) {
    guard limit >= 0, limit <= Self.limitMax else {
      throw Problem(.badRequest, "limit is \(limit), must be an integer from 0 to \(Self.limitMax)")
    }
    if workers[worker] == nil {
      guard limit > 0 else { return }
      guard workers.count < Self.workerCountMax else {
        throw Problem(.overCapacity, "\(workers.count) workers accept executions, the most that there may be")
      }
    }
    change(worker) { $0.limit = limit }
    offer(into: &effects)
  }

  /// The worker's connection has ended: what it has not begun is offered again, in its old place.
  package mutating func left(_ worker: WorkerIdentifier, into effects: inout [DispatchEffect]) {
    guard let gone = workers.removeValue(forKey: worker) else { return }
    if gone.isFree { freeCount -= 1 }
    var returned: [(execution: TaskIdentifier, known: Execution)] = []
    for execution in gone.executions {
      if let known = executions[execution], case .offered = known.state {
        returned.append((execution, known))
      } else {
        executions[execution] = nil
      }
    }
    // A set has no order, and the line keeps that of entries of one moment.
    for (execution, _) in returned.sorted(by: { $0.known.isBefore($1.known) }) {
      executions[execution]?.state = .waiting
      enqueue(execution)
    }
    offer(into: &effects)
  }

  // MARK: The line

  private mutating func enqueue(_ execution: TaskIdentifier) {
    guard let known = executions[execution] else { return }
    waitingCount += 1
    line.add(execution, deadline: known.createdAt)
    let executions = self.executions
    line.compact(liveCount: waitingCount) {
      executions[$0.key]?.state == .waiting && executions[$0.key]?.createdAt == $0.deadline
    }
  }

  /// Brings those that wait and those that have room together.
  private mutating func offer(into effects: inout [DispatchEffect]) {
    while waitingCount > 0, freeCount > 0, let execution = nextWaiting() {
      guard let worker = nextFree() else {
        // Cannot be while somebody has room; it keeps its place.
        line.add(execution, deadline: executions[execution]?.createdAt ?? 0)
        return
      }
      waitingCount -= 1
      executions[execution]?.state = .offered(worker)
      change(worker) { $0.executions.insert(execution) }
      effects.append(.offer(execution, to: worker))
    }
  }

  private mutating func nextWaiting() -> TaskIdentifier? {
    while let entry = line.takeFirst() {
      // One that returned to the line may stand in it twice: the second entry finds it offered.
      if executions[entry.key]?.state == .waiting { return entry.key }
    }
    return nil
  }

  /// Looks only: the seat is taken by `change`.
  private mutating func nextFree() -> WorkerIdentifier? {
    while let entry = seats.takeFirst() {
      if let worker = workers[entry.key.worker], worker.version == entry.key.version, worker.isFree {
        return entry.key.worker
      }
    }
    return nil
  }

  private mutating func claim(_ execution: TaskIdentifier, by worker: WorkerIdentifier) {
    executions[execution]?.state = .claimed(worker)
    if workers[worker]?.executions.contains(execution) != true { change(worker) { $0.executions.insert(execution) } }
  }

  private mutating func release(_ execution: TaskIdentifier, from worker: WorkerIdentifier) {
    guard workers[worker] != nil else { return }
    change(worker) { $0.executions.remove(execution) }
  }

  /// Changes a worker, made where it is new, and gives it the seat that it then deserves.
  private mutating func change<Ignored>(_ identifier: WorkerIdentifier, _ body: (inout Worker) -> Ignored) {
    var worker = workers.removeValue(forKey: identifier) ?? Worker()
    if worker.isFree { freeCount -= 1 }
    _ = body(&worker)
    worker.version += 1
    if worker.isFree {
      freeCount += 1
      seats.add(Seat(worker: identifier, version: worker.version), deadline: Double(worker.executions.count))
    }
    // Who takes none and has none is nobody here.
    if worker.limit > 0 || !worker.executions.isEmpty { workers[identifier] = worker }
    let workers = self.workers
    seats.compact(liveCount: freeCount) { workers[$0.key.worker]?.version == $0.key.version }
  }
}
