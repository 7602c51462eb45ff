import GatewayDomain
import Protocol

/// Mail: the closed list of what may reach a shard from another thread, or from itself.
extension Shard {
  func receive(_ message: ShardMessage) {
    switch message {
    case .task(let command, let address): receiveTaskCommand(command, from: address)
    case .confirmation(let command, let address): receiveConfirmationCommand(command, from: address)
    case .message(let command, let address): receiveMessageCommand(command, from: address)
    case .idempotency(let command, let address): receiveIdempotencyCommand(command, from: address)
    case .stored(let sequence): receiveCommitted(through: sequence)
    case .notStored(let sequence, let failure): receiveFailed(through: sequence, failure)
    case .watch(let request): receiveWatch(request)
    case .unwatch(let task, let audience, let shard): receiveUnwatch(task, audience, shard: shard)
    case .repeatStatus(let task, let shard): receiveRepeat(task, shard: shard)
    case .watchAsWorker(let task, let address): receiveWorkerWatch(task, from: address)
    case .tellWorkers(let task, let frame): tellWorkers(of: task, frame)
    case .offer(let execution, let worker): receiveOffer(execution, to: worker)
    case .workerLeft(let worker): receiveWorkerLeft(worker)
    case .dispatch(let command): receiveDispatch(command)
    case .commandWorker(let worker, let frame): receiveWorkerCommand(frame, for: worker)
    case .children(let changes): receiveChildren(changes)
    case .watchOpened(let opening): receiveOpening(opening)
    case .deliver(let delivery): receiveDelivery(delivery)
    case .owned(let ownership): receiveOwnership(ownership)
    case .aside(let aside): receiveAside(aside)
    case .relay(let relay): receiveRelay(relay)
    case .ask(let notice): receiveQuestion(notice)
    case .settled(let callback, let frame): receiveOutcome(callback, frame)
    case .closeUser(let user, let newcomer, let code, let reason, let address):
      closeConnections(of: user, newcomer: newcomer, code, reason, from: address)
    case .answer(let address, let answer): receiveAnswer(answer, for: address)
    case .drain: postToAll(.drainHeard)
    case .drainHeard:
      // Mail is in order per sender: what any shard has answered with 2xx before has arrived by now.
      drainHeardCount += 1
      if drainHeardCount == shared.shardCount { drain() }
    case .stop:
      writeEverything()
      isStopped = true
    }
  }

  /// Sends an answer to where it was asked for.
  func reply(_ answer: Answer, to address: ReplyAddress) {
    guard let shard = address.shard else { return }
    endClaim(answer, for: address)
    post(.answer(address, answer), to: shard)
  }

  private func receiveAnswer(_ answer: Answer, for address: ReplyAddress) {
    switch address {
    case .none: break
    case .exchange(_, let token, let request), .idempotent(_, let token, let request, _):
      guard isCurrent(token), let exchange = connections[token.slot].exchange, exchange.requestNumber == request,
        case .awaitingAnswer = exchange.state
      else { return noteMissed(answer) }
      // Whoever carried the request out has told the key's home.
      if case .idempotent = address { exchange.ticket = nil }
      switch exchange.pending {
      case .upgrade: finishUpgrade(token.slot, exchange, answer)
      case .claim: continueClaimed(token.slot, exchange, answer)
      default: render(token.slot, exchange, answer)
      }
    case .socket(_, let token, let key):
      guard isCurrent(token), connections[token.slot].phase == .open else { return }
      renderForSocket(token.slot, answer, key)
      commandAnswered(token.slot)
    case .worker(_, let worker, let identifier, let label):
      receiveWorkerAnswer(answer, for: worker, id: identifier, label)
    case .gathering(_, let number):
      guard var gathering = gatherings[number] else { return }
      let isComplete = gathering.add(answer)
      gatherings[number] = isComplete ? nil : gathering
      if isComplete { finish(gathering) }
    }
  }

  /// Starts an answer that several shards give in parts.
  func gather(_ kind: Gathering.Kind, answering address: ReplyAddress, partCount: Int) -> ReplyAddress {
    gatheringNumber += 1
    gatherings[gatheringNumber] = Gathering(kind, answering: address, partCount: partCount)
    return .gathering(shard: index, number: gatheringNumber)
  }

  private func finish(_ gathering: Gathering) {
    switch gathering.kind {
    case .connections: settle(.connections(gathering.connectionCount), to: gathering.address)
    case .message(let message, let waitSeconds):
      receiveMessageCommand(
        .sent(message, connections: gathering.connectionCount, waitSeconds: waitSeconds), from: gathering.address)
    case .cancelMany:
      if let problem = gathering.problem { return reply(.problem(problem), to: gathering.address) }
      settle(.cancelledMany(gathering.cancelOutcomes.sorted { $0.place < $1.place }), to: gathering.address)
    case .page(let limit): reply(.page(TaskPage.merged(gathering.pages, limit: limit)), to: gathering.address)
    case .batch:
      if let problem = gathering.problem { return reply(.problem(problem), to: gathering.address) }
      let rejected = gathering.rejected.sorted { $0.line < $1.line }
      settle(
        .batch(rejected, accepted: gathering.accepted, cancelRequested: gathering.cancelRequested),
        to: gathering.address)
    }
  }

  /// Several homes have answered. What they have done they keep themselves; what a key's request came to is kept here.
  private func settle(_ answer: Answer, to address: ReplyAddress) {
    guard case .idempotent = address else { return reply(answer, to: address) }
    record(answer, for: address)
    tell(.reply(answer, to: address, ends: []))
  }

  /// A key was claimed for a request that is gone: somebody else may have it.
  private func noteMissed(_ answer: Answer) {
    guard case .claim(.first, let token) = answer else { return }
    post(.idempotency(.abandon(token), from: .none), to: shared.home(of: token))
  }

