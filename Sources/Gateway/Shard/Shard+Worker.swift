import GatewayDomain
import Protocol
import Synchronization

/// Worker sockets (contract §2.5): operations go to their homes and are answered by name, homes send commands to the
/// workers of a task, and the dispatcher on the first shard offers executions to those that take some.
extension Shard {
  // MARK: At the worker's shard

  /// The connection is open and may be.
  func enterWorker(_ slot: Int32) {
    workerCount += 1
    let worker = WorkerIdentifier(number: workerCount &* UInt64(shared.shardCount) &+ UInt64(index))
    identity(of: slot).worker = worker
    workers[worker] = token(of: slot)
    shared.workerConnections.add(1, ordering: .relaxed)
  }

  /// It receives no more: homes forget it, and what it was offered and has not begun is offered again.
  func leaveWorker(_ slot: Int32) {
    guard let identity = connections[slot].identity, let worker = identity.worker else { return }
    identity.worker = nil
    workers[worker] = nil
    shared.workerConnections.subtract(1, ordering: .relaxed)
    // Mail is in order: what the worker has asked for before reaches every home before this.
    postToAll(.workerLeft(worker))
  }

  /// A message of the worker's.
  func receivedOperation(_ slot: Int32, _ bytes: Span<UInt8>) {
    guard let worker = connections[slot].identity?.worker else { return }
    let message = WorkerDialect.parse(bytes)
    let request: WorkerRequest
    do throws(Problem) {
      request = try message.request.get()
      if shared.mailPressure.isHigh {
        throw Problem(.overCapacity, "this node has more work than it can do, try again")
      }
    } catch {
      return send(slot, .text(WorkerDialect.refused(message.identifier, error)))
    }
    func address(_ label: OperationLabel?) -> ReplyAddress {
      .worker(shard: index, worker, id: message.identifier, label)
    }
    switch request {
    case .operation(let operation):
      if let task = operation.task, let command = operation.command(principal(of: slot)) {
        // By mail even to this shard, so that a task's operations are carried out in the order in which they came.
        post(.task(command, from: address(operation.label)), to: shared.home(of: task))
      } else {
        send(operation, answering: address(operation.label))
      }
    case .watch(let task): post(.watchAsWorker(task, from: address(nil)), to: shared.home(of: task))
    case .acceptExecutions(let limit):
      post(.dispatch(.accept(worker, limit: limit, from: address(nil))), to: Self.dispatcherIndex)
    }
  }

  /// What a home has answered to an operation.
  func receiveWorkerAnswer(
    _ answer: Answer, for worker: WorkerIdentifier, id identifier: JSONText, _ label: OperationLabel?
  ) {
    guard let token = workers[worker], isCurrent(token), connections[token.slot].phase == .open else { return }
    let status = if case .problem(let problem) = answer { problem.code.status } else { 200 }
    if let label { metrics.add(.publishRequests(label, OutcomeLabel(status: status))) }
    if case .problem(let problem) = answer {
      send(token.slot, .text(WorkerDialect.refused(identifier, problem)))
    } else {
      let body = AnswerBodies.render(answer, as: Self.pending(label), now: nowWall)?.body
      send(token.slot, .text(WorkerDialect.accepted(identifier, body)))
    }
  }

  /// How the HTTP call of the same operation would be answered.
  private static func pending(_ label: OperationLabel?) -> PendingAnswer {
    switch label {
    case .complete, .error: .finished
    case .heartbeat: .heartbeat
    case .message: .userMessage
    default: .none
    }
  }

  /// A home's command to a worker of this shard. One that is gone, or going, is not told: its home hears of it.
  func receiveWorkerCommand(_ frame: SharedFrame, for worker: WorkerIdentifier) {
    guard let token = workers[worker], isCurrent(token), connections[token.slot].phase == .open else { return }
    send(token.slot, frame)
  }

  // MARK: At the task's home

  /// Takes note of who has reported; after the command's effects, which may have ended the task.
  func noteReporter(of command: TaskCommand, _ answer: Answer) {
    guard let reporter, let task = command.task else { return }
    if case .problem = answer { return }
    if taskDesk.isUnfinished(task) { workerDirectory.reported(task, by: reporter) }
  }

  func receiveWorkerWatch(_ task: TaskIdentifier, from address: ReplyAddress) {
    guard let worker = address.worker else { return }
    do throws(Problem) {
      try workerDirectory.watched(task, by: worker)
    } catch {
      return reply(.problem(error), to: address)
    }
    reply(.done, to: address)
    // Who asked, and why, is not kept.
    if let snapshot = taskDesk.snapshot(of: task), snapshot.cancelRequested, !snapshot.status.isTerminal {
      post(
        .commandWorker(worker, .text(WorkerDialect.cancelRequested(task, user: nil, reason: nil))),
        to: shared.shard(of: worker))
    }
  }

