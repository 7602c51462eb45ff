package import GatewayDomain
import Protocol

/// What the HTTP API answers (contract §3, §6). Pure functions.
package enum ResponseBodies {
  /// RFC 9457, `application/problem+json`.
  package static func problem(_ problem: Problem) -> [UInt8] {
    var writer = JSONWriter()
    appendProblem(problem, to: &writer)
    return writer.bytes
  }

  static func appendProblem(_ problem: Problem, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("type", string: "urn:signalbox:problem:\(problem.code.rawValue)")
    writer.member("code", string: problem.code.rawValue)
    writer.member("title", literal: problem.code.title)
    writer.member("status", integer: problem.code.status)
    writer.member("detail", string: problem.detail)
    writer.endObject()
  }

  /// A progress report's receipt.
  package static func progressReceipt(_ receipt: PublishReceipt) -> [UInt8] {
    object { writer in
      writer.member("epoch", string: receipt.epoch.text)
      writer.member("offset", integer: receipt.offset)
      writer.member("cancel_requested", bool: receipt.cancelRequested)
    }
  }

  /// The receipt of what ends a task.
  package static func terminalReceipt(_ receipt: PublishReceipt) -> [UInt8] {
    object { writer in
      writer.member("epoch", string: receipt.epoch.text)
      writer.member("offset", integer: receipt.offset)
    }
  }

  /// Writes the same as `progressReceipt` or `terminalReceipt`, where it leaves. An epoch is of our own making, and
  /// holds nothing that needs an escape.
  static func append(_ receipt: PublishReceipt, isTerminal: Bool, to buffer: inout FrameBuffer) {
    buffer.append(#"{"epoch":""#)
    buffer.append(unescaped: receipt.epoch.text)
    buffer.append(#"","offset":"#)
    buffer.append(decimal: receipt.offset)
    if !isTerminal { buffer.append(receipt.cancelRequested ? cancelIsRequested : cancelIsNotRequested) }
    buffer.append("}")
  }

  /// How many bytes those are.
  static func byteCount(of receipt: PublishReceipt, isTerminal: Bool) -> Int {
    var byteCount = #"{"epoch":"","offset":}"#.utf8.count
    byteCount += receipt.epoch.text.utf8.count + FrameBuffer.decimalByteCount(receipt.offset)
    if isTerminal { return byteCount }
    return byteCount + (receipt.cancelRequested ? cancelIsRequested : cancelIsNotRequested).utf8CodeUnitCount
  }

  private static var cancelIsRequested: StaticString { #","cancel_requested":true"# }
  private static var cancelIsNotRequested: StaticString { #","cancel_requested":false"# }

  /// The answer to a heartbeat, and to a cancel (true).
  package static func cancelRequested(_ isRequested: Bool) -> [UInt8] {
    object { $0.member("cancel_requested", bool: isRequested) }
  }

  /// The answer to `tasks/cancel`.
  package static func cancelledMany(
    _ requested: [TaskIdentifier], rejected: [(task: TaskIdentifier, problem: Problem)]
  ) -> [UInt8] {
    object { writer in
      writer.member("cancel_requested", tasks: requested)
      writer.key("rejected")
      writer.beginArray()
      for entry in rejected {
        writer.beginObject()
        writer.member("task_id", string: entry.task.text)
        writer.key("error")
        appendProblem(entry.problem, to: &writer)
        writer.endObject()
      }
      writer.endArray()
    }
  }

  /// The answer to a bulk publish; `rejected` in line order.
  package static func published(
    accepted: Int, rejected: [(line: Int, problem: Problem)], cancelRequested: [TaskIdentifier]
  ) -> [UInt8] {
    object { writer in
      writer.member("accepted", integer: accepted)
      writer.key("rejected")
      writer.beginArray()
      for entry in rejected {
        writer.beginObject()
        writer.member("line", integer: entry.line)
        writer.key("error")
        appendProblem(entry.problem, to: &writer)
        writer.endObject()
      }
      writer.endArray()
      writer.member("cancel_requested", tasks: cancelRequested)
    }
  }

  package static func confirmation(_ confirmation: Confirmation) -> [UInt8] {
    object { writer in
      writer.member("callback_id", string: confirmation.identifier.text)
      writer.member("status", literal: confirmation.status.word)
      writer.member("deadline", double: confirmation.deadline)
      appendOutcome(of: confirmation, to: &writer)
    }
  }

  /// `proceed`, `feedback`, `resolved_by`; null while pending.
  static func appendOutcome(of confirmation: Confirmation, to writer: inout JSONWriter) {
    writer.member("proceed", bool: confirmation.proceed)
    writer.member("feedback", raw: confirmation.feedback)
    writer.key("resolved_by")
    if let resolvedBy = confirmation.resolvedBy { writer.value(literal: resolvedBy.word) } else { writer.valueNull() }
  }

  /// How many connections a broadcast, a channel's message or a closing met.
  package static func connections(_ count: Int) -> [UInt8] {
    object { $0.member("connections", integer: count) }
  }

  /// The answer to a user's message, and to `GET /api/v1/messages/{message_id}`.
  ///
  /// - Parameter message: nil where no acknowledgement was asked for.
  package static func message(_ message: UserMessage) -> [UInt8] {
    object { writer in
      writer.member("connections", integer: message.connectionCount)
      writer.member("message_id", string: message.identifier.text)
      writer.member("acked", bool: message.isAcknowledged)
      writer.member("status", literal: message.status.word)
      writer.member("attempts", integer: message.retryCount + 1)
    }
  }

  /// The same for one that asked for no acknowledgement.
  package static func message(
    _ message: MessageIdentifier?, connections: Int, isAcknowledged: Bool
  ) -> [UInt8] {
    object { writer in
      writer.member("connections", integer: connections)
      writer.member("message_id", string: message?.text)
      writer.member("acked", bool: isAcknowledged)
    }
  }

  package static func ticket(_ ticket: String, expiresAt: Double) -> [UInt8] {
    object { writer in
      writer.member("ticket", string: ticket)
      writer.member("expires_at", double: expiresAt)
    }
  }

  /// `GET /livez`, `/readyz`, `/healthz`.
  package static func health(_ word: StaticString, detail: String? = nil) -> [UInt8] {
    object { writer in
      writer.member("status", literal: word)
      if let detail { writer.member("detail", string: detail) }
    }
  }

  static func object(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    body(&writer)
    writer.endObject()
    return writer.bytes
  }
}

/// The values of `GET /api/v1/status`.
package struct StatusValues: Sendable {
  package var isRunning: Bool
  package var host: String
  package var port: Int
  package var activeConnections: Int
  package var pendingCallbacks: Int
  package var tasks: Int
  package var version: String
  package var uptimeSeconds: Double

  package init(
    isRunning: Bool, host: String, port: Int, activeConnections: Int, pendingCallbacks: Int, tasks: Int,
    version: String, uptimeSeconds: Double
  ) {
    self.isRunning = isRunning
    self.host = host
    self.port = port
    self.activeConnections = activeConnections
    self.pendingCallbacks = pendingCallbacks
    self.tasks = tasks
    self.version = version
    self.uptimeSeconds = uptimeSeconds
  }
}

extension ResponseBodies {
  package static func status(_ values: StatusValues) -> [UInt8] {
    object { writer in
      writer.member("running", bool: values.isRunning)
      writer.member("host", string: values.host)
      writer.member("port", integer: values.port)
      writer.member("active_connections", integer: values.activeConnections)
      writer.member("pending_callbacks", integer: values.pendingCallbacks)
      writer.member("tasks", integer: values.tasks)
      writer.member("version", string: values.version)
      writer.member("uptime_seconds", double: values.uptimeSeconds)
    }
  }
}
