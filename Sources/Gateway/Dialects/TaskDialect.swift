package import GatewayDomain
import Protocol

/// The task dialect, `/ws/task/{task_id}` (contract §2.1, seed 000): field by field as the seed has it, optional fields
/// left out when absent. Pure functions; `now` is Unix seconds.
package enum TaskDialect {
  /// What greets a connection; for a finished task `terminal` follows it.
  package static func connected(_ snapshot: TaskSnapshot, now: Double) -> [UInt8] {
    var writer = begin("connected", snapshot.identifier)
    writer.member("message", string: "已连接到任务 \(snapshot.identifier.text) 的进度推送")
    writer.key("current_status")
    switch snapshot.status {
    case .running: writer.value(string: word(snapshot.statusText ?? "running"))
    case .pending, .completed, .failed, .cancelled: writer.value(literal: snapshot.status.word)
    }
    writer.key("current_progress")
    switch snapshot.status {
    case .pending: writer.value(integer: 0)
    case .running: writer.value(raw: snapshot.progress)
    case .completed: writer.value(integer: 100)
    case .failed, .cancelled: writer.value(integer: -1)
    }
    return end(&writer, now: now)
  }

  /// An event as it happens. `snapshot` is the state after it: its progress stands in where the worker published none,
  /// for the seed's clients read `progress` of every message.
  package static func event(_ event: TaskEvent, after snapshot: TaskSnapshot, now: Double) -> [UInt8] {
    switch event.kind {
    // The seed's clients know no nodes: to them it is the task's progress that has changed.
    case .progress, .nodeStatus:
      var writer = begin("progress", event.task)
      writer.member("progress", raw: event.progress ?? snapshot.progress)
      writer.member("status", string: word(event.statusWord))
      if let current = event.current { writer.member("current", raw: current) }
      if let total = event.total { writer.member("total", raw: total) }
      if let message = event.message { writer.member("message", raw: message) }
      if let details = event.details { writer.member("details", raw: details) }
      if let result = event.result { writer.member("result", raw: result) }
      return end(&writer, now: now)
    case .complete(let success):
      return complete(
        event.task, success: success, message: event.message, details: event.details, result: event.result, now: now)
    case .error:
      return error(event.task, error: event.error, details: event.details, now: now)
    case .cancelled:
      return cancelled(event.task, now: now)
    }
  }

  /// The stored end of a finished task, for who connects afterwards; nil while it is not finished.
  package static func terminal(_ snapshot: TaskSnapshot, now: Double) -> [UInt8]? {
    guard snapshot.status.isTerminal else { return nil }
    switch snapshot.finishedBy {
    case .completeSuccess:
      return complete(
        snapshot.identifier, success: true, message: snapshot.terminalMessage,
        details: snapshot.terminalDetails, result: snapshot.result, now: now)
    case .completeFailure:
      return complete(
        snapshot.identifier, success: false, message: snapshot.terminalMessage,
        details: snapshot.terminalDetails, result: snapshot.result, now: now)
    case .cancelled:
      return cancelled(snapshot.identifier, now: now)
    case .error, nil:
      return error(snapshot.identifier, error: snapshot.error, details: snapshot.terminalDetails, now: now)
    }
  }

  package static func pong(now: Double) -> [UInt8] {
    var writer = JSONWriter(reserving: 64)
    writer.beginObject()
    writer.member("type", literal: "pong")
    return end(&writer, now: now)
  }

  /// The text `ping` or `{"type":"ping"}`; everything else is ignored.
  package static func isPing(_ bytes: Span<UInt8>) -> Bool {
    if bytes.count == 4 {
      return bytes[0] == UInt8(ascii: "p") && bytes[1] == UInt8(ascii: "i") && bytes[2] == UInt8(ascii: "n")
        && bytes[3] == UInt8(ascii: "g")
    }
    var object = JSONObject()
    do throws(JSONError) {
      try object.scan(bytes)
    } catch {
      return false
    }
    guard let type = object.member("type", in: bytes) else { return false }
    return JSONDecode.string(type, in: bytes) == "ping"
  }

  private static func complete(
    _ task: TaskIdentifier, success: Bool, message: JSONText?, details: JSONText?, result: JSONText?, now: Double
  ) -> [UInt8] {
    var writer = begin("complete", task)
    writer.member("success", bool: success)
    writer.key("message")
    if let message {
      writer.value(raw: message)
    } else {
      writer.value(literal: success ? "任务完成" : "任务失败")
    }
    writer.member("progress", integer: success ? 100 : -1)
    if let result { writer.member("result", raw: result) }
    if let details { writer.member("details", raw: details) }
    return end(&writer, now: now)
  }

  private static func error(
    _ task: TaskIdentifier, error: JSONText?, details: JSONText?, now: Double
  ) -> [UInt8] {
    var writer = begin("error", task)
    writer.key("error")
    if let error { writer.value(raw: error) } else { writer.value(literal: "任务失败") }
    writer.member("progress", integer: -1)
    if let details { writer.member("details", raw: details) }
    return end(&writer, now: now)
  }

  private static func cancelled(_ task: TaskIdentifier, now: Double) -> [UInt8] {
    var writer = begin("complete", task)
    writer.member("success", bool: false)
    writer.member("message", literal: "任务已取消")
    writer.member("progress", integer: -1)
    return end(&writer, now: now)
  }

  /// The seed says `processing` where the API says `running`; free words stay.
  private static func word(_ word: String) -> String {
    word == "running" ? "processing" : word
  }

  private static func begin(_ type: StaticString, _ task: TaskIdentifier) -> JSONWriter {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("type", literal: type)
    writer.member("task_id", string: task.text)
    return writer
  }

  private static func end(_ writer: inout JSONWriter, now: Double) -> [UInt8] {
    writer.member("timestamp", string: LocalTimestamp.text(now))
    writer.endObject()
    return writer.bytes
  }
}
