package import GatewayDomain
package import Protocol

/// One operation of a bulk publish (contract §3.3).
package enum PublishOperation: Sendable {
  case register(TaskRegistration)
  case progress(TaskIdentifier, ProgressReport)
  case complete(TaskIdentifier, CompletionReport)
  case error(TaskIdentifier, FailureReport)
  case heartbeat(TaskIdentifier, HeartbeatBody)
  case node(TaskIdentifier, NodeReport)
  case log(TaskIdentifier, [ReportedLogLine])
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
    while start < bytes.count {
      let end = bytes.firstIndex(of: UInt8(ascii: "\n"), in: start..<bytes.count)
      if !isBlank(bytes, start..<end) { lines.append(Line(number: number, range: start..<end)) }
      number += 1
      start = end + 1
    }
    return lines
  }

  /// Spaces, tabs and carriage returns only: seen at the first byte of a line that has a value.
  private static func isBlank(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    for index in range {
      switch bytes[index] {
      case 0x20, 0x09, 0x0D: continue
      default: return false
      }
    }
    return true
  }

  /// One operation: `op`, the identifiers, and the body's fields beside them.
  package static func operation(_ line: Span<UInt8>) throws(Problem) -> PublishOperation {
    try operation(try RequestFields(line), in: line)
  }

  /// What most lines are, told first: the task of a line that is a `progress`, with what it reports; nil where the line is
  /// another operation, or none, which `operation` of the same fields tells.
  ///
  /// A reader of many lines keeps `fields`, whose table then is allocated once, and `report`.
  static func progress(
    ofLine line: Span<UInt8>, reusing fields: inout RequestFields, into report: inout ProgressReport
  ) throws(Problem) -> TaskIdentifier? {
    try fields.read(line)
    guard let member = fields.present(.operation), member.kind == .string,
      OperationWord(member, in: line) == .progress
    else { return nil }
    let task = try task(of: fields, in: line)
    try readProgress(fields, in: line, without: reserved, into: &report)
    return task
  }

  /// One operation, of a line's fields.
  static func operation(_ fields: RequestFields, in line: Span<UInt8>) throws(Problem) -> PublishOperation {
    guard let member = fields.present(.operation) else {
      throw RequestFields.missing(.operation, "must be one of \(operationWords)")
    }
    guard member.kind == .string else {
      throw RequestFields.refusal(.operation, member, "must be a string", in: line)
    }
    switch OperationWord(member, in: line) {
    case .register:
      return .register(try registration(fields, of: try task(of: fields, in: line), in: line))
    case .progress:
      let task = try task(of: fields, in: line)
      return .progress(task, try progress(fields, in: line, without: reserved))
    case .complete:
      let task = try task(of: fields, in: line)
      return .complete(task, try complete(fields, in: line, without: reserved))
    case .error:
      let task = try task(of: fields, in: line)
      return .error(task, try error(fields, in: line, without: reserved))
    case .heartbeat:
      let task = try task(of: fields, in: line)
      return .heartbeat(task, try heartbeat(fields, in: line))
    case .node:
      let task = try task(of: fields, in: line)
      guard let node = try fields.task(.node, in: line) else {
        throw RequestFields.missing(.node, "must be \(TaskIdentifier.rule)")
      }
      return .node(task, try self.node(fields, of: node, in: line, without: reserved))
    case .log:
      let task = try task(of: fields, in: line)
      return .log(task, fields.member(.lines) == nil ? [try logLine(fields, in: line)] : try logLines(fields, in: line))
    case .message:
      guard let user = try fields.user(.user, in: line) else {
        throw RequestFields.missing(.user, "must be \(UserIdentifier.rule)")
      }
      return .message(
        user, body: try payload(of: fields, without: [.operation, .user, .requiresAcknowledgement], in: line),
        requiresAcknowledgement: try fields.bool(.requiresAcknowledgement, in: line) ?? false)
    case .broadcast:
      return .broadcast(body: try payload(of: fields, without: [.operation], in: line))
    case .channel:
      guard let channel = try fields.channel(.channel, in: line) else {
        throw RequestFields.missing(.channel, "must be \(ChannelName.rule)")
      }
      return .channel(channel, body: try payload(of: fields, without: [.operation, .channel], in: line))
    case nil:
      guard let word = JSONDecode.string(member, in: line) else {
        throw RequestFields.refusal(.operation, member, "must be a string", in: line)
      }
      throw Problem(.badRequest, "op is \(JSONText(string: word).shown), must be one of \(operationWords)")
    }
  }

  /// What `op` may be.
  private enum OperationWord: UInt8, CaseIterable {
    case register, progress, complete, error, heartbeat, node, log, message, broadcast, channel

    private var text: StaticString {
      switch self {
      case .register: "register"
      case .progress: "progress"
      case .complete: "complete"
      case .error: "error"
      case .heartbeat: "heartbeat"
      case .node: "node"
      case .log: "log"
      case .message: "message"
      case .broadcast: "broadcast"
      case .channel: "channel"
      }
    }

    private static let table = JSONNames(allCases.map(\.text))

    /// - Parameter member: a string; nil where it is another word.
    init?(_ member: JSONMember, in line: Span<UInt8>) {
      let contents = (member.value.lowerBound + 1)..<(member.value.upperBound - 1)
      self.init(rawValue: Self.table.place(of: contents, hasEscapes: member.valueHasEscapes, in: line))
    }
  }

  /// What an event has of its own, and the word that says what the line is.
  private static let reserved = eventNames.union([.operation])

  private static let operationWords =
    "register, progress, complete, error, heartbeat, node, log, message, broadcast, channel"

  private static func task(of fields: RequestFields, in line: Span<UInt8>) throws(Problem) -> TaskIdentifier {
    guard let task = try fields.task(.task, in: line) else {
      throw RequestFields.missing(.task, "must be \(TaskIdentifier.rule)")
    }
    return task
  }

  /// The payload of a message: `body` where it is there, else what stands beside (contract §6).
  private static func payload(
    of fields: RequestFields, without reserved: RequestFieldSet, in line: Span<UInt8>
  ) throws(Problem) -> JSONText {
    guard let body = fields.member(.body) else { return fields.body(without: reserved, in: line) }
    _ = try RequestFields(body, .body, in: line)
    return JSONText(normalising: body, of: line)
  }
}

extension JSONText {
  /// As a problem shows it.
  var shown: String {
    let text = utf8
    return RequestFields.shown(0..<text.count, in: text.span)
  }
}
