/// A task as the store had it.
package struct StoredTask: Sendable {
  package var snapshot: TaskSnapshot
  package var row: Int64
  package var isImplicit: Bool
  /// The terminal event of a task that is finished.
  package var end: TaskEvent?
  /// The last events, gapless up to the snapshot's offset; where the store has them.
  package var history: SealedEvents?
  /// The last lines of the log, likewise up to the snapshot's `logOffset`.
  package var log: [TaskLogLine] = []

  package init(snapshot: TaskSnapshot, row: Int64, isImplicit: Bool) {
    self.snapshot = snapshot
    self.row = row
    self.isImplicit = isImplicit
  }
}

/// What the store had at the start.
extension TaskDesk {
  /// Makes room for so many tasks at once.
  package mutating func reserve(taskCount: Int) {
    records.reserveCapacity(taskCount)
    creationOrder.reserveCapacity(taskCount)
  }

  /// Puts a task back, with the deadlines that it has: they run anew, because the time of a stop is nobody's fault.
  ///
  /// - Parameter wasStoppedCleanly: otherwise events of a task that is not finished may have been told and lost: it begins
  ///   a new numbering, so that no place in the old one ever means two events.
  package mutating func restore(
    _ stored: StoredTask, wasStoppedCleanly: Bool, at moment: Moment, random: inout some RandomNumberGenerator,
    into effects: inout [TaskEffect]
  ) {
    guard records[stored.snapshot.identifier] == nil else { return }
    let record = TaskRecord(snapshot: stored.snapshot, isImplicit: stored.isImplicit, row: stored.row)
    record.snapshot.stale = false
    record.snapshot.eta = nil
    let isFinished = stored.snapshot.status.isTerminal
    if !isFinished, !wasStoppedCleanly {
      record.snapshot.epoch = Epoch.random(using: &random)
      record.snapshot.offset = 0
    }
    insert(record)
    noteForParent(record)
    if isFinished || wasStoppedCleanly { restoreHistory(of: record, from: stored) }
    if let finishedAt = record.snapshot.finishedAt, isFinished {
      // A wall clock that was set back meanwhile does not keep it for longer.
      let age = max(0, moment.wall - finishedAt)
      file(removalOf: record, at: moment.monotonic + max(0, settings.historySecondsMax - age))
    } else {
      if record.snapshot.cancelRequested { file(cancelOf: record, at: moment.monotonic + settings.cancelTimeout) }
      // Its worker may be gone with what went: a whole lease to say that it is not.
      if record.snapshot.status == .running { renewLease(of: record, at: moment, into: &effects) }
    }
    restore(stored.log, of: record)
    // Also where no offset is known to have been lost: after an orderly stop the old numbering must not come back.
    if record.snapshot.epoch != stored.snapshot.epoch { effects.append(.persist(.progressed(record))) }
  }

  private mutating func restoreHistory(of record: TaskRecord, from stored: StoredTask) {
    record.isHistoryStored = record.snapshot.status.isTerminal && stored.history != nil
    if let sealed = stored.history, sealed.count <= settings.historyEventCountMax,
      historyByteCount + sealed.byteCount <= settings.historyByteCountMax
    {
      record.history = TaskHistory(sealed)
      historyByteCount += sealed.byteCount
      return
    }
    let events = stored.history?.open() ?? stored.end.map { [$0] } ?? []
    guard events.last?.offset == record.snapshot.offset else { return }
    for event in events { remember(event, of: record) }
  }

  private mutating func restore(_ lines: [TaskLogLine], of record: TaskRecord) {
    guard let newest = lines.last, newest.offset == record.snapshot.logOffset else { return }
    for line in lines { record.log.append(line, lineCountMax: settings.logLineCountMax) }
    logByteCount += record.log.byteCount
  }

  /// Every record, in no order: for who writes all of them at the end.
  package func forEachRecord(_ body: (TaskRecord) -> Void) {
    for record in records.values { body(record) }
  }
}
