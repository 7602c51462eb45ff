import GatewayDomain
import Protocol

/// Mail for this shard's connections: each frame is queued by reference, nothing is encoded here.
extension Shard {
  func receiveDelivery(_ delivery: TaskDelivery) {
    guard let topic = topics.topic(.task(delivery.task)) else { return }
    let native = delivery.native.flatMap { frames.admit($0) }
    let task = delivery.taskDialect.flatMap { frames.admit($0) }
    let execution = delivery.execution.flatMap { frames.admit($0) }
    if !delivery.isRepeat { topic.newest = delivery }
    for place in topic.watchers.indices {
      let watcher = topic.watchers[place]
      let frame: Int32?
      let isMeant: Bool
      switch watcher.audience {
      case .native, .nativeCompressed: (frame, isMeant) = (native, delivery.native != nil)
      case .task, .taskCompressed: (frame, isMeant) = (task, delivery.taskDialect != nil)
      case .execution, .executionCompressed: (frame, isMeant) = (execution, delivery.execution != nil)
      }
      guard let frame else {
        // Where the pool had no room for the event the connection goes: nobody would notice the gap.
        if isMeant { condemn(watcher.slot, .slowConsumer) }
        continue
      }
      if !delivery.isTerminal, isBehind(watcher.slot) {
        // A newer state supersedes this one: whoever does not keep up gets the newest when it is ready for it.
        topic.watchers[place].isLagging = true
        connections[watcher.slot].lags = true
        metrics.add(.eventsConflated)
        continue
      }
      topic.watchers[place].offset = delivery.offset
      topic.watchers[place].isLagging = false
      if watcher.isLagging, let whole = delivery.native, watcher.audience.isNative {
        send(watcher.slot, whole.skipping(delivery.offset - watcher.offset - 1))
      } else {
        enqueue(watcher.slot, frame)
      }
    }
    metrics.observe(.broadcastFanout, Double(topic.watchers.count))
    if delivery.isTerminal { endDialects(of: topic) }
    if let native { frames.settle(native) }
    if let task { frames.settle(task) }
    if let execution { frames.settle(execution) }
  }

  /// True where state events are held back: the kernel refused bytes, and more than a share of the limit waits already.
  private func isBehind(_ slot: Int32) -> Bool {
    connections[slot].awaitsWritable
      && Int(connections[slot].pendingByteCount) * ShardLimits.conflationShare
        > shared.configuration.sendBufferByteCount
  }

  /// The queue has left: the newest state of every task that the connection lags behind of.
  func catchUp(_ slot: Int32) {
    connections[slot].lags = false
    topics.lagging(listHead: connections[slot].subscriptionHead) { topic, place in
      topic.watchers[place].isLagging = false
      guard let newest = topic.newest, newest.offset > topic.watchers[place].offset else { return }
      let skipped = newest.offset - topic.watchers[place].offset - 1
      topic.watchers[place].offset = newest.offset
      switch topic.watchers[place].audience {
      case .native, .nativeCompressed: if let frame = newest.native { send(slot, frame.skipping(skipped)) }
      case .task, .taskCompressed: if let frame = newest.taskDialect { send(slot, frame) }
      case .execution, .executionCompressed: if let frame = newest.execution { send(slot, frame) }
      }
    }
  }

  /// After a terminal event the execution dialect closes at once, the task dialect after `--terminal-grace`.
  private func endDialects(of topic: LocalTopic) {
    var finished: [Int32] = []
    for watcher in topic.watchers {
      switch watcher.audience {
      case .native, .nativeCompressed: break
      case .task, .taskCompressed: closeAfterGrace(watcher.slot)
      case .execution, .executionCompressed: finished.append(watcher.slot)
      }
    }
    for slot in finished { close(slot, .normal, "finished") }
  }

  func closeAfterGrace(_ slot: Int32) {
    connections[slot].closeAt = nowMilliseconds + shared.configuration.terminalGrace.milliseconds
    file(slot)
  }

