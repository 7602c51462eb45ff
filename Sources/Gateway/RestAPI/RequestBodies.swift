package import GatewayDomain
package import Protocol

/// The bodies of the publisher API (contract §3.2), parsed: bytes in, domain values or a problem out.
///
/// The bytes are the whole body; a bulk publish passes a line of it.
package enum RequestBodies {
  /// Names that an event has of its own; a publisher's are dropped.
  static let eventNames: RequestFieldSet = [.type, .task, .epoch, .offset, .skipped]

  /// The body of `POST …/{id}/progress`. `progress` may be missing only where `status` is given.
  package static func progress(_ bytes: Span<UInt8>) throws(Problem) -> ProgressReport {
    try progress(RequestFields(bytes), in: bytes, without: eventNames)
  }

  static func progress(
    _ fields: RequestFields, in bytes: Span<UInt8>, without reserved: RequestFieldSet
  ) throws(Problem) -> ProgressReport {
    var report = ProgressReport()
    try readProgress(fields, in: bytes, without: reserved, into: &report)
    return report
  }

  /// The same into a report that a reader of many keeps: every field of it is written. After a throw it is not to be used.
  static func readProgress(
    _ fields: RequestFields, in bytes: Span<UInt8>, without reserved: RequestFieldSet, into report: inout ProgressReport
  ) throws(Problem) {
    let rule = "must be a number from 0 to 100, or -1"
    let statusWord = try fields.string(.status, in: bytes)
    report.statusWord = statusWord
    // As many bytes are at most as many characters: only a longer word is counted.
    if let word = statusWord, word.isEmpty || word.utf8.count > ProgressReport.statusWordCharacterCountMax {
      let count = word.unicodeScalars.count
      guard count >= 1, count <= ProgressReport.statusWordCharacterCountMax else {
        throw Problem(
          .badRequest,
          "status has \(count) characters, must have 1 to \(ProgressReport.statusWordCharacterCountMax)")
      }
    }
    if let member = fields.member(.progress) {
      guard let value = JSONDecode.double(member, in: bytes), value == -1 || (value >= 0 && value <= 100) else {
        throw RequestFields.refusal(.progress, member, rule, in: bytes)
      }
      report.progress = JSONText(normalising: member, of: bytes)
      report.progressValue = value
    } else {
      guard statusWord != nil else { throw RequestFields.missing(.progress, rule) }
      report.progress = nil
      report.progressValue = nil
    }
    report.current = try fields.reported(.current, kind: .number, rule: "must be a number or null", in: bytes)
    report.total = try fields.reported(.total, kind: .number, rule: "must be a number or null", in: bytes)
    report.message = try fields.reported(.message, kind: .string, rule: "must be a string or null", in: bytes)
    report.details = try fields.reported(.details, in: bytes)
    report.result = try fields.reported(.result, in: bytes)
    // What the terminal event says of itself is not said twice.
    var reserved = reserved
    switch statusWord.flatMap(TaskStatus.init(word:)) {
    case .completed: reserved = reserved.union([.success])
    case .failed: reserved = reserved.union([.error])
    case .pending, .running, .cancelled, nil: break
    }
    report.given = fields.given(without: reserved, in: bytes)
  }

  /// The body of `POST …/{id}/complete`; no body means success.
  package static func complete(_ bytes: Span<UInt8>) throws(Problem) -> CompletionReport {
    try complete(RequestFields(bytes, allowsNothing: true), in: bytes, without: eventNames)
  }

  static func complete(
    _ fields: RequestFields, in bytes: Span<UInt8>, without reserved: RequestFieldSet
  ) throws(Problem) -> CompletionReport {
    var report = CompletionReport()
    report.success = try fields.bool(.success, in: bytes) ?? true
    report.message = try fields.text(.message, in: bytes)
    report.result = fields.value(.result, in: bytes)
    report.given = fields.given(without: reserved.union([.success]), in: bytes)
    return report
  }

  /// The body of `POST …/{id}/error`.
  package static func error(_ bytes: Span<UInt8>) throws(Problem) -> FailureReport {
    try error(RequestFields(bytes), in: bytes, without: eventNames)
  }

  static func error(
    _ fields: RequestFields, in bytes: Span<UInt8>, without reserved: RequestFieldSet
  ) throws(Problem) -> FailureReport {
    guard let member = fields.member(.error) else {
      throw RequestFields.missing(.error, "must be a string")
    }
    guard member.kind == .string else {
      throw RequestFields.refusal(.error, member, "must be a string", in: bytes)
    }
    var report = FailureReport(error: JSONText(normalising: member, of: bytes))
    report.errorCode = try fields.text(.errorCode, in: bytes)
    report.details = fields.value(.details, in: bytes)
    report.given = fields.given(without: reserved, in: bytes)
    return report
  }

  /// The body of `POST /api/v1/tasks`; no body registers a task without anything.
  ///
  /// - Parameter fresh: the identifier of a task that the body does not name.
  package static func registration(
    _ bytes: Span<UInt8>, fresh: TaskIdentifier
  ) throws(Problem) -> TaskRegistration {
    let fields = try RequestFields(bytes, allowsNothing: true)
    return try registration(fields, of: try fields.task(.task, in: bytes) ?? fresh, in: bytes)
  }

  static func registration(
    _ fields: RequestFields, of task: TaskIdentifier, in bytes: Span<UInt8>
  ) throws(Problem) -> TaskRegistration {
    var registration = TaskRegistration(identifier: task)
    registration.owner = try fields.user(.owner, in: bytes)
    registration.viewers = try fields.users(.viewers, in: bytes) ?? []
    registration.kind = try fields.string(.kind, in: bytes)
    registration.title = try fields.string(.title, in: bytes)
    registration.total = try fields.number(.total, in: bytes)
    registration.parent = try fields.task(.parent, in: bytes)
    registration.weight = try fields.number(.weight, in: bytes)
    registration.dependsOn = try fields.tasks(.dependsOn, in: bytes) ?? []
    if let member = fields.present(.leaseSeconds) {
      guard let seconds = JSONDecode.double(member, in: bytes), seconds > 0 else {
        throw RequestFields.refusal(.leaseSeconds, member, "must be a number above 0", in: bytes)
      }
      registration.leaseSeconds = seconds
    }
    registration.metadata = fields.value(.metadata, in: bytes)
    return registration
  }

  /// Any JSON object, normalised: the bodies of `broadcast`, `channels/…` and `users/…/messages`.
  package static func object(_ bytes: Span<UInt8>) throws(Problem) -> JSONText {
    _ = try RequestFields(bytes)
    return JSONText(normalising: 0..<bytes.count, of: bytes)
  }
}
