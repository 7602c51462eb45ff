import GatewayDomain
import Protocol

/// The home of tasks: commands in, answers and events out. The desk decides; here its effects are carried.
extension Shard {
  func receiveTaskCommand(_ command: TaskCommand, from address: ReplyAddress) {
    switch command {
    case .batch(let lines): return answerBatch(lines, from: address)
    case .ask(var request, let waitSeconds):
      request.viewers = taskDesk.mayWatch(request.task).filter { $0 != request.user }
      return post(
        .confirmation(.open(request, waitSeconds: waitSeconds), from: address), to: shared.home(of: request.user))
    default: break
    }
    let ends = former(of: command)
    let answer = answer(command, for: address)
    settle(answer, of: command, to: address, ends: ends)
  }

  /// The same as `answer`, and takes note of the worker that it came from.
  func answer(_ command: TaskCommand, for address: ReplyAddress) -> Answer {
    reporter = address.worker
    defer { reporter = nil }
    let answer = answer(command)
    noteReporter(of: command, answer)
    return answer
  }

  /// Carries a command out, with all that follows from it, and says what its sender is to be answered.
  ///
  /// - Parameter betweenMails: as for `carryTaskEffects`.
  func answer(_ command: TaskCommand, betweenMails: Bool = false) -> Answer {
    let answer: Answer
    do throws(Problem) { answer = try perform(command) } catch { answer = .problem(error) }
    carryTaskEffects(betweenMails: betweenMails)
    return answer
  }

  /// Performs the lines of a bulk publish that live here, each for itself.
  private func answerBatch(_ lines: [BatchLine], from address: ReplyAddress) {
    var rejected: [(line: Int, problem: Problem)] = []
    var cancelRequested: [TaskIdentifier] = []
    var ends: [FormerTask] = []
    var isDurable = false
    for line in lines {
      let command: TaskCommand
      switch line.work {
      case .relay(let operation):
        send(operation, waits: isDurable)
        continue
      case .task(let given): command = given
      }
      if command.isDurable { isDurable = true }
      ends += former(of: command)
      do throws(Problem) {
        let answer = try perform(command)
        if answer.tellsOfCancel { command.task.map { cancelRequested.append($0) } }
      } catch {
        rejected.append((line.line, error))
      }
      // Effects leave per line, so that the buffer stays as small as one command makes it.
      carryTaskEffects()
    }
    settle(
      .batch(rejected, accepted: lines.count - rejected.count, cancelRequested: cancelRequested), of: .batch(lines),
      to: address, ends: ends)
  }

  private func perform(_ command: TaskCommand) throws(Problem) -> Answer {
    if command.isDurable { try requireStore() }
    var random = EnvironmentRandom(environment: environment)
    switch command {
    case .register(let registration, _):
      let (snapshot, created) = try taskDesk.register(
        registration, at: moment, random: &random, into: &taskEffects)
      return .task(snapshot, created: created)
    case .progress(let task, let report):
      return .receipt(try taskDesk.progress(task, report, at: moment, random: &random, into: &taskEffects))
    case .complete(let task, let report):
      return .receipt(try taskDesk.complete(task, report, at: moment, random: &random, into: &taskEffects))
    case .fail(let task, let report):
      return .receipt(try taskDesk.fail(task, report, at: moment, random: &random, into: &taskEffects))
    case .heartbeat(let task, let user, let message):
      return .cancelRequested(
        try taskDesk.heartbeat(
          task, user: user, message: message, at: moment, random: &random, into: &taskEffects))
    case .cancel(let task, let user, let reason, let principal, let relaysAlways):
      try requestCancel(task, user: user, reason: reason, principal, relaysAlways: relaysAlways)
      return .cancelRequested(true)
    case .cancelMany(let tasks, let principal): return .cancelledMany(requestCancels(tasks, principal))
    case .cancelByParent(let task, let user, let reason):
      taskDesk.requestCancelByParent(task, user: user, reason: reason, at: moment, into: &taskEffects)
      return .cancelRequested(true)
    case .node(let task, let report):
      return .receipt(try taskDesk.node(task, report, at: moment, random: &random, into: &taskEffects))
    case .log(let task, let lines):
      return .logged(try taskDesk.log(task, lines, at: moment, random: &random, into: &taskEffects))
    case .logLines(let task, let after, let limit, let principal):
      _ = try readable(task, principal)
      guard let held = taskDesk.logLines(of: task, after: after, limit: limit) else { throw Self.unknown(task) }
      return .logLines(newest: held.newest, held.lines)
    case .acknowledgeCancel(let task, let given):
      return .receipt(try taskDesk.acknowledgeCancel(task, given: given, at: moment, into: &taskEffects))
    case .snapshot(let task, let principal):
      return .task(try readable(task, principal), created: false)
    case .events(let task, let after, let limit, let principal):
      _ = try readable(task, principal)
      guard let held = taskDesk.events(of: task, after: after, limit: limit) else { throw Self.unknown(task) }
      return .events(held.epoch, held.events)
    case .list(let query):
      return .page(taskDesk.list(query.filter, after: query.cursor, limit: query.limit, at: moment))
    case .batch, .ask: throw Problem(.internalError, "this command is no single task's")
    }
  }