  /// Sends a command to those who last reported on the task or watch it.
  func tellWorkers(of task: TaskIdentifier, _ frame: @autoclosure () -> SharedFrame) {
    guard !workerDirectory.isEmpty else { return }
    let told = workerDirectory.workers(of: task)
    guard !told.isEmpty else { return }
    let frame = frame()
    for worker in told { post(.commandWorker(worker, frame.handedOver()), to: shared.shard(of: worker)) }
  }

  /// An event's meaning for executions and for those who are told of the task.
  func noteEvent(_ event: TaskEvent, _ record: TaskRecord) {
    noteReport(on: event.task)
    guard event.kind.isTerminal else { return }
    workerDirectory.forget(event.task)
    if record.snapshot.isExecution { dispatch(.finished(event.task)) }
  }

  /// The first report on an execution is its worker's claim.
  func noteReport(on task: TaskIdentifier) {
    guard !unclaimedExecutions.isEmpty, unclaimedExecutions.remove(task) != nil else { return }
    dispatch(.reported(task, by: reporter))
  }

  /// The task is gone from its desk.
  func forgetTask(_ task: TaskIdentifier) {
    workerDirectory.forget(task)
    if unclaimedExecutions.remove(task) != nil { dispatch(.finished(task)) }
  }

  /// An execution that nobody has begun is offered to workers: one that was created now, or that a restart has found in the
  /// store. Anything else is left alone, so a restore may call this for every task that lives here, in any order.
  func offerExecution(_ snapshot: TaskSnapshot) {
    guard snapshot.isExecution, snapshot.status == .pending, snapshot.offset == 0 else { return }
    guard unclaimedExecutions.insert(snapshot.identifier).inserted else { return }
    dispatch(.created(snapshot.identifier, at: snapshot.createdAt))
  }

  /// The dispatcher has found a worker for it.
  func receiveOffer(_ execution: TaskIdentifier, to worker: WorkerIdentifier) {
    guard unclaimedExecutions.contains(execution), let snapshot = taskDesk.snapshot(of: execution) else {
      // Somebody has begun it meanwhile: the worker is not told, and has room for another.
      return dispatch(.finished(execution))
    }
    post(
      .commandWorker(worker, .text(WorkerDialect.executionCreated(snapshot, now: nowWall))),
      to: shared.shard(of: worker))
  }

  // MARK: The dispatcher

  /// The shard that has it.
  static var dispatcherIndex: Int { 0 }

  private func dispatch(_ command: DispatchCommand) { post(.dispatch(command), to: Self.dispatcherIndex) }

  func receiveDispatch(_ command: DispatchCommand) {
    var effects: [DispatchEffect] = []
    switch command {
    case .created(let execution, let createdAt): dispatcher.created(execution, at: createdAt, into: &effects)
    case .reported(let execution, let worker): dispatcher.reported(execution, by: worker, into: &effects)
    case .finished(let execution): dispatcher.finished(execution, into: &effects)
    case .accept(let worker, let limit, let address):
      do throws(Problem) {
        try dispatcher.accept(worker, limit: limit, into: &effects)
        reply(.done, to: address)
      } catch {
        reply(.problem(error), to: address)
      }
    }
    carry(effects)
  }

  func receiveWorkerLeft(_ worker: WorkerIdentifier) {
    workerDirectory.left(worker)
    // While the node goes down all leave: offering what they had to those who are next would only lose it.
    guard index == Self.dispatcherIndex, !shared.isDraining.load(ordering: .relaxed) else { return }
    var effects: [DispatchEffect] = []
    dispatcher.left(worker, into: &effects)
    carry(effects)
  }

  private func carry(_ effects: [DispatchEffect]) {
    for effect in effects {
      switch effect {
      case .offer(let execution, let worker): post(.offer(execution, to: worker), to: shared.home(of: execution))
      }
    }
    shared.waitingExecutions.store(dispatcher.waitingCount, ordering: .relaxed)
    metrics.set(.executionsWaiting, dispatcher.waitingCount)
  }
}

extension ReplyAddress {
  /// The worker that asked; nil for everybody else.
  var worker: WorkerIdentifier? {
    if case .worker(_, let worker, _, _) = self { return worker }
    return nil
  }
}

extension PublishOperation {
  /// The label in `signalbox_publish_requests_total`, which also says what an answer looks like.
  var label: OperationLabel {
    switch self {
    case .register: .register
    case .progress: .progress
    case .complete: .complete
    case .error: .error
    case .heartbeat: .heartbeat
    case .node: .node
    case .log: .log
    case .message: .message
    case .broadcast: .broadcast
    case .channel: .channel
    }
  }
}
