import GatewayDomain
import Protocol

/// What subscribers are told first, encoded once for all that come at about the same time: a thousand that reconnect, or
/// one that asks a thousand times, share the same frames. Emptied every tick, so it costs memory only while it helps.
struct OpeningCache {
  private struct SnapshotFrame {
    let offset: Int
    let updatedAt: Double
    let epoch: Epoch
    let cancelRequested: Bool
    let stale: Bool
    let frame: SharedFrame

    /// Within one turn the time stands still, so what changes without an offset is looked at too.
    func shows(_ snapshot: TaskSnapshot) -> Bool {
      offset == snapshot.offset && updatedAt == snapshot.updatedAt && epoch == snapshot.epoch
        && cancelRequested == snapshot.cancelRequested && stale == snapshot.stale
    }
  }

  private struct Key: Hashable {
    let task: TaskIdentifier
    let kind: WatchRequest.Key
  }

  private var snapshots: [Key: SnapshotFrame] = [:]
  private var events: [Key: [EventPosition: SharedFrame]] = [:]

  /// The frame of a snapshot; `encode` makes it where the last one is of another state.
  mutating func snapshot(
    _ snapshot: TaskSnapshot, for kind: WatchRequest.Key, encode: () -> SharedFrame
  ) -> SharedFrame {
    let key = Key(task: snapshot.identifier, kind: kind)
    if let known = snapshots[key], known.shows(snapshot) { return known.frame }
    let frame = encode()
    snapshots[key] = SnapshotFrame(
      offset: snapshot.offset, updatedAt: snapshot.updatedAt, epoch: snapshot.epoch,
      cancelRequested: snapshot.cancelRequested, stale: snapshot.stale, frame: frame)
    return frame
  }

  /// The frame of an event that is replayed. An event never changes.
  mutating func event(_ event: TaskEvent, for kind: WatchRequest.Key, encode: () -> SharedFrame) -> SharedFrame {
    let key = Key(task: event.task, kind: kind)
    let position = EventPosition(epoch: event.epoch, offset: event.offset)
    if let known = events[key]?[position] { return known }
    let frame = encode()
    events[key, default: [:]][position] = frame
    return frame
  }

  var isEmpty: Bool { snapshots.isEmpty && events.isEmpty }

  mutating func empty() {
    guard !isEmpty else { return }
    snapshots.removeAll(keepingCapacity: true)
    events.removeAll(keepingCapacity: true)
  }
}
