import GatewayDomain
import Protocol
import Synchronization

extension Shard {
  /// Runs turns until told to stop.
  func run() {
    while !isStopped {
      turn()
    }
  }

  /// One turn: wait, read, mail, time, effects, flush, reap. None calls an earlier one.
  func turn() {
    // 1. Wait.
    environment.wait(milliseconds: waitMilliseconds(), into: &ready)
    let startedAt = environment.monotonicNanoseconds()
    nowMilliseconds = Int64(startedAt / 1_000_000)
    nowWall = environment.wallSeconds()

    // 2. Read.
    for event in ready {
      switch event.token {
      case Environment.listenerToken: acceptConnections(isInternal: false)
      case Environment.internalListenerToken: acceptConnections(isInternal: true)
      case Environment.wakeToken: break
      default: handle(event, ConnectionToken(pollerToken: event.token))
      }
    }

    // 3. Mail.
    let taken = mailbox.drain(into: mailBlocks) { receive($0) }
    metrics.add(.mailboxBatches, taken.batches)
    metrics.add(.mailboxMessages, taken.messages)

    // 4. Time.
    expireTimers()

    writeBehind()

    // 5. Effects: what this shard sends itself, and requests that waited for an answer.
    for _ in 0..<ShardLimits.roundsPerTurnMax {
      resumeExchanges()
      announceChildren()
      guard settleLocalMail() else { break }
    }

    // 6. Flush.
    closeRuns()
    flushConnections()

    // 7. Reap.
    reap()
    flushOutboxes()
    if !ready.isEmpty {
      metrics.observe(.eventLoopIteration, nanoseconds: environment.monotonicNanoseconds() &- startedAt)
    }
    clock.value.store(nowMilliseconds, ordering: .relaxed)
    clock.connectionCount.store(connections.count, ordering: .relaxed)
  }

  /// Whether the next turn has something to do without anything happening outside.
  var hasWorkNow: Bool {
    !localMail.isEmpty || hasNewsForParents || !resumable.isEmpty || flushList.count > 0 || leftOver.count > 0
      || !condemned.isEmpty
  }

  /// Milliseconds that the next turn may wait for something to happen outside.
  func waitMilliseconds() -> Int32 {
    deskDeadline = nextDeskDeadline()
    return hasWorkNow ? 0 : idleWaitMilliseconds()
  }

  /// Handles the mail to itself that is there now; false where there was none.
  private func settleLocalMail() -> Bool {
    guard !localMail.isEmpty else { return false }
    var mail: [ShardMessage] = []
    swap(&mail, &localMail)
    for message in mail { receive(message) }
    return true
  }

  func flushOutboxes() {
    store?.flush()
    for outbox in outboxes { outbox.flush() }
  }

  @inline(__always)
  private func handle(_ event: ReadyEvent, _ token: ConnectionToken) {
    guard isCurrent(token) else { return }
    let slot = token.slot
    if event.isWritable {
      connections[slot].awaitsWritable = false
      updatePolling(slot)
      mark(slot)
    }
    if event.isReadable || event.isBroken { readConnection(token, isBroken: event.isBroken && !event.isReadable) }
  }

  /// Reads what has arrived, within the turn's budget.
  private func readConnection(_ token: ConnectionToken, isBroken: Bool) {
    let slot = token.slot
    let connection = unsafe connections.place(slot)
    if unsafe connection.pointee.isReadPaused, !isBroken { return }
    for _ in 0..<ShardLimits.readsPerTurnMax {
      switch unsafe environment.receive(connection.pointee.descriptor, into: receiveBuffer) {
      case .moved(let count):
        metrics.add(.receivedBytes, count)
        unsafe connection.pointee.lastReceivedAt = nowMilliseconds
        unsafe received(connection, slot, byteCount: count)
        guard count == ShardLimits.receiveByteCount, unsafe isCurrent(connection, token),
          unsafe !connection.pointee.isReadPaused
        else { return }
      case .wouldBlock: return
      case .ended: return peerEnded(slot)
      case .failed: return release(slot)
      }
    }
  }

  @inline(__always)
  private func received(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32, byteCount: Int) {
    switch unsafe connection.pointee.phase {
    case .http: receivedHTTP(slot, byteCount: byteCount)
    case .open, .closing: unsafe receivedFrames(connection, slot, byteCount: byteCount)
    case .flushing, .free: break
    }
  }

  private func peerEnded(_ slot: Int32) {
    if connections[slot].phase == .http, let exchange = connections[slot].exchange,
      exchange.isAwaitingAnswer || resumable.contains(token(of: slot))
    {
      // A client may end its half and still read the answers to what it has asked.
      exchange.peerEnded = true
      pauseReading(slot)
      return
    }
    if connections[slot].phase == .flushing, connections[slot].pendingByteCount > 0 {
      // The last answer has left in part.
      pauseReading(slot)
      return
    }
    if connections[slot].phase == .http, connections[slot].pendingByteCount > 0 {
      connections[slot].phase = .flushing
      pauseReading(slot)
      schedule(slot, in: ShardLimits.closingMilliseconds)
      return
    }
    release(slot)
  }

  func updatePolling(_ slot: Int32) {
    environment.rewatch(
      connections[slot].descriptor, token: token(of: slot).pollerToken, readable: !connections[slot].isReadPaused,
      writable: connections[slot].awaitsWritable)
  }

  func pauseReading(_ slot: Int32) {
    guard !connections[slot].isReadPaused else { return }
    connections[slot].isReadPaused = true
    updatePolling(slot)
  }

  func resumeReading(_ slot: Int32) {
    guard connections[slot].isReadPaused else { return }
    connections[slot].isReadPaused = false
    updatePolling(slot)
  }
}
