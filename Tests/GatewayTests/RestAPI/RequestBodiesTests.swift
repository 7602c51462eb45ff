import Protocol
import Testing

@testable import Gateway
@testable import GatewayDomain

/// What a parser made of a body, or the problem's detail.
private func detail<Value>(
  _ text: String, _ parse: (Span<UInt8>) throws(Problem) -> Value
) -> String? {
  let bytes = Array(text.utf8)
  do throws(Problem) {
    _ = try parse(bytes.span)
    return nil
  } catch {
    return error.code == .badRequest ? error.detail : "\(error.code): \(error.detail)"
  }
}

private func parsed<Value>(
  _ text: String, _ parse: (Span<UInt8>) throws(Problem) -> Value
) throws(Problem) -> Value {
  let bytes = Array(text.utf8)
  return try parse(bytes.span)
}

@Suite("Contract §3.2 what publishers send")
struct RequestBodiesTests {
  @Test func `a progress report keeps every value as it was written`() throws {
    let report = try parsed(
      #" { "progress" : 50.50, "status":"训练中", "current":3, "total":12345678901234567890, "message":"\u5904\u7406", "#
        + #""details":{"a" : [1e400]}, "extra":-0, "type":"spoof", "task_id":1, "epoch":2, "offs\u0065t":3, "skipped":4 } "#,
      RequestBodies.progress)
    #expect(report.progress == Specimen.json("50.50"))
    #expect(report.progressValue == 50.5)
    #expect(report.statusWord == "训练中")
    #expect(report.current == .value(Specimen.json("3")))
    #expect(report.total == .value(Specimen.json("12345678901234567890")))
    #expect(report.message == .value(Specimen.json("\"处理\"")))
    #expect(report.details == .value(Specimen.json(#"{"a":[1e400]}"#)))
    #expect(report.result == .absent)
    #expect(
      Specimen.text(report.given)
        == #""progress":50.50,"status":"训练中","current":3,"total":12345678901234567890,"message":"处理","#
        + #""details":{"a":[1e400]},"extra":-0"#)
  }

