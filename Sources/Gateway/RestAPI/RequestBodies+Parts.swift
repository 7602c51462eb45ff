package import GatewayDomain
import Protocol

/// Nodes and log lines.
extension RequestBodies {
  /// The body of `POST …/{id}/nodes/{node_id}`.
  package static func node(_ bytes: Span<UInt8>, of node: TaskIdentifier) throws(Problem) -> NodeReport {
    try self.node(RequestFields(bytes), of: node, in: bytes, without: eventNames)
  }

  static func node(
    _ fields: RequestFields, of node: TaskIdentifier, in bytes: Span<UInt8>, without reserved: RequestFieldSet
  ) throws(Problem) -> NodeReport {
    guard let status = try fields.string(.status, rule: "must be a string", in: bytes) else {
      throw RequestFields.missing(.status, "must be a string")
    }
    var report = NodeReport(node: node, status: status)
    if let member = fields.present(.progress) {
      guard let value = JSONDecode.double(member, in: bytes), value == -1 || (value >= 0 && value <= 100) else {
        throw RequestFields.refusal(.progress, member, "must be a number from 0 to 100, or -1", in: bytes)
      }
      report.progress = JSONText(normalising: member, of: bytes)
      report.progressValue = value
    }
    report.message = try fields.reported(.message, kind: .string, rule: "must be a string or null", in: bytes)
    if let member = fields.present(.weight) {
      guard let value = JSONDecode.double(member, in: bytes), value > 0 else {
        throw RequestFields.refusal(.weight, member, "must be a number above 0", in: bytes)
      }
      report.weight = JSONText(normalising: member, of: bytes)
      report.weightValue = value
    }
    report.given = fields.given(without: reserved.union([.node, .taskProgress]), in: bytes)
    return report
  }

  /// The body of `POST …/{id}/logs`.
  package static func logLines(_ bytes: Span<UInt8>) throws(Problem) -> [ReportedLogLine] {
    try logLines(RequestFields(bytes), in: bytes)
  }

  static func logLines(_ fields: RequestFields, in bytes: Span<UInt8>) throws(Problem) -> [ReportedLogLine] {
    guard let elements = try fields.elements(.lines, rule: "must be an array of objects", in: bytes) else {
      throw RequestFields.missing(.lines, "must be an array of objects")
    }
    // The desk says the same of what comes another way; here it spares the parsing.
    guard !elements.isEmpty, elements.count <= ReportedLogLine.countMax else {
      throw Problem(
        .badRequest, "lines has \(elements.count) entries, must have 1 to \(ReportedLogLine.countMax)")
    }
    var lines: [ReportedLogLine] = []
    lines.reserveCapacity(elements.count)
    var members = RequestFields()
    for element in elements {
      try members.read(element, of: .lines, in: bytes)
      lines.append(try logLine(members, in: bytes))
    }
    return lines
  }

  static func logLine(_ fields: RequestFields, in bytes: Span<UInt8>) throws(Problem) -> ReportedLogLine {
    guard let level = try fields.text(.level, in: bytes) else {
      throw RequestFields.missing(.level, "must be a string")
    }
    guard let message = try fields.text(.message, in: bytes) else {
      throw RequestFields.missing(.message, "must be a string")
    }
    return ReportedLogLine(level: level, message: message, timestamp: try fields.number(.timestamp, in: bytes))
  }
}
