import GatewayDomain
import Protocol
import Synchronization

/// The home of confirmations: the desk decides, exactly once; here questions and outcomes are carried, once the store has
/// them.
extension Shard {
  func receiveConfirmationCommand(_ command: ConfirmationCommand, from address: ReplyAddress) {
    do throws(Problem) {
      switch command {
      case .open(let request, let waitSeconds): try open(request, from: address, waitSeconds: waitSeconds)
      case .find(let callback, let waitSeconds, let isFirst):
        guard let confirmation = confirmationDesk.find(callback) else {
          throw Problem(.notFound, "there is no such confirmation")
        }
        answer(confirmation, isNew: isFirst, to: address, waitSeconds: waitSeconds)
      case .withdraw(let callback):
        try requireStore()
        defer { carryConfirmationEffects() }
        let confirmation = try confirmationDesk.withdraw(callback, at: moment, into: &confirmationEffects)
        keepConfirmationEffects()
        tell(.reply(.confirmation(confirmation, isNew: false), to: address, ends: []))
      case .answer(let callback, let proceed, let feedback, let principal):
        try requireStore()
        let result = confirmationDesk.answer(
          callback, proceed: proceed, feedback: feedback, by: principal,
          authenticationIsOn: shared.configuration.isAuthenticationRequired, at: moment, into: &confirmationEffects)
        // The outcome's result goes to the one who answered before everybody is told.
        keepConfirmationEffects()
        tell(.reply(.confirmationResult(callback, result), to: address, ends: []))
        carryConfirmationEffects()
      case .resend(let user, let shard, let connection): askAgain(user, shard: shard, connection)
      }
    } catch {
      reply(.problem(error), to: address)
    }
  }

  private func open(
    _ request: ConfirmationRequest, from address: ReplyAddress, waitSeconds: Double
  ) throws(Problem) {
    try requireStore()
    var random = EnvironmentRandom(environment: environment)
    let confirmation = try confirmationDesk.open(request, at: moment, random: &random, into: &confirmationEffects)
    keepConfirmationEffects()
    record(.confirmation(confirmation, isNew: true), for: address)
    if store?.isWaiting == true { unstoredQuestions.insert(confirmation.identifier) }
    tell(.opened(confirmation, to: address, waitSeconds: waitSeconds))
    carryConfirmationEffects()
  }

  /// A new question is kept: its users are asked, and the publisher is answered.
  func ask(_ confirmation: Confirmation, _ address: ReplyAddress, waitSeconds: Double) {
    unstoredQuestions.remove(confirmation.identifier)
    postToAll(.ask(notice(confirmation, only: nil)))
    endClaim(.confirmation(confirmation, isNew: true), for: address)
    answer(confirmation, isNew: true, to: address, waitSeconds: waitSeconds)
  }

  private func notice(_ confirmation: Confirmation, only connection: ConnectionToken?) -> ConfirmationNotice {
    ConfirmationNotice(
      callback: confirmation.identifier, users: confirmation.request.audience, frame: question(confirmation),
      only: connection)
  }

  /// A connection became a user's, or one without a name: it is asked what is open.
  private func askAgain(_ user: UserIdentifier?, shard: Int, _ connection: ConnectionToken) {
    let pending = user.map { confirmationDesk.pending(for: $0) } ?? confirmationDesk.allPending
    // A question that is not kept yet is asked of everybody when it is, of this one too.
    for confirmation in pending where !unstoredQuestions.contains(confirmation.identifier) {
      post(.ask(notice(confirmation, only: connection)), to: shard)
    }
  }

  /// Answers now, or when the confirmation is resolved, or when the wait is over.
  private func answer(_ confirmation: Confirmation, isNew: Bool, to address: ReplyAddress, waitSeconds: Double) {
    if confirmation.status == .pending, waitSeconds > 0,
      waiters.add(
        AnswerWaiters.Waiter(address: address, deadline: monotonicSeconds + waitSeconds, isNew: isNew),
        for: confirmation.identifier.text)
    {
      return
    }
    if confirmation.status == .pending {
      reply(.confirmation(confirmation, isNew: isNew), to: address)
    } else {
      tell(.reply(.confirmation(confirmation, isNew: isNew), to: address, ends: []))
    }
  }