  @Test func `null clears, absent keeps`() throws {
    let report = try parsed(#"{"progress":0,"current":null,"message":null,"details":null}"#, RequestBodies.progress)
    #expect(report.current == .null && report.message == .null && report.details == .null)
    #expect(report.total == .absent && report.result == .absent)
    #expect(report.statusWord == nil)
    #expect(Specimen.text(report.given) == #""progress":0,"current":null,"message":null,"details":null"#)
  }

  @Test(arguments: ["0", "-0", "100", "100.0", "1e2", "-1", "-1.0", "0.5"])
  func `progress at its bounds`(_ progress: String) throws {
    #expect(try parsed(#"{"progress":\#(progress)}"#, RequestBodies.progress).progress == Specimen.json(progress))
  }

  @Test(arguments: ["101", "100.01", "-0.5", "-2", "-1.01", "1e400", #""50""#, "null", "true", "[1]"])
  func `progress past its bounds`(_ progress: String) {
    #expect(
      detail(#"{"progress":\#(progress)}"#, RequestBodies.progress)
        == "progress is \(progress), must be a number from 0 to 100, or -1")
  }

  @Test func `progress is needed unless there is a status`() throws {
    #expect(
      detail(#"{"message":"x"}"#, RequestBodies.progress)
        == "progress is missing, must be a number from 0 to 100, or -1")
    let report = try parsed(#"{"status":"running"}"#, RequestBodies.progress)
    #expect(report.progress == nil && report.progressValue == nil)
  }

  @Test(
    arguments: [
      (#"{"progress":1,"status":5}"#, "status is 5, must be a string or null"),
      (#"{"progress":1,"status":""}"#, "status has 0 characters, must have 1 to 64"),
      (#"{"progress":1,"current":"3"}"#, #"current is "3", must be a number or null"#),
      (#"{"progress":1,"total":[]}"#, "total is [], must be a number or null"),
      (#"{"progress":1,"message":{"a":1}}"#, #"message is {"a":1}, must be a string or null"#),
      ("[]", "the body is not a JSON object"),
      ("", "the body is not valid JSON: the JSON text ends unexpectedly at byte 0"),
      (#"{"progress":1"#, "the body is not valid JSON: the JSON text ends unexpectedly at byte 13"),
      (#"{"progress":01}"#, "the body is not valid JSON: invalid JSON number at byte 13"),
    ])
  func `a problem names the field, the value and the rule`(_ body: String, _ expected: String) {
    #expect(detail(body, RequestBodies.progress) == expected)
  }

  @Test func `a status word has 64 characters at most`() {
    func body(_ count: Int) -> String { #"{"progress":1,"status":"\#(String(repeating: "中", count: count))"}"# }
    #expect(detail(body(64), RequestBodies.progress) == nil)
    #expect(detail(body(65), RequestBodies.progress) == "status has 65 characters, must have 1 to 64")
  }

  @Test func `a long value is cut in a problem, never inside a character`() {
    let text = "a" + String(repeating: "中", count: 30)
    // A quote, the letter and 20 characters of three bytes are 62 bytes; one more would be past 64.
    #expect(
      detail(#"{"progress":"\#(text)"}"#, RequestBodies.progress)
        == "progress is \"a\(String(repeating: "中", count: 20))…, must be a number from 0 to 100, or -1")
  }

  @Test func `what the terminal event says of itself is not said twice`() throws {
    let done = try parsed(#"{"status":"completed","success":false,"error":"e"}"#, RequestBodies.progress)
    #expect(Specimen.text(done.given) == #""status":"completed","error":"e""#)
    let failed = try parsed(#"{"status":"failed","success":false,"error":"e"}"#, RequestBodies.progress)
    #expect(Specimen.text(failed.given) == #""status":"failed","success":false"#)
    let running = try parsed(#"{"status":"running","success":false,"error":"e"}"#, RequestBodies.progress)
    #expect(Specimen.text(running.given) == #""status":"running","success":false,"error":"e""#)
  }

  @Test func `complete`() throws {
    let report = try parsed(#"{"success":false,"message":"半","result":[1, 2],"x":null}"#, RequestBodies.complete)
    #expect(!report.success && report.message == Specimen.json("\"半\"") && report.result == Specimen.json("[1,2]"))
    #expect(Specimen.text(report.given) == #""message":"半","result":[1,2],"x":null"#)
    let empty = try parsed("", RequestBodies.complete)
    #expect(empty.success && empty.message == nil && empty.result == nil && empty.given.isEmpty)
    #expect(detail(#"{"success":"no"}"#, RequestBodies.complete) == #"success is "no", must be true or false"#)
    #expect(detail(#"{"message":7}"#, RequestBodies.complete) == "message is 7, must be a string or null")
    #expect(detail(" ", RequestBodies.complete) != nil)
  }

  @Test func `error`() throws {
    let report = try parsed(
      #"{"error":"索引失败","error_code":"E1","details":{"traceback":"..."},"success":true}"#, RequestBodies.error)
    #expect(report.error == Specimen.json("\"索引失败\"") && report.errorCode == Specimen.json(#""E1""#))
    #expect(report.details == Specimen.json(#"{"traceback":"..."}"#))
    #expect(
      Specimen.text(report.given)
        == #""error":"索引失败","error_code":"E1","details":{"traceback":"..."},"success":true"#)
    #expect(detail("{}", RequestBodies.error) == "error is missing, must be a string")
    #expect(detail(#"{"error":null}"#, RequestBodies.error) == "error is null, must be a string")
    #expect(
      detail(#"{"error":"x","error_code":3}"#, RequestBodies.error) == "error_code is 3, must be a string or null")
  }

  @Test func `registration`() throws {
    let fresh = Specimen.task("fresh")
    func registration(_ text: String) throws(Problem) -> TaskRegistration {
      try parsed(text) { bytes throws(Problem) in try RequestBodies.registration(bytes, fresh: fresh) }
    }
    #expect(try registration("").identifier == fresh)
    let full = try registration(
      #"{"task_id":"t","owner":"用户","viewers":["a","b"],"kind":"k","title":"标题","total":5,"parent_id":"p","#
        + #""weight":0.5,"depends_on":["d"],"lease_seconds":1.5,"metadata":{"a": 1}}"#)
    #expect(full.identifier == Specimen.task("t") && full.owner == Specimen.user("用户"))
    #expect(full.viewers == [Specimen.user("a"), Specimen.user("b")])
    #expect(full.kind == "k" && full.title == "标题" && full.total == Specimen.json("5"))
    #expect(full.parent == Specimen.task("p") && full.weight == Specimen.json("0.5"))
    #expect(full.dependsOn == [Specimen.task("d")] && full.leaseSeconds == 1.5)
    #expect(full.metadata == Specimen.json(#"{"a":1}"#))
    let nulls = try registration(#"{"task_id":null,"owner":null,"viewers":null,"lease_seconds":null}"#)
    #expect(nulls.identifier == fresh && nulls.owner == nil && nulls.viewers.isEmpty && nulls.leaseSeconds == nil)
    let cases = [
      (#"{"task_id":"a b"}"#, #"task_id is "a b", must be 1 to 128 characters of A-Z a-z 0-9 . _ : -"#),
      (#"{"task_id":5}"#, "task_id is 5, must be 1 to 128 characters of A-Z a-z 0-9 . _ : -"),
      (#"{"owner":""}"#, #"owner is "", must be 1 to 128 characters without control characters"#),
      (#"{"owner":"\ud800"}"#, #"owner is "\ud800", must be 1 to 128 characters without control characters"#),
      (#"{"viewers":"a"}"#, #"viewers is "a", must be an array of strings"#),
      (#"{"viewers":["a",5]}"#, "viewers is 5, each must be 1 to 128 characters without control characters"),
      (#"{"depends_on":["/"]}"#, #"depends_on is "/", each must be 1 to 128 characters of A-Z a-z 0-9 . _ : -"#),
      (#"{"kind":1}"#, "kind is 1, must be a string or null"),
      (#"{"total":"5"}"#, #"total is "5", must be a number or null"#),
      (#"{"lease_seconds":0}"#, "lease_seconds is 0, must be a number above 0"),
      (#"{"lease_seconds":1e400}"#, "lease_seconds is 1e400, must be a number above 0"),
    ]
    for (body, expected) in cases {
      #expect(detail(body) { bytes throws(Problem) in try RequestBodies.registration(bytes, fresh: fresh) } == expected)
    }
  }

  @Test func `identifiers at their bound and one past it`() {
    let fresh = Specimen.task()
    func detailOf(_ name: String, _ character: Character, _ count: Int) -> String? {
      detail(#"{"\#(name)":"\#(String(repeating: character, count: count))"}"#) { bytes throws(Problem) in
        try RequestBodies.registration(bytes, fresh: fresh)
      }
    }
    #expect(detailOf("task_id", "a", 128) == nil)
    #expect(detailOf("task_id", "a", 129) != nil)
    #expect(detailOf("owner", "中", 128) == nil)
    #expect(detailOf("owner", "中", 129) != nil)
  }

  @Test func `any object, and nothing else`() throws {
    #expect(try parsed(#" { "a" : "\u4e2d" } "#, RequestBodies.object) == Specimen.json(#"{"a":"中"}"#))
    #expect(detail("7", RequestBodies.object) == "the body is not a JSON object")
    #expect(detail("", RequestBodies.object) != nil)
  }
}

@Suite("Contract §3.2 confirmations, cancels, executions")
struct RequestBodiesControlTests {
  private func confirmation(_ text: String) throws(Problem) -> ConfirmationRequest {
    try parsed(text) { bytes throws(Problem) in
      try RequestBodies.confirmation(bytes, timeoutSeconds: 300, defaultProceed: true)
    }
  }

  @Test func `a confirmation takes the step result apart`() throws {
    let request = try confirmation(
      #"{"task_id":"t","user_id":"u","step":2,"step_result":{"step":"training","result":{"a":1e400},"completed":false,"#
        + #""message":"重试?","status":"failed","error_code":"E003","error_message":null},"timeout":0.5,"default_proceed":false}"#
    )
    #expect(request.task == Specimen.task("t") && request.user == Specimen.user("u"))
    #expect(request.step == Specimen.json("2") && request.result == Specimen.json(#"{"a":1e400}"#))
    #expect(request.message == Specimen.json(#""重试?""#) && request.status == Specimen.json(#""failed""#))
    #expect(request.errorCode == Specimen.json(#""E003""#) && request.errorMessage == nil)
    #expect(request.timeout == 0.5 && !request.defaultProceed)
  }

  @Test func `what is left out has its default`() throws {
    let request = try confirmation(#"{"task_id":"t","user_id":"u","step_result":{"step":"s"}}"#)
    #expect(request.timeout == 300 && request.defaultProceed && request.step == Specimen.json(#""s""#))
    #expect(try confirmation(#"{"task_id":"t","user_id":"u"}"#).step == .null)
  }

  @Test(
    arguments: [
      (#"{"user_id":"u"}"#, "task_id is missing, must be 1 to 128 characters of A-Z a-z 0-9 . _ : -"),
      (#"{"task_id":"t"}"#, "user_id is missing, must be 1 to 128 characters without control characters"),
      (#"{"task_id":"t","user_id":"u","timeout":0}"#, "timeout is 0, must be a number of seconds above 0"),
      (#"{"task_id":"t","user_id":"u","timeout":"9"}"#, #"timeout is "9", must be a number of seconds above 0"#),
      (#"{"task_id":"t","user_id":"u","step_result":[]}"#, "step_result is [], must be an object"),
      (#"{"task_id":"t","user_id":"u","step_result":{"message":1}}"#, "message is 1, must be a string or null"),
      (#"{"task_id":"t","user_id":"u","default_proceed":1}"#, "default_proceed is 1, must be true or false"),
    ])
  func `a wrong confirmation is refused`(_ body: String, _ expected: String) {
    #expect(
      detail(body) { bytes throws(Problem) in
        try RequestBodies.confirmation(bytes, timeoutSeconds: 300, defaultProceed: true)
      } == expected)
  }

  @Test func `cancels, heartbeats, tickets, executions`() throws {
    #expect(try parsed("", RequestBodies.cancel) == CancelBody())
    #expect(
      try parsed(#"{"user_id":"u","reason":"不要了"}"#, RequestBodies.cancel)
        == CancelBody(user: Specimen.user("u"), reason: Specimen.json(#""不要了""#)))
    #expect(detail(#"{"reason":1}"#, RequestBodies.cancel) == "reason is 1, must be a string or null")
    #expect(try parsed(#"{"message":"m"}"#, RequestBodies.heartbeat) == HeartbeatBody(message: Specimen.json(#""m""#)))
    #expect(try parsed("", RequestBodies.heartbeat) == HeartbeatBody())
    #expect(try parsed("", RequestBodies.cancelAcknowledgement) == [])
    #expect(
      Specimen.text(try parsed(#"{"message":"stopped","type":"x"}"#, RequestBodies.cancelAcknowledgement))
        == #""message":"stopped""#)
    #expect(
      try parsed(#"{"task_ids":["a","b"]}"#, RequestBodies.cancelMany) == [Specimen.task("a"), Specimen.task("b")])
    #expect(detail("{}", RequestBodies.cancelMany) == "task_ids is missing, must be an array of strings")
    #expect(try parsed("", RequestBodies.ticket) == nil)
    #expect(try parsed(#"{"user_id":"u"}"#, RequestBodies.ticket) == Specimen.user("u"))
    #expect(
      try parsed(#"{"workflow_id":"w","input_data":{"input":"test"}}"#, RequestBodies.execution)
        == ExecutionBody(workflow: Specimen.json(#""w""#), input: Specimen.json(#"{"input":"test"}"#)))
    #expect(
      try parsed(#"{"workflow_id":7}"#, RequestBodies.execution)
        == ExecutionBody(workflow: Specimen.json("7"), input: .null))
    #expect(detail("{}", RequestBodies.execution) == "workflow_id is missing, must be a string")
    #expect(detail(#"{"workflow_id":[]}"#, RequestBodies.execution) == "workflow_id is [], must be a string")
  }
}

@Suite("Contract §3.3 bulk publish")
struct RequestBodiesBulkTests {
  private func lines(_ text: String) -> [RequestBodies.Line] {
    let bytes = Array(text.utf8)
    return RequestBodies.lines(of: bytes.span)
  }

  @Test func `lines are counted from 1, blank ones too`() {
    #expect(lines("") == [])
    #expect(lines("\n\n") == [])
    #expect(lines("{}") == [RequestBodies.Line(number: 1, range: 0..<2)])
    #expect(
      lines("{}\r\n \t\r\n\n{a}\n") == [
        RequestBodies.Line(number: 1, range: 0..<3), RequestBodies.Line(number: 4, range: 9..<12),
      ])
  }

  @Test func `operations on tasks`() throws {
    guard
      case .progress(let task, let report) = try parsed(
        #"{"op":"progress","task_id":"t","progress":5,"x":1}"#, RequestBodies.operation)
    else { return #expect(Bool(false), "no progress") }
    #expect(task == Specimen.task("t") && Specimen.text(report.given) == #""progress":5,"x":1"#)
    guard
      case .complete(_, let completion) = try parsed(
        #"{"op":"complete","task_id":"t","result":1}"#, RequestBodies.operation)
    else { return #expect(Bool(false), "no complete") }
    #expect(completion.success && Specimen.text(completion.given) == #""result":1"#)
    guard
      case .error(_, let failure) = try parsed(
        #"{"op":"error","task_id":"t","error":"e"}"#, RequestBodies.operation)
    else { return #expect(Bool(false), "no error") }
    #expect(Specimen.text(failure.given) == #""error":"e""#)
    guard
      case .register(let registration) = try parsed(
        #"{"op":"register","task_id":"t","owner":"u"}"#, RequestBodies.operation)
    else { return #expect(Bool(false), "no register") }
    #expect(registration.identifier == Specimen.task("t") && registration.owner == Specimen.user("u"))
    guard
      case .heartbeat(_, let heartbeat) = try parsed(
        #"{"op":"heartbeat","task_id":"t","user_id":"u"}"#, RequestBodies.operation)
    else { return #expect(Bool(false), "no heartbeat") }
    #expect(heartbeat == HeartbeatBody(user: Specimen.user("u")))
  }

  @Test(
    arguments: [
      (#"{"op":"message","user_id":"u","message":"中","task_id":"t"}"#, #"{"message":"中","task_id":"t"}"#),
      (#"{"op":"message","user_id":"u","body":{"a" : 1},"b":2}"#, #"{"a":1}"#),
      (#"{"op":"broadcast","type":"x","user_id":"u"}"#, #"{"type":"x","user_id":"u"}"#),
      (#"{"op":"broadcast","body":{}}"#, "{}"), (#"{"op":"channel","channel":"c","type":"x"}"#, #"{"type":"x"}"#),
      (#"{"op":"channel","channel":"c","body":{"channel":"d"}}"#, #"{"channel":"d"}"#),
    ])
  func `payloads stand beside or in body`(_ line: String, _ expected: String) throws {
    switch try parsed(line, RequestBodies.operation) {
    case .message(let user, let body, let requiresAcknowledgement):
      #expect(user == Specimen.user("u") && Specimen.text(body.bytes) == expected && !requiresAcknowledgement)
    case .broadcast(let body): #expect(Specimen.text(body.bytes) == expected)
    case .channel(let channel, let body):
      #expect(channel == Specimen.channel("c") && Specimen.text(body.bytes) == expected)
    case .register, .progress, .complete, .error, .heartbeat, .node, .log: Issue.record("another operation")
    }
  }

  @Test func `a message may ask for an acknowledgement`() throws {
    guard
      case .message(_, let body, true) = try parsed(
        #"{"op":"message","user_id":"u","requires_ack":true,"a":1}"#, RequestBodies.operation)
    else { return #expect(Bool(false), "no acknowledged message") }
    #expect(Specimen.text(body.bytes) == #"{"a":1}"#)
  }

  @Test(
    arguments: [
      (
        "{}",
        "op is missing, must be one of register, progress, complete, error, heartbeat, node, log, message, broadcast, channel"
      ),
      (
        #"{"op":"dance"}"#,
        #"op is "dance", must be one of register, progress, complete, error, heartbeat, node, log, message, broadcast, channel"#
      ),
      (#"{"op":5}"#, "op is 5, must be a string"),
      (#"{"op":"progress","progress":5}"#, "task_id is missing, must be 1 to 128 characters of A-Z a-z 0-9 . _ : -"),
      (#"{"op":"progress","task_id":"t","progress":500}"#, "progress is 500, must be a number from 0 to 100, or -1"),
      (#"{"op":"message"}"#, "user_id is missing, must be 1 to 128 characters without control characters"),
      (#"{"op":"channel"}"#, "channel is missing, must be 1 to 128 characters without control characters"),
      (#"{"op":"broadcast","body":[]}"#, "body is [], must be an object"),
      ("x", "the body is not valid JSON: unexpected byte 120 in JSON at byte 0"),
    ])
  func `a wrong line is refused`(_ line: String, _ expected: String) {
    #expect(detail(line, RequestBodies.operation) == expected)
  }
}
