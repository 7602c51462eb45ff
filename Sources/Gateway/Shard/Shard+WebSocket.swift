import GatewayDomain
import Protocol

/// Frames of clients: bytes → session → dialect → command.
extension Shard {
  /// The first `byteCount` bytes of the receive buffer are a connection's.
  func receivedFrames(_ slot: Int32, byteCount: Int) {
    unsafe receivedFrames(connections.place(slot), slot, byteCount: byteCount)
  }

  /// The same for who knows the place already.
  func receivedFrames(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32, byteCount: Int) {
    // SAFETY: the buffer is this shard's own, nothing else touches it during this call, and byteCount is within it.
    let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: receiveBuffer[..<byteCount])
      .assumingMemoryBound(to: UInt8.self)
    var position = 0
    var answers = DirectAnswers()
    if unsafe connection.pointee.endpoint == .echo {
      unsafe echoWholeFrames(connection, Span(_unsafeElements: UnsafeBufferPointer(bytes)), &position, &answers)
    }
    if position < byteCount { unsafe receivedFrames(slot, bytes, &position, &answers) }
    // Who is gone is not answered any more.
    guard unsafe connection.pointee.phase != .free else { return }
    unsafe sendDirect(connection, slot, &answers)
    unsafe holdBackEcho(connection, slot)
  }

  /// Frame by frame, from the position on.
  private func receivedFrames(
    _ slot: Int32, _ bytes: UnsafeMutableBufferPointer<UInt8>, _ position: inout Int, _ answers: inout DirectAnswers
  ) {
    let token = token(of: slot)
    let byteCount = bytes.count
    while position < byteCount, isCurrent(token),
      connections[slot].phase == .open || connections[slot].phase == .closing
    {
      if connections[slot].endpoint == .echo {
        unsafe echoWholeFrames(
          connections.place(slot), Span(_unsafeElements: UnsafeBufferPointer(bytes)), &position, &answers)
        if position == byteCount { break }
      }
      var span = unsafe MutableSpan(_unsafeElements: bytes)
      let event = connections[slot].session.next(&span, position: &position, inflaters: &inflaters)
      switch event {
      case .needMoreBytes: break
      case .message(let kind, let payload):
        guard connections[slot].phase == .open else { continue }
        metrics.add(.messagesReceived(EndpointLabel(connections[slot].endpoint)))
        switch payload {
        case .inPlace(let range):
          // SAFETY: the session returns ranges within the bytes it was given.
          received(slot, kind, unsafe Span(_unsafeElements: UnsafeBufferPointer(rebasing: bytes[range])), &answers)
        case .owned(let message): received(slot, kind, message.span, &answers)
        }
      case .ping(let payload):
        metrics.add(.frames(.ping, .received))
        guard connections[slot].phase == .open else { continue }
        if mayAnswerDirectly(slot), append(.pong, payload.span, to: &answers) { continue }
        sendDirect(slot, &answers)
        send(slot, .frame(.pong, payload))
      case .pong: metrics.add(.frames(.pong, .received))
      case .close(let code, _):
        sendDirect(slot, &answers)
        peerClosed(slot, code)
      case .violation(let code, let reason):
        sendDirect(slot, &answers)
        metrics.add(.protocolErrors(ProtocolErrorLabel(code)))
        close(slot, code, reason.description)
        // One that is condemned stays open until the end of the turn and is closed then.
        guard connections[slot].phase == .closing else { continue }
        connections[slot].phase = .flushing
        connections[slot].endsStream = true
        mark(slot)
      }
    }
  }

  /// RFC 6455 §5.5.1: the peer's close frame is answered by ours, unless ours was first; then the server closes.
  private func peerClosed(_ slot: Int32, _ code: CloseCode?) {
    if connections[slot].phase == .open {
      connections[slot].closeCode = code?.rawValue ?? 1005
      var frame: [UInt8] = []
      if let code {
        FrameWriter.appendClose(code, reason: "", into: &frame)
      } else {
        FrameWriter.appendEmptyClose(into: &frame)
      }
      sendLastWord(slot, frame)
    }
    connections[slot].phase = .flushing
    pauseReading(slot)
    schedule(slot, in: ShardLimits.closingMilliseconds)
    mark(slot)
  }

  /// Sends our close frame; the peer has a while to answer it.
  func close(_ slot: Int32, _ code: CloseCode, _ reason: String) {
    // One that is condemned is closed at the end of the turn, with its own code: a frame may be missing.
    guard connections[slot].phase == .open, !connections[slot].isCondemned else { return }
    var frame: [UInt8] = []
    FrameWriter.appendClose(code, reason: reason, into: &frame)
    sendLastWord(slot, frame)
    connections[slot].closedByUs = true
    connections[slot].closeCode = code.rawValue
    connections[slot].phase = .closing
    connections[slot].closeAt = .max
    leaveTopics(slot)
    schedule(slot, in: ShardLimits.closingMilliseconds)
  }

  /// Ends the subscriptions of a connection that receives no more. Not while one of its topics is walked.
  func leaveTopics(_ slot: Int32) {
    while let (key, audience) = topics.unsubscribeFirst(listHead: &connections[slot].subscriptionHead) {
      if case .task(let task) = key { post(.unwatch(task, audience, shard: index), to: shared.home(of: task)) }
    }
  }

  private func received(
    _ slot: Int32, _ kind: MessageKind, _ message: Span<UInt8>, _ answers: inout DirectAnswers
  ) {
    if connections[slot].endpoint == .echo { return echo(slot, kind, message, &answers) }
    // What follows is queued, behind the pongs before it.
    sendDirect(slot, &answers)
    switch connections[slot].endpoint {
    case .task:
      if TaskDialect.isPing(message) { answer(slot, .text(TaskDialect.pong(now: nowWall))) }
    case .execution:
      let parsed = ExecutionDialect.parse(message)
      answer(slot, .text(ExecutionDialect.refusal(of: parsed) ?? ExecutionDialect.pong))
    case .action: receivedAction(slot, message)
    case .echo: break
    }
  }

  // MARK: Echo

  /// Echoes the messages that came as whole frames, up to the first byte that is something else.
  @inline(__always)
  private func echoWholeFrames(
    _ connection: UnsafeMutablePointer<Connection>, _ bytes: Span<UInt8>, _ position: inout Int,
    _ answers: inout DirectAnswers
  ) {
    guard unsafe connection.pointee.phase == .open, unsafe mayAnswerDirectly(connection) else { return }
    let isCompressing = unsafe connection.pointee.readsCompressed
    let echoed = unsafe connection.pointee.session.echo(
      bytes, position: &position, payloadByteCountMax: isCompressing ? Deflater.worthwhileByteCountMin - 1 : .max,
      to: roomForAnswer(answers))
    answers.add(byteCount: echoed.byteCount, messageCount: echoed.messageCount)
    metrics.add(.messagesReceived(.echo), echoed.messageCount)
  }

  /// Echoes any message: one that came in pieces, compressed, or behind a queue.
  private func echo(
    _ slot: Int32, _ kind: MessageKind, _ message: Span<UInt8>, _ answers: inout DirectAnswers
  ) {
    let opcode: Opcode = kind == .text ? .text : .binary
    let compresses = connections[slot].readsCompressed && message.count >= Deflater.worthwhileByteCountMin
    if mayAnswerDirectly(slot) {
      if compresses, appendCompressed(opcode, message, to: &answers) { return }
      if append(opcode, message, to: &answers) { return }
      sendDirect(slot, &answers)
    }
    var frame: [UInt8] = []
    if compresses, let deflated = deflaters.compress(message) {
      FrameWriter.appendFrame(opcode: opcode, compressed: true, payload: deflated.span, into: &frame)
    } else {
      frame.reserveCapacity(message.count + FrameWriter.headerByteCountMax)
      FrameWriter.appendFrame(opcode: opcode, payload: message, into: &frame)
    }
    send(slot, .raw(frame))
    unsafe holdBackEcho(connections.place(slot), slot)
  }

  /// The echoing peer that does not read is held back rather than cut off.
  @inline(__always)
  private func holdBackEcho(_ connection: UnsafeMutablePointer<Connection>, _ slot: Int32) {
    let pendingByteCount = unsafe Int(connection.pointee.pendingByteCount)
    guard pendingByteCount > 0, unsafe connection.pointee.endpoint == .echo else { return }
    if pendingByteCount > shared.configuration.sendBufferByteCount { pauseReading(slot) }
  }

  // MARK: The action dialect

  private func receivedAction(_ slot: Int32, _ message: Span<UInt8>) {
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
  private func answer(_ slot: Int32, _ frame: SharedFrame) {
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

  private func sendError(_ slot: Int32, _ message: String, _ key: ActionKey? = nil) {
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
        post(
          .confirmation(.resend(user, shard: index, token), from: .none), to: shared.home(of: user))
      }
      if shared.configuration.isSingleConnectionPerUser {
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

  private func drop(_ slot: Int32, _ key: TopicKey) {
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