  var isAuthenticationOn: Bool { shared.configuration.isAuthenticationRequired }

  private func readable(_ task: TaskIdentifier, _ principal: Principal) throws(Problem) -> TaskSnapshot {
    guard let snapshot = taskDesk.snapshot(of: task, at: moment) else { throw Self.unknown(task) }
    guard Authorizer.mayRead(snapshot, principal, authenticationIsOn: isAuthenticationOn) else {
      throw Problem(.forbidden, "\(task.text) is another user's task")
    }
    return snapshot
  }

  private static func unknown(_ task: TaskIdentifier) -> Problem {
    Problem(.taskNotFound, "there is no task \(task.text)")
  }

  // MARK: Effects

  /// - Parameter betweenMails: whether the command is carried out while a request is read, and not as mail: other mail of
  ///   the same batch might have to come before the event then.
  func carryTaskEffects(betweenMails: Bool = false) {
    guard !taskEffects.isEmpty else { return }
    for index in taskEffects.indices {
      switch taskEffects[index] {
      case .deliver(let event, let record):
        if event.kind.isTerminal {
          // An end that a crash could take back is told to nobody.
          tell(.event(event, record))
        } else {
          deliver(event, after: record, betweenMails: betweenMails)
          if case .nodeStatus = event.kind { deliverNode(event) }
          noteEvent(event, record)
        }
      case .logged(let task, let lines):
        deliverLog(lines, of: task)
        noteReport(on: task)
      case .cancelChildren(let cancel): requestCancels(cancel)
      case .cancelRequested(let request): relayCancel(request)
      case .heartbeat(let beat):
        relayHeartbeat(beat)
        noteReport(on: beat.task)
      case .persist(let change):
        persist(change)
        if case .registered(let record) = change {
          askPermissionAgain(record)
          if record.snapshot.isExecution { tell(.created(record)) }
        }
      case .forgotten(let task):
        interests[task].map { if $0.total == 0 { interests[task] = nil } }
        forgetTask(task)
      }
    }
    // Mostly two: taken one by one they cost less than to replace the range of them.
    while taskEffects.popLast() != nil {}
  }

  /// Encodes an event once per dialect that has subscribers, and mails it to the shards that have them.
  ///
  /// Between mails, where none to this shard waits, an event for its own watchers joins their run at once: mailed it would
  /// be the next that the shard handles, and that is all that handling it comes to. A terminal event is queued and ends
  /// connections, which is left to the mail.
  func deliver(_ event: TaskEvent, after record: TaskRecord, betweenMails: Bool) {
    guard !interests.isEmpty, let interest = interests[event.task], interest.total > 0 else { return }
    let native = nativeFrame(of: event, interest)
    let task = frame(for: .task, .taskCompressed, interest) {
      TaskDialect.event(event, after: record.snapshot, now: event.occurredAt)
    }
    let execution = frame(for: .execution, .executionCompressed, interest) {
      ExecutionDialect.status(record.snapshot, now: event.occurredAt)
    }
    let sse: SharedFrame? = interest.has(.sse) ? .raw(StreamDialect.event(event)) : nil
    for shard in 0..<shared.shardCount {
      func wanted(_ frame: SharedFrame?, _ plain: Audience, _ compressed: Audience) -> SharedFrame? {
        guard let frame, interest.has(plain, shard: shard) || interest.has(compressed, shard: shard) else { return nil }
        return shard == index ? frame : frame.handedOver()
      }
      let delivery = TaskDelivery(
        task: event.task, offset: event.offset, native: wanted(native, .native, .nativeCompressed),
        taskDialect: wanted(task, .task, .taskCompressed),
        execution: wanted(execution, .execution, .executionCompressed), sse: wanted(sse, .sse, .sseCompressed),
        isTerminal: event.kind.isTerminal)
      guard delivery.isWanted else { continue }
      if betweenMails, shard == index, !delivery.isTerminal, localMail.isEmpty {
        receiveDelivery(delivery)
      } else {
        post(.deliver(delivery), to: shard)
      }
    }
  }

