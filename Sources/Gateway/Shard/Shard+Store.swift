import GatewayDomain
import Protocol

/// What is kept: changes to the store, and the telling that waits for them.
///
/// The rule is one: nothing that a crash could take back is told. What the desks decide is theirs at once; answers, ends of
/// tasks and outcomes of questions leave when the store has committed what they say. State events do not wait.
extension Shard {
  // MARK: Telling

  /// Tells now, or once everything that somebody waits for is durable.
  func tell(_ output: HeldOutput) {
    guard let store, store.isWaiting else { return carryOut(output) }
    store.hold(output)
    // It waits for what is known not to have become durable.
    if let failure = store.standingFailure { failHeld(through: store.failedThrough, failure) }
  }

  /// What a command came to, answered at once or when the store has it.
  ///
  /// - Parameter ends: the tasks that it may have ended, as they were before.
  func settle(_ answer: Answer, of command: TaskCommand, to address: ReplyAddress, ends: [FormerTask]) {
    // Where nothing is on its way there is nothing to tell apart; a key's record may be the first.
    switch store?.isWaiting == true ? command.telling(answer) : .afterStored {
    case .atOnce: reply(answer, to: address)
    case .afterShown: tell(.mail(.answer(address, answer), shard: address.shard ?? index))
    case .again: tell(.command(command, from: address))
    case .afterStored:
      record(answer, for: address)
      tell(.reply(answer, to: address, ends: ends))
    }
  }

  /// A task that a command is about to end or to register, as it is: that is taken back where it cannot be stored.
  func former(of command: TaskCommand) -> [FormerTask] {
    guard store != nil, let task = command.task else { return [] }
    if case .register = command { return [taskDesk.former(task, isRegistered: true)] }
    return command.isEnding ? [taskDesk.former(task)] : []
  }

  private func carryOut(_ output: HeldOutput) {
    switch output {
    case .reply(let answer, let address, _): reply(answer, to: address)
    case .mail(let message, let shard): post(message, to: shard)
    case .event(let event, let record):
      deliver(event, after: record, betweenMails: false)
      noteEvent(event, record)
    case .ended: break
    case .created(let record): offerExecution(record.snapshot)
    case .command(let command, let address): carryOutAgain(command, from: address)
    case .watch(let request): answerWatch(request)
    case .opened(let confirmation, let address, let waitSeconds): ask(confirmation, address, waitSeconds: waitSeconds)
    case .resolved(let confirmation): tellOutcome(confirmation)
    case .messageOpened(let message, let address, let waitSeconds):
      sendFirst(message, answering: address, waitSeconds: waitSeconds)
    case .messageSettled(let message): answerWaiters(of: message)
    }
  }

  /// The end that a command met is durable, or was taken back: nothing of that task is on its way any more.
  private func carryOutAgain(_ command: TaskCommand, from address: ReplyAddress) {
    let ends = former(of: command)
    let answer = answer(command, for: address)
    if command.isDurable, !answer.isProblem {
      settle(answer, of: command, to: address, ends: ends)
    } else {
      reply(answer, to: address)
    }
  }

  /// The store has everything up to a batch.
  func receiveCommitted(through sequence: UInt64) {
    guard let store else { return }
    store.commit(through: sequence)
    while let output = store.takeReleased() { carryOut(output) }
  }

  /// The store could not write. Whoever asked is told to come back; what is only shown goes on.
  func receiveFailed(through sequence: UInt64, _ failure: StoreFailure) {
    store?.noteFailed(through: sequence, failure)
    failHeld(through: sequence, failure)
  }

