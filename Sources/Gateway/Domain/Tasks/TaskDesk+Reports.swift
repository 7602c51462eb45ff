package import Protocol

/// What workers report.
extension TaskDesk {
  /// `POST …/{id}/progress`. A terminal word of status finishes the task with one terminal event and no progress event.
  package mutating func progress(
    _ identifier: TaskIdentifier, _ report: ProgressReport, at moment: Moment,
    random: inout some RandomNumberGenerator, into effects: inout [TaskEffect]
  ) throws(Problem) -> PublishReceipt {
    try report.validate()
    let record = try publishable(
      identifier, byteCount: report.byteCount, at: moment, random: &random, into: &effects)
    apply(report, to: record, at: moment)
    switch report.statusWord.flatMap(TaskStatus.init(word:)) {
    case .completed:
      record.snapshot.terminalMessage = report.message.value
      record.snapshot.terminalDetails = report.details.value
      return finish(
        record, with: Ending(.completeSuccess, report), at: moment, into: &effects)
    case .failed:
      var ending = Ending(.error, report)
      let error = report.message.value ?? .failedWord
      ending.error = error
      ending.given.appendMember("error", error)
      record.snapshot.terminalMessage = report.message.value
      record.snapshot.terminalDetails = report.details.value
      record.snapshot.error = error
      return finish(record, with: ending, at: moment, into: &effects)
    case .cancelled:
      record.snapshot.terminalMessage = report.message.value
      record.snapshot.terminalDetails = report.details.value
      return finish(record, with: Ending(.cancelled, report), at: moment, into: &effects)
    case .pending:
      // A task that runs does not go back.
      record.snapshot.statusText = nil
    case .running:
      record.snapshot.statusText = nil
      start(record, at: moment)
    case nil:
      record.snapshot.statusText = report.statusWord
      start(record, at: moment)
    }
    // Built from the report itself: this is the path of every publish.
    takeOffset(record, at: moment)
    let event = TaskEvent(
      task: record.snapshot.identifier, epoch: record.snapshot.epoch, offset: record.snapshot.offset, kind: .progress,
      occurredAt: moment.wall, given: report.given, progress: report.progress,
      statusWord: report.statusWord ?? "running", current: report.current.value, total: report.total.value,
      message: report.message.value, details: report.details.value, result: report.result.value)
    remember(event, of: record)
    accountForReport(to: record)
    effects.append(.deliver(event, after: record))
    effects.append(.persist(.progressed(record)))
    noteForParent(record)
    return receipt(record)
  }

  /// `POST …/{id}/complete`. `success: false` is status `failed` with the last progress kept.
  package mutating func complete(
    _ identifier: TaskIdentifier, _ report: CompletionReport, at moment: Moment,
    random: inout some RandomNumberGenerator, into effects: inout [TaskEffect]
  ) throws(Problem) -> PublishReceipt {
    let byteCount = (report.message?.byteCount ?? 0) * 2 + (report.result?.byteCount ?? 0)
    let record = try publishable(identifier, byteCount: byteCount, at: moment, random: &random, into: &effects)
    if let message = report.message { record.snapshot.message = message }
    if let result = report.result { record.snapshot.result = result }
    record.snapshot.terminalMessage = report.message
    var ending = Ending(report.success ? .completeSuccess : .completeFailure, given: report.given)
    ending.message = report.message
    ending.result = report.result
    return finish(record, with: ending, at: moment, into: &effects)
  }

  /// `POST …/{id}/error`.
  package mutating func fail(
    _ identifier: TaskIdentifier, _ report: FailureReport, at moment: Moment,
    random: inout some RandomNumberGenerator, into effects: inout [TaskEffect]
  ) throws(Problem) -> PublishReceipt {
    let byteCount =
      report.error.byteCount + (report.errorCode?.byteCount ?? 0) + (report.details?.byteCount ?? 0)
    let record = try publishable(identifier, byteCount: byteCount, at: moment, random: &random, into: &effects)
    record.snapshot.error = report.error
    record.snapshot.errorCode = report.errorCode
    record.snapshot.terminalDetails = report.details
    if let details = report.details { record.snapshot.details = details }
    var ending = Ending(.error, given: report.given)
    ending.error = report.error
    ending.errorCode = report.errorCode
    ending.details = report.details
    return finish(record, with: ending, at: moment, into: &effects)
  }

  /// `POST …/{id}/heartbeat`: registers like a publish, changes no status and takes no offset. Returns `cancel_requested`.
  package mutating func heartbeat(
    _ identifier: TaskIdentifier, user: UserIdentifier?, message: JSONText?, at moment: Moment,
    random: inout some RandomNumberGenerator, into effects: inout [TaskEffect]
  ) throws(Problem) -> Bool {
    let record = try publishable(identifier, byteCount: 0, at: moment, random: &random, into: &effects)
    effects.append(
      .heartbeat(
        TaskHeartbeat(
          task: identifier, user: user ?? record.snapshot.owner, message: message, occurredAt: moment.wall)))
    return record.snapshot.cancelRequested
  }

  // MARK: the one way to an event

  /// What a terminal event carries.
  struct Ending {
    var kind: TerminalKind
    var given: [UInt8]
    var progress: JSONText?
    var current: JSONText?
    var total: JSONText?
    var message: JSONText?
    var details: JSONText?
    var result: JSONText?
    var error: JSONText?
    var errorCode: JSONText?

    init(_ kind: TerminalKind, given: [UInt8]) {
      self.kind = kind
      self.given = given
    }

