import GatewayDomain
import Protocol

/// Mail for this shard's connections that is no task's event: each frame is queued by reference, nothing is encoded here.
extension Shard {
  /// A message that is no task's event: each connection gets it once, in however many of the target's topics it is.
  func receiveRelay(_ relay: Relay) {
    closeRuns()
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
      if let stream = relay.sse { fanOutToStreams(stream, of: task) }
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
    for place in 0..<topic.watchers.count where topic.watchers[place].audience.isNative {
      let slot = topic.watchers[place].slot
      let connection = unsafe connections.place(slot)
      guard unsafe connection.pointee.fanOutStamp != fanOutStamp, unsafe connection.pointee.phase == .open,
        unsafe connection.pointee.endpoint == .action
      else { continue }
      unsafe connection.pointee.fanOutStamp = fanOutStamp
      enqueue(slot, frame)
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
    closeRuns()
    guard let index = frames.admit(notice.frame) else { return }
    if let only = notice.only {
      if isCurrent(only), connections[only.slot].phase == .open { ask(only.slot, notice.callback, index) }
    } else {
      for key in notice.users.map({ TopicKey.user($0) }) + [.unnamed] {
        guard let topic = topics.topic(key) else { continue }
        for place in 0..<topic.watchers.count where connections[topic.watchers[place].slot].endpoint == .action {
          ask(topic.watchers[place].slot, notice.callback, index)
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
    closeRuns()
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
    if let topic = topics.topic(.user(user)) {
      for place in 0..<topic.watchers.count {
        let slot = topic.watchers[place].slot
        if let newcomer, let arrival = connections[slot].identity?.arrival, !arrival.isBefore(newcomer) { continue }
        // `EventSource` connects again whatever it is told.
        if newcomer != nil, connections[slot].endpoint == .sse { continue }
        if connections[slot].phase == .open { slots.append(slot) }
      }
    }
    for slot in slots { close(slot, code, reason) }
    reply(.connections(slots.count), to: address)
  }
}
