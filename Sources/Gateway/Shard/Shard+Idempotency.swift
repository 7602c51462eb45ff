import GatewayDomain
import Protocol

/// A request with an `Idempotency-Key` on its way to what it asks for: who answers it knows what to keep.
struct IdempotencyTicket: Sendable {
  let token: IdempotencyToken
  let bodyDigest: IdempotencyToken
  let row: Int64
  let pending: PendingAnswer
}

/// A request that waits to hear whether it is the first with its key.
final class ClaimedCall {
  let call: RestCall
  let bearer: Credentials.Bearer
  let token: IdempotencyToken
  let bodyDigest: IdempotencyToken

  init(call: RestCall, bearer: Credentials.Bearer, token: IdempotencyToken, bodyDigest: IdempotencyToken) {
    self.call = call
    self.bearer = bearer
    self.token = token
    self.bodyDigest = bodyDigest
  }
}

/// A command to a key's home.
enum IdempotencyCommand: Sendable {
  case claim(IdempotencyToken, bodyDigest: IdempotencyToken)
  case complete(IdempotencyToken, IdempotencyOutcome)
  case abandon(IdempotencyToken)
}

/// `Idempotency-Key`: a request that comes again is answered as the first was (contract §3).
///
/// The key's home says who is first. What the first request comes to is kept by the home that carries it out, in the same
/// transaction as the deed: there is no moment at which one is durable without the other.
extension Shard {
  /// The request's key, where it has one and its call honours it; nil otherwise.
  func idempotencyKey(_ exchange: HTTPExchange, _ call: RestCall) -> Range<Int>? {
    guard call.honoursIdempotencyKey else { return nil }
    let headBytes = exchange.headBytes
    return exchange.head.first("idempotency-key", in: headBytes.span)
  }

  /// Asks the key's home before the call is carried out.
  func claim(
    _ slot: Int32, _ exchange: HTTPExchange, _ call: RestCall, _ bearer: Credentials.Bearer, key: Range<Int>
  ) {
    guard key.count >= 1, key.count <= IdempotencyLimits.keyByteCountMax else {
      return respond(
        slot,
        problem: Problem(
          .badRequest,
          "Idempotency-Key has \(key.count) bytes, must have 1 to \(IdempotencyLimits.keyByteCountMax)"))
    }
    let headBytes = exchange.headBytes
    let bytes = headBytes.span
    func copy(_ range: Range<Int>) -> [UInt8] { Array(bytes.extracting(range)) }
    // A publisher's token is renewed now and then: its name stays.
    let credential =
      bearer.principal.subject.map { Array($0.text.utf8) } ?? bearerToken(exchange.head, bytes).map { copy($0) } ?? []
    let token = SecureDigest.make(of: [credential, copy(exchange.head.path), copy(key)])
    let query = exchange.head.query.map { copy($0) } ?? []
    // How long an answer is waited for is no part of what is asked.
    let body = SecureDigest.make(of: call.isWaiting ? [exchange.body] : [exchange.body, query])
    let claimed = ClaimedCall(
      call: call, bearer: bearer, token: IdempotencyToken(high: token.high, low: token.low),
      bodyDigest: IdempotencyToken(high: body.high, low: body.low))
    exchange.claimed = claimed
    exchange.pending = .claim
    connections[slot].deadline = nowMilliseconds + ShardLimits.answerMilliseconds
    post(
      .idempotency(
        .claim(claimed.token, bodyDigest: claimed.bodyDigest),
        from: .exchange(shard: index, self.token(of: slot), request: exchange.requestNumber)),
      to: shared.home(of: claimed.token))
  }

  /// The key's home has answered.
  func continueClaimed(_ slot: Int32, _ exchange: HTTPExchange, _ answer: Answer) {
    guard let claimed = exchange.claimed else { return }
    exchange.claimed = nil
    exchange.pending = .none
    guard case .claim(let claim, _) = answer else {
      if case .problem(let problem) = answer { respond(slot, problem: problem) }
      return
    }
    switch claim {
    case .first(let row):
      exchange.ticket = IdempotencyTicket(
        token: claimed.token, bodyDigest: claimed.bodyDigest, row: row, pending: .none)
      perform(slot, exchange, claimed.call, claimed.bearer)
    case .replay(let outcome): replay(slot, exchange, claimed, outcome)
    case .mismatch:
      respond(
        slot,
        problem: Problem(
          .idempotencyMismatch, "this Idempotency-Key was used with another body; use a fresh key for another request"))
    case .underWay, .full:
      respond(
        slot, problem: Problem(.overCapacity, "too many requests with an Idempotency-Key are under way, try again"))
    }
  }