  private func failHeld(through sequence: UInt64, _ failure: StoreFailure) {
    guard let store else { return }
    let failed = store.takeFailed(through: sequence) { output in
      switch output {
      // The outcome stands and is stored with the next attempt that succeeds: until then nobody hears of it.
      case .resolved, .messageSettled: true
      case .reply, .mail, .event, .ended, .created, .command, .watch, .opened, .messageOpened: false
      }
    }
    let problem = Problem(.storeUnavailable, failure.detail)
    // First of all, so that whatever is told from here on shows the tasks as they are then.
    for output in failed {
      switch output {
      case .reply(_, _, let ends), .ended(let ends):
        for former in ends { taskDesk.revert(to: former, into: &taskEffects) }
      default: break
      }
    }
    carryTaskEffects()
    for output in failed {
      switch output {
      case .reply(_, let address, _):
        forgetRecord(for: address)
        reply(.problem(problem), to: address)
      case .opened(let confirmation, let address, _):
        unstoredQuestions.remove(confirmation.identifier)
        confirmationDesk.discard(confirmation.identifier, into: &confirmationEffects)
        carryConfirmationEffects()
        forgetRecord(for: address)
        reply(.problem(problem), to: address)
      case .messageOpened(let message, let address, _):
        var effects: [MessageEffect] = []
        messageDesk.discard(message.identifier, into: &effects)
        carry(effects)
        forgetRecord(for: address)
        reply(.problem(problem), to: address)
      case .event(_, let record) where !record.snapshot.status.isTerminal: break
      case .event(let event, _) where !taskDesk.isFinished(event.task): break
      case .created(let record) where taskDesk.snapshot(of: record.snapshot.identifier) == nil: break
      case .mail, .event, .ended, .created, .command, .watch, .resolved, .messageSettled: carryOut(output)
      }
    }
  }

  /// Refuses at the door what could only be answered 503 later; nothing has changed then.
  func requireStore() throws(Problem) {
    guard let store else { return }
    guard store.heldCount < StoreLimits.heldCountMax else {
      throw Problem(.overCapacity, "\(store.heldCount) answers of this shard wait for the store, the most that may")
    }
    guard !store.health.isHealthy else { return }
    throw Problem(.storeUnavailable, store.health.failure?.detail ?? "the store does not take changes")
  }

  // MARK: Keeping

  func persist(_ change: PersistedTaskChange) {
    guard let store else { return }
    switch change {
    case .progressed(let record):
      if !record.isDirty { markDirty(record, store) }
    case .registered(let record), .cancelRequested(let record), .finished(_, let record):
      write(record, to: store, isAwaited: true)
    // At once, so that the end does not become durable with the next attempt.
    case .reverted(let record): write(record, to: store, isAwaited: false)
    case .removed(let record):
      record.isDirty = false
      store.add(.remove(.task, key: record.row), isAwaited: false)
      store.add(.remove(.history, key: record.row), isAwaited: false)
    }
  }

  private func markDirty(_ record: TaskRecord, _ store: StoreLink) {
    record.isDirty = true
    store.dirty.append(record)
    if store.nextTickAt == .max { store.nextTickAt = nowMilliseconds + StoreLimits.tickMilliseconds }
  }

  private func write(_ record: TaskRecord, to store: StoreLink, isAwaited: Bool) {
    record.isDirty = false
    store.add(
      .put(.task, key: record.row, name: record.snapshot.identifier.text, record: TaskCodec.encode(record)),
      isAwaited: isAwaited)
  }

  func persist(_ change: PersistedConfirmationChange) {
    guard let store else { return }
    switch change {
    case .opened(let confirmation), .resolved(let confirmation):
      store.add(
        .put(
          .confirmation, key: confirmation.row, name: confirmation.identifier.text,
          record: ConfirmationCodec.encode(confirmation)), isAwaited: true)
    case .removed(let confirmation): store.add(.remove(.confirmation, key: confirmation.row), isAwaited: false)
    }
  }

  func persist(_ change: PersistedMessageChange) {
    guard let store else { return }
    switch change {
    case .opened(let message): put(message, in: store, isAwaited: true)
    case .changed(let message): put(message, in: store, isAwaited: message.isAcknowledged)
    case .removed(let message): store.add(.remove(.message, key: message.row), isAwaited: false)
    }
  }

