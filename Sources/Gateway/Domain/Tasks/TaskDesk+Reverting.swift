/// A task as it was before a command that may have to be taken back.
package struct FormerTask {
  package let identifier: TaskIdentifier
  /// Nil where there was none.
  let snapshot: TaskSnapshot?
  let cancelDeadline: Double?
  let leaseDeadline: Double
  /// Whether the command registers it. Unlike after an end, much may have happened to the task since.
  let isRegistered: Bool
}

/// Ends that nobody publishes: of cancels that nobody acknowledged, and of leases.
package struct EndsOfTime {
  /// False while the store takes nothing: an end that could not be kept is put off.
  package let areDue: Bool
  /// Whether the tasks are to be remembered as they were.
  package let areKept: Bool
  /// What became of it.
  package var former: [FormerTask] = []

  /// Seconds for which an end is put off.
  static let pauseSeconds = 1.0

  package init(areDue: Bool, areKept: Bool) {
    self.areDue = areDue
    self.areKept = areKept
  }
}

/// An end that could not be stored is taken back: nobody was told of it, and who published it is told to try again. So is a
/// new task; what is left of it would be run, or stay open for ever, beside the one of the second try.
extension TaskDesk {
  /// To be kept until the end, or the registration, that comes next is durable.
  package func former(_ identifier: TaskIdentifier, isRegistered: Bool = false) -> FormerTask {
    let record = records[identifier]
    return FormerTask(
      identifier: identifier, snapshot: record?.snapshot, cancelDeadline: record?.cancelDeadline,
      leaseDeadline: record?.leaseDeadline ?? .infinity, isRegistered: isRegistered)
  }

  /// Undoes an end: nothing can have happened to the task since, for an end is final. Undoes a registration where nothing has.
  package mutating func revert(to former: FormerTask, into effects: inout [TaskEffect]) {
    guard let record = records[former.identifier] else { return }
    if former.isRegistered {
      if former.snapshot == nil, record.isAsRegistered { remove(record, into: &effects) }
      return
    }
    guard record.snapshot.status.isTerminal else { return }
    guard let snapshot = former.snapshot else { return remove(record, into: &effects) }
    // Where the command itself was refused there is nothing to undo.
    guard !snapshot.status.isTerminal, snapshot.epoch == record.snapshot.epoch else { return }
    historyByteCount -= record.history.byteCount
    record.history.dropLast()
    historyByteCount += record.history.byteCount
    setStatus(snapshot.status, of: record)
    record.snapshot = snapshot
    record.removalDeadline = nil
    if let deadline = former.cancelDeadline { file(cancelOf: record, at: deadline) }
    if former.leaseDeadline.isFinite {
      record.leaseDeadline = former.leaseDeadline
      fileLease(of: record, at: former.leaseDeadline)
    }
    noteForParent(record)
    account(for: record)
    effects.append(.persist(.reverted(record)))
  }
}

extension TaskRecord {
  /// Whether nobody has reported on it, asked for its cancel or made it a parent.
  fileprivate var isAsRegistered: Bool {
    snapshot.status == .pending && snapshot.offset == 0 && !snapshot.cancelRequested && log.count == 0 && family == nil
  }
}
