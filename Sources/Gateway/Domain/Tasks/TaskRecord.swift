import Protocol

/// A task in its desk: an object, so that a report mutates it in place after one look into the table.
///
/// Only the desk changes it, and the desk has one owner, who alone sees it.
package final class TaskRecord {
  package internal(set) var snapshot: TaskSnapshot
  package internal(set) var history = TaskHistory()
  /// Registered by a publish: the first registration by name fills in owner, viewers and the rest.
  package internal(set) var isImplicit: Bool
  /// Monotonic seconds; nil where no cancel is pending.
  var cancelDeadline: Double?
  /// Monotonic seconds; nil while unfinished.
  var removalDeadline: Double?
  /// The row in which the store keeps it.
  package let row: Int64
  /// It is on the list of those that are written at the next tick. Kept by who writes.
  package var isDirty = false
  /// The store has the whole history of a task that is finished. Kept by who writes.
  package var isHistoryStored = false
  /// Gone from the table; its place in the order of creation waits for the next sweep.
  var isRemoved = false
  /// Nodes and children; nil while there are none.
  var family: TaskFamily?
  /// What it weighs in its parent's progress.
  var weight = 1.0
  private(set) var hasParent = false
  /// On the desk's list of children whose parents must hear of them.
  var isListedForParent = false
  /// A child has changed, and the progress is to be added up anew.
  var awaitsProgressOfParts = false
  package internal(set) var log = TaskLog()
  var rate = TaskRate()
  /// Monotonic seconds by which the worker must report; infinite where no lease runs.
  var leaseDeadline = Double.infinity
  /// Monotonic seconds of the earliest entry of the queue that stands for the lease; infinite for none.
  var leaseFiledAt = Double.infinity
  /// The snapshot's share of the desk's `snapshotByteCount`.
  var snapshotByteCount = 0
  /// What of it a progress report cannot change, as it was when all of it was counted last.
  var describedByteCount = 0
  /// Of all nodes.
  var nodeByteCount = 0

  init(snapshot: TaskSnapshot, isImplicit: Bool, row: Int64 = 0) {
    self.snapshot = snapshot
    self.isImplicit = isImplicit
    self.row = row
    nodeByteCount = snapshot.nodes.reduce(0) { $0 + $1.byteCount }
    readDescription()
  }

  /// Takes over what the snapshot's description says and every report asks.
  func readDescription() {
    hasParent = snapshot.parent != nil
    weight = snapshot.weight?.double ?? 1
  }
}

/// Bytes of the JSON and text that peers chose. Counted field by field on the record: asking the snapshot itself would copy
/// it, and with it a reference for each of its fields.
extension TaskRecord {
  /// Of the fields that a progress report changes.
  var reportedByteCount: Int {
    var count = snapshot.progress.byteCount + (snapshot.statusText?.utf8.count ?? 0)
    count += (snapshot.current?.byteCount ?? 0) + (snapshot.total?.byteCount ?? 0)
    count += (snapshot.message?.byteCount ?? 0) + (snapshot.details?.byteCount ?? 0)
    return count + (snapshot.result?.byteCount ?? 0)
  }

  /// Of all others.
  func countDescribed() -> Int {
    var count = (snapshot.error?.byteCount ?? 0) + (snapshot.errorCode?.byteCount ?? 0)
    count += (snapshot.metadata?.byteCount ?? 0) + (snapshot.weight?.byteCount ?? 0)
    count += (snapshot.title?.utf8.count ?? 0) + (snapshot.kind?.utf8.count ?? 0)
    count += nodeByteCount
    // The names are bounded; counting them as full spares a walk.
    return count + (snapshot.viewers.count + snapshot.dependsOn.count) * TaskIdentifier.characterCountMax
  }
}