  private func put(_ message: UserMessage, in store: StoreLink, isAwaited: Bool) {
    store.add(
      .put(.message, key: message.row, name: message.identifier.text, record: MessageCodec.encode(message)),
      isAwaited: isAwaited)
  }

  /// The newest state of the tasks that have moved since the last tick: the rate of writing is bounded whatever the rate of
  /// reports. So many are written at once; the next ones when those are.
  func writeBehind() {
    guard let store, nowMilliseconds >= store.nextTickAt, store.mayTick else { return }
    let count = min(store.dirty.count, StoreLimits.dirtyPerTurnMax)
    for record in store.dirty.suffix(count) where record.isDirty {
      write(record, to: store, isAwaited: false)
      // Only a batch that has something in it is ever said to be durable.
      store.noteTick()
    }
    store.dirty.removeLast(count)
    if store.dirty.isEmpty { store.nextTickAt = .max }
  }

  /// Milliseconds of the shard's clock at which `writeBehind` has something to do. While it waits for the disk the notice of
  /// the commit wakes the loop.
  var nextWriteBehindAt: Int64 {
    guard let store, store.mayTick else { return .max }
    return store.nextTickAt
  }

  /// Everything as it is, histories included: the gateway stops, and the next one goes on from here.
  func writeEverything() {
    guard let store else { return }
    for record in store.dirty where record.isDirty { write(record, to: store, isAwaited: false) }
    store.dirty.removeAll()
    store.nextTickAt = .max
    taskDesk.forEachRecord { record in
      guard record.history.count + record.log.count > 0, !record.isHistoryStored else { return }
      store.add(
        .put(
          .history, key: record.row, name: record.snapshot.identifier.text, record: HistoryCodec.encode(record)),
        isAwaited: false)
    }
  }
}

extension TaskCommand {
  /// When an answer may be told, where something is on its way to the store.
  enum Telling {
    /// It says nothing that a crash could take back, or no more than a second's progress.
    case atOnce
    /// It shows what may be on its way; it was not what asked for that.
    case afterShown
    /// It met the end of a task that is on its way: to be asked again when that has arrived.
    case again
    /// It says that something is kept.
    case afterStored
  }

  /// Whether it asks for something durable.
  var isDurable: Bool {
    switch self {
    case .register, .complete, .fail, .cancel, .cancelMany, .acknowledgeCancel: true
    case .progress(_, let report): report.isTerminal
    case .batch(let lines): lines.contains { $0.isDurable }
    // A parent's cancel was durable; that of its children follows.
    case .node, .log, .heartbeat, .cancelByParent, .snapshot, .events, .logLines, .list, .ask: false
    }
  }

  /// Whether it ends the task.
  var isEnding: Bool {
    switch self {
    case .complete, .fail, .acknowledgeCancel: true
    case .progress(_, let report): report.isTerminal
    case .register, .node, .log, .heartbeat, .cancel, .cancelMany, .cancelByParent, .snapshot, .events, .logLines,
      .list, .batch, .ask:
      false
    }
  }

  func telling(_ answer: Answer) -> Telling {
    if case .problem(let problem) = answer { return problem.code == .taskFinished ? .again : .atOnce }
    if isDurable { return .afterStored }
    switch answer {
    case .task(let snapshot, _): return snapshot.status.isTerminal ? .again : .atOnce
    case .page, .events: return .afterShown
    default: return .atOnce
    }
  }
}

extension Answer {
  var isProblem: Bool {
    if case .problem = self { return true }
    return false
  }
}

extension BatchLine {
  var isDurable: Bool {
    if case .task(let command) = work { return command.isDurable }
    return false
  }
}

extension ProgressReport {
  /// A terminal word finishes the task, as `complete` or `error` would.
  var isTerminal: Bool { statusWord.flatMap { TaskStatus(word: $0) }?.isTerminal ?? false }
}
