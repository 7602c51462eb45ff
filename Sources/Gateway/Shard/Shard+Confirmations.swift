import GatewayDomain
import Protocol
import Synchronization

/// The home of confirmations: the desk decides, exactly once; here questions and outcomes are carried.
extension Shard {
  func receiveConfirmationCommand(_ command: ConfirmationCommand, from address: ReplyAddress) {
    switch command {
    case .open(let request, let waitSeconds):
      var random = EnvironmentRandom(environment: environment)
      do throws(Problem) {
        let confirmation = try confirmationDesk.open(
          request, at: moment, random: &random, into: &confirmationEffects)
        carryConfirmationEffects()
        answer(confirmation, isNew: true, to: address, waitSeconds: waitSeconds)
      } catch {
        reply(.problem(error), to: address)
      }
    case .find(let callback, let waitSeconds):
      guard let confirmation = confirmationDesk.find(callback) else {
        reply(.problem(Problem(.notFound, "there is no such confirmation")), to: address)
        return
      }
      answer(confirmation, isNew: false, to: address, waitSeconds: waitSeconds)
    case .withdraw(let callback):
      do throws(Problem) {
        let confirmation = try confirmationDesk.withdraw(callback, at: moment, into: &confirmationEffects)
        carryConfirmationEffects()
        reply(.confirmation(confirmation, isNew: false), to: address)
      } catch {
        carryConfirmationEffects()
        reply(.problem(error), to: address)
      }
    case .answer(let callback, let proceed, let feedback, let principal):
      let result = confirmationDesk.answer(
        callback, proceed: proceed, feedback: feedback, by: principal,
        authenticationIsOn: shared.configuration.isAuthenticationRequired, at: moment, into: &confirmationEffects)
      // The outcome's result goes to the one who answered before everybody is told.
      reply(.confirmationResult(callback, result), to: address)
      carryConfirmationEffects()
    case .resend(let user, let shard, let connection):
      let pending = user.map { confirmationDesk.pending(for: $0) } ?? confirmationDesk.allPending
      for confirmation in pending {
        post(
          .ask(
            ConfirmationNotice(
              callback: confirmation.identifier, user: confirmation.request.user, frame: question(confirmation),
              only: connection)), to: shard)
      }
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
    reply(.confirmation(confirmation, isNew: isNew), to: address)
  }

  private func question(_ confirmation: Confirmation) -> SharedFrame {
    if let known = questions[confirmation.identifier] { return known }
    let frame = SharedFrame.text(ActionDialect.taskStepResult(confirmation))
    questions[confirmation.identifier] = frame
    return frame
  }

  func carryConfirmationEffects() {
    guard !confirmationEffects.isEmpty else { return }
    for effect in confirmationEffects {
      switch effect {
      case .asked(let confirmation):
        postToAll(
          .ask(
            ConfirmationNotice(
              callback: confirmation.identifier, user: confirmation.request.user, frame: question(confirmation),
              only: nil)))
      case .resolved(let confirmation):
        if let outcome = ConfirmationOutcomeLabel(confirmation.status) { metrics.add(.confirmations(outcome)) }
        metrics.observe(.confirmationWait, nowWall - confirmation.createdAt)
        questions[confirmation.identifier] = nil
        let frame = SharedFrame.text(ActionDialect.confirmationResolved(confirmation))
        postToAll(.settled(confirmation.identifier, frame: frame))
        if shared.workerConnections.load(ordering: .relaxed) > 0 {
          let task = confirmation.request.task
          post(
            .tellWorkers(task, frame: .text(WorkerDialect.confirmationResolved(confirmation))),
            to: shared.home(of: task))
        }
        for waiter in waiters.take(confirmation.identifier.text) {
          reply(.confirmation(confirmation, isNew: waiter.isNew), to: waiter.address)
        }
      // In memory there is nothing to write; the durable store takes these.
      case .persist: break
      }
    }
    confirmationEffects.removeAll(keepingCapacity: true)
    metrics.set(.confirmationsPending, confirmationDesk.pendingCount)
  }

  // MARK: Acknowledged messages

  func receiveMessageCommand(_ command: MessageCommand, from address: ReplyAddress) {
    var effects: [MessageEffect] = []
    switch command {
    case .send(let message, let user, let frame, let waitSeconds):
      _ = messageDesk.open(message, for: user, at: moment, into: &effects)
      let parts = gather(
        .message(message, waitSeconds: waitSeconds), answering: address, partCount: shared.shardCount)
      postToAll(.relay(Relay(target: .user(user), frame: frame, from: parts)))
    case .sent(let message, let connections, let waitSeconds):
      messageDesk.addConnections(connections, to: message)
      let isAcknowledged = messageDesk.find(message)?.isAcknowledged ?? false
      if !isAcknowledged, waitSeconds > 0,
        waiters.add(
          AnswerWaiters.Waiter(address: address, deadline: monotonicSeconds + waitSeconds, isNew: true),
          for: message.text)
      {
        break
      }
      reply(.message(message, connections: connections, acknowledged: isAcknowledged), to: address)
    case .acknowledge(let message, let user):
      messageDesk.acknowledge(message, by: user, at: moment, into: &effects)
    case .find(let message):
      if let known = messageDesk.find(message) {
        reply(.messageState(known), to: address)
      } else {
        reply(.problem(Problem(.notFound, "there is no such message")), to: address)
      }
    }
    carry(effects)
  }

  private func carry(_ effects: [MessageEffect]) {
    for effect in effects {
      switch effect {
      case .acknowledged(let message):
        for waiter in waiters.take(message.identifier.text) {
          reply(
            .message(message.identifier, connections: message.connectionCount, acknowledged: true),
            to: waiter.address)
        }
      case .persist: break
      }
    }
  }

  // MARK: Time

  /// Deadlines of the desks and of requests that are held.
  func expireDesks() {
    let now = monotonicSeconds
    if Self.nextDeadline(&taskDesk) <= now {
      taskDesk.expire(at: moment, into: &taskEffects)
      carryTaskEffects()
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
    while !waiters.isEmpty, let over = waiters.takeDue(at: now) {
      for waiter in over.waiters { answerPending(over.name, waiter) }
    }
    metrics.set(.subscriptions, topics.subscriptionCount)
    Self.countTasks(&taskDesk, in: metrics)
  }

  /// Monotonic seconds of the next of these deadlines; infinite where nobody waits for anything.
  func nextDeskDeadline() -> Double {
    min(
      Self.nextDeadline(&taskDesk), Self.nextDeadline(&confirmationDesk), Self.nextDeadline(&messageDesk),
      waiters.isEmpty ? .infinity : (waiters.nextDeadline ?? .infinity))
  }

  // Called in every turn. `inout` has a desk looked at where it lies: to call a function of another module on a class's
  // property, the compiler otherwise copies it first, which counts references up and down for each of its tables.
  private static func nextDeadline(_ desk: inout TaskDesk) -> Double { desk.nextDeadline ?? .infinity }
  private static func nextDeadline(_ desk: inout ConfirmationDesk) -> Double { desk.nextDeadline ?? .infinity }
  private static func nextDeadline(_ desk: inout MessageDesk) -> Double { desk.nextDeadline ?? .infinity }
  static func hasPending(_ desk: inout ConfirmationDesk) -> Bool { desk.pendingCount > 0 }
  private static func countTasks(_ desk: inout TaskDesk, in metrics: ShardMetrics) {
    for status in TaskStatus.allCases { metrics.set(.tasks(TaskStatusLabel(status)), desk.count(of: status)) }
  }

  func answerPending(_ name: String, _ waiter: AnswerWaiters.Waiter) {
    if let confirmation = confirmationDesk.find(CallbackIdentifier(text: name)) {
      reply(.confirmation(confirmation, isNew: waiter.isNew), to: waiter.address)
    } else if let message = messageDesk.find(MessageIdentifier(text: name)) {
      reply(
        .message(message.identifier, connections: message.connectionCount, acknowledged: message.isAcknowledged),
        to: waiter.address)
    } else {
      reply(.problem(Problem(.notFound, "it is no longer kept")), to: waiter.address)
    }
  }
}
