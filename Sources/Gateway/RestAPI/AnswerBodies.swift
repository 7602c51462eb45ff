import GatewayDomain

/// What a home's answer is as an HTTP answer: status and JSON body.
struct RenderedAnswer {
  let status: Int
  let body: [UInt8]
}

/// Pure functions from a home's answer, and what the request asked for, to status and body.
enum AnswerBodies {
  /// - Parameter now: Unix seconds, for what depends on the time that has passed.
  static func render(_ answer: Answer, as pending: PendingAnswer, now: Double) -> RenderedAnswer? {
    switch answer {
    case .problem(let problem):
      return RenderedAnswer(status: problem.code.status, body: ResponseBodies.problem(problem))
    case .receipt(let receipt):
      if case .finished = pending {
        return RenderedAnswer(status: 200, body: ResponseBodies.terminalReceipt(receipt))
      }
      return RenderedAnswer(status: 202, body: ResponseBodies.progressReceipt(receipt))
    case .task(let snapshot, let created):
      switch pending {
      case .execution: return RenderedAnswer(status: 200, body: ResponseBodies.execution(snapshot, now: now))
      case .createdExecution: return RenderedAnswer(status: 201, body: ResponseBodies.execution(snapshot, now: now))
      default: return RenderedAnswer(status: created ? 201 : 200, body: ResponseBodies.task(snapshot))
      }
    case .events(let epoch, let events):
      return RenderedAnswer(status: 200, body: ResponseBodies.events(epoch, events))
    case .page(let page):
      return RenderedAnswer(
        status: 200, body: ResponseBodies.taskList(page.tasks, nextCursor: page.nextCursor))
    case .cancelRequested(let isRequested):
      if case .heartbeat = pending {
        return RenderedAnswer(status: 200, body: ResponseBodies.cancelRequested(isRequested))
      }
      return RenderedAnswer(status: 202, body: ResponseBodies.cancelRequested(true))
    case .logged(let receipt): return RenderedAnswer(status: 202, body: ResponseBodies.logReceipt(receipt))
    case .logLines(let newest, let lines):
      return RenderedAnswer(status: 200, body: ResponseBodies.logLines(lines, newest: newest))
    case .cancelledMany(let outcomes): return RenderedAnswer(status: 202, body: outcomes.body)
    case .confirmation(let confirmation, let isNew):
      return RenderedAnswer(status: isNew ? 201 : 200, body: ResponseBodies.confirmation(confirmation))
    case .connections(let count):
      if case .userMessage = pending {
        return RenderedAnswer(
          status: 200, body: ResponseBodies.message(nil, connections: count, isAcknowledged: false))
      }
      return RenderedAnswer(status: 200, body: ResponseBodies.connections(count))
    case .message(let message):
      return RenderedAnswer(status: 200, body: ResponseBodies.message(message))
    case .batch(let rejected, let accepted, let cancelRequested):
      return RenderedAnswer(
        status: 200,
        body: ResponseBodies.published(accepted: accepted, rejected: rejected, cancelRequested: cancelRequested))
    case .confirmationResult, .claim, .done: return nil
    }
  }
}
