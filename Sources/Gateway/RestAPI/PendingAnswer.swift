/// How the answer of a home shard is rendered to the HTTP client that waits for it.
enum PendingAnswer: Sendable {
  case none
  /// Whether the request is the first with its `Idempotency-Key`.
  case claim
  /// A handshake, which the answer lets in or refuses.
  case upgrade
  /// An event stream, which the answer begins or refuses.
  case stream
  /// 202 with epoch, offset and `cancel_requested`.
  case accepted
  /// 200 with epoch and offset.
  case finished
  /// 200, or 201 when it was made now.
  case task
  case execution
  /// 201.
  case createdExecution
  case events
  case page
  /// 202 `cancel_requested: true`.
  case cancel
  case heartbeat
  /// 200 with what was accepted and what was not.
  case batch
  /// 201 when opened, 200 when read.
  case confirmation
  /// 200 with whom a message to a user reached, in the shape that one with an acknowledgement has too.
  case userMessage
}
