package import GatewayDomain
package import Protocol

/// One operation of a bulk publish (contract §3.3).
package enum PublishOperation: Sendable {
  case register(TaskRegistration)
  case progress(TaskIdentifier, ProgressReport)
  case complete(TaskIdentifier, CompletionReport)
  case error(TaskIdentifier, FailureReport)
  case heartbeat(TaskIdentifier, HeartbeatBody)
  case message(UserIdentifier, body: JSONText, requiresAcknowledgement: Bool)
  case broadcast(body: JSONText)
  case channel(ChannelName, body: JSONText)
}

/// Newline-delimited JSON.
extension RequestBodies {
  /// A line of a bulk publish that is not blank.
  package struct Line: Sendable, Equatable {
    /// From 1; blank lines are counted.
    package let number: Int
    package let range: Range<Int>
  }

  /// The lines to parse, in order.
  package static func lines(of bytes: Span<UInt8>) -> [Line] {
    var lines: [Line] = []
    var number = 1
    var start = 0
    var isBlank = true
    for index in 0...bytes.count {
      if index == bytes.count || bytes[index] == UInt8(ascii: "\n") {
        if !isBlank { lines.append(Line(number: number, range: start..<index)) }
        number += 1
        start = index + 1
        isBlank = true
      } else {
        switch bytes[index] {
        case 0x20, 0x09, 0x0D: break
        default: isBlank = false
        }
      }
    }
    return lines
  }

  /// One operation: `op`, the identifiers, and the body's fields beside them.
  package static func operation(_ line: Span<UInt8>) throws(Problem) -> PublishOperation {
    let fields = try RequestFields(line)
    guard let operation = try fields.string("op", rule: "must be a string", in: line) else {
      throw RequestFields.missing("op", "must be one of \(operationWords)")
    }
    let reserved = eventNames + ["op"]
    switch operation {
    case "register":
      return .register(try registration(fields, of: try task(of: fields, in: line), in: line))
    case "progress":
      let task = try task(of: fields, in: line)
      return .progress(task, try progress(fields, in: line, without: reserved))
    case "complete":
      let task = try task(of: fields, in: line)
      return .complete(task, try complete(fields, in: line, without: reserved))
    case "error":
      let task = try task(of: fields, in: line)
      return .error(task, try error(fields, in: line, without: reserved))
    case "heartbeat":
      let task = try task(of: fields, in: line)
      return .heartbeat(task, try heartbeat(fields, in: line))
    case "message":
      guard let user = try fields.user("user_id", in: line) else {
        throw RequestFields.missing("user_id", "must be \(UserIdentifier.rule)")
      }
      return .message(
        user, body: try payload(of: fields, without: ["op", "user_id", "requires_ack"], in: line),
        requiresAcknowledgement: try fields.bool("requires_ack", in: line) ?? false)
    case "broadcast":
      return .broadcast(body: try payload(of: fields, without: ["op"], in: line))
    case "channel":
      guard let channel = try fields.channel("channel", in: line) else {
        throw RequestFields.missing("channel", "must be \(ChannelName.rule)")
      }
      return .channel(channel, body: try payload(of: fields, without: ["op", "channel"], in: line))
    default:
      throw Problem(.badRequest, "op is \(JSONText(string: operation).shown), must be one of \(operationWords)")
    }
  }

  private static let operationWords = "register, progress, complete, error, heartbeat, message, broadcast, channel"

  private static func task(of fields: RequestFields, in line: Span<UInt8>) throws(Problem) -> TaskIdentifier {
    guard let task = try fields.task("task_id", in: line) else {
      throw RequestFields.missing("task_id", "must be \(TaskIdentifier.rule)")
    }
    return task
  }

  /// The payload of a message: `body` where it is there, else what stands beside (contract §6).
  private static func payload(
    of fields: RequestFields, without reserved: [StaticString], in line: Span<UInt8>
  ) throws(Problem) -> JSONText {
    guard let body = fields.object.member("body", in: line) else { return fields.body(without: reserved, in: line) }
    _ = try RequestFields(body, "body", in: line)
    return JSONText(normalising: body.value, of: line)
  }
}

extension JSONText {
  /// As a problem shows it.
  var shown: String { RequestFields.shown(0..<bytes.count, in: bytes.span) }
}