  /// What a WebSocket is told of a command that went to a home.
  private func renderForSocket(_ slot: Int32, _ answer: Answer, _ key: ActionKey?) {
    switch answer {
    case .confirmationResult(let callback, let result):
      // Seed 002's clients expect no answer to `confirm`.
      guard connections[slot].speaksNative else { return }
      send(slot, .text(ActionDialect.confirmationResult(callback, result)))
      // Who was asked is told with the others; who answered unasked, such as an admin, is told here (contract §6).
      if case .accepted(let confirmation) = result, asked[callback]?.contains(token(of: slot)) != true {
        send(slot, .text(ActionDialect.confirmationResolved(confirmation)))
      }
    case .problem(let problem):
      let text: String
      switch problem.code {
      case .forbidden: text = "forbidden"
      case .taskNotFound: text = "Task not found"
      default: text = problem.detail
      }
      send(slot, .text(ActionDialect.error(text, now: nowWall, key: key)))
    default: break
    }
  }

  /// The home's answer to a subscription.
  private func receiveOpening(_ opening: WatchOpening) {
    let request = opening.request
    if request.key == .stream { return receiveStreamOpening(opening) }
    let slot = request.connection.slot
    let isHere = isCurrent(request.connection) && connections[slot].phase == .open
    defer { if isHere { commandAnswered(slot) } }
    let isAction = request.key == .task || request.key == .execution
    let isWithdrawn = isHere && isAction && takeWithdrawal(slot, request.task)
    switch opening.outcome {
    case .refused(let code):
      guard isHere else { return }
      if isAction { connections[slot].subscriptionCount -= 1 }
      refuse(slot, request, code)
    case .opened(let frames, let offset, let isLast):
      guard isHere else {
        if !isLast { giveUp(request) }
        return
      }
      for frame in frames { send(slot, frame) }
      if isWithdrawn {
        connections[slot].subscriptionCount -= 1
        return giveUp(request)
      }
      if isLast {
        if request.key == .executionDialect { close(slot, .normal, "finished") } else { closeAfterGrace(slot) }
        return
      }
      follow(slot, request, after: offset)
    }
  }

  /// Takes note of a home's answer; true where the client has unsubscribed while it was on its way.
  private func takeWithdrawal(_ slot: Int32, _ task: TaskIdentifier) -> Bool {
    guard let identity = connections[slot].identity, var pending = identity.pendingWatches[task] else { return false }
    let isWithdrawn = pending.withdrawnCount > 0
    pending.count -= 1
    if isWithdrawn { pending.withdrawnCount -= 1 }
    identity.pendingWatches[task] = pending.count > 0 ? pending : nil
    // An emptied dictionary keeps its storage; an idle connection should not.
    if identity.pendingWatches.isEmpty { identity.pendingWatches = [:] }
    return isWithdrawn
  }

  func follow(_ slot: Int32, _ request: WatchRequest, after offset: Int) {
    // What came before is for those who were there.
    closeRuns()
    let key = TopicKey.task(request.task)
    if topics.audience(of: key, listHead: connections[slot].subscriptionHead) != nil {
      // It follows the task already: none twice. What it was told now includes what was held back for it.
      topics.advance(key, to: offset, listHead: connections[slot].subscriptionHead)
      connections[slot].subscriptionCount -= 1
      giveUp(request)
      return
    }
    let isSubscribed = topics.subscribe(
      slot, to: key, audience: request.audience, listHead: &connections[slot].subscriptionHead)
    if !isSubscribed {
      giveUp(request)
      condemn(slot, .tooManySubscriptions)
    }
  }

  func giveUp(_ request: WatchRequest) {
    post(.unwatch(request.task, request.audience, shard: index), to: shared.home(of: request.task))
  }

  private func refuse(_ slot: Int32, _ request: WatchRequest, _ code: Problem.Code) {
    let isForbidden = code == .forbidden
    switch request.key {
    case .taskDialect:
      metrics.add(.handshakesRejected(isForbidden ? .permission : .notFound))
      close(slot, .policyViolation, isForbidden ? "Permission denied" : "Task not found")
    case .executionDialect:
      metrics.add(.handshakesRejected(isForbidden ? .permission : .notFound))
      let reason = isForbidden ? "Permission denied" : "Execution not found"
      send(slot, .text(ExecutionDialect.error(reason)))
      close(slot, .policyViolation, reason)
    case .task:
      send(
        slot,
        .text(
          ActionDialect.error(
            isForbidden ? "forbidden" : "Task not found", now: nowWall, key: .task(request.task.text))))
    case .execution:
      send(
        slot,
        .text(
          ActionDialect.error(
            isForbidden ? "forbidden" : "Task not found", now: nowWall, key: .execution(request.task.text))))
    // It is refused by status: see `receiveStreamOpening`.
    case .stream: break
    }
  }

  /// This node goes down: nobody new, and everybody here is told to connect again (contract §2.4).
  private func drain() {
    // The listener stays open: load balancers must be able to read 503 from `/readyz` and from handshakes.
    for held in waiters.takeAll() { for waiter in held.waiters { answerPending(held.name, waiter) } }
    for slot in 0..<Int32(connections.placeCount) {
      switch connections[slot].phase {
      case .open:
        if connections[slot].speaksNative {
          send(slot, .text(ActionDialect.serverDraining(reconnectAfterSeconds: 1)))
        }
        close(slot, .serviceRestart, "Server is restarting")
      case .http:
        if connections[slot].exchange?.requestHasBegun != true, connections[slot].pendingByteCount == 0 {
          release(slot)
        } else {
          connections[slot].exchange?.keepsAlive = false
        }
      case .closing, .flushing, .free: break
      }
    }
  }
}
