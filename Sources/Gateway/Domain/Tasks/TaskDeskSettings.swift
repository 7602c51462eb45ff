/// What bounds a shard's tasks. The counts and byte counts are per shard.
package struct TaskDeskSettings: Sendable {
  /// Events kept per task for resuming (`--history-events`).
  package var historyEventCountMax = 256
  /// Bytes of all histories together. A task that would pass it drops its own oldest events, which costs
  /// only a resume by offset: the subscriber gets the snapshot instead.
  package var historyByteCountMax = 256 << 20
  /// Seconds a finished task is kept after its end (`--history-ttl`).
  package var historySecondsMax = 86_400.0
  /// Seconds from a cancel request to the event `cancelled` without the worker's word (`--cancel-timeout`).
  package var cancelTimeout = 60.0
  /// Whether a publish to an unknown name registers the task (`--register-on-publish`).
  package var registersOnPublish = true
  /// Tasks held. At the bound the finished task that ended first makes room; without one: `over_capacity`.
  package var taskCountMax = 1_000_000
  /// Bytes of JSON in all snapshots together; a report that might pass it is refused with `over_capacity`.
  package var snapshotByteCountMax = 1 << 30

  package init() {}

  /// Deadlines worked off per call of `expire`, so that a turn stays short; the next turn goes on.
  package static let expireCountMax = 1024
  /// Tasks of a page, whatever `limit` asks.
  package static let listCountMax = 1000
  /// Tasks looked at per call of `list`: a filter that matches little gives a short page with a cursor.
  package static let listScanCountMax = 20_000
}
