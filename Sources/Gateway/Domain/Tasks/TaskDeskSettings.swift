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
  /// Seconds from a missed lease to the end of its task (`--lease-grace`).
  package var leaseGrace = 30.0
  /// Nodes of one task: every report adds up all of them.
  package var nodeCountMax = 1024
  /// Children that count for one task's progress; further ones are tasks like any other.
  package var childCountMax = 1024
  /// Lines kept of one task's log.
  package var logLineCountMax = 1000
  /// Bytes kept of one task's log.
  package var logByteCountMax = 256 << 10
  /// Bytes of all logs together. A task that would pass it drops its own oldest lines.
  package var allLogsByteCountMax = 64 << 20
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