  private func question(_ confirmation: Confirmation) -> SharedFrame {
    if let known = questions[confirmation.identifier] { return known }
    let frame = SharedFrame.text(ActionDialect.taskStepResult(confirmation))
    questions[confirmation.identifier] = frame
    return frame
  }

  /// Hands to the store what the desk has decided, before anything is said that depends on it.
  private func keepConfirmationEffects() {
    for effect in confirmationEffects { if case .persist(let change) = effect { persist(change) } }
    confirmationEffects.removeAll { if case .persist = $0 { true } else { false } }
  }

  func carryConfirmationEffects() {
    keepConfirmationEffects()
    for effect in confirmationEffects {
      switch effect {
      case .resolved(let confirmation): tell(.resolved(confirmation))
      // Who opened it asks, and what is to be kept is kept already.
      case .asked, .persist: break
      }
    }
    confirmationEffects.removeAll(keepingCapacity: true)
    metrics.set(.confirmationsPending, confirmationDesk.pendingCount)
    let sharedCount = confirmationDesk.sharedPendingCount
    if sharedCount != sharedQuestionCount {
      shared.sharedQuestions.add(sharedCount - sharedQuestionCount, ordering: .relaxed)
      sharedQuestionCount = sharedCount
    }
  }

  /// The one outcome, to everybody who was asked and everybody who waits.
  func tellOutcome(_ confirmation: Confirmation) {
    if let outcome = ConfirmationOutcomeLabel(confirmation.status) { metrics.add(.confirmations(outcome)) }
    metrics.observe(.confirmationWait, nowWall - confirmation.createdAt)
    questions[confirmation.identifier] = nil
    let frame = SharedFrame.text(ActionDialect.confirmationResolved(confirmation))
    postToAll(.settled(confirmation.identifier, frame: frame))
    if shared.workerConnections.load(ordering: .relaxed) > 0 {
      let task = confirmation.request.task
      post(
        .tellWorkers(task, frame: .text(WorkerDialect.confirmationResolved(confirmation))), to: shared.home(of: task))
    }
    for waiter in waiters.take(confirmation.identifier.text) {
      reply(.confirmation(confirmation, isNew: waiter.isNew), to: waiter.address)
    }
  }

  // MARK: Acknowledged messages

  func receiveMessageCommand(_ command: MessageCommand, from address: ReplyAddress) {
    var effects: [MessageEffect] = []
    switch command {
    case .send(let identifier, let user, let body, let waitSeconds):
      do throws(Problem) {
        try requireStore()
        let message = try messageDesk.open(identifier, for: user, body: body, at: moment, into: &effects)
        carry(effects)
        record(.message(message), for: address)
        tell(.messageOpened(message, to: address, waitSeconds: waitSeconds))
      } catch {
        reply(.problem(error), to: address)
      }
      return
    case .sent(let identifier, let connections, let waitSeconds):
      messageDesk.addConnections(connections, to: identifier)
      answerAboutMessage(identifier, to: address, waitSeconds: waitSeconds)
    case .acknowledge(let message, let user):
      messageDesk.acknowledge(message, by: user, at: moment, into: &effects)
    case .find(let identifier): answerAboutMessage(identifier, to: address, waitSeconds: 0)
    }
    carry(effects)
  }

  /// A new message is kept: it leaves.
  func sendFirst(_ message: UserMessage, answering address: ReplyAddress, waitSeconds: Double) {
    endClaim(.message(message), for: address)
    let parts = gather(
      .message(message.identifier, waitSeconds: waitSeconds), answering: address, partCount: shared.shardCount)
    send(message, from: parts)
  }

  private func send(_ message: UserMessage, from address: ReplyAddress) {
    let frame = makeFrame(message.body.bytes, compresses: isReadCompressed)
    postToAll(.relay(Relay(target: .user(message.user), frame: frame, from: address)))
  }

