package import GatewayDomain
package import Protocol

/// The body of `POST …/{id}/heartbeat`.
package struct HeartbeatBody: Sendable, Equatable {
  package var user: UserIdentifier?
  package var message: JSONText?
}

/// The body of `POST …/{id}/cancel`.
package struct CancelBody: Sendable, Equatable {
  package var user: UserIdentifier?
  package var reason: JSONText?
}

/// The body of `POST /api/v1/executions`.
package struct ExecutionBody: Sendable, Equatable {
  /// A string or a number, as given.
  package var workflow: JSONText
  package var input: JSONText

  package init(workflow: JSONText, input: JSONText) {
    self.workflow = workflow
    self.input = input
  }

  /// What a task that is an execution keeps of it.
  package var metadata: JSONText {
    JSONText(
      normalised: ResponseBodies.object { writer in
        writer.member("workflow_id", raw: workflow)
        writer.member("input_data", raw: input)
      })
  }

  /// Nil where the task was not created as an execution.
  package init?(metadata: JSONText) {
    let bytes = metadata.bytes
    var object = JSONObject()
    do throws(JSONError) {
      try object.scan(bytes.span)
    } catch {
      return nil
    }
    guard let workflow = object.member("workflow_id", in: bytes.span) else { return nil }
    let input = object.member("input_data", in: bytes.span)
    self.init(
      workflow: JSONText(normalising: workflow.value, of: bytes.span),
      input: input.map { JSONText(normalising: $0.value, of: bytes.span) } ?? .null)
  }
}

/// Confirmations, cancels, heartbeats, executions, tickets.
extension RequestBodies {
  /// No body is a heartbeat too.
  package static func heartbeat(_ bytes: Span<UInt8>) throws(Problem) -> HeartbeatBody {
    try heartbeat(RequestFields(bytes, allowsNothing: true), in: bytes)
  }

  static func heartbeat(_ fields: RequestFields, in bytes: Span<UInt8>) throws(Problem) -> HeartbeatBody {
    HeartbeatBody(user: try fields.user(.user, in: bytes), message: try fields.text(.message, in: bytes))
  }

  package static func cancel(_ bytes: Span<UInt8>) throws(Problem) -> CancelBody {
    let fields = try RequestFields(bytes, allowsNothing: true)
    return CancelBody(user: try fields.user(.user, in: bytes), reason: try fields.text(.reason, in: bytes))
  }

  /// The worker's answer to a cancel: what it says goes into the event `cancelled`, as published.
  package static func cancelAcknowledgement(_ bytes: Span<UInt8>) throws(Problem) -> [UInt8] {
    let fields = try RequestFields(bytes, allowsNothing: true)
    return fields.given(without: eventNames, in: bytes)
  }

  /// The body of `POST /api/v1/tasks/cancel`: one task at least, and at most `RestLimits.cancelCountMax`.
  package static func cancelMany(_ bytes: Span<UInt8>) throws(Problem) -> [TaskIdentifier] {
    guard let tasks = try RequestFields(bytes).tasks(.tasks, in: bytes) else {
      throw RequestFields.missing(.tasks, "must be an array of strings")
    }
    guard !tasks.isEmpty, tasks.count <= RestLimits.cancelCountMax else {
      throw Problem(.badRequest, "task_ids has \(tasks.count) entries, must have 1 to \(RestLimits.cancelCountMax)")
    }
    return tasks
  }

  /// The body of `POST /api/v1/tickets`: whom a publisher wants one for.
  package static func ticket(_ bytes: Span<UInt8>) throws(Problem) -> UserIdentifier? {
    try RequestFields(bytes, allowsNothing: true).user(.user, in: bytes)
  }

  package static func execution(_ bytes: Span<UInt8>) throws(Problem) -> ExecutionBody {
    let fields = try RequestFields(bytes)
    guard let workflow = fields.present(.workflow) else {
      throw RequestFields.missing(.workflow, "must be a string")
    }
    guard workflow.kind == .string || workflow.kind == .number else {
      throw RequestFields.refusal(.workflow, workflow, "must be a string", in: bytes)
    }
    return ExecutionBody(
      workflow: JSONText(normalising: workflow, of: bytes), input: fields.value(.input, in: bytes) ?? .null)
  }

  /// The body of `POST /api/v1/confirmations`.
  ///
  /// - Parameters:
  ///   - timeoutSeconds: `--callback-timeout`, where the body says none.
  ///   - defaultProceed: `--callback-default`, likewise.
  package static func confirmation(
    _ bytes: Span<UInt8>, timeoutSeconds: Double, defaultProceed: Bool
  ) throws(Problem) -> ConfirmationRequest {
    let fields = try RequestFields(bytes)
    guard let task = try fields.task(.task, in: bytes) else {
      throw RequestFields.missing(.task, "must be \(TaskIdentifier.rule)")
    }
    guard let user = try fields.user(.user, in: bytes) else {
      throw RequestFields.missing(.user, "must be \(UserIdentifier.rule)")
    }
    var timeout = timeoutSeconds
    if let member = fields.present(.timeout) {
      guard let seconds = JSONDecode.double(member, in: bytes), seconds > 0 else {
        throw RequestFields.refusal(.timeout, member, "must be a number of seconds above 0", in: bytes)
      }
      timeout = seconds
    }
    var request = ConfirmationRequest(
      task: task, user: user, step: fields.value(.step, in: bytes) ?? .null, timeout: timeout,
      defaultProceed: try fields.bool(.defaultProceed, in: bytes) ?? defaultProceed)
    request.isForViewers = try isForViewers(fields, in: bytes)
    guard let member = fields.present(.stepResult) else { return request }
    let result = try RequestFields(member, .stepResult, in: bytes)
    if request.step.isNull { request.step = result.value(.step, in: bytes) ?? .null }
    request.message = try result.text(.message, in: bytes)
    request.result = result.value(.result, in: bytes)
    request.status = try result.text(.status, in: bytes)
    request.errorCode = try result.text(.errorCode, in: bytes)
    request.errorMessage = try result.text(.errorMessage, in: bytes)
    return request
  }

  /// `audience`: `user`, which is the default, or `viewers`.
  private static func isForViewers(_ fields: RequestFields, in bytes: Span<UInt8>) throws(Problem) -> Bool {
    guard let member = fields.present(.audience) else { return false }
    switch JSONDecode.string(member, in: bytes) {
    case "user": return false
    case "viewers": return true
    default: throw RequestFields.refusal(.audience, member, "must be \"user\" or \"viewers\"", in: bytes)
    }
  }
}
