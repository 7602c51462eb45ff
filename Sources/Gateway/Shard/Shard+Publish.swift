import GatewayDomain
import Protocol

/// What workers publish: single reports, and lines in bulk. A report whose home is this shard is carried out while its
/// request is read, and costs no mail.
extension Shard {
  /// Whether a command to the task's home, given now, is the next that reaches it from this shard.
  ///
  /// Requests are read in phases 2 and 5, between the shard's mails to itself and never within one: where none waits,
  /// carrying the command out here and now is what mailing it would come to.
  func isNextToReach(_ task: TaskIdentifier) -> Bool {
    localMail.isEmpty && shared.home(of: task) == index
  }

  /// `POST …/{id}/progress` at the task's home.
  func progress(_ slot: Int32, _ exchange: HTTPExchange, _ task: TaskIdentifier) {
    let body = exchange.body
    do throws(Problem) {
      let report = try RequestBodies.progress(body.span)
      // What is an end waits for the store, and what meets one may have to.
      if store != nil, report.isTerminal { return askHome(slot, exchange, .progress(task, report)) }
      let receipt: PublishReceipt
      do throws(Problem) { receipt = try progress(task, report) } catch {
        guard error.code == .taskFinished, store?.isWaiting == true else { throw error }
        return askHome(slot, exchange, .progress(task, report))
      }
      respond(slot, exchange, status: 202, receipt: receipt, isTerminal: false)
    } catch {
      respond(slot, problem: error)
    }
  }

  /// As if the report had come by mail.
  private func askHome(_ slot: Int32, _ exchange: HTTPExchange, _ command: TaskCommand) {
    exchange.pending = .accepted
    receiveTaskCommand(command, from: address(of: slot, exchange))
  }

  /// Takes a report in, with all that follows from it.
  private func progress(_ task: TaskIdentifier, _ report: ProgressReport) throws(Problem) -> PublishReceipt {
    if report.isTerminal { try requireStore() }
    var random = EnvironmentRandom(environment: environment)
    defer { carryTaskEffects(betweenMails: true) }
    return try taskDesk.progress(task, report, at: moment, random: &random, into: &taskEffects)
  }

  // MARK: In bulk

  /// `POST /api/v1/publish`: the lines that live here are carried out one after the other as they are read, the others go
  /// to their homes in batches, each home's in order.
  func publish(_ slot: Int32, _ exchange: HTTPExchange, _ principal: Principal) {
    connections[slot].deadline = nowMilliseconds + ShardLimits.answerMilliseconds
    // What the lines themselves send is no command to a home: the first one's moment is that of all.
    var bulk = BulkPublish(principal: principal, shardCount: shared.shardCount, actsAtOnce: localMail.isEmpty)
    let body = exchange.body
    let bytes = body.span
    var fields = RequestFields()
    var report = ProgressReport()
    for line in RequestBodies.lines(of: bytes) {
      let lineBytes = bytes.extracting(line.range)
      do throws(Problem) {
        if let task = try RequestBodies.progress(ofLine: lineBytes, reusing: &fields, into: &report) {
          try publish(report, of: task, line: line.number, &bulk)
        } else {
          try publish(try RequestBodies.operation(fields, in: lineBytes), line: line.number, &bulk)
        }
      } catch {
        bulk.rejected.append((line.number, error))
      }
    }
    let homes = bulk.batches.indices.filter { !bulk.batches[$0].isEmpty }
    exchange.pending = .batch
    let address = address(of: slot, exchange)
    let own = Answer.batch(bulk.rejected, accepted: bulk.accepted, cancelRequested: bulk.cancelRequested)
    guard !homes.isEmpty else {
      guard bulk.isDurable || exchange.ticket != nil else { return render(slot, exchange, own) }
      record(own, for: address)
      return tell(.reply(own, to: address, ends: bulk.ends))
    }
    let parts = gather(.batch, answering: address, partCount: homes.count + 1)
    for home in homes { post(.task(.batch(bulk.batches[home]), from: parts), to: home) }
    if bulk.isDurable { tell(.reply(own, to: parts, ends: bulk.ends)) } else { reply(own, to: parts) }
  }

  /// What nearly all lines are.
  private func publish(
    _ report: ProgressReport, of task: TaskIdentifier, line: Int, _ bulk: inout BulkPublish
  ) throws(Problem) {
    if let home = homeElsewhere(of: task, &bulk) {
      bulk.batches[home].append(BatchLine(line: line, work: .task(.progress(task, report))))
      return
    }
    if report.isTerminal { note(.progress(task, report), in: &bulk) }
    if try progress(task, report).cancelRequested { bulk.noteCancel(of: task) }
    bulk.accepted += 1
  }

