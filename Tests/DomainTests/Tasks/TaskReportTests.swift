import GatewayDomain
import Protocol
import Testing

@Suite("contract §3.2 and §6: what a report makes of a task")
struct TaskReportTests {
  struct Words: Sendable, CustomTestStringConvertible {
    let given: String?
    let status: TaskStatus
    let text: String?
    let eventWord: String
    var testDescription: String { given ?? "absent" }
  }

  @Test(arguments: [
    Words(given: nil, status: .running, text: nil, eventWord: "running"),
    Words(given: "running", status: .running, text: nil, eventWord: "running"),
    Words(given: "processing", status: .running, text: nil, eventWord: "processing"),
    Words(given: "pending", status: .pending, text: nil, eventWord: "pending"),
    Words(given: "extracting", status: .running, text: "extracting", eventWord: "extracting"),
    Words(given: "Completed", status: .running, text: "Completed", eventWord: "Completed"),
  ])
  func `a word of status moves the task and is shown as given`(_ words: Words) throws {
    let bench = TaskBench()
    try bench.progress("t", progressReport(5, status: words.given))
    let snapshot = try #require(bench.snapshot("t"))
    #expect(snapshot.status == words.status)
    #expect(snapshot.statusText == words.text)
    #expect((snapshot.startedAt != nil) == (words.status == .running))
    #expect(bench.takeEvents().map(\.statusWord) == [words.eventWord])
  }

  @Test func `a free word stands until the next report`() throws {
    let bench = TaskBench()
    try bench.progress("t", progressReport(5, status: "extracting"))
    try bench.progress("t", progressReport(6))
    #expect(bench.snapshot("t")?.statusText == nil)
  }

  @Test func `a running task does not go back to pending`() throws {
    let bench = TaskBench()
    try bench.progress("t")
    try bench.progress("t", progressReport(11, status: "pending"))
    #expect(bench.snapshot("t")?.status == .running)
    #expect(bench.desk.count(of: .running) == 1)
    #expect(bench.desk.count(of: .pending) == 0)
  }

  struct Ending: Sendable, CustomTestStringConvertible {
    let word: String
    let message: String?
    let status: TaskStatus
    let finishedBy: TerminalKind
    let error: String?
    let progress: String
    let given: String
    var testDescription: String { "\(word), \(message ?? "no message")" }
  }