  /// The native dialect's frame where it has subscribers, written where it stays.
  private func nativeFrame(of event: TaskEvent, _ interest: TaskInterest) -> SharedFrame? {
    let readsCompressed = interest.has(.nativeCompressed)
    guard readsCompressed || interest.has(.native) else { return nil }
    let payloadByteCount = ActionDialect.byteCount(of: event)
    var plain = FrameBuffer(textOf: payloadByteCount)
    let payloadStart = plain.byteCount
    ActionDialect.append(event, to: &plain)
    var compressed: [UInt8] = []
    if readsCompressed, payloadByteCount >= ShardLimits.compressedByteCountMin {
      plain.withBytes(from: payloadStart) { appendCompressed($0, to: &compressed) }
    }
    return SharedFrame(plain, compressed: compressed.span)
  }

  /// A frame where the dialect has subscribers, compressed too where some of them read that.
  private func frame(
    for plain: Audience, _ compressed: Audience, _ interest: TaskInterest, encode: () -> [UInt8]
  ) -> SharedFrame? {
    let readsCompressed = interest.has(compressed)
    guard readsCompressed || interest.has(plain) else { return nil }
    return makeFrame(encode(), compresses: readsCompressed)
  }

  /// Encodes a text message once, and compresses it once where that pays.
  func makeFrame(_ payload: [UInt8], compresses: Bool) -> SharedFrame {
    var plain = FrameBuffer(textOf: payload.count)
    plain.append(payload)
    var compressed: [UInt8] = []
    if compresses, payload.count >= ShardLimits.compressedByteCountMin {
      appendCompressed(payload.span, to: &compressed)
    }
    return SharedFrame(plain, compressed: compressed.span)
  }

  /// Appends the compressed form of a text message as a frame; nothing where that is not shorter.
  private func appendCompressed(_ payload: Span<UInt8>, to compressed: inout [UInt8]) {
    guard let deflated = deflaters.compress(payload) else { return }
    metrics.add(.compressedBytes(.sent, .raw), payload.count)
    metrics.add(.compressedBytes(.sent, .compressed), deflated.count)
    FrameWriter.appendFrame(opcode: .text, compressed: true, payload: deflated.span, into: &compressed)
  }

  private func relayCancel(_ request: CancelRequest) {
    metrics.add(.cancels)
    if request.isFirst {
      tellWorkers(
        of: request.task,
        .text(WorkerDialect.cancelRequested(request.task, user: request.user, reason: request.reason)))
    }
    let message = ActionDialect.taskCancelled(request)
    postToAll(
      .relay(
        Relay(
          target: .watchers(
            request.task, and: request.user, andUnnamed: !shared.configuration.isAuthenticationRequired),
          frame: .text(message), sse: streamFrame(of: request.task, "task_cancelled", message), from: .none)))
  }

  private func relayHeartbeat(_ beat: TaskHeartbeat) {
    let message = ActionDialect.heartbeat(beat)
    postToAll(
      .relay(
        Relay(
          target: .watchers(
            beat.task, and: beat.user,
            andUnnamed: beat.user != nil && !shared.configuration.isAuthenticationRequired),
          frame: .text(message), sse: streamFrame(of: beat.task, "heartbeat", message), from: .none)))
  }

  // MARK: Subscriptions

  /// Answers a subscription: what it is told first, and from then on every event follows by mail.
  func receiveWatch(_ request: WatchRequest) {
    // Who comes while an end is on its way to the store is told of it when it has arrived.
    if let store, store.isWaiting, taskDesk.isFinished(request.task) { return tell(.watch(request)) }
    answerWatch(request)
  }

