import Protocol

/// A task in its desk: an object, so that a report mutates it in place after one look into the table.
///
/// Only the desk changes it, and the desk has one owner, who alone sees it.
package final class TaskRecord {
  package internal(set) var snapshot: TaskSnapshot
  var history = TaskHistory()
  /// Registered by a publish: the first registration by name fills in owner, viewers and the rest.
  var isImplicit: Bool
  /// Monotonic seconds; nil where no cancel is pending.
  var cancelDeadline: Double?
  /// Monotonic seconds; nil while unfinished.
  var removalDeadline: Double?
  /// Gone from the table; its place in the order of creation waits for the next sweep.
  var isRemoved = false
  /// The snapshot's share of the desk's `snapshotByteCount`.
  var snapshotByteCount = 0

  init(snapshot: TaskSnapshot, isImplicit: Bool) {
    self.snapshot = snapshot
    self.isImplicit = isImplicit
  }
}

extension TaskSnapshot {
  /// Bytes of the JSON and text that peers chose.
  var byteCount: Int {
    var count = progress.bytes.count + (statusText?.utf8.count ?? 0)
    count += (current?.bytes.count ?? 0) + (total?.bytes.count ?? 0) + (message?.bytes.count ?? 0)
    count += (details?.bytes.count ?? 0) + (result?.bytes.count ?? 0) + (error?.bytes.count ?? 0)
    count += (errorCode?.bytes.count ?? 0) + (metadata?.bytes.count ?? 0) + (weight?.bytes.count ?? 0)
    count += (title?.utf8.count ?? 0) + (kind?.utf8.count ?? 0)
    // The names are bounded; counting them as full spares a walk per report.
    return count + (viewers.count + dependsOn.count) * TaskIdentifier.characterCountMax
  }
}
