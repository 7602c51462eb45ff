import GatewayDomain
import Protocol
import Synchronization

/// What clients of the action dialect ask for (contract §2.3): topics, answers to questions, cancels, new tokens.
extension Shard {
  func receivedAction(_ slot: Int32, _ message: Span<UInt8>) {
    switch ActionDialect.parse(message) {
    case .ping(let original): answer(slot, .text(ActionDialect.pong(original: original, now: nowWall)))
    case .subscribe(let topics): subscribe(slot, topics)
    case .unsubscribe(let topics): unsubscribe(slot, topics)
    case .confirm(let callback, let proceed, let feedback):
      let address = ReplyAddress.socket(shard: index, token(of: slot), about: .callback(callback.text))
      guard let hash = CallbackIdentifier.userHash(of: callback) else {
        if connections[slot].speaksNative {
          answer(slot, .text(ActionDialect.confirmationResult(callback, .unknown)))
        }
        return
      }
      forward(
        slot,
        .confirmation(
          .answer(callback, proceed: proceed, feedback: feedback, principal: principal(of: slot)), from: address),
        to: shared.home(ofUserHash: hash))
    case .cancel(let task, let user, let reason): cancel(slot, task: task, user: user, reason: reason)
    case .ack(let message):
      guard let hash = MessageIdentifier.userHash(of: message) else { return }
      let user = connections[slot].identity?.user
      post(.message(.acknowledge(message, user: user), from: .none), to: shared.home(ofUserHash: hash))
    case .refresh(let token): refresh(slot, token)
    case .unknown(let action): answer(slot, .text(ActionDialect.unknownAction(action, now: nowWall)))
    case .invalidJSON: answer(slot, .text(ActionDialect.invalidJSON(now: nowWall)))
    case .nothing: break
    }
  }

  /// Answers at once, or after what was asked before and is still at its homes.
  func answer(_ slot: Int32, _ frame: SharedFrame) {
    guard connections[slot].unansweredCount > 0 else { return send(slot, frame) }
    deferStep(slot, identity(of: slot), .answer(frame))
  }

  /// Sends a command to its home; `commandAnswered` follows exactly once. Behind an answer that waits it waits too.
  func forward(_ slot: Int32, _ message: ShardMessage, to home: Int) {
    if let identity = connections[slot].identity, !identity.deferredSteps.isEmpty {
      return deferStep(slot, identity, .command(message, home: home))
    }
    connections[slot].unansweredCount += 1
    post(message, to: home)
  }

  private func deferStep(_ slot: Int32, _ identity: ConnectionIdentity, _ step: DeferredStep) {
    guard identity.deferredSteps.count < SubscriptionLimits.deferredAnswerCountMax else {
      return condemn(slot, .slowConsumer)
    }
    identity.deferredSteps.append(step)
  }

  /// The home has answered: what waited for it may go, up to the next answer that must wait for a command.
  func commandAnswered(_ slot: Int32) {
    guard connections[slot].unansweredCount > 0 else { return }
    connections[slot].unansweredCount -= 1
    guard connections[slot].unansweredCount == 0, let identity = connections[slot].identity else { return }
    defer { if identity.isBlank { connections[slot].identity = nil } }
    // The answer may have closed the connection: after our close frame nothing follows.
    guard connections[slot].phase == .open else {
      identity.deferredSteps = []
      return
    }
    var done = 0
    steps: for step in identity.deferredSteps {
      switch step {
      case .answer(let frame):
        if connections[slot].unansweredCount > 0 { break steps }
        send(slot, frame)
      case .command(let message, let home):
        connections[slot].unansweredCount += 1
        post(message, to: home)
      }
      done += 1
    }
    identity.deferredSteps.removeFirst(done)
    if identity.deferredSteps.isEmpty { identity.deferredSteps = [] }
  }

  /// The connection's identity, made where it had none.
  func identity(of slot: Int32) -> ConnectionIdentity {
    if let known = connections[slot].identity { return known }
    let made = ConnectionIdentity()
    connections[slot].identity = made
    return made
  }

  func principal(of slot: Int32) -> Principal {
    connections[slot].identity?.principal ?? .anonymous
  }

  func sendError(_ slot: Int32, _ message: String, _ key: ActionKey? = nil) {
    answer(slot, .text(ActionDialect.error(message, now: nowWall, key: key)))
  }