  func answerWatch(_ request: WatchRequest) {
    let decision = taskDesk.resume(request.task, since: request.since, wait: request.wait, at: moment)
    let snapshot = taskDesk.snapshot(of: request.task)
    if let snapshot, !Authorizer.mayWatch(snapshot, request.principal, authenticationIsOn: isAuthenticationOn) {
      refuse(request, .forbidden)
      return
    }
    switch request.key {
    case .taskDialect, .executionDialect:
      guard let snapshot else { return refuse(request, .taskNotFound) }
      open(
        request, openingFrames(request.key, snapshot), offset: snapshot.offset, isLast: snapshot.status.isTerminal)
    case .stream: openStream(request, decision, snapshot)
    case .task, .execution:
      switch decision {
      case .unknownTask: return refuse(request, .taskNotFound)
      case .waiting: open(request, confirmed(request, decision), offset: 0, isLast: false)
      case .snapshot(let snapshot):
        if request.since != nil { metrics.add(.resumes(.gap)) }
        open(request, confirmed(request, decision), offset: snapshot.offset, isLast: false)
      case .replay(let events, _, let offset):
        metrics.add(.resumes(.recovered))
        let replay = events.map { event in openings.event(event, for: .task) { .text(ActionDialect.event(event)) } }
        open(
          request, confirmed(request, decision) + replay, offset: events.last?.offset ?? offset, isLast: false)
      }
    }
  }

  private func openingFrames(_ key: WatchRequest.Key, _ snapshot: TaskSnapshot) -> [SharedFrame] {
    if key == .executionDialect {
      return [
        openings.snapshot(snapshot, for: key) { .text(ExecutionDialect.status(snapshot, now: nowWall)) }
      ]
    }
    var frames = [SharedFrame.text(TaskDialect.connected(snapshot, now: nowWall))]
    if snapshot.status.isTerminal {
      frames.append(
        openings.snapshot(snapshot, for: key) {
          .text(TaskDialect.terminal(snapshot, now: nowWall) ?? [])
        })
    }
    return frames
  }

  private func confirmed(_ request: WatchRequest, _ decision: ResumeDecision) -> [SharedFrame] {
    let key: ActionKey = request.key == .execution ? .execution(request.task.text) : .task(request.task.text)
    if case .snapshot(let snapshot) = decision {
      return [
        openings.snapshot(snapshot, for: request.key) {
          .text(ActionDialect.subscriptionConfirmed(key, decision) ?? [])
        }
      ]
    }
    return ActionDialect.subscriptionConfirmed(key, decision).map { [.text($0)] } ?? []
  }

  func refuse(_ request: WatchRequest, _ code: Problem.Code) {
    post(.watchOpened(WatchOpening(request: request, outcome: .refused(code))), to: request.shard)
  }

  func open(_ request: WatchRequest, _ frames: [SharedFrame], offset: Int, isLast: Bool) {
    if !isLast {
      let interest = interests[request.task] ?? TaskInterest(shardCount: shared.shardCount)
      interest.add(request.audience, shard: request.shard)
      interests[request.task] = interest
    }
    post(
      .watchOpened(WatchOpening(request: request, outcome: .opened(frames: frames, offset: offset, isLast: isLast))),
      to: request.shard)
  }

  /// The latest status again, computed anew because time has passed in it.
  func receiveRepeat(_ task: TaskIdentifier, shard: Int) {
    guard let snapshot = taskDesk.snapshot(of: task), !snapshot.status.isTerminal else { return }
    post(
      .deliver(
        TaskDelivery(
          task: task, offset: snapshot.offset, native: nil, taskDialect: nil,
          execution: .text(ExecutionDialect.status(snapshot, now: nowWall)), isTerminal: false, isRepeat: true)),
      to: shard)
  }

  func receiveUnwatch(_ task: TaskIdentifier, _ audience: Audience, shard: Int) {
    guard let interest = interests[task] else { return }
    interest.remove(audience, shard: shard)
    if interest.total == 0 { interests[task] = nil }
  }
}

extension TaskCommand {
  /// The task that a publish is about; nil for a listing and a batch.
  var task: TaskIdentifier? {
    switch self {
    case .register(let registration, _): registration.identifier
    case .progress(let task, _), .complete(let task, _), .fail(let task, _), .heartbeat(let task, _, _),
      .node(let task, _), .log(let task, _), .cancelByParent(let task, _, _), .logLines(let task, _, _, _),
      .cancel(let task, _, _, _, _), .acknowledgeCancel(let task, _), .snapshot(let task, _),
      .events(let task, _, _, _):
      task
    case .list, .batch, .cancelMany, .ask: nil
    }
  }
}

/// A page of a listing, as every shard is asked for it.
struct TaskListQuery: Sendable {
  var filter = TaskFilter()
  var cursor: TaskSortKey?
  var limit = 100
}
