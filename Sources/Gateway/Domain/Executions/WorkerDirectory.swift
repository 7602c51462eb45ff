/// Which workers are to be told of a task: who last reported on it, and who watches it. One for each home; bounded by the
/// tasks that the home holds and by what each worker may watch, and forgotten with the task's end or the worker's.
///
/// A single-threaded value with one owner.
package struct WorkerDirectory: Sendable {
  /// Tasks of one home that one worker may watch.
  package static let watchCountMax = 4096
  /// Workers that may watch one task.
  package static let watcherCountMax = 64

  private struct Entry {
    var reporter: WorkerIdentifier?
    var watchers: [WorkerIdentifier] = []

    func names(_ worker: WorkerIdentifier) -> Bool { reporter == worker || watchers.contains(worker) }
    var isEmpty: Bool { reporter == nil && watchers.isEmpty }
  }

  private var entries: [TaskIdentifier: Entry] = [:]
  /// The tasks whose entries name a worker.
  private var tasks: [WorkerIdentifier: Set<TaskIdentifier>] = [:]
  private var watchCounts: [WorkerIdentifier: Int] = [:]

  package init() {}

  package var isEmpty: Bool { entries.isEmpty }
  package var taskCount: Int { entries.count }

  /// The worker has reported on the task: from now on it is who is told.
  package mutating func reported(_ task: TaskIdentifier, by worker: WorkerIdentifier) {
    let former = entries[task]?.reporter
    guard former != worker else { return }
    entries[task, default: Entry()].reporter = worker
    tasks[worker, default: []].insert(task)
    if let former, entries[task]?.watchers.contains(former) != true { unlink(task, from: former) }
  }

  /// The worker wants to be told whoever reports; again changes nothing. The task need not be known yet.
  package mutating func watched(_ task: TaskIdentifier, by worker: WorkerIdentifier) throws(Problem) {
    if entries[task]?.watchers.contains(worker) == true { return }
    let watchCount = watchCounts[worker] ?? 0
    guard watchCount < Self.watchCountMax else {
      throw Problem(.overCapacity, "\(watchCount) tasks are watched on this connection, the most that there may be")
    }
    let watcherCount = entries[task]?.watchers.count ?? 0
    guard watcherCount < Self.watcherCountMax else {
      throw Problem(.overCapacity, "\(watcherCount) workers watch \(task.text), the most that there may be")
    }
    watchCounts[worker] = watchCount + 1
    entries[task, default: Entry()].watchers.append(worker)
    tasks[worker, default: []].insert(task)
  }

  /// Who is told of the task, each once: the last reporter first.
  package func workers(of task: TaskIdentifier) -> [WorkerIdentifier] {
    guard let entry = entries[task] else { return [] }
    guard let reporter = entry.reporter else { return entry.watchers }
    return [reporter] + entry.watchers.filter { $0 != reporter }
  }

  /// The task has ended, or is gone: nothing is left to be told.
  package mutating func forget(_ task: TaskIdentifier) {
    guard let entry = entries.removeValue(forKey: task) else { return }
    for worker in entry.watchers { uncount(worker) }
    if let reporter = entry.reporter { unlink(task, from: reporter) }
    for worker in entry.watchers { unlink(task, from: worker) }
  }

  /// The worker's connection has ended.
  package mutating func left(_ worker: WorkerIdentifier) {
    watchCounts[worker] = nil
    for task in tasks.removeValue(forKey: worker) ?? [] {
      if entries[task]?.reporter == worker { entries[task]?.reporter = nil }
      entries[task]?.watchers.removeAll { $0 == worker }
      if entries[task]?.isEmpty == true { entries[task] = nil }
    }
  }

  private mutating func unlink(_ task: TaskIdentifier, from worker: WorkerIdentifier) {
    tasks[worker]?.remove(task)
    if tasks[worker]?.isEmpty == true { tasks[worker] = nil }
  }

  private mutating func uncount(_ worker: WorkerIdentifier) {
    guard let count = watchCounts[worker] else { return }
    watchCounts[worker] = count > 1 ? count - 1 : nil
  }
}
