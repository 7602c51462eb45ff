package import GatewayDomain
package import Protocol

/// What the server sends unasked in the action dialect.
extension ActionDialect {
  /// A question. Its time is when it was asked, so that every copy is the same.
  package static func taskStepResult(_ confirmation: Confirmation) -> [UInt8] {
    let request = confirmation.request
    return message("task_step_result") { writer in
      writer.member("callback_id", string: confirmation.identifier.text)
      writer.member("step", raw: request.step)
      writer.member("message", raw: request.message)
      writer.member("result", raw: request.result)
      writer.member("status", raw: request.status)
      writer.member("error_code", raw: request.errorCode)
      writer.member("error_message", raw: request.errorMessage)
      writer.member("user_id", string: request.user.text)
      writer.member("task_id", string: request.task.text)
      writer.member("timestamp", double: confirmation.createdAt)
      writer.member("deadline", double: confirmation.deadline)
      writer.member("default_proceed", bool: request.defaultProceed)
    }
  }

  /// Only with the subprotocol.
  package static func confirmationResolved(_ confirmation: Confirmation) -> [UInt8] {
    message("confirmation_resolved") { writer in
      writer.member("callback_id", string: confirmation.identifier.text)
      writer.member("status", literal: confirmation.status.word)
      ResponseBodies.appendOutcome(of: confirmation, to: &writer)
    }
  }

  /// A *request* to cancel, in the seed's shape. `user` is null where nobody was named.
  package static func taskCancelled(task: String, user: String?, now: Double) -> [UInt8] {
    message("task_cancelled") { writer in
      writer.member("user_id", string: user)
      writer.member("task_id", string: task)
      writer.member("timestamp", double: now)
    }
  }

  package static func taskCancelled(_ request: CancelRequest) -> [UInt8] {
    taskCancelled(task: request.task.text, user: request.user?.text, now: request.requestedAt)
  }

  package static func heartbeat(_ heartbeat: TaskHeartbeat) -> [UInt8] {
    message("heartbeat") { writer in
      writer.member("status", literal: "heartbeat")
      writer.key("message")
      if let text = heartbeat.message {
        writer.value(raw: text)
      } else {
        writer.value(literal: "Task is still executing...")
      }
      writer.member("user_id", string: heartbeat.user?.text)
      writer.member("task_id", string: heartbeat.task.text)
      writer.member("timestamp", double: heartbeat.occurredAt)
    }
  }

  /// A line of a task's log.
  package static func log(_ line: TaskLogLine, of task: TaskIdentifier) -> [UInt8] {
    message("log") { writer in
      writer.member("task_id", string: task.text)
      ResponseBodies.appendLogLine(line, to: &writer)
    }
  }

  /// A subscription's event: what was published, and where it stands. `skipped` is how many events before it a slow
  /// reader does not get, left out when 0.
  package static func event(_ event: TaskEvent, skipped: Int = 0) -> [UInt8] {
    var writer = JSONWriter(reserving: 160 + event.given.count)
    writer.beginObject()
    writer.member("type", literal: event.kind.word)
    writer.member("task_id", string: event.task.text)
    writer.member("epoch", string: event.epoch.text)
    writer.member("offset", integer: event.offset)
    if skipped > 0 { writer.member("skipped", integer: skipped) }
    appendGiven(of: event, to: &writer)
    writer.endObject()
    return writer.bytes
  }

