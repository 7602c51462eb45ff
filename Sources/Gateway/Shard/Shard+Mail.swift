import GatewayDomain
import Protocol

/// Mail: the closed list of what may reach a shard from another thread, or from itself.
extension Shard {
  func receive(_ message: ShardMessage) {
    switch message {
    case .task(let command, let address): receiveTaskCommand(command, from: address)
    case .confirmation(let command, let address): receiveConfirmationCommand(command, from: address)
    case .message(let command, let address): receiveMessageCommand(command, from: address)
    case .watch(let request): receiveWatch(request)
    case .unwatch(let task, let audience, let shard): receiveUnwatch(task, audience, shard: shard)
    case .repeatStatus(let task, let shard): receiveRepeat(task, shard: shard)
    case .children(let changes): receiveChildren(changes)
    case .watchOpened(let opening): receiveOpening(opening)
    case .deliver(let delivery): receiveDelivery(delivery)
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
    case .stop: isStopped = true
    }
  }

  /// Sends an answer to where it was asked for.
  func reply(_ answer: Answer, to address: ReplyAddress) {
    switch address {
    case .none: break
    case .exchange(let shard, _, _), .socket(let shard, _, _), .gathering(let shard, _):
      post(.answer(address, answer), to: shard)
    }
  }

  private func receiveAnswer(_ answer: Answer, for address: ReplyAddress) {
    switch address {
    case .none: break
    case .exchange(_, let token, let request):
      guard isCurrent(token), let exchange = connections[token.slot].exchange, exchange.requestNumber == request,
        case .awaitingAnswer = exchange.state
      else { return }
      if case .upgrade = exchange.pending {
        finishUpgrade(token.slot, exchange, answer)
      } else {
        render(token.slot, exchange, answer)
      }
    case .socket(_, let token, let key):
      guard isCurrent(token), connections[token.slot].phase == .open else { return }
      renderForSocket(token.slot, answer, key)
      commandAnswered(token.slot)
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
    case .connections: reply(.connections(gathering.connectionCount), to: gathering.address)
    case .message(let message, let waitSeconds):
      receiveMessageCommand(
        .sent(message, connections: gathering.connectionCount, waitSeconds: waitSeconds), from: gathering.address)
    case .cancelMany:
      reply(.cancelledMany(gathering.cancelOutcomes.sorted { $0.place < $1.place }), to: gathering.address)
    case .page(let limit): reply(.page(TaskPage.merged(gathering.pages, limit: limit)), to: gathering.address)
    case .batch:
      let rejected = gathering.rejected.sorted { $0.line < $1.line }
      reply(
        .batch(rejected, accepted: gathering.accepted, cancelRequested: gathering.cancelRequested),
        to: gathering.address)
    }
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

  private func follow(_ slot: Int32, _ request: WatchRequest, after offset: Int) {
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

  private func giveUp(_ request: WatchRequest) {
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
