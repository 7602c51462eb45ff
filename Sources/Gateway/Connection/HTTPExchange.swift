import Protocol

/// A connection's HTTP state: the request that is arriving, or the one that waits for its answer. Given up at the upgrade.
final class HTTPExchange {
  enum State {
    case readingHead
    case readingBody
    /// A request went to its home shard; further requests wait their turn (RFC 9112 §9.3.2).
    case awaitingAnswer
  }

  var state = State.readingHead
  /// Bytes received and not yet consumed: `inbound[consumed...]`.
  var inbound: [UInt8] = []
  var consumed = 0
  var parser = RequestParser()
  var head = RequestHead()
  /// The head's own bytes, which `head`'s ranges mean, kept while the body arrives.
  var headBytes: [UInt8] = []
  var decoder: BodyDecoder?
  var body: [UInt8] = []
  /// Rises with every request, so that a late answer is recognised.
  var requestNumber: UInt32 = 0
  /// What the answer to the pending request is rendered as.
  var pending = PendingAnswer.none
  /// What the request publishes, for its metrics.
  var operation: OperationLabel?
  /// The handshake that waits for its task's home.
  var candidate: UpgradeCandidate?
  /// The request asks whether it is the first with its `Idempotency-Key`.
  var claimed: ClaimedCall?
  /// It is, and its answer has not come yet.
  var ticket: IdempotencyTicket?
  var keepsAlive = true
  var isHead = false
  /// The peer does not read its answers: further requests wait until those have left.
  var isHeldBack = false
  /// The peer ended its half: answer what is pending, then close.
  var peerEnded = false
  /// Milliseconds of the shard's clock, for the request's duration.
  var startedAt: Int64 = 0
  /// True once any byte of the present request has arrived.
  var requestHasBegun = false

  var isAwaitingAnswer: Bool {
    if case .awaitingAnswer = state { return true }
    return false
  }

  /// Drops what is consumed, when that is cheap.
  func compact() {
    if consumed == inbound.count {
      inbound.removeAll(keepingCapacity: inbound.capacity <= 16_384)
      consumed = 0
    } else if consumed > 32_768 {
      inbound.removeFirst(consumed)
      consumed = 0
    }
  }
}
