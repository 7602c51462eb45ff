package import GatewayDomain
package import Protocol

/// What a worker asks for on its socket.
package enum WorkerRequest: Sendable {
  case operation(PublishOperation)
  /// So many executions at once; 0 takes no more.
  case acceptExecutions(limit: Int)
  case watch(TaskIdentifier)
}

/// A worker's message: what it wants, or why that is not understood, and the name that the answer repeats.
package struct WorkerMessage: Sendable {
  /// Any JSON value; null where none was given.
  package let identifier: JSONText
  package let request: Result<WorkerRequest, Problem>
}

/// The worker socket, `/api/v1/ws/workers` (contract §2.5): operations as in a bulk publish, one a message, each
/// answered by its `id`; commands to the worker by their `type`. Pure functions.
package enum WorkerDialect {
  package static func parse(_ bytes: Span<UInt8>) -> WorkerMessage {
    var fields = RequestFields()
    do throws(Problem) {
      try fields.read(bytes)
    } catch {
      return WorkerMessage(identifier: .null, request: .failure(error))
    }
    let identifier = fields.member(.identifier).map { JSONText(normalising: $0, of: bytes) } ?? .null
    // The answer's name is no part of what is published.
    fields.hidden = [.identifier]
    do throws(Problem) {
      return WorkerMessage(identifier: identifier, request: .success(try request(fields, in: bytes)))
    } catch {
      return WorkerMessage(identifier: identifier, request: .failure(error))
    }
  }

  private static func request(_ fields: RequestFields, in bytes: Span<UInt8>) throws(Problem) -> WorkerRequest {
    guard let member = fields.present(.operation), let word = JSONDecode.string(member, in: bytes) else {
      return .operation(try RequestBodies.operation(fields, in: bytes))
    }
    switch word {
    case "accept_executions":
      let rule = "must be an integer from 0 to \(ExecutionDispatcher.limitMax)"
      guard let member = fields.present(.limit) else { throw RequestFields.missing(.limit, rule) }
      guard let limit = JSONDecode.int(member, in: bytes), (0...ExecutionDispatcher.limitMax).contains(limit) else {
        throw RequestFields.refusal(.limit, member, rule, in: bytes)
      }
      return .acceptExecutions(limit: limit)
    case "watch":
      guard let task = try fields.task(.task, in: bytes) else {
        throw RequestFields.missing(.task, "must be \(TaskIdentifier.rule)")
      }
      return .watch(task)
    default: return .operation(try RequestBodies.operation(fields, in: bytes))
    }
  }

  // MARK: Answers

  /// - Parameter members: an object whose members the answer has too; nil for none.
  package static func accepted(_ identifier: JSONText, _ members: [UInt8]? = nil) -> [UInt8] {
    var answer: [UInt8] = []
    answer.reserveCapacity(24 + identifier.byteCount + (members?.count ?? 0))
    answer.append(#"{"id":"#)
    answer.append(identifier)
    answer.append(#","ok":true"#)
    if let members, members.count > 2 {
      answer.append(UInt8(ascii: ","))
      answer.append(members.span.extracting(1..<members.count))
    } else {
      answer.append(UInt8(ascii: "}"))
    }
    return answer
  }

  package static func refused(_ identifier: JSONText, _ problem: Problem) -> [UInt8] {
    ResponseBodies.object { writer in
      writer.member("id", raw: identifier)
      writer.member("ok", bool: false)
      writer.key("error")
      ResponseBodies.appendProblem(problem, to: &writer)
    }
  }

  // MARK: Commands

  /// Somebody wants the task cancelled. `user` and `reason` are null where nobody said.
  package static func cancelRequested(_ task: TaskIdentifier, user: UserIdentifier?, reason: JSONText?) -> [UInt8] {
    ActionDialect.message("cancel_requested") { writer in
      writer.member("task_id", string: task.text)
      writer.member("user_id", string: user?.text)
      writer.member("reason", raw: reason)
    }
  }

  package static func confirmationResolved(_ confirmation: Confirmation) -> [UInt8] {
    ActionDialect.message("confirmation_resolved") { writer in
      writer.member("task_id", string: confirmation.request.task.text)
      writer.member("callback_id", string: confirmation.identifier.text)
      writer.member("status", literal: confirmation.status.word)
      ResponseBodies.appendOutcome(of: confirmation, to: &writer)
    }
  }

  /// The execution object, which has what it was created with.
  package static func executionCreated(_ snapshot: TaskSnapshot, now: Double) -> [UInt8] {
    let execution = ResponseBodies.execution(snapshot, now: now)
    var message: [UInt8] = []
    message.reserveCapacity(32 + execution.count)
    message.append(#"{"type":"execution_created","#)
    message.append(execution.span.extracting(1..<execution.count))
    return message
  }
}
