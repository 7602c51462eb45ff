package import Protocol

/// Cancelling is a request to the worker; the event `cancelled` follows its word, or its silence.
extension TaskDesk {
  /// Asks that a task be cancelled. Asked again, nothing changes, and the effect says so.
  ///
  /// `relaysUnknown`: with authentication off even an unknown task's request is relayed, as by the seed
  /// (contract §2.3). False is returned then, for the task is not known.
  @discardableResult
  package mutating func requestCancel(
    _ identifier: TaskIdentifier, user: UserIdentifier?, reason: JSONText?, relaysUnknown: Bool = false,
    at moment: Moment, into effects: inout [TaskEffect]
  ) throws(Problem) -> Bool {
    if relaysUnknown, records[identifier] == nil {
      effects.append(
        .cancelRequested(
          CancelRequest(
            task: identifier, user: user, reason: reason, requestedAt: moment.wall, isFirst: true,
            taskIsKnown: false)))
      return false
    }
    let record = try unfinished(identifier)
    let isFirst = !record.snapshot.cancelRequested
    if isFirst {
      record.snapshot.cancelRequested = true
      record.snapshot.updatedAt = moment.wall
      file(cancelOf: record, at: moment.monotonic + settings.cancelTimeout)
    }
    effects.append(
      .cancelRequested(
        CancelRequest(
          task: identifier, user: user, reason: reason, requestedAt: moment.wall, isFirst: isFirst,
          taskIsKnown: true)))
    if isFirst {
      effects.append(.persist(.cancelRequested(record)))
      cancelChildren(of: record, user: user, reason: reason, into: &effects)
    }
    return true
  }

  /// Until then the worker has time to acknowledge.
  mutating func file(cancelOf record: TaskRecord, at deadline: Double) {
    record.cancelDeadline = deadline
    cancelDeadlines.add(record.snapshot.identifier, deadline: deadline)
  }

  /// Until then a finished task is kept.
  mutating func file(removalOf record: TaskRecord, at deadline: Double) {
    record.removalDeadline = deadline
    removalDeadlines.add(record.snapshot.identifier, deadline: deadline)
  }

  /// `POST …/{id}/cancel/ack`: the worker has stopped, asked or not.
  package mutating func acknowledgeCancel(
    _ identifier: TaskIdentifier, given: [UInt8] = [], at moment: Moment, into effects: inout [TaskEffect]
  ) throws(Problem) -> PublishReceipt {
    let record = try unfinished(identifier)
    return finish(record, with: Ending(.cancelled, given: given), at: moment, into: &effects)
  }

  /// Works off what is due: cancels nobody acknowledged, leases, and finished tasks past their time. At most
  /// `TaskDeskSettings.expireCountMax` deadlines a call; `nextDeadline` says whether more is due.
  package mutating func expire(at moment: Moment, into effects: inout [TaskEffect]) {
    var ends = EndsOfTime(areDue: true, areKept: false)
    expire(at: moment, ends: &ends, into: &effects)
  }

  /// The same where ends may have to be put off, or be taken back.
  package mutating func expire(at moment: Moment, ends: inout EndsOfTime, into effects: inout [TaskEffect]) {
    var budget = TaskDeskSettings.expireCountMax
    while budget > 0, let entry = cancelDeadlines.takeDue(at: moment.monotonic) {
      budget -= 1
      guard let record = records[entry.key], record.cancelDeadline == entry.deadline else { continue }
      guard ends.areDue else {
        file(cancelOf: record, at: moment.monotonic + EndsOfTime.pauseSeconds)
        continue
      }
      if ends.areKept { ends.former.append(former(entry.key)) }
      var ending = Ending(.cancelled, given: [])
      ending.errorCode = .cancelTimeoutWord
      ending.given.appendMember("error_code", .cancelTimeoutWord)
      record.snapshot.errorCode = .cancelTimeoutWord
      _ = finish(record, with: ending, at: moment, into: &effects)
    }
    while budget > 0, let entry = leaseDeadlines.takeDue(at: moment.monotonic) {
      budget -= 1
      expireLease(entry, at: moment, ends: &ends, into: &effects)
    }
    while budget > 0, let entry = removalDeadlines.takeDue(at: moment.monotonic) {
      budget -= 1
      guard let record = records[entry.key], record.removalDeadline == entry.deadline else { continue }
      remove(record, into: &effects)
    }
  }
}
