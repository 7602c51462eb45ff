/// What is asked of tasks without changing them.
extension TaskDesk {
  /// As it is kept, without an estimate of its end.
  package func snapshot(of identifier: TaskIdentifier) -> TaskSnapshot? {
    records[identifier]?.snapshot
  }

  /// The owner and the viewers; none where the task is unknown.
  package func mayWatch(_ identifier: TaskIdentifier) -> [UserIdentifier] {
    guard let record = records[identifier] else { return [] }
    return (record.snapshot.owner.map { [$0] } ?? []) + record.snapshot.viewers
  }

  package func isFinished(_ identifier: TaskIdentifier) -> Bool {
    records[identifier]?.snapshot.status.isTerminal ?? false
  }

  /// False for an unknown one too.
  package func isUnfinished(_ identifier: TaskIdentifier) -> Bool {
    records[identifier].map { !$0.snapshot.status.isTerminal } ?? false
  }

  /// As it is shown at a moment.
  package func snapshot(of identifier: TaskIdentifier, at moment: Moment) -> TaskSnapshot? {
    records[identifier].map { shown($0, at: moment) }
  }

  /// The snapshot with the expected end, where that is credible.
  func shown(_ record: TaskRecord, at moment: Moment?) -> TaskSnapshot {
    var snapshot = record.snapshot
    guard let moment, snapshot.status == .running, !snapshot.stale,
      let estimate = record.rate.estimate(at: moment.monotonic)
    else { return snapshot }
    snapshot.eta = moment.wall + estimate.likely
    snapshot.etaEarliest = moment.wall + estimate.earliest
    snapshot.etaLatest = moment.wall + estimate.latest
    return snapshot
  }

  /// `GET …/{id}/events`: those held after the offset, oldest first; nil for an unknown task.
  package func events(
    of identifier: TaskIdentifier, after offset: Int, limit: Int
  ) -> (epoch: Epoch, events: [TaskEvent])? {
    guard let record = records[identifier] else { return nil }
    guard offset < record.snapshot.offset else { return (record.snapshot.epoch, []) }
    // A negative offset asks for all; the subtraction cannot overflow after the clamp.
    let wanted = record.snapshot.offset - max(offset, 0)
    openHistory(of: record)
    return (record.snapshot.epoch, record.history.events(last: wanted, limit: limit))
  }

  /// Reads a history that the store had, within the bound of all histories.
  private func openHistory(of record: TaskRecord) {
    guard record.history.isSealed else { return }
    historyByteCount -= record.history.byteCount
    record.history.open()
    while record.history.count > 0, historyByteCount + record.history.byteCount > settings.historyByteCountMax {
      record.history.dropFirst()
    }
    historyByteCount += record.history.byteCount
  }

  /// What a subscriber gets first, without an estimate of the end where no moment is given; in every case its next event is the one after the offset it was told.
  package func resume(
    _ identifier: TaskIdentifier, since position: EventPosition?, wait: Bool, at moment: Moment? = nil
  ) -> ResumeDecision {
    guard let record = records[identifier] else { return wait ? .waiting : .unknownTask }
    let snapshot = record.snapshot
    guard let position, position.epoch == snapshot.epoch, position.offset >= 0, position.offset <= snapshot.offset
    else { return .snapshot(shown(record, at: moment)) }
    let missed = snapshot.offset - position.offset
    if missed > 0 { openHistory(of: record) }
    guard missed <= record.history.count else { return .snapshot(shown(record, at: moment)) }
    return .replay(
      record.history.events(last: missed, limit: missed), epoch: snapshot.epoch, offset: position.offset)
  }
}

/// The answer to a subscription (contract §2.3, §4.2).
package enum ResumeDecision: Sendable {
  case unknownTask
  /// Unknown, and the subscriber waits: epoch null, offset 0, snapshot null.
  case waiting
  /// `recovered: true`, and then these events, which begin at `offset` + 1; none where nothing was missed.
  case replay([TaskEvent], epoch: Epoch, offset: Int)
  /// `recovered: false`.
  case snapshot(TaskSnapshot)
}