    init(_ kind: TerminalKind, _ report: ProgressReport) {
      self.init(kind, given: report.given)
      progress = report.progress
      current = report.current.value
      total = report.total.value
      message = report.message.value
      details = report.details.value
      result = report.result.value
    }
  }

  /// Ends a task whose snapshot already has the report's fields.
  mutating func finish(
    _ record: TaskRecord, with ending: Ending, at moment: Moment, into effects: inout [TaskEffect]
  ) -> PublishReceipt {
    let kind: TaskEvent.Kind
    let status: TaskStatus
    switch ending.kind {
    case .completeSuccess:
      kind = .complete(success: true)
      status = .completed
      record.snapshot.progress = .hundred
      record.snapshot.progressValue = 100
    case .completeFailure:
      kind = .complete(success: false)
      status = .failed
    case .error:
      kind = .error
      status = .failed
    case .cancelled:
      kind = .cancelled
      status = .cancelled
    }
    // A worker that ends a task has run it; a cancelled one may never have begun.
    if record.snapshot.startedAt == nil, ending.kind != .cancelled { record.snapshot.startedAt = moment.wall }
    setStatus(status, of: record)
    record.snapshot.statusText = nil
    record.snapshot.finishedBy = ending.kind
    record.snapshot.finishedAt = moment.wall
    takeOffset(record, at: moment)
    let event = TaskEvent(
      task: record.snapshot.identifier, epoch: record.snapshot.epoch, offset: record.snapshot.offset, kind: kind,
      occurredAt: moment.wall, given: ending.given, progress: ending.progress, statusWord: "\(status.word)",
      current: ending.current, total: ending.total, message: ending.message, details: ending.details,
      result: ending.result, error: ending.error, errorCode: ending.errorCode)
    remember(event, of: record)
    record.cancelDeadline = nil
    record.leaseDeadline = .infinity
    file(removalOf: record, at: moment.monotonic + settings.historySecondsMax)
    account(for: record)
    effects.append(.persist(.finished(event, record)))
    effects.append(.deliver(event, after: record))
    noteForParent(record)
    if ending.kind == .cancelled, !record.snapshot.cancelRequested {
      // Nobody asked: the worker stopped by itself, and its children are to stop too.
      cancelChildren(of: record, user: nil, reason: nil, into: &effects)
    }
    return receipt(record)
  }

  func takeOffset(_ record: TaskRecord, at moment: Moment) {
    record.snapshot.offset += 1
    record.snapshot.updatedAt = moment.wall
    record.snapshot.stale = false
  }

  mutating func start(_ record: TaskRecord, at moment: Moment) {
    guard record.snapshot.status == .pending else { return }
    setStatus(.running, of: record)
    record.snapshot.startedAt = moment.wall
  }

  private func apply(_ report: ProgressReport, to record: TaskRecord, at moment: Moment) {
    // −1 is the task dialect's alone: the snapshot keeps its value (contract §6).
    if let progress = report.progress, let value = report.progressValue, value >= 0 {
      record.snapshot.progress = progress
      record.snapshot.progressValue = value
      record.rate.add(value, at: moment.monotonic)
    }
    report.current.apply(to: &record.snapshot.current)
    report.total.apply(to: &record.snapshot.total)
    report.message.apply(to: &record.snapshot.message)
    report.details.apply(to: &record.snapshot.details)
    report.result.apply(to: &record.snapshot.result)
  }

  func receipt(_ record: TaskRecord) -> PublishReceipt {
    PublishReceipt(
      epoch: record.snapshot.epoch, offset: record.snapshot.offset,
      cancelRequested: record.snapshot.cancelRequested)
  }
}

extension ProgressReport {
  /// A free word of status, in characters (contract §3.2).
  package static let statusWordCharacterCountMax = 64

  func validate() throws(Problem) {
    if let value = progressValue, value != -1, !(value >= 0 && value <= 100) {
      throw Problem(.badRequest, "progress is \(value), must be 0 to 100, or -1 on error")
    }
    // As many bytes are at most as many characters: only a longer word is counted.
    if let word = statusWord, word.isEmpty || word.utf8.count > Self.statusWordCharacterCountMax {
      let count = word.unicodeScalars.count
      guard count >= 1, count <= Self.statusWordCharacterCountMax else {
        throw Problem(
          .badRequest, "status has \(count) characters, must have 1 to \(Self.statusWordCharacterCountMax)")
      }
    }
  }

  /// At least what it adds to a snapshot.
  var byteCount: Int {
    var count = (progress?.byteCount ?? 0) + (statusWord?.utf8.count ?? 0)
    count += (current.value?.byteCount ?? 0) + (total.value?.byteCount ?? 0)
    count += (details.value?.byteCount ?? 0) + (result.value?.byteCount ?? 0)
    // Twice: a terminal word makes the message the error too.
    return count + (message.value?.byteCount ?? 0) * 2
  }
}

extension ReportedField {
  /// Absent keeps, null clears.
  func apply(to field: inout JSONText?) {
    switch self {
    case .absent: break
    case .null: field = nil
    case .value(let text): field = text
    }
  }
}

extension JSONText {
  static let hundred = JSONText(normalised: Array("100".utf8))
  static let failedWord = JSONText(normalised: Array("\"failed\"".utf8))
  static let cancelTimeoutWord = JSONText(normalised: Array("\"cancel_timeout\"".utf8))
}

extension [UInt8] {
  /// Appends a member to the members of an object written without its braces. `name` needs no escapes.
  mutating func appendMember(_ name: StaticString, _ value: JSONText) {
    if !isEmpty { append(UInt8(ascii: ",")) }
    append(UInt8(ascii: "\""))
    append(name)
    append(contentsOf: "\":".utf8)
    append(value)
  }
}