  private func subscribe(_ slot: Int32, _ named: ActionTopics) {
    if let user = named.user { becomeUser(slot, user) }
    if let channel = named.channel { subscribe(slot, channel: channel) }
    if let task = named.task { subscribe(slot, task: task, as: .task, named) }
    if let execution = named.execution { subscribe(slot, task: execution, as: .execution, named) }
  }

  /// With authentication on a connection is its token's user's; with it off it may name one (contract §2.3).
  private func becomeUser(_ slot: Int32, _ text: String) {
    let identity = identity(of: slot)
    guard let user = UserIdentifier(validating: text) else {
      return sendError(slot, "forbidden", .user(text))
    }
    if shared.isAuthenticationRequired {
      guard identity.principal.subject == user else { return sendError(slot, "forbidden", .user(text)) }
      answer(slot, .text(ActionDialect.subscriptionConfirmed(.user(text))))
      return
    }
    guard connections[slot].namedUserCount < SubscriptionLimits.namedUserCountMax || identity.user == user else {
      return sendError(slot, "Too many subscriptions", .user(text))
    }
    answer(slot, .text(ActionDialect.subscriptionConfirmed(.user(text))))
    guard identity.user != user else { return }
    connections[slot].namedUserCount += 1
    if let former = identity.user {
      _ = topics.unsubscribe(from: .user(former), listHead: &connections[slot].subscriptionHead)
    } else {
      _ = topics.unsubscribe(from: .unnamed, listHead: &connections[slot].subscriptionHead)
    }
    identity.user = user
    enter(slot, .user(user))
  }

  /// Puts a connection among a user's, or among those without a name, and has it asked what is pending.
  func enter(_ slot: Int32, _ key: TopicKey) {
    let audience: Audience = connections[slot].readsCompressed ? .nativeCompressed : .native
    guard topics.subscribe(slot, to: key, audience: audience, listHead: &connections[slot].subscriptionHead) else {
      return condemn(slot, .tooManySubscriptions)
    }
    let token = token(of: slot)
    switch key {
    case .user(let user):
      if connections[slot].endpoint == .action {
        let resend = ShardMessage.confirmation(.resend(user, shard: index, token), from: .none)
        // A question that its task's viewers may answer has its home at the user who was named.
        if shared.sharedQuestions.load(ordering: .relaxed) > 0 {
          postToAll(resend)
        } else {
          post(resend, to: shared.home(of: user))
        }
      }
      if shared.configuration.isSingleConnectionPerUser, connections[slot].endpoint != .sse {
        let arrival = UserArrival(nanoseconds: environment.monotonicNanoseconds(), shard: index, slot: slot)
        connections[slot].identity?.arrival = arrival
        postToAll(
          .closeUser(user, newcomer: arrival, .replaced, reason: "Replaced by a newer connection", from: .none))
      }
    case .unnamed:
      for shard in 0..<shared.shardCount {
        // What is asked here from now on reaches the newcomer as one of the topic.
        if shard == index, !Self.hasPending(&confirmationDesk) { continue }
        post(.confirmation(.resend(nil, shard: index, token), from: .none), to: shard)
      }
    case .channel, .task: break
    }
  }

  private func subscribe(_ slot: Int32, channel text: String) {
    guard let channel = ChannelName(validating: text) else {
      return sendError(slot, "the channel must be \(ChannelName.rule)", .channel(text))
    }
    let key = TopicKey.channel(channel)
    if topics.audience(of: key, listHead: connections[slot].subscriptionHead) == nil {
      guard mayAddSubscription(slot) else { return sendError(slot, "Too many subscriptions", .channel(text)) }
      enter(slot, key)
    }
    answer(slot, .text(ActionDialect.subscriptionConfirmed(.channel(text))))
  }

  private func mayAddSubscription(_ slot: Int32) -> Bool {
    guard connections[slot].subscriptionCount < SubscriptionLimits.perConnectionCountMax else { return false }
    connections[slot].subscriptionCount += 1
    return true
  }

  private func subscribe(_ slot: Int32, task text: String, as key: WatchRequest.Key, _ named: ActionTopics) {
    let actionKey: ActionKey = key == .execution ? .execution(text) : .task(text)
    guard let task = TaskIdentifier(validating: text) else { return sendError(slot, "Task not found", actionKey) }
    guard mayAddSubscription(slot) else { return sendError(slot, "Too many subscriptions", actionKey) }
    // Who follows the task already, or will in a moment, would see what it asks for twice: it gets the snapshot.
    let since = named.since != nil && isFollowing(slot, task) ? nil : named.since
    identity(of: slot).pendingWatches[task, default: PendingWatch()].count += 1
    forward(
      slot,
      .watch(
        WatchRequest(
          task: task, audience: connections[slot].readsCompressed ? .nativeCompressed : .native, key: key,
          since: since, wait: named.wait, principal: principal(of: slot), shard: index,
          connection: token(of: slot))), to: shared.home(of: task))
  }