  /// Writes the same as `event`, nothing skipped, where it leaves. A task's name and an epoch hold nothing that needs an
  /// escape: the one by its rule, the other because it is of our own making.
  static func append(_ event: TaskEvent, to buffer: inout FrameBuffer) {
    buffer.append(opening(of: event.kind))
    buffer.append(unescaped: event.task.text)
    buffer.append(#"","epoch":""#)
    buffer.append(unescaped: event.epoch.text)
    buffer.append(#"","offset":"#)
    buffer.append(decimal: event.offset)
    buffer.append(success(of: event.kind))
    if !event.given.isEmpty {
      buffer.append(UInt8(ascii: ","))
      buffer.append(event.given)
    }
    buffer.append(UInt8(ascii: "}"))
  }

  /// How many bytes those are.
  static func byteCount(of event: TaskEvent) -> Int {
    var byteCount = opening(of: event.kind).utf8CodeUnitCount + event.task.text.utf8.count
    byteCount += #"","epoch":""#.utf8.count + event.epoch.text.utf8.count + #"","offset":"#.utf8.count
    byteCount += FrameBuffer.decimalByteCount(event.offset) + success(of: event.kind).utf8CodeUnitCount
    return byteCount + (event.given.isEmpty ? 1 : event.given.count + 2)
  }

  private static func opening(of kind: TaskEvent.Kind) -> StaticString {
    switch kind {
    case .progress: #"{"type":"progress","task_id":""#
    case .nodeStatus: #"{"type":"node_status","task_id":""#
    case .complete: #"{"type":"complete","task_id":""#
    case .error: #"{"type":"error","task_id":""#
    case .cancelled: #"{"type":"cancelled","task_id":""#
    }
  }

  private static func success(of kind: TaskEvent.Kind) -> StaticString {
    switch kind {
    case .complete(let success): success ? #","success":true"# : #","success":false"#
    case .progress, .nodeStatus, .error, .cancelled: ""
    }
  }

  /// The published members. `success` is written from the event's kind, so that every `complete` says it;
  /// `RequestBodies` keeps it out of `given`.
  static func appendGiven(of event: TaskEvent, to writer: inout JSONWriter) {
    if case .complete(let success) = event.kind { writer.member("success", bool: success) }
    writer.members(normalised: event.given)
  }

  /// A message to a user: the publisher's own fields, and whom it is for.
  ///
  /// - Parameter body: a JSON object.
  package static func userMessage(
    _ body: JSONText, to user: UserIdentifier, acknowledgedAs message: MessageIdentifier? = nil
  ) -> [UInt8] {
    var writer = JSONWriter(reserving: body.byteCount + 160)
    writer.beginObject()
    if message == nil {
      writer.members(of: body, without: ["target_user_id"])
    } else {
      writer.members(of: body, without: ["target_user_id", "message_id", "requires_ack"])
    }
    writer.member("target_user_id", string: user.text)
    if let message {
      writer.member("message_id", string: message.text)
      writer.member("requires_ack", bool: true)
    }
    writer.endObject()
    return writer.bytes
  }

  /// A message to a channel's subscribers: the publisher's own fields and `channel`.
  package static func channelMessage(_ body: JSONText, channel: ChannelName) -> [UInt8] {
    var writer = JSONWriter(reserving: body.byteCount + 160)
    writer.beginObject()
    writer.members(of: body, without: ["channel"])
    writer.member("channel", string: channel.text)
    writer.endObject()
    return writer.bytes
  }

  /// The first message with the subprotocol.
  package static func welcome(
    connectionIdentifier: String, pingIntervalSeconds: Double, messageByteCountMax: Int, now: Double
  ) -> [UInt8] {
    message("welcome") { writer in
      writer.member("connection_id", string: connectionIdentifier)
      writer.member("ping_interval", seconds: pingIntervalSeconds)
      writer.member("max_message_bytes", integer: messageByteCountMax)
      writer.member("server_time", double: now)
    }
  }

  package static func tokenExpiring(expiresAt: Double) -> [UInt8] {
    message("token_expiring") { $0.member("expires_at", double: expiresAt) }
  }

  package static func serverDraining(reconnectAfterSeconds: Double) -> [UInt8] {
    message("server_draining") { $0.member("reconnect_after", seconds: reconnectAfterSeconds) }
  }
}

extension TaskEvent.Kind {
  /// The native `type`.
  var word: StaticString {
    switch self {
    case .progress: "progress"
    case .nodeStatus: "node_status"
    case .complete: "complete"
    case .error: "error"
    case .cancelled: "cancelled"
    }
  }
}

extension JSONWriter {
  /// A duration; whole seconds without a fraction.
  mutating func member(_ name: StaticString, seconds: Double) {
    if let whole = Int(exactly: seconds) { member(name, integer: whole) } else { member(name, double: seconds) }
  }

  /// The members of a normalised object, without those that are about to be written.
  mutating func members(of body: JSONText, without reserved: [StaticString]) {
    var object = JSONObject()
    let text = body.utf8
    let bytes = text.span
    do throws(JSONError) {
      try object.scan(bytes)
    } catch {
      // Bodies are validated at the door; one that is no object has no members.
      return
    }
    var members: [UInt8] = []
    members.reserveCapacity(bytes.count)
    for member in object.members
    where !reserved.contains(where: { JSONObject.key(of: member, equals: $0, in: bytes) }) {
      if !members.isEmpty { members.append(UInt8(ascii: ",")) }
      members.append(bytes.extracting((member.key.lowerBound - 1)..<member.value.upperBound))
    }
    self.members(normalised: members)
  }
}
