import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("Contract §3.2 and §3.3: nodes, log lines and many cancels")
struct RequestBodiesPartsTests {
  private static let node = TaskIdentifier(validating: "n-1")

  private func node(_ text: String) throws(Problem) -> NodeReport {
    guard let node = Self.node else { throw Problem(.internalError, "no node") }
    return try RequestBodies.node(Array(text.utf8).span, of: node)
  }

  private func lines(_ text: String) throws(Problem) -> [ReportedLogLine] {
    try RequestBodies.logLines(Array(text.utf8).span)
  }

  private func operation(_ text: String) throws(Problem) -> PublishOperation {
    try RequestBodies.operation(Array(text.utf8).span)
  }

  private func detail<Value>(_ body: () throws(Problem) -> Value) -> String? {
    do throws(Problem) {
      _ = try body()
      return nil
    } catch {
      return error.detail
    }
  }

  @Test func `a node's report keeps what was given but what the event says itself`() throws {
    let report = try node(
      #"{"status":"running","progress":5.50,"message":"\u4e2d","weight":2e0,"node_id":"x","task_progress":9,"task_id":"y","more":[1]}"#
    )
    #expect(report.node == Self.node)
    #expect(report.status == "running")
    #expect(report.progressValue == 5.5 && report.progress.map { String(decoding: $0.bytes, as: UTF8.self) } == "5.50")
    #expect(report.weightValue == 2)
    #expect(report.message.value?.string == "中")
    #expect(
      String(decoding: report.given, as: UTF8.self)
        == #""status":"running","progress":5.50,"message":"中","weight":2e0,"more":[1]"#)
    let least = try node(#"{"status":"x"}"#)
    #expect(least.progress == nil && least.weight == nil && least.message == .absent)
    #expect(try node(#"{"status":"x","message":null,"progress":null,"weight":null}"#).message == .null)
  }

  @Test(arguments: [
    ("{}", "status is missing, must be a string"), (#"{"status":null}"#, "status is missing, must be a string"),
    (#"{"status":5}"#, "status is 5, must be a string"),
    (#"{"status":"x","progress":101}"#, "progress is 101, must be a number from 0 to 100, or -1"),
    (#"{"status":"x","progress":"1"}"#, #"progress is "1", must be a number from 0 to 100, or -1"#),
    (#"{"status":"x","weight":0}"#, "weight is 0, must be a number above 0"),
    (#"{"status":"x","weight":-1}"#, "weight is -1, must be a number above 0"),
    (#"{"status":"x","message":[]}"#, "message is [], must be a string or null"),
    ("[]", "the body is not a JSON object"),
  ])
  func `a wrong node's report is refused`(_ text: String, _ expected: String) {
    #expect(detail { () throws(Problem) in try node(text) } == expected)
  }

  @Test func `lines are taken in order, further members are left out`() throws {
    let lines = try lines(
      #"{"lines":[{"level":"info","message":"a\u0062","timestamp":12.50,"x":1},{"level":"字","message":""}],"y":2}"#)
    #expect(lines.map { $0.level.string } == ["info", "字"])
    #expect(lines.map { $0.message.string } == ["ab", ""])
    #expect(lines.map { $0.timestamp?.double } == [12.5, nil])
  }

  @Test(arguments: [
    ("{}", "lines is missing, must be an array of objects"),
    (#"{"lines":5}"#, "lines is 5, must be an array of objects"),
    (#"{"lines":[]}"#, "lines has 0 entries, must have 1 to 1000"),
    (#"{"lines":["a"]}"#, #"lines is "a", each must be an object"#),
    (#"{"lines":[{"message":"m"}]}"#, "level is missing, must be a string"),
    (#"{"lines":[{"level":"info"}]}"#, "message is missing, must be a string"),
    (#"{"lines":[{"level":1,"message":"m"}]}"#, "level is 1, must be a string or null"),
    (#"{"lines":[{"level":"x","message":"m","timestamp":"now"}]}"#, #"timestamp is "now", must be a number or null"#),
  ])
  func `wrong lines are refused`(_ text: String, _ expected: String) {
    #expect(detail { () throws(Problem) in try lines(text) } == expected)
  }

  @Test(arguments: [(1000, true), (1001, false)])
  func `so many lines and not one more`(_ count: Int, _ isTaken: Bool) {
    let line = #"{"level":"info","message":"m"}"#
    let text = #"{"lines":[\#(Array(repeating: line, count: count).joined(separator: ","))]}"#
    #expect((detail { () throws(Problem) in try lines(text) } == nil) == isTaken)
  }

  @Test func `in bulk a line's members stand beside or in lines`() throws {
    guard
      case .node(let task, let report) = try operation(
        #"{"op":"node","task_id":"t","node_id":"n-1","status":"x","progress":5}"#)
    else { return #expect(Bool(false), "no node") }
    #expect(task.text == "t" && report.node == Self.node)
    #expect(String(decoding: report.given, as: UTF8.self) == #""status":"x","progress":5"#)
    guard case .log(_, let one) = try operation(#"{"op":"log","task_id":"t","level":"info","message":"m"}"#) else {
      return #expect(Bool(false), "no log")
    }
    #expect(one.map { $0.message.string } == ["m"])
    guard
      case .log(_, let two) = try operation(
        #"{"op":"log","task_id":"t","lines":[{"level":"a","message":"m"},{"level":"b","message":"n"}]}"#)
    else { return #expect(Bool(false), "no log") }
    #expect(two.map { $0.level.string } == ["a", "b"])
    #expect(
      detail { () throws(Problem) in try operation(#"{"op":"node","task_id":"t","status":"x"}"#) }
        == "node_id is missing, must be 1 to 128 characters of A-Z a-z 0-9 . _ : -")
    #expect(
      detail { () throws(Problem) in try operation(#"{"op":"log","task_id":"t"}"#) }
        == "level is missing, must be a string")
  }

  @Test(arguments: [(0, false), (1, true), (1000, true), (1001, false)])
  func `one to a thousand tasks are cancelled at once`(_ count: Int, _ isTaken: Bool) {
    let text = #"{"task_ids":[\#((0..<count).map { "\"t\($0)\"" }.joined(separator: ","))]}"#
    let tasks = try? RequestBodies.cancelMany(Array(text.utf8).span)
    #expect(tasks?.count == (isTaken ? count : nil))
  }
}
