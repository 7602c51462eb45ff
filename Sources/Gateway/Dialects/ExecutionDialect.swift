package import GatewayDomain
import Protocol

/// What a client of the execution dialect says.
package enum ExecutionClientMessage: Equatable, Sendable {
  case ping
  /// Not JSON, or no object.
  case notJSON
  /// As it stands in `Unknown message type: X`.
  case unknownType(String)
}

/// The execution dialect, `/api/v1/ws/executions/{execution_id}` (contract §2.2, seed 001): every key always present,
/// null where unknown, and the seed's four words of status. Pure functions; `now` is Unix seconds.
package enum ExecutionDialect {
  package static func status(_ snapshot: TaskSnapshot, now: Double) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("type", literal: "status")
    writer.member("execution_id", string: snapshot.identifier.text)
    appendState(of: snapshot, now: now, to: &writer)
    writer.endObject()
    return writer.bytes
  }

  /// A node's report, for who asked with `?nodes=1`: what was published, and the progress that the task has by it.
  package static func nodeStatus(_ event: TaskEvent) -> [UInt8] {
    var writer = JSONWriter(reserving: 96 + event.given.count)
    writer.beginObject()
    writer.member("type", literal: "node_status")
    writer.member("execution_id", string: event.task.text)
    writer.members(normalised: event.given)
    writer.endObject()
    return writer.bytes
  }

  /// A line of the log, for who asked with `?logs=1`.
  package static func log(_ line: TaskLogLine, of task: TaskIdentifier) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("type", literal: "log")
    writer.member("execution_id", string: task.text)
    ResponseBodies.appendLogLine(line, to: &writer)
    writer.endObject()
    return writer.bytes
  }

  package static let pong = Array(#"{"type":"pong"}"#.utf8)

  package static func error(_ message: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("type", literal: "error")
    writer.member("message", string: message)
    writer.endObject()
    return writer.bytes
  }

  /// The answer to a message that is no ping.
  package static func refusal(of message: ExecutionClientMessage) -> [UInt8]? {
    switch message {
    case .ping: nil
    case .notJSON: error("Invalid JSON format")
    case .unknownType(let type): error("Unknown message type: \(type)")
    }
  }

  package static func parse(_ bytes: Span<UInt8>) -> ExecutionClientMessage {
    var object = JSONObject()
    do throws(JSONError) {
      try object.scan(bytes)
    } catch {
      return .notJSON
    }
    let type = ClientWord.text(of: object.member("type", in: bytes), in: bytes)
    return type == "ping" ? .ping : .unknownType(type)
  }

  /// `status` to `execution_time`; also in the answers of `/api/v1/executions`.
  static func appendState(of snapshot: TaskSnapshot, now: Double, to writer: inout JSONWriter) {
    writer.key("status")
    switch snapshot.status {
    case .pending, .running, .completed, .failed: writer.value(literal: snapshot.status.word)
    case .cancelled: writer.value(literal: TaskStatus.failed.word)
    }
    writer.key("progress")
    if snapshot.status == .pending { writer.value(integer: 0) } else { writer.value(raw: snapshot.progress) }
    writer.member("message", raw: snapshot.message)
    writer.member("result", raw: snapshot.result)
    appendError(of: snapshot, to: &writer)
    let end = snapshot.finishedAt ?? now
    // The wall clock may have been set back meanwhile.
    writer.member("execution_time", double: snapshot.startedAt.map { max(0, end - $0) })
  }

  private static func appendError(of snapshot: TaskSnapshot, to writer: inout JSONWriter) {
    writer.key("error")
    switch snapshot.status {
    case .pending, .running, .completed: writer.valueNull()
    case .cancelled: writer.value(literal: "cancelled")
    case .failed:
      let error = snapshot.finishedBy == .completeFailure ? snapshot.terminalMessage : snapshot.error
      if let error { writer.value(raw: error) } else { writer.value(literal: "failed") }
    }
  }
}
