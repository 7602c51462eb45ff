/// The tasks of one home shard: it numbers their events, keeps their snapshots and histories, and decides.
///
/// A single-threaded value with one owner (its records are objects: do not copy it). Commands append what is to be
/// done to `effects`, in order; a command that throws has changed nothing and appended nothing.
package struct TaskDesk {
  package let settings: TaskDeskSettings
  var records: [TaskIdentifier: TaskRecord] = [:]
  /// By creation, so against the order of `TaskSortKey`; removed records stay until they outnumber the others.
  var creationOrder: [TaskRecord] = []
  /// Numbers the rows in which the store keeps these tasks.
  var rows = RowSequence()
  var cancelDeadlines = DeadlineQueue<TaskIdentifier>()
  var removalDeadlines = DeadlineQueue<TaskIdentifier>()
  var leaseDeadlines = DeadlineQueue<TaskIdentifier>()
  /// Children whose parents have not heard of their last changes.
  var changedChildren: [TaskRecord] = []
  var historyByteCount: Int {
    get { historyAccount.byteCount }
    nonmutating set { historyAccount.byteCount = newValue }
  }
  /// An object, because who merely reads a history may be the first to open it.
  private let historyAccount = HistoryAccount()
  var logByteCount = 0
  var snapshotByteCount = 0
  private var countByStatus = [Int](repeating: 0, count: TaskStatus.allCases.count)
  /// Finished tasks that left before their time because the desk was full: for the metric.
  package private(set) var evictedCount = 0

  package init(settings: TaskDeskSettings = TaskDeskSettings(), rows: RowSequence = RowSequence()) {
    self.settings = settings
    self.rows = rows
  }

  package var taskCount: Int { records.count }

  package func count(of status: TaskStatus) -> Int { countByStatus[Int(status.rawValue)] }

  /// Monotonic seconds at which `expire` has something to do, at the earliest; nil where nothing waits.
  package var nextDeadline: Double? {
    let cancel = cancelDeadlines.nextDeadline ?? .infinity
    let removal = removalDeadlines.nextDeadline ?? .infinity
    let next = min(cancel, removal, leaseDeadlines.nextDeadline ?? .infinity)
    return next < .infinity ? next : nil
  }

  // MARK: registration

  /// `POST /api/v1/tasks`: idempotent by name. Of a task that a publish registered, the first
  /// registration fills in what a publish cannot say, so that a fast worker does not leave it without an owner.
  package mutating func register(
    _ registration: TaskRegistration, at moment: Moment, random: inout some RandomNumberGenerator,
    into effects: inout [TaskEffect]
  ) throws(Problem) -> (TaskSnapshot, created: Bool) {
    try registration.validate()
    if let record = records[registration.identifier] {
      if record.isImplicit {
        try requireRoom(byteCount: registration.byteCount)
        record.isImplicit = false
        registration.describe(&record.snapshot)
        if record.snapshot.total == nil { record.snapshot.total = registration.total }
        record.readDescription()
        noteForParent(record)
        // What registered it was a report.
        renewLease(of: record, at: moment, into: &effects)
        account(for: record)
        effects.append(.persist(.registered(record)))
      }
      return (shown(record, at: moment), created: false)
    }
    var snapshot = TaskSnapshot(
      identifier: registration.identifier, epoch: Epoch(text: ""), createdAt: moment.wall)
    registration.describe(&snapshot)
    snapshot.total = registration.total
    let record = try admit(
      snapshot, byteCount: registration.byteCount, isImplicit: false, random: &random, into: &effects)
    return (record.snapshot, created: true)
  }

  /// The task of a publish, unfinished: found, or registered where that is allowed.
  mutating func publishable(
    _ identifier: TaskIdentifier, byteCount: Int, at moment: Moment, random: inout some RandomNumberGenerator,
    into effects: inout [TaskEffect]
  ) throws(Problem) -> TaskRecord {
    if let record = records[identifier] {
      try requireUnfinished(record)
      try requireRoom(byteCount: byteCount)
      renewLease(of: record, at: moment, into: &effects)
      return record
    }
    guard settings.registersOnPublish else { throw Self.unknown(identifier) }
    return try admit(
      TaskSnapshot(identifier: identifier, epoch: Epoch(text: ""), createdAt: moment.wall),
      byteCount: byteCount, isImplicit: true, random: &random, into: &effects)
  }

  /// A task that must exist and be unfinished.
  func unfinished(_ identifier: TaskIdentifier) throws(Problem) -> TaskRecord {
    guard let record = records[identifier] else { throw Self.unknown(identifier) }
    try requireUnfinished(record)
    return record
  }

  private mutating func admit(
    _ snapshot: TaskSnapshot, byteCount: Int, isImplicit: Bool, random: inout some RandomNumberGenerator,
    into effects: inout [TaskEffect]
  ) throws(Problem) -> TaskRecord {
    try requireRoom(byteCount: byteCount)
    if records.count >= settings.taskCountMax {
      guard evictFinished(into: &effects) else {
        throw Problem(.overCapacity, "\(records.count) tasks are unfinished, the most that this shard holds")
      }
    }
    var snapshot = snapshot
    snapshot.epoch = Epoch.random(using: &random)
    let record = TaskRecord(snapshot: snapshot, isImplicit: isImplicit, row: rows.take())
    insert(record)
    noteForParent(record)
    effects.append(.persist(isImplicit ? .progressed(record) : .registered(record)))
    return record
  }

  /// Enters a record into everything that is kept by task.
  mutating func insert(_ record: TaskRecord) {
    records[record.snapshot.identifier] = record
    insertInCreationOrder(record)
    countByStatus[Int(record.snapshot.status.rawValue)] += 1
    account(for: record)
  }

  private func requireUnfinished(_ record: TaskRecord) throws(Problem) {
    guard record.snapshot.status.isTerminal else { return }
    throw Problem(
      .taskFinished,
      "task \(record.snapshot.identifier.text) is \(record.snapshot.status.word) since "
        + "\(record.snapshot.finishedAt ?? record.snapshot.updatedAt)")
  }

  private func requireRoom(byteCount: Int) throws(Problem) {
    // Never overflows: the body that was parsed is in memory, and so is what is counted.
    guard snapshotByteCount + byteCount > settings.snapshotByteCountMax else { return }
    throw Problem(
      .overCapacity, "snapshots hold \(snapshotByteCount) bytes of \(settings.snapshotByteCountMax) on this shard")
  }

  static func unknown(_ identifier: TaskIdentifier) -> Problem {
    Problem(.taskNotFound, "task \(identifier.text) is unknown")
  }

  // MARK: bookkeeping

  mutating func setStatus(_ status: TaskStatus, of record: TaskRecord) {
    countByStatus[Int(record.snapshot.status.rawValue)] -= 1
    countByStatus[Int(status.rawValue)] += 1
    record.snapshot.status = status
  }

  /// Brings `snapshotByteCount` up to date after the record's snapshot was changed.
  mutating func account(for record: TaskRecord) {
    record.describedByteCount = record.countDescribed()
    accountForReport(to: record)
  }

  /// The same where nothing was changed but what a progress report changes.
  mutating func accountForReport(to record: TaskRecord) {
    let byteCount = record.describedByteCount + record.reportedByteCount
    snapshotByteCount += byteCount - record.snapshotByteCount
    record.snapshotByteCount = byteCount
  }

  /// Puts the event into the task's history, within both bounds.
  mutating func remember(_ event: TaskEvent, of record: TaskRecord) {
    historyByteCount -= record.history.byteCount
    record.history.append(event, eventCountMax: settings.historyEventCountMax)
    // The history must be gapless up to the head, so its oldest go, at worst the event itself.
    while record.history.count > 0, historyByteCount + record.history.byteCount > settings.historyByteCountMax {
      record.history.dropFirst()
    }
    historyByteCount += record.history.byteCount
  }

  mutating func remove(_ record: TaskRecord, into effects: inout [TaskEffect]) {
    let identifier = record.snapshot.identifier
    records[identifier] = nil
    record.isRemoved = true
    countByStatus[Int(record.snapshot.status.rawValue)] -= 1
    historyByteCount -= record.history.byteCount
    snapshotByteCount -= record.snapshotByteCount
    logByteCount -= record.log.byteCount
    record.log = TaskLog()
    record.family = nil
    noteForParent(record)
    record.history = TaskHistory()
    let records = self.records
    cancelDeadlines.compact(liveCount: records.count) { records[$0.key]?.cancelDeadline == $0.deadline }
    sweepLeases()
    if creationOrder.count > 2 * records.count + 1024 { creationOrder.removeAll { $0.isRemoved } }
    effects.append(.persist(.removed(record)))
    effects.append(.forgotten(identifier))
  }

  /// Makes room by the finished task that ended first; false where none is finished.
  private mutating func evictFinished(into effects: inout [TaskEffect]) -> Bool {
    while let entry = removalDeadlines.takeFirst() {
      guard let record = records[entry.key], record.removalDeadline == entry.deadline else { continue }
      remove(record, into: &effects)
      evictedCount += 1
      return true
    }
    return false
  }

  private mutating func insertInCreationOrder(_ record: TaskRecord) {
    // Time mostly goes forward, so this mostly appends, or inserts before the few of the same moment.
    let key = TaskSortKey(record.snapshot)
    var step = 1
    while step <= creationOrder.count, key > TaskSortKey(creationOrder[creationOrder.count - step].snapshot) {
      step *= 2
    }
    if step == 1 {
      creationOrder.append(record)
    } else {
      creationOrder.insert(record, at: countListed(after: key, atLeast: max(0, creationOrder.count - step)))
    }
  }

  /// How many records a listing shows after `key`: those at the front of the order of creation.
  /// - Parameter count: so many are known to be.
  func countListed(after key: TaskSortKey, atLeast count: Int = 0) -> Int {
    var low = count
    var high = creationOrder.count
    while low < high {
      let middle = (low + high) / 2
      if TaskSortKey(creationOrder[middle].snapshot) > key { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
