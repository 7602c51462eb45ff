package import Protocol

/// Parents and children, which may live at different homes: what a child comes to is told to its parent's desk once a
/// turn, and a cancel goes the other way.
extension TaskDesk {
  /// Puts the task among those whose parents must hear of them. Nothing is appended for each report: the last one before
  /// `takeChangedChildren` counts.
  @inline(__always)
  mutating func noteForParent(_ record: TaskRecord) {
    if record.hasParent { list(record) }
  }

  private mutating func list(_ record: TaskRecord) {
    guard !record.isListedForParent else { return }
    record.isListedForParent = true
    changedChildren.append(record)
  }

  package var hasChangedChildren: Bool { !changedChildren.isEmpty }

  /// What the parents' homes are to be told since the last call; one change for each child.
  package mutating func takeChangedChildren() -> [ChildChange] {
    var changes: [ChildChange] = []
    changes.reserveCapacity(changedChildren.count)
    for record in changedChildren {
      record.isListedForParent = false
      guard let parent = record.snapshot.parent else { continue }
      changes.append(
        ChildChange(
          parent: parent, child: record.snapshot.identifier, progress: record.snapshot.progressValue,
          weight: record.weight, status: record.snapshot.status, isRemoved: record.isRemoved))
    }
    changedChildren.removeAll(keepingCapacity: changedChildren.count <= TaskDeskSettings.expireCountMax)
    return changes
  }

  /// Children have changed. A parent that is unknown or finished takes no notice. One event follows, however many of its
  /// children there are, and only where the parent's progress shows something new, which is also what ends a circle of
  /// parents.
  package mutating func takeChildren(_ changes: [ChildChange], at moment: Moment, into effects: inout [TaskEffect]) {
    var parents: [TaskRecord] = []
    for change in changes {
      guard let record = records[change.parent], !record.snapshot.status.isTerminal,
        take(change, on: record, into: &effects), !record.awaitsProgressOfParts
      else { continue }
      record.awaitsProgressOfParts = true
      parents.append(record)
    }
    for record in parents {
      record.awaitsProgressOfParts = false
      showProgressOfParts(of: record, at: moment, into: &effects)
    }
  }

  /// False where nothing has changed.
  private mutating func take(
    _ change: ChildChange, on record: TaskRecord, into effects: inout [TaskEffect]
  ) -> Bool {
    let family = family(of: record)
    if change.isRemoved { return family.removeChild(change.child) }
    let isNew = !family.hasChild(change.child)
    // One too many is a task like any other, but does not count for its parent.
    guard !isNew || family.childCount < settings.childCountMax else { return false }
    family.setChild(
      change.child, to: TaskPart(weight: change.weight, progress: change.progress),
      isFinished: change.status.isTerminal)
    if isNew, record.snapshot.cancelRequested, !change.status.isTerminal {
      // It came after the cancel that it is meant by too.
      effects.append(.cancelChildren(ChildrenCancel(children: [change.child], user: nil, reason: nil)))
    }
    switch change.status {
    case .running, .completed, .failed: family.hasBegun = true
    // A child that was cancelled need not have run.
    case .pending, .cancelled: break
    }
    return true
  }

  private mutating func showProgressOfParts(
    of record: TaskRecord, at moment: Moment, into effects: inout [TaskEffect]
  ) {
    guard takeProgressOfParts(of: record, at: moment) else { return }
    // With the event, so that no status changes unheard.
    if record.family?.hasBegun == true { start(record, at: moment) }
    noteForParent(record)
    // Its worker has said nothing: a stale task stays stale.
    let isStale = record.snapshot.stale
    takeOffset(record, at: moment)
    record.snapshot.stale = isStale
    var given: [UInt8] = []
    given.appendMember("progress", record.snapshot.progress)
    let event = TaskEvent(
      task: record.snapshot.identifier, epoch: record.snapshot.epoch, offset: record.snapshot.offset, kind: .progress,
      occurredAt: moment.wall, given: given, progress: record.snapshot.progress,
      statusWord: record.snapshot.statusText ?? "\(record.snapshot.status.word)")
    remember(event, of: record)
    accountForReport(to: record)
    effects.append(.deliver(event, after: record))
    effects.append(.persist(.progressed(record)))
  }

  /// The parent's cancel has been requested. What is unknown, finished or asked already is left alone, which ends a circle
  /// of parents.
  package mutating func requestCancelByParent(
    _ identifier: TaskIdentifier, user: UserIdentifier?, reason: JSONText?, at moment: Moment,
    into effects: inout [TaskEffect]
  ) {
    guard let record = records[identifier], !record.snapshot.status.isTerminal, !record.snapshot.cancelRequested
    else { return }
    // It is unfinished, so nothing is thrown.
    _ = try? requestCancel(identifier, user: user, reason: reason, at: moment, into: &effects)
  }

  func cancelChildren(
    of record: TaskRecord, user: UserIdentifier?, reason: JSONText?, into effects: inout [TaskEffect]
  ) {
    guard let children = record.family?.unfinishedChildren, !children.isEmpty else { return }
    effects.append(.cancelChildren(ChildrenCancel(children: children, user: user, reason: reason)))
  }
}

/// Children whose cancel is to be requested, each at its home.
package struct ChildrenCancel: Sendable, Equatable {
  package let children: [TaskIdentifier]
  package let user: UserIdentifier?
  package let reason: JSONText?
}