  private func isFollowing(_ slot: Int32, _ task: TaskIdentifier) -> Bool {
    if let pending = connections[slot].identity?.pendingWatches[task], pending.count > pending.withdrawnCount {
      return true
    }
    return topics.audience(of: .task(task), listHead: connections[slot].subscriptionHead) != nil
  }

  private func unsubscribe(_ slot: Int32, _ named: ActionTopics) {
    if let text = named.user {
      // With authentication on the connection stays its user's: that is who it is.
      if !shared.isAuthenticationRequired, let identity = connections[slot].identity,
        let user = UserIdentifier(validating: text), identity.user == user
      {
        _ = topics.unsubscribe(from: .user(user), listHead: &connections[slot].subscriptionHead)
        identity.user = nil
        enter(slot, .unnamed)
      }
      answer(slot, .text(ActionDialect.unsubscribed(.user(text))))
    }
    if let text = named.channel {
      if let channel = ChannelName(validating: text) { drop(slot, .channel(channel)) }
      answer(slot, .text(ActionDialect.unsubscribed(.channel(text))))
    }
    if let text = named.task {
      if let task = TaskIdentifier(validating: text) { drop(slot, .task(task)) }
      answer(slot, .text(ActionDialect.unsubscribed(.task(text))))
    }
    if let text = named.execution {
      if let task = TaskIdentifier(validating: text) { drop(slot, .task(task)) }
      answer(slot, .text(ActionDialect.unsubscribed(.execution(text))))
    }
  }

  func drop(_ slot: Int32, _ key: TopicKey) {
    if case .task(let task) = key, let pending = connections[slot].identity?.pendingWatches[task] {
      // Its subscribe is still on the way: what the home answers is given up when it comes.
      connections[slot].identity?.pendingWatches[task]?.withdrawnCount = pending.count
    }
    guard let audience = topics.unsubscribe(from: key, listHead: &connections[slot].subscriptionHead) else { return }
    connections[slot].subscriptionCount -= 1
    if case .task(let task) = key { post(.unwatch(task, audience, shard: index), to: shared.home(of: task)) }
  }

  private func cancel(_ slot: Int32, task text: String, user userText: String?, reason: JSONText?) {
    let isOpen = !shared.isAuthenticationRequired
    let user = userText.flatMap { UserIdentifier(validating: $0) }
    guard let task = TaskIdentifier(validating: text) else {
      guard isOpen else { return sendError(slot, "Task not found", .task(text)) }
      // The seed relays whatever it is told.
      let frame = SharedFrame.text(ActionDialect.taskCancelled(task: text, user: userText, now: nowWall))
      postToAll(.relay(Relay(target: user.map { .user($0) } ?? .unnamed, frame: frame, from: .none)))
      return
    }
    forward(
      slot,
      .task(
        .cancel(task, user: user, reason: reason, principal: principal(of: slot), relayAlways: isOpen),
        from: .socket(shard: index, token(of: slot), about: .task(text))), to: shared.home(of: task))
  }

  private func refresh(_ slot: Int32, _ token: String) {
    let identity = identity(of: slot)
    guard shared.isAuthenticationRequired else {
      return sendError(slot, "Authentication failed")
    }
    do throws(Credentials.Failure) {
      let bearer = try credentials.user(Array(token.utf8).span, now: nowWall)
      guard bearer.principal.subject == identity.principal.subject else {
        return sendError(slot, "Authentication failed")
      }
      identity.principal = bearer.principal
      identity.expiresAt = bearer.expiresAt
      identity.expiryIsAnnounced = false
      answer(slot, .text(ActionDialect.refreshed(expiresAt: bearer.expiresAt)))
      if connections[slot].phase == .open, !connections[slot].pingIsOut {
        schedule(slot, in: shared.configuration.pingInterval.milliseconds)
        boundByExpiry(slot)
        file(slot)
      }
    } catch {
      metrics.add(.authenticationFailures(error.label))
      sendError(slot, "Authentication failed")
    }
  }
}
