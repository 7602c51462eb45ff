import GatewayDomain
import Protocol

/// Phase 4: what is due. One wheel entry per connection; activity only writes `lastReceivedAt`.
extension Shard {
  /// Milliseconds until the first deadline of anything here, at least 1, at most `ShardLimits.idleMilliseconds`.
  func idleWaitMilliseconds() -> Int32 {
    var next = nowMilliseconds + ShardLimits.idleMilliseconds
    if let entry = wheel.nextMilliseconds { next = min(next, entry) }
    next = min(
      next, Self.milliseconds(ofMonotonic: deskDeadline), acceptAgainAt, statusRepeatAt, nextWriteBehindAt)
    // What the cache holds is good for its tick only.
    if !openings.isEmpty { next = min(next, (openingsTick + 1) * TimerWheel.tickMilliseconds) }
    // What is due already and was left over, because an expiry does only so much in a turn, has a turn of its own.
    return Int32(max(1, next - nowMilliseconds))
  }

  /// The first millisecond at or after a moment of the desks' clock.
  private static func milliseconds(ofMonotonic seconds: Double) -> Int64 {
    // A deadline that cannot be reached in this machine's life is none.
    seconds < 1e15 ? Int64((seconds * 1000).rounded(.up)) : .max
  }

  /// Sets the connection's deadline relative to now.
  func schedule(_ slot: Int32, in milliseconds: Int64) {
    connections[slot].deadline = nowMilliseconds + milliseconds
    file(slot)
  }

  /// Makes sure that a wheel entry comes up at the connection's next deadline or before.
  func file(_ slot: Int32) {
    let wanted = min(connections[slot].deadline, connections[slot].closeAt)
    guard wanted < connections[slot].filedAt else { return }
    // Beyond the wheel's round the entry comes up earlier, and is filed again then.
    connections[slot].filedAt = wheel.file(
      TimerWheel.Entry(slot: slot, generation: connections[slot].generation), deadlineMilliseconds: wanted)
  }

  func expireTimers() {
    due.removeAll(keepingCapacity: true)
    let tick = nowMilliseconds / TimerWheel.tickMilliseconds
    if tick != openingsTick {
      openingsTick = tick
      openings.empty()
    }
    wheel.advance(nowMilliseconds: nowMilliseconds, into: &due)
    for entry in due {
      guard isCurrent(ConnectionToken(slot: entry.slot, generation: entry.generation)) else { continue }
      let slot = entry.slot
      // A newer entry stands for this connection: this one is left over from an earlier deadline.
      if connections[slot].filedAt > nowMilliseconds { continue }
      connections[slot].filedAt = .max
      if min(connections[slot].deadline, connections[slot].closeAt) <= nowMilliseconds { expire(slot) }
      if isCurrent(ConnectionToken(slot: entry.slot, generation: entry.generation)) { file(slot) }
    }
    expireDesks()
    if nowMilliseconds >= acceptAgainAt {
      acceptAgainAt = .max
      environment.setAccepting(true)
    }
    repeatStatus()
  }

  private func expire(_ slot: Int32) {
    switch connections[slot].phase {
    case .free: break
    case .http: expireExchange(slot)
    case .open:
      if connections[slot].closeAt <= nowMilliseconds {
        connections[slot].closeAt = .max
        close(slot, .normal, "finished")
      } else if connections[slot].endpoint == .sse {
        expireStream(slot)
      } else {
        checkLiveness(slot)
      }
    // The peer did not answer our close frame, or does not take our last bytes.
    case .closing, .flushing: release(slot)
    }
  }

  private func expireExchange(_ slot: Int32) {
    guard let exchange = connections[slot].exchange else { return release(slot) }
    switch exchange.state {
    case .readingHead where !exchange.requestHasBegun: release(slot)
    case .readingHead, .readingBody:
      exchange.keepsAlive = false
      respond(
        slot,
        problem: Problem(
          .requestTimeout,
          "the request did not arrive within \(ShardLimits.requestMilliseconds / 1000) s of its first byte"))
    case .awaitingAnswer:
      exchange.keepsAlive = false
      // A handshake or a stream that has not opened, and now never will.
      giveBackPlace(slot)
      respond(slot, problem: Problem(.internalError, "no answer in time"))
    }
  }

  /// A ping after `ping-interval` of silence; `ping-timeout` after it without a byte, the peer is gone (contract §2.4).
  private func checkLiveness(_ slot: Int32) {
    let configuration = shared.configuration
    let interval = configuration.pingInterval.milliseconds
    if let identity = connections[slot].identity, identity.expiresAt + configuration.jwtLeeway.seconds <= nowWall {
      close(slot, .policyViolation, "Token expired")
      return
    }
    if connections[slot].pingIsOut {
      // The ping went at deadline − timeout.
      let pingedAt = connections[slot].deadline - configuration.pingTimeout.milliseconds
      if connections[slot].lastReceivedAt < pingedAt {
        close(slot, .internalError, "keepalive ping timeout")
        return
      }
      connections[slot].pingIsOut = false
    }
    let silence = nowMilliseconds - connections[slot].lastReceivedAt
    if silence >= interval {
      connections[slot].pingIsOut = true
      send(slot, .frame(.ping, []))
      metrics.add(.frames(.ping, .sent))
      connections[slot].deadline = nowMilliseconds + configuration.pingTimeout.milliseconds
    } else {
      connections[slot].deadline = connections[slot].lastReceivedAt + interval
    }
    boundByExpiry(slot)
  }

  /// A token's end is looked at in time, and announced a minute before to clients that know the message. The end has
  /// the leeway that the opening had, or a token let in by it would be put out at once.
  func boundByExpiry(_ slot: Int32) {
    guard let identity = connections[slot].identity, identity.expiresAt.isFinite else { return }
    let left = identity.expiresAt - nowWall
    guard left < Double(Int32.max) else { return }
    // The other dialects have no word for it, and no `refresh` to answer with.
    let knowsMessage = connections[slot].speaksNative && connections[slot].endpoint == .action
    if knowsMessage, left <= TokenLifetime.announcedSeconds, !identity.expiryIsAnnounced {
      identity.expiryIsAnnounced = true
      send(slot, .text(ActionDialect.tokenExpiring(expiresAt: identity.expiresAt)))
    }
    let next =
      identity.expiryIsAnnounced || !knowsMessage
      ? left + shared.configuration.jwtLeeway.seconds : left - TokenLifetime.announcedSeconds
    let due = nowMilliseconds + Int64(max(next, 0) * 1000) + 1
    // A ping that is out keeps its deadline: it is what tells a late answer from none.
    if due < connections[slot].deadline, !connections[slot].pingIsOut { connections[slot].deadline = due }
  }

  private func repeatStatus() {
    guard nowMilliseconds >= statusRepeatAt, let interval = shared.configuration.statusInterval?.milliseconds else {
      return
    }
    statusRepeatAt = nowMilliseconds + interval
    topics.forEachTopic { topic in
      guard case .task(let task) = topic.key,
        topic.has(.execution) || topic.has(.executionCompressed)
      else { return }
      post(.repeatStatus(task, shard: index), to: shared.home(of: task))
    }
  }
}

/// When a connection's credentials end.
enum TokenLifetime {
  /// Seconds before the end at which `token_expiring` is sent.
  static let announcedSeconds = 60.0
}