  /// A message that is no task's event: each connection gets it once, in however many of the target's topics it is.
  func receiveRelay(_ relay: Relay) {
    guard let index = frames.admit(relay.frame) else {
      reply(.connections(0), to: relay.from)
      return
    }
    fanOutStamp &+= 1
    var count = 0
    switch relay.target {
    case .everyone: count += fanOutToEveryone(index)
    case .user(let user):
      count += fanOut(index, to: .user(user))
      count += fanOut(index, to: .unnamed)
    case .unnamed: count += fanOut(index, to: .unnamed)
    case .channel(let channel): count += fanOut(index, to: .channel(channel))
    case .watchers(let task, let user, let andUnnamed):
      count += fanOut(index, to: .task(task))
      if let user { count += fanOut(index, to: .user(user)) }
      if andUnnamed { count += fanOut(index, to: .unnamed) }
    }
    frames.settle(index)
    reply(.connections(count), to: relay.from)
  }

  /// Queues a frame for the native connections of a topic that this fan-out has not reached yet.
  private func fanOut(_ frame: Int32, to key: TopicKey) -> Int {
    guard let topic = topics.topic(key) else { return 0 }
    var count = 0
    for watcher in topic.watchers where watcher.audience == .native || watcher.audience == .nativeCompressed {
      guard connections[watcher.slot].fanOutStamp != fanOutStamp, connections[watcher.slot].phase == .open,
        connections[watcher.slot].endpoint == .action
      else { continue }
      connections[watcher.slot].fanOutStamp = fanOutStamp
      enqueue(watcher.slot, frame)
      count += 1
    }
    return count
  }

  /// Queues a frame for every connection of the action dialect: the slab is walked, so that no connection carries a
  /// subscription for it.
  private func fanOutToEveryone(_ frame: Int32) -> Int {
    var count = 0
    for slot in 0..<Int32(connections.placeCount)
    where connections[slot].phase == .open && connections[slot].endpoint == .action {
      enqueue(slot, frame)
      count += 1
    }
    return count
  }

  // MARK: Confirmations

  /// Asks a question of those who have not been asked it yet.
  func receiveQuestion(_ notice: ConfirmationNotice) {
    guard let index = frames.admit(notice.frame) else { return }
    if let only = notice.only {
      if isCurrent(only), connections[only.slot].phase == .open { ask(only.slot, notice.callback, index) }
    } else {
      for key in [TopicKey.user(notice.user), .unnamed] {
        guard let topic = topics.topic(key) else { continue }
        for watcher in topic.watchers where connections[watcher.slot].endpoint == .action {
          ask(watcher.slot, notice.callback, index)
        }
      }
    }
    frames.settle(index)
  }

  private func ask(_ slot: Int32, _ callback: CallbackIdentifier, _ frame: Int32) {
    guard connections[slot].phase == .open, asked[callback, default: []].insert(token(of: slot)).inserted else {
      return
    }
    identity(of: slot).asked.insert(callback)
    enqueue(slot, frame)
  }

  /// Tells the outcome to those who were asked and know the message.
  func receiveOutcome(_ callback: CallbackIdentifier, _ frame: SharedFrame) {
    guard let tokens = asked.removeValue(forKey: callback) else { return }
    for token in tokens where isCurrent(token) { connections[token.slot].identity?.asked.remove(callback) }
    guard let index = frames.admit(frame) else { return }
    for token in tokens where isCurrent(token) && connections[token.slot].speaksNative {
      enqueue(token.slot, index)
    }
    frames.settle(index)
  }

  // MARK: Closing a user's connections

  func closeConnections(
    of user: UserIdentifier, newcomer: UserArrival?, _ code: CloseCode, _ reason: String, from address: ReplyAddress
  ) {
    var slots: [Int32] = []
    for watcher in topics.topic(.user(user))?.watchers ?? [] {
      if let newcomer, let arrival = connections[watcher.slot].identity?.arrival, !arrival.isBefore(newcomer) {
        continue
      }
      if connections[watcher.slot].phase == .open { slots.append(watcher.slot) }
    }
    for slot in slots { close(slot, code, reason) }
    reply(.connections(slots.count), to: address)
  }
}