  /// Answers as the first request was answered. A question's answer may have come since: it is asked for.
  private func replay(
    _ slot: Int32, _ exchange: HTTPExchange, _ claimed: ClaimedCall, _ outcome: IdempotencyOutcome
  ) {
    if case .openConfirmation = claimed.call, let object = StoredObject(outcome.body),
      let callback = object.string("callback_id")
    {
      return findAgain(slot, exchange, CallbackIdentifier(text: callback))
    }
    respond(
      slot, status: outcome.status, contentType: "application/json", body: outcome.body,
      extraFields: [(name: "Idempotency-Replayed", value: "true")])
  }

  // MARK: At the key's home

  func receiveIdempotencyCommand(_ command: IdempotencyCommand, from address: ReplyAddress) {
    var removed: [Int64] = []
    switch command {
    case .claim(let token, let bodyDigest):
      let claim = idempotencyDesk.claim(token, bodyDigest: bodyDigest, at: moment, removed: &removed)
      if claim == .underWay, idempotencyWaiters[token, default: []].count < ShardLimits.waitersPerAnswerMax {
        idempotencyWaiters[token, default: []].append((address, bodyDigest))
      } else {
        reply(.claim(claim, token), to: address)
      }
    case .complete(let token, let outcome):
      idempotencyDesk.complete(token, outcome, at: moment, removed: &removed)
      claimAgain(token)
    case .abandon(let token):
      idempotencyDesk.abandon(token)
      claimAgain(token)
    }
    forget(removed)
  }

  /// The first request has ended: whoever waited asks again.
  private func claimAgain(_ token: IdempotencyToken) {
    guard let waiters = idempotencyWaiters.removeValue(forKey: token) else { return }
    for (address, bodyDigest) in waiters {
      receiveIdempotencyCommand(.claim(token, bodyDigest: bodyDigest), from: address)
    }
  }

  func expireIdempotencyKeys() {
    var removed: [Int64] = []
    idempotencyDesk.expire(at: moment, removed: &removed)
    forget(removed)
  }

  private func forget(_ rows: [Int64]) {
    guard let store else { return }
    for row in rows { store.add(.remove(.idempotency, key: row), isAwaited: false) }
  }

  // MARK: Where the request is carried out

  /// Keeps what a request with a key came to, in the batch of the deed itself.
  func record(_ answer: Answer, for address: ReplyAddress) {
    guard let store, case .idempotent(_, _, _, let ticket) = address, let outcome = outcome(of: answer, ticket) else {
      return
    }
    let record = IdempotencyRecord(
      token: ticket.token, bodyDigest: ticket.bodyDigest, outcome: outcome, row: ticket.row, createdAt: nowWall)
    store.add(
      .put(
        .idempotency, key: ticket.row, name: ticket.token.text, record: IdempotencyCodec.encode(record)),
      isAwaited: true)
  }

  /// The deed did not become durable: its record must not either.
  func forgetRecord(for address: ReplyAddress) {
    guard let store, case .idempotent(_, _, _, let ticket) = address else { return }
    store.add(.remove(.idempotency, key: ticket.row), isAwaited: false)
  }

  /// Tells the key's home what the request came to: a failure leaves the key free.
  func endClaim(_ answer: Answer, for address: ReplyAddress) {
    guard case .idempotent(_, _, _, let ticket) = address else { return }
    if let outcome = outcome(of: answer, ticket) {
      post(.idempotency(.complete(ticket.token, outcome), from: .none), to: shared.home(of: ticket.token))
    } else {
      post(.idempotency(.abandon(ticket.token), from: .none), to: shared.home(of: ticket.token))
    }
  }

  private func outcome(of answer: Answer, _ ticket: IdempotencyTicket) -> IdempotencyOutcome? {
    guard let rendered = AnswerBodies.render(answer, as: ticket.pending, now: nowWall), rendered.status < 300 else {
      return nil
    }
    return IdempotencyOutcome(status: rendered.status, body: rendered.body)
  }
}

/// Bounds of idempotency keys.
enum IdempotencyLimits {
  static let keyByteCountMax = 255
}

extension RestCall {
  /// Every POST that creates or finishes something (contract §3).
  var honoursIdempotencyKey: Bool {
    switch self {
    case .registerTask, .complete, .error, .cancel, .cancelMany, .acknowledgeCancel, .createExecution,
      .openConfirmation,
      .broadcast, .channel, .sendMessage, .publish:
      true
    default: false
    }
  }

  /// Whether its query only says how long its answer is waited for.
  var isWaiting: Bool {
    if case .openConfirmation = self { return true }
    return false
  }
}
