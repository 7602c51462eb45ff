import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("The store's records: what is written is read, whole")
struct CodecTests {
  private func text(_ json: String) -> JSONText { JSONText(normalised: Array(json.utf8)) }
  private func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  private func task(_ name: String = "scan-1") throws -> TaskIdentifier {
    try #require(TaskIdentifier(validating: name))
  }

  /// A desk's record after some reports, and the desk that must outlive it.
  private func makeRecord(ending: Bool) throws -> (TaskDesk, TaskRecord) {
    var desk = TaskDesk(rows: RowSequence(first: 41))
    var random = SeededGenerator(seed: 9)
    var effects: [TaskEffect] = []
    let now = Moment(wall: 1_700_000_000.25, monotonic: 100)
    var registration = TaskRegistration(identifier: try task())
    registration.owner = UserIdentifier(validating: "änn \"x\"")
    registration.viewers = [try #require(UserIdentifier(validating: "bob"))]
    registration.kind = "scan"
    registration.title = "Überblick\t\u{1F600}"
    registration.total = text("10")
    registration.parent = try task("parent")
    registration.weight = text("2.50")
    registration.dependsOn = [try task("a"), try task("b")]
    registration.leaseSeconds = 30
    registration.metadata = text(#"{"n":1.0,"big":123456789012345678901234567890}"#)
    _ = try desk.register(registration, at: now, random: &random, into: &effects)
    var report = ProgressReport()
    report.progress = text("40.50")
    report.progressValue = 40.5
    report.current = .value(text("4"))
    report.message = .value(text(#""page \"4\"""#))
    report.details = .value(text(#"{"a":[1,2e5,null]}"#))
    report.statusWord = "training"
    report.given = Array(#""progress":40.50,"current":4,"message":"page \"4\"","details":{"a":[1,2e5,null]}"#.utf8)
    _ = try desk.progress(try task(), report, at: now, random: &random, into: &effects)
    var node = NodeReport(node: try task("fetch"), status: "running")
    node.progress = text("10")
    node.progressValue = 10
    node.weight = text("3")
    node.weightValue = 3
    node.message = .value(text("\"m\""))
    node.given = Array(#""status":"running","progress":10,"weight":3,"message":"m""#.utf8)
    _ = try desk.node(try task(), node, at: now, random: &random, into: &effects)
    _ = try desk.log(
      try task(), [ReportedLogLine(level: text("\"info\""), message: text("\"begun\""))], at: now, random: &random,
      into: &effects)
    if ending {
      var failure = FailureReport(error: text("\"boom\""))
      failure.errorCode = text("\"E1\"")
      failure.given = Array(#""error":"boom","error_code":"E1""#.utf8)
      _ = try desk.fail(try task(), failure, at: now, random: &random, into: &effects)
    }
    var found: TaskRecord?
    desk.forEachRecord { found = $0 }
    return (desk, try #require(found))
  }

  @Test(arguments: [false, true])
  func `a task is read as it was written, whatever its publishers wrote`(ending: Bool) throws {
    let (_, record) = try makeRecord(ending: ending)
    let bytes = TaskCodec.encode(record)
    let stored = try #require(TaskCodec.decode(bytes, row: record.row))
    #expect(stored.row == 41 && stored.isImplicit == false)
    // The API's object shows nearly every field; the rest one by one.
    #expect(string(ResponseBodies.task(stored.snapshot)) == string(ResponseBodies.task(record.snapshot)))
    #expect(stored.snapshot.weight?.text == "2.50" && stored.snapshot.leaseSeconds == 30)
    #expect(stored.snapshot.logOffset == 1 && stored.snapshot.nodes == record.snapshot.nodes)
    #expect(stored.snapshot.finishedBy == record.snapshot.finishedBy)
    #expect(stored.snapshot.terminalMessage == record.snapshot.terminalMessage)
    #expect(stored.snapshot.progressValue == record.snapshot.progressValue)
    #expect((stored.end != nil) == ending)
    // What is read is written again as it was.
    let again = TaskRecordCopy.make(of: stored)
    #expect(string(TaskCodec.encode(again)).hasPrefix(string(bytes).prefix(200)))
  }

  @Test(arguments: [false, true])
  func `a history is read as it was written`(ending: Bool) throws {
    let (_, record) = try makeRecord(ending: ending)
    let bytes = HistoryCodec.encode(record)
    let events = try #require(HistoryCodec.decode(bytes, of: record.snapshot))
    let expected = record.history.events(last: 100, limit: 100)
    #expect(events.map { string(ActionDialect.event($0)) } == expected.map { string(ActionDialect.event($0)) })
    #expect(events.map(\.statusWord) == expected.map(\.statusWord))
    #expect(events.map { $0.progress?.text } == expected.map { $0.progress?.text })
    #expect(events.map { $0.errorCode?.text } == expected.map { $0.errorCode?.text })
    let lines = HistoryCodec.decodeLog(bytes)
    #expect(lines == record.log.lines(last: 10, limit: 10) && lines.count == 1)
  }

  @Test func `a history of another epoch or another head is none`() throws {
    let (_, record) = try makeRecord(ending: false)
    let bytes = HistoryCodec.encode(record)
    var other = TaskSnapshot(identifier: try task(), epoch: Epoch(text: "another"), createdAt: 0)
    other.offset = record.snapshot.offset
    #expect(HistoryCodec.decode(bytes, of: other) == nil)
    var further = record.snapshot
    further.offset += 1
    #expect(HistoryCodec.decode(bytes, of: further) == nil)
    #expect(HistoryCodec.seal(bytes, of: other) == nil && HistoryCodec.seal(bytes, of: further) == nil)
  }

  @Test func `a history tells how long it is before it is read, and one without that is read at once`() throws {
    let (_, record) = try makeRecord(ending: true)
    let bytes = HistoryCodec.encode(record)
    let sealed = try #require(HistoryCodec.seal(bytes, of: record.snapshot))
    #expect(sealed.count == 3 && sealed.byteCount == bytes.count)
    #expect(sealed.open().map(\.offset) == [1, 2, 3])
    let withoutCount = string(bytes).replacing("\"offset\":3,\"count\":3,", with: "", maxReplacements: 1)
    #expect(withoutCount.utf8.count < bytes.count)
    let old = try #require(HistoryCodec.seal(Array(withoutCount.utf8), of: record.snapshot))
    #expect(old.count == 3 && old.open().map(\.offset) == [1, 2, 3])
    // What is cut is noticed when it is read.
    let cut = try #require(HistoryCodec.seal(Array(bytes.dropLast()), of: record.snapshot))
    #expect(cut.open().isEmpty)
  }

  @Test func `a record that is cut or nonsense is none, at every place`() throws {
    let (_, record) = try makeRecord(ending: true)
    let bytes = TaskCodec.encode(record)
    for end in 0..<bytes.count { #expect(TaskCodec.decode(Array(bytes[..<end]), row: 1) == nil) }
    for nonsense in ["", "{}", "[]", "null", #"{"task_id":"a b"}"#, #"{"task_id":"t","status":"x"}"#] {
      let bytes = Array(nonsense.utf8)
      #expect(TaskCodec.decode(bytes, row: 1) == nil)
      #expect(ConfirmationCodec.decode(bytes, row: 1) == nil)
      #expect(MessageCodec.decode(bytes, row: 1) == nil)
      #expect(IdempotencyCodec.decode(bytes, row: 1) == nil)
    }
  }

  @Test func `a question and its outcome are read as they were written`() throws {
    var request = ConfirmationRequest(
      task: try task(), user: try #require(UserIdentifier(validating: "änn")), step: text("{\"n\":1.0}"), timeout: 12.5,
      defaultProceed: false)
    request.message = text("\"Send?\"")
    request.result = text("[1]")
    request.status = text("\"s\"")
    request.errorCode = text("\"c\"")
    request.errorMessage = text("\"m\"")
    request.viewers = [try #require(UserIdentifier(validating: "bob"))]
    var confirmation = Confirmation(
      identifier: CallbackIdentifier(text: "c-1"), row: 3, request: request, createdAt: 1_700_000_000.5,
      deadline: 1_700_000_013, deadlineAtMonotonic: 5)
    let open = try #require(ConfirmationCodec.decode(ConfirmationCodec.encode(confirmation), row: 3))
    #expect(string(ActionDialect.taskStepResult(open)) == string(ActionDialect.taskStepResult(confirmation)))
    #expect(open.request.viewers == request.viewers && open.request.timeout == 12.5)
    for status in Confirmation.Status.allCases where status != .pending {
      confirmation.setOutcome(
        status, proceed: status == .withdrawn ? nil : true, feedback: text("\"f\""), resolvedBy: .user,
        resolvedAt: 1_700_000_001.25)
      let read = try #require(ConfirmationCodec.decode(ConfirmationCodec.encode(confirmation), row: 3))
      #expect(string(ResponseBodies.confirmation(read)) == string(ResponseBodies.confirmation(confirmation)))
      #expect(read.resolvedAt == 1_700_000_001.25)
    }
  }

  @Test func `a message and an idempotency key are read as they were written`() throws {
    var message = UserMessage(
      identifier: MessageIdentifier(text: "m-1"), row: 8, user: try #require(UserIdentifier(validating: "ann")),
      body: text(#"{"a":1.0}"#), sentAt: 1_700_000_000.5)
    message.setProgress(.pending, acknowledgedAt: nil, connectionCount: 2, retryCount: 1)
    #expect(MessageCodec.decode(MessageCodec.encode(message), row: 8) == message)
    let record = IdempotencyRecord(
      token: IdempotencyToken(high: 1, low: .max), bodyDigest: IdempotencyToken(high: 0, low: 0),
      outcome: IdempotencyOutcome(status: 201, body: Array(#"{"x":1.0}"#.utf8)), row: 4, createdAt: 1_700_000_000.125)
    #expect(IdempotencyCodec.decode(IdempotencyCodec.encode(record), row: 4) == record)
    for text in ["", "0", String(repeating: "g", count: 32), String(repeating: "0", count: 33)] {
      #expect(IdempotencyToken(text: text) == nil)
    }
  }
}

/// A record that has a stored snapshot.
private enum TaskRecordCopy {
  static func make(of stored: StoredTask) -> TaskRecord {
    var desk = TaskDesk()
    var random = SeededGenerator(seed: 1)
    var effects: [TaskEffect] = []
    desk.restore(
      stored, wasStoppedCleanly: true, at: Moment(wall: stored.snapshot.updatedAt, monotonic: 1), random: &random,
      into: &effects)
    var found: TaskRecord?
    desk.forEachRecord { found = $0 }
    guard let found else { fatalError("a desk keeps what it is given") }
    return found
  }
}

extension JSONText {
  fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
}
