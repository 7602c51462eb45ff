import Protocol

/// Leases: a worker's promise to report within `lease_seconds`, which runs from its first report on (contract §1, §6).
extension TaskDesk {
  /// The worker has been heard of. The new deadline is only written down: the queue's entry comes up at an earlier one,
  /// and is filed again then.
  @inline(__always)
  mutating func renewLease(of record: TaskRecord, at moment: Moment, into effects: inout [TaskEffect]) {
    guard let seconds = record.snapshot.leaseSeconds else { return }
    record.leaseDeadline = moment.monotonic + seconds
    if record.leaseDeadline < record.leaseFiledAt { fileLease(of: record, at: record.leaseDeadline) }
    if record.snapshot.stale {
      record.snapshot.stale = false
      effects.append(.persist(.progressed(record)))
    }
  }

  mutating func fileLease(of record: TaskRecord, at deadline: Double) {
    record.leaseFiledAt = deadline
    leaseDeadlines.add(record.snapshot.identifier, deadline: deadline)
    sweepLeases()
  }

  /// A short lease that is missed and renewed again and again leaves an entry for the end of each grace.
  mutating func sweepLeases() {
    let records = self.records
    leaseDeadlines.compact(liveCount: records.count) { records[$0.key]?.leaseFiledAt == $0.deadline }
  }

  /// One entry of the queue has come up: the lease was renewed since, or it is missed, or the grace after it is over.
  mutating func expireLease(
    _ entry: DeadlineQueue<TaskIdentifier>.Entry, at moment: Moment, ends: inout EndsOfTime,
    into effects: inout [TaskEffect]
  ) {
    guard let record = records[entry.key], record.leaseFiledAt == entry.deadline else { return }
    record.leaseFiledAt = .infinity
    guard !record.snapshot.status.isTerminal, let seconds = record.snapshot.leaseSeconds else { return }
    guard record.leaseDeadline <= moment.monotonic else { return fileLease(of: record, at: record.leaseDeadline) }
    let end = record.leaseDeadline + settings.leaseGrace
    if end > moment.monotonic {
      record.snapshot.stale = true
      effects.append(.persist(.progressed(record)))
      return fileLease(of: record, at: end)
    }
    guard ends.areDue else { return fileLease(of: record, at: moment.monotonic + EndsOfTime.pauseSeconds) }
    if ends.areKept { ends.former.append(former(entry.key)) }
    let error = JSONText(
      string: "the worker has not reported for \(Self.shown(seconds + settings.leaseGrace)) s, its lease was "
        + "\(Self.shown(seconds)) s")
    record.snapshot.error = error
    record.snapshot.errorCode = .workerLostWord
    var ending = Ending(.error, given: [])
    ending.error = error
    ending.errorCode = .workerLostWord
    ending.given.appendMember("error", error)
    ending.given.appendMember("error_code", .workerLostWord)
    _ = finish(record, with: ending, at: moment, into: &effects)
  }

  /// Seconds, whole ones without a fraction.
  private static func shown(_ seconds: Double) -> String {
    Int(exactly: seconds).map { "\($0)" } ?? "\(seconds)"
  }
}

extension JSONText {
  static let workerLostWord = JSONText(normalised: Array("\"worker_lost\"".utf8))
}
