/// What bounds a shard's confirmations. Counts and byte counts are per shard.
package struct ConfirmationDeskSettings: Sendable {
  /// Seconds a question may stay open: a week.
  package var timeoutMax = 604_800.0
  package var pendingCountMax = 100_000
  /// More open questions than anyone can answer mean a publisher in a loop.
  package var pendingCountPerUserMax = 1000
  /// Bytes of the open questions' JSON.
  package var pendingByteCountMax = 256 << 20
  /// Seconds that a resolved confirmation stays findable, so that retries get its outcome.
  package var resolvedSecondsMax = 86_400.0
  /// Resolved ones that stay findable; the oldest goes first.
  package var resolvedCountMax = 100_000
  /// Bytes of the resolved ones' feedback.
  package var resolvedByteCountMax = 64 << 20

  package init() {}

  /// Deadlines worked off per call of `expire`, so that a turn stays short; the next turn goes on.
  package static let expireCountMax = 1024
}