  /// What a line asks for is durable before the answer, or is taken back.
  private func note(_ command: TaskCommand, in bulk: inout BulkPublish) {
    guard command.isDurable else { return }
    bulk.isDurable = true
    bulk.ends += former(of: command)
  }

  /// Where a line about a task goes; nil where it is carried out here and now.
  @inline(__always)
  private func homeElsewhere(of task: TaskIdentifier, _ bulk: inout BulkPublish) -> Int? {
    let home = shared.home(of: task)
    bulk.lastHome = home
    return bulk.actsAtOnce && home == index ? nil : home
  }

  private func publish(_ operation: PublishOperation, line: Int, _ bulk: inout BulkPublish) throws(Problem) {
    guard let task = operation.task else {
      // A message that stands after a task's line leaves from that task's home.
      if let lastHome = bulk.lastHome, !(bulk.actsAtOnce && lastHome == index) {
        bulk.batches[lastHome].append(BatchLine(line: line, work: .relay(operation)))
      } else {
        send(operation, waits: bulk.isDurable)
        bulk.accepted += 1
      }
      return
    }
    guard let command = operation.command(bulk.principal) else { return }
    if let home = homeElsewhere(of: task, &bulk) {
      bulk.batches[home].append(BatchLine(line: line, work: .task(command)))
      return
    }
    note(command, in: &bulk)
    switch answer(command, betweenMails: true) {
    case .problem(let problem): throw problem
    case let answer: if answer.tellsOfCancel { bulk.noteCancel(of: task) }
    }
    bulk.accepted += 1
  }

  /// The operations of a bulk publish, or of a worker's socket, that are no task's.
  ///
  /// - Parameter waits: whether a line before it may wait for the store: what is told of that one comes first.
  func send(_ operation: PublishOperation, answering address: ReplyAddress = .none, waits: Bool = false) {
    switch operation {
    case .message(let user, let body, let requiresAcknowledgement):
      sendMessage(
        user, body, requiresAcknowledgement: requiresAcknowledgement, waitSeconds: 0, answering: address, waits: waits)
    case .broadcast(let body): relay(.everyone, body, answering: address, waits: waits)
    case .channel(let channel, let body):
      relay(
        .channel(channel), JSONText(normalised: ActionDialect.channelMessage(body, channel: channel)),
        answering: address, waits: waits)
    case .register, .progress, .complete, .error, .heartbeat, .node, .log: break
    }
  }
}

/// A bulk publish while its lines are read.
private struct BulkPublish {
  let principal: Principal
  /// Whether lines that live here are carried out at once.
  let actsAtOnce: Bool
  /// By home.
  var batches: [[BatchLine]]
  /// In line order.
  var rejected: [(line: Int, problem: Problem)] = []
  var accepted = 0
  /// Whether some line that was carried out here is to be durable before the answer.
  var isDurable = false
  /// The tasks that those lines may have ended, as they were before.
  var ends: [FormerTask] = []
  /// None twice.
  var cancelRequested: [TaskIdentifier] = []
  /// The home of the last line that is a task's.
  var lastHome: Int?

  init(principal: Principal, shardCount: Int, actsAtOnce: Bool) {
    self.principal = principal
    self.actsAtOnce = actsAtOnce
    batches = [[BatchLine]](repeating: [], count: shardCount)
  }

  mutating func noteCancel(of task: TaskIdentifier) {
    if !cancelRequested.contains(task) { cancelRequested.append(task) }
  }
}

extension PublishOperation {
  /// The command to a task's home; nil for operations that are no task's.
  func command(_ principal: Principal) -> TaskCommand? {
    switch self {
    case .register(let registration): .register(registration, principal: principal)
    case .progress(let task, let report): .progress(task, report)
    case .complete(let task, let report): .complete(task, report)
    case .error(let task, let report): .fail(task, report)
    case .heartbeat(let task, let beat): .heartbeat(task, user: beat.user, message: beat.message)
    case .node(let task, let report): .node(task, report)
    case .log(let task, let lines): .log(task, lines)
    case .message, .broadcast, .channel: nil
    }
  }

  /// The task that it is about; nil for operations that are no task's.
  var task: TaskIdentifier? {
    switch self {
    case .register(let registration): registration.identifier
    case .progress(let task, _), .complete(let task, _), .error(let task, _), .heartbeat(let task, _),
      .node(let task, _), .log(let task, _):
      task
    case .message, .broadcast, .channel: nil
    }
  }
}
