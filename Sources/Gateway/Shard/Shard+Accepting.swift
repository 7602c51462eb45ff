import GatewayDomain
import Protocol
import Synchronization

extension Shard {
  /// Takes the peers that wait in the listener's queue.
  func acceptConnections(isInternal: Bool) {
    for _ in 0..<ShardLimits.acceptsPerTurnMax {
      switch environment.accept(isInternal: isInternal) {
      case .accepted(let descriptor, let peer): adopt(descriptor, peer, isInternal: isInternal)
      case .wouldBlock: return
      case .descriptorsExhausted:
        metrics.add(.acceptErrors(.processDescriptors))
        // The reserve descriptor lets a waiting peer see a closed connection rather than nothing at all. Where even
        // that fails the listener rests a moment: a level-triggered listener would spin.
        var discarded = 0
        while discarded < ShardLimits.acceptsPerTurnMax, environment.acceptAndDiscard(isInternal: isInternal) {
          discarded += 1
        }
        metrics.add(.handshakesRejected(.descriptorLimit), discarded)
        restAccepting()
        return
      case .failed:
        metrics.add(.acceptErrors(.other))
        restAccepting()
        return
      }
    }
  }

  private func restAccepting() {
    environment.setAccepting(false)
    acceptAgainAt = nowMilliseconds + ShardLimits.acceptPauseMilliseconds
  }

  private func adopt(_ descriptor: Int32, _ peer: InternetAddress, isInternal: Bool) {
    guard let slot = connections.take() else {
      environment.close(descriptor)
      return
    }
    // The generation rose when the slot was given back; 0 is never used, so that a zeroed token means nobody.
    if connections[slot].generation == 0 { connections[slot].generation = 1 }
    connections[slot].descriptor = descriptor
    connections[slot].phase = .http
    connections[slot].peer = peer
    connections[slot].isInternal = isInternal
    connections[slot].lastReceivedAt = nowMilliseconds
    guard environment.watch(descriptor, token: token(of: slot).pollerToken, readable: true, writable: false) else {
      release(slot)
      return
    }
    schedule(slot, in: ShardLimits.requestMilliseconds)
  }

  /// Ends a connection at once: subscriptions, queue, counts, descriptor, slot. Not while a topic's watchers are walked.
  func release(_ slot: Int32) {
    guard connections[slot].phase != .free else { return }
    let token = token(of: slot)
    leaveTopics(slot)
    dropQueue(slot, keepingHead: false)
    if connections[slot].isCounted { leave(slot) }
    if connections[slot].isInCensus {
      shared.census.leave(address: connections[slot].peer, user: connections[slot].identity?.principal.subject)
    }
    if connections[slot].readsCompressed { shared.compressedReaders.subtract(1, ordering: .relaxed) }
    if connections[slot].isParked { shared.parkedConnections.subtract(1, ordering: .relaxed) }
    for callback in connections[slot].identity?.asked ?? [] {
      asked[callback]?.remove(token)
      if asked[callback]?.isEmpty == true { asked[callback] = nil }
    }
    environment.close(connections[slot].descriptor)
    // A fresh value, so that nothing of this connection can reach the next one in the slot.
    let generation = connections[slot].generation &+ 1
    connections[slot] = Connection()
    connections[slot].generation = generation == 0 ? 1 : generation
    connections.give(slot)
  }

  /// Takes a WebSocket off the counts.
  private func leave(_ slot: Int32) {
    shared.activeConnections.subtract(1, ordering: .relaxed)
    // A handshake that ended before it was answered never opened.
    guard connections[slot].phase != .http else { return }
    metrics.socketClosed(
      connections[slot].endpoint, code: connections[slot].closeCode, byUs: connections[slot].closedByUs)
  }

  /// Carries out the sentences of this turn.
  func reap() {
    guard !condemned.isEmpty else { return }
    var list: [Condemned] = []
    swap(&list, &condemned)
    for entry in list where isCurrent(entry.token) {
      switch entry.sentence {
      case .drop: release(entry.token.slot)
      case .slowConsumer, .tooManySubscriptions:
        let slot = entry.token.slot
        connections[slot].isCondemned = false
        switch connections[slot].phase {
        case .open:
          dropQueue(slot, keepingHead: true)
          close(slot, .tryAgainLater, entry.sentence.reason)
        // An answer is missing: what would follow could not be told apart.
        case .http: release(slot)
        // Its last word is queued already.
        case .closing, .flushing, .free: break
        }
      }
    }
    flushConnections()
  }
}