  /// Answers now, or when it is acknowledged, or when the wait is over.
  private func answerAboutMessage(_ identifier: MessageIdentifier, to address: ReplyAddress, waitSeconds: Double) {
    guard let message = messageDesk.find(identifier) else {
      return reply(.problem(Problem(.notFound, "there is no such message")), to: address)
    }
    if message.status == .pending, waitSeconds > 0,
      waiters.add(
        AnswerWaiters.Waiter(address: address, deadline: monotonicSeconds + waitSeconds, isNew: true),
        for: identifier.text)
    {
      return
    }
    tell(.reply(.message(message), to: address, ends: []))
  }

  func carry(_ effects: [MessageEffect]) {
    for effect in effects {
      switch effect {
      case .persist(let change): persist(change)
      case .acknowledged(let message), .failed(let message): tell(.messageSettled(message))
      case .sendAgain(let message): send(message, from: .none)
      }
    }
    metrics.set(.acknowledgementsPending, messageDesk.pendingCount)
  }

  func answerWaiters(of message: UserMessage) {
    for waiter in waiters.take(message.identifier.text) { reply(.message(message), to: waiter.address) }
  }

  // MARK: Time

  /// Deadlines of the desks and of requests that are held.
  func expireDesks() {
    let now = monotonicSeconds
    if deskDeadline <= now { expireWhatIsDue(at: now) }
    metrics.set(.subscriptions, topics.subscriptionCount)
    Self.countTasks(&taskDesk, in: metrics)
  }

  private func expireWhatIsDue(at now: Double) {
    if Self.nextDeadline(&taskDesk) <= now {
      // While the store takes nothing no task ends by itself.
      var ends = EndsOfTime(areDue: store?.health.isHealthy ?? true, areKept: store != nil)
      taskDesk.expire(at: moment, ends: &ends, into: &taskEffects)
      carryTaskEffects()
      if !ends.former.isEmpty { tell(.ended(ends.former)) }
    }
    if Self.nextDeadline(&confirmationDesk) <= now {
      confirmationDesk.expire(at: moment, into: &confirmationEffects)
      carryConfirmationEffects()
    }
    if Self.nextDeadline(&messageDesk) <= now {
      var effects: [MessageEffect] = []
      messageDesk.expire(at: moment, into: &effects)
      carry(effects)
    }
    if Self.nextDeadline(&idempotencyDesk) <= now { expireIdempotencyKeys() }
    while !waiters.isEmpty, let over = waiters.takeDue(at: now) {
      for waiter in over.waiters { answerPending(over.name, waiter) }
    }
  }

  /// Monotonic seconds of the next of these deadlines; infinite where nobody waits for anything.
  func nextDeskDeadline() -> Double {
    min(
      Self.nextDeadline(&taskDesk), Self.nextDeadline(&confirmationDesk), Self.nextDeadline(&messageDesk),
      Self.nextDeadline(&idempotencyDesk), waiters.isEmpty ? .infinity : (waiters.nextDeadline ?? .infinity))
  }

  // Called in every turn. `inout` has a desk looked at where it lies: to call a function of another module on a class's
  // property, the compiler otherwise copies it first, which counts references up and down for each of its tables.
  private static func nextDeadline(_ desk: inout TaskDesk) -> Double { desk.nextDeadline ?? .infinity }
  private static func nextDeadline(_ desk: inout ConfirmationDesk) -> Double { desk.nextDeadline ?? .infinity }
  private static func nextDeadline(_ desk: inout MessageDesk) -> Double { desk.nextDeadline ?? .infinity }
  private static func nextDeadline(_ desk: inout IdempotencyDesk) -> Double { desk.nextDeadline ?? .infinity }
  static func hasPending(_ desk: inout ConfirmationDesk) -> Bool { desk.pendingCount > 0 }
  private static func countTasks(_ desk: inout TaskDesk, in metrics: ShardMetrics) {
    for status in TaskStatus.allCases { metrics.set(.tasks(TaskStatusLabel(status)), desk.count(of: status)) }
  }

  /// The wait is over: as things stand.
  func answerPending(_ name: String, _ waiter: AnswerWaiters.Waiter) {
    if let confirmation = confirmationDesk.find(CallbackIdentifier(text: name)) {
      answer(confirmation, isNew: waiter.isNew, to: waiter.address, waitSeconds: 0)
    } else {
      answerAboutMessage(MessageIdentifier(text: name), to: waiter.address, waitSeconds: 0)
    }
  }
}