  @Test(arguments: [
    Ending(
      word: "completed", message: "\"ok\"", status: .completed, finishedBy: .completeSuccess, error: nil,
      progress: "100", given: #""progress":-1,"status":"completed","message":"ok""#),
    Ending(
      word: "failed", message: "\"no\"", status: .failed, finishedBy: .error, error: "\"no\"", progress: "40",
      given: #""progress":-1,"status":"failed","message":"no","error":"no""#),
    Ending(
      word: "failed", message: nil, status: .failed, finishedBy: .error, error: "\"failed\"", progress: "40",
      given: #""progress":-1,"status":"failed","error":"failed""#),
    Ending(
      word: "cancelled", message: nil, status: .cancelled, finishedBy: .cancelled, error: nil, progress: "40",
      given: #""progress":-1,"status":"cancelled""#),
  ])
  func `a terminal word in progress makes one terminal event and no progress event`(_ ending: Ending) throws {
    let bench = TaskBench()
    try bench.progress("t", progressReport(40))
    _ = bench.takeEffects()
    let message = ending.message.map { ReportedField.value(json($0)) } ?? .absent
    let receipt = try bench.progress("t", progressReport(-1, status: ending.word, message: message))
    #expect(receipt.offset == 2)
    let snapshot = try #require(bench.snapshot("t"))
    #expect(snapshot.status == ending.status)
    #expect(snapshot.finishedBy == ending.finishedBy)
    #expect(snapshot.error?.text == ending.error)
    #expect(snapshot.progress.text == ending.progress)
    #expect(snapshot.terminalMessage?.text == ending.message)
    #expect(snapshot.finishedAt == bench.now.wall)
    let effects = bench.takeEffects()
    #expect(effects.count == 2)
    guard case .persist(.finished(let durable, _)) = effects[0], case .deliver(let event, let after) = effects[1] else {
      Issue.record("expected one terminal event that is made durable, got \(effects)")
      return
    }
    #expect(event.kind.isTerminal)
    #expect(event.offset == 2 && durable.offset == 2 && after.snapshot.offset == 2)
    #expect(event.progress?.text == "-1")
    #expect(event.error?.text == ending.error)
    #expect(String(decoding: event.given, as: UTF8.self) == ending.given)
  }

  @Test func `minus one is in the event as given and the snapshot keeps its value`() throws {
    let bench = TaskBench()
    try bench.progress("t", progressReport(33.5))
    try bench.progress("t", progressReport(-1))
    #expect(bench.takeEvents().map { $0.progress?.text } == ["33.5", "-1"])
    #expect(bench.snapshot("t")?.progress.text == "33.5")
    #expect(bench.snapshot("t")?.progressValue == 33.5)
  }

  @Test func `an absent field keeps its value and null clears it`() throws {
    let bench = TaskBench()
    try bench.progress("t", progressReport(1, message: .value(json("\"a\"")), details: .value(json("{}"))))
    try bench.progress("t", progressReport(2, details: .null))
    let snapshot = try #require(bench.snapshot("t"))
    #expect(snapshot.message?.text == "\"a\"")
    #expect(snapshot.details == nil)
    let last = try #require(bench.takeEvents().last)
    #expect(last.message == nil)
    #expect(String(decoding: last.given, as: UTF8.self) == "\"progress\":2")
  }

  @Test func `a completion with success false keeps the progress and fails the task`() throws {
    let bench = TaskBench()
    try bench.progress("t", progressReport(70, message: .value(json("\"step\""))))
    try bench.complete("t", success: false)
    let snapshot = try #require(bench.snapshot("t"))
    #expect(snapshot.status == .failed)
    #expect(snapshot.finishedBy == .completeFailure)
    #expect(snapshot.progress.text == "70")
    #expect(snapshot.message?.text == "\"step\"")
    #expect(snapshot.terminalMessage == nil)
  }

  @Test func `what the end itself carried is kept apart from what came before`() throws {
    let bench = TaskBench()
    for name in ["error", "word", "bare", "done"] {
      try bench.progress(name, progressReport(70, details: .value(json("[1]"))))
    }
    var failure = FailureReport(error: json("\"boom\""))
    _ = try bench.desk.fail(task("bare"), failure, at: bench.now, random: &bench.random, into: &bench.effects)
    failure.details = json("[2]")
    _ = try bench.desk.fail(task("error"), failure, at: bench.now, random: &bench.random, into: &bench.effects)
    for (name, word) in [("word", "failed"), ("done", "completed")] {
      var report = progressReport(71, details: .value(json("[3]")))
      report.statusWord = word
      try bench.progress(name, report)
    }
    #expect(bench.snapshot("error")?.terminalDetails?.text == "[2]")
    #expect(bench.snapshot("error")?.details?.text == "[2]")
    #expect(bench.snapshot("word")?.terminalDetails?.text == "[3]")
    #expect(bench.snapshot("done")?.terminalDetails?.text == "[3]")
    #expect(bench.snapshot("bare")?.terminalDetails == nil)
    #expect(bench.snapshot("bare")?.details?.text == "[1]")
  }

  @Test func `a first report that ends the task has run it`() throws {
    let bench = TaskBench()
    try bench.complete("a", message: "\"done\"", result: "[1]")
    try bench.fail("b", code: "\"E1\"")
    #expect(bench.snapshot("a")?.startedAt == bench.now.wall)
    #expect(bench.snapshot("a")?.result?.text == "[1]")
    #expect(bench.snapshot("a")?.terminalMessage?.text == "\"done\"")
    #expect(bench.snapshot("b")?.errorCode?.text == "\"E1\"")
    #expect(bench.desk.count(of: .completed) == 1)
    #expect(bench.desk.count(of: .failed) == 1)
  }

  @Test func `a terminal status is final for every command`() throws {
    let bench = TaskBench()
    try bench.complete("t")
    let before = bench.snapshot("t")
    _ = bench.takeEffects()
    #expect(code { try bench.progress("t") } == .taskFinished)
    #expect(code { try bench.complete("t") } == .taskFinished)
    #expect(code { try bench.fail("t") } == .taskFinished)
    #expect(code { try bench.heartbeat("t") } == .taskFinished)
    #expect(code { try bench.requestCancel("t") } == .taskFinished)
    #expect(code { try bench.acknowledgeCancel("t") } == .taskFinished)
    #expect(bench.takeEffects().isEmpty)
    #expect(bench.snapshot("t")?.offset == before?.offset)
    do {
      try bench.progress("t")
    } catch {
      #expect(error.detail == "task t is completed since 1700000000.0")
    }
  }

  @Test(arguments: [
    (-1.0, true), (0, true), (100, true), (100.5, false), (-0.5, false), (-2, false), (.nan, false), (.infinity, false),
  ])
  func `progress is 0 to 100 or minus one`(_ value: Double, _ isTaken: Bool) {
    let bench = TaskBench()
    var report = ProgressReport()
    report.progress = json("0")
    report.progressValue = value
    #expect(code { try bench.progress("t", report) } == (isTaken ? nil : .badRequest))
    #expect((bench.snapshot("t") != nil) == isTaken)
  }

  @Test(arguments: [(0, false), (1, true), (64, true), (65, false)])
  func `a word of status has 1 to 64 characters`(_ characterCount: Int, _ isTaken: Bool) {
    let bench = TaskBench()
    let report = progressReport(1, status: String(repeating: "字", count: characterCount))
    #expect(code { try bench.progress("t", report) } == (isTaken ? nil : .badRequest))
  }

  @Test func `a heartbeat is relayed to the named user or the owner and takes no offset`() throws {
    let bench = TaskBench()
    var registration = TaskRegistration(identifier: task("t"))
    registration.owner = user("ann")
    try bench.register(registration)
    _ = bench.takeEffects()
    try bench.heartbeat("t")
    try bench.heartbeat("t", user: user("bob"))
    let users = bench.takeEffects().compactMap { effect -> UserIdentifier? in
      if case .heartbeat(let heartbeat) = effect { heartbeat.user } else { nil }
    }
    #expect(users == [user("ann"), user("bob")])
    #expect(bench.snapshot("t")?.offset == 0)
    #expect(bench.snapshot("t")?.status == .pending)
    try bench.heartbeat("unheard")
    #expect(bench.snapshot("unheard")?.status == .pending)
  }
}
