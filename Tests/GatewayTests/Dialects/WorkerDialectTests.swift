import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("Dialect: the worker socket (contract §2.5)")
struct WorkerDialectTests {
  private func parse(_ text: String) -> WorkerMessage { WorkerDialect.parse(Array(text.utf8).span) }
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
  private func problem(_ text: String) -> Problem? {
    if case .failure(let problem) = parse(text).request { return problem }
    return nil
  }

  @Test(arguments: ["1", #""a""#, "null", #"{"a":[1.50]}"#, "1e400", "[]", "true"])
  func `the answer repeats the id as it was written`(identifier: String) {
    let message = parse(#"{"id":\#(identifier),"op":"heartbeat","task_id":"t"}"#)
    #expect(text(message.identifier.bytes) == identifier)
    #expect(text(WorkerDialect.accepted(message.identifier)) == #"{"id":\#(identifier),"ok":true}"#)
  }

  @Test func `the id is no part of what is published`() throws {
    guard
      case .success(.operation(.progress(let task, let report))) =
        parse(#"{"id":7,"op":"progress","task_id":"t","progress":5,"mine":{"id":8}}"#).request
    else { return #expect(Bool(false), "no progress") }
    #expect(task.text == "t")
    #expect(text(report.given) == #""progress":5,"mine":{"id":8}"#)
    guard case .success(.operation(.broadcast(let body))) = parse(#"{"id":7,"op":"broadcast","a":1}"#).request else {
      return #expect(Bool(false), "no broadcast")
    }
    #expect(text(body.bytes) == #"{"a":1}"#)
  }

  @Test func `a member of that name in a bulk publish is the publisher's own`() throws {
    let line = Array(#"{"id":7,"op":"progress","task_id":"t","progress":5,"limit":9}"#.utf8)
    guard case .progress(_, let report) = try RequestBodies.operation(line.span) else {
      return #expect(Bool(false), "no progress")
    }
    #expect(text(report.given) == #""id":7,"progress":5,"limit":9"#)
  }

  @Test func `what is not understood is a problem that keeps the id`() {
    #expect(text(parse(#"{"id":"x","op":"fly"}"#).identifier.bytes) == #""x""#)
    #expect(problem(#"{"id":"x","op":"fly"}"#)?.code == .badRequest)
    #expect(problem(#"{"id":1}"#)?.detail.contains("op is missing") == true)
    #expect(problem(#"{"id":1,"op":"progress","progress":5}"#)?.detail.contains("task_id") == true)
    #expect(problem(#"{"op":"watch"}"#)?.detail.contains("task_id") == true)
    #expect(problem("nonsense")?.code == .badRequest)
    #expect(problem("[]")?.code == .badRequest)
    #expect(parse("nonsense").identifier.isNull)
  }

  @Test(arguments: [("0", true), ("10000", true), ("10001", false), ("-1", false), ("1.5", false), ("\"1\"", false)])
  func `a limit is an integer within its bound`(limit: String, isRight: Bool) {
    #expect((problem(#"{"op":"accept_executions","limit":\#(limit)}"#) == nil) == isRight)
    #expect(problem(#"{"op":"accept_executions"}"#)?.detail.contains("limit is missing") == true)
  }

  @Test func `an answer has the members of the call's answer, a refusal its problem`() {
    #expect(
      text(WorkerDialect.accepted(JSONText(normalised: Array("1".utf8)), Array(#"{"a":2}"#.utf8)))
        == #"{"id":1,"ok":true,"a":2}"#)
    #expect(text(WorkerDialect.accepted(.null, Array("{}".utf8))) == #"{"id":null,"ok":true}"#)
    let refusal = text(WorkerDialect.refused(.null, Problem(.taskFinished, "over")))
    #expect(refusal.hasPrefix(#"{"id":null,"ok":false,"error":{"type":"urn:signalbox:problem:task_finished","#))
  }

  @Test func `a command names its task`() throws {
    let task = try #require(TaskIdentifier(validating: "t"))
    #expect(
      text(WorkerDialect.cancelRequested(task, user: nil, reason: nil))
        == #"{"type":"cancel_requested","task_id":"t","user_id":null,"reason":null}"#)
    var snapshot = TaskSnapshot(identifier: task, epoch: Epoch(text: "e"), createdAt: 5)
    snapshot.metadata =
      ExecutionBody(
        workflow: JSONText(normalised: Array("\"w\"".utf8)), input: JSONText(normalised: Array("[1]".utf8))
      ).metadata
    let message = Message(WorkerDialect.executionCreated(snapshot, now: 6))
    #expect(message.type == "execution_created")
    #expect(message.string("execution_id") == "t" && message.string("id") == "t")
    #expect(message.string("workflow_id") == "w" && message.raw("input_data") == "[1]")
    #expect(message.string("status") == "pending")
  }
}
