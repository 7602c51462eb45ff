import GatewayDomain
import Testing

@testable import Gateway

@Suite("Contract §2.2 the execution dialect")
struct ExecutionDialectTests {
  @Test func `a pending execution has every key`() {
    #expect(
      Specimen.text(ExecutionDialect.status(Specimen.snapshot { $0.progress = Specimen.json("5") }, now: 2000))
        == #"{"type":"status","execution_id":"t-1","status":"pending","progress":0,"message":null,"result":null,"#
        + #""error":null,"execution_time":null}"#)
  }

  @Test func `a running one counts its seconds, free words are running`() {
    let snapshot = Specimen.snapshot {
      $0.status = .running
      $0.statusText = "loading"
      $0.progress = Specimen.json("50")
      $0.message = Specimen.json(#""执行中...""#)
      $0.startedAt = 1998.5
    }
    #expect(
      Specimen.text(ExecutionDialect.status(snapshot, now: 2000))
        == #"{"type":"status","execution_id":"t-1","status":"running","progress":50,"message":"执行中...","result":null,"#
        + #""error":null,"execution_time":1.5}"#)
    // The clock was set back.
    #expect(Specimen.text(ExecutionDialect.status(snapshot, now: 1000)).hasSuffix(#""execution_time":0.0}"#))
  }

  @Test func `a completed one has its result and its time`() {
    let snapshot = Specimen.snapshot {
      $0.status = .completed
      $0.finishedBy = .completeSuccess
      $0.progress = Specimen.json("100")
      $0.result = Specimen.json(#"{"n":12345678901234567890}"#)
      $0.startedAt = 1000
      $0.finishedAt = 1010.25
    }
    #expect(
      Specimen.text(ExecutionDialect.status(snapshot, now: 2000))
        == #"{"type":"status","execution_id":"t-1","status":"completed","progress":100,"message":null,"#
        + #""result":{"n":12345678901234567890},"error":null,"execution_time":10.25}"#)
  }

  @Test(
    arguments: [
      (TaskStatus.failed, TerminalKind.error, nil, #""boom""#, #""boom""#),
      (.failed, .error, #""m""#, #""boom""#, #""boom""#),
      (.failed, .completeFailure, #""half""#, nil, #""half""#), (.failed, .completeFailure, nil, nil, #""failed""#),
      (.cancelled, .cancelled, nil, nil, #""cancelled""#), (.cancelled, .cancelled, #""m""#, nil, #""cancelled""#),
    ] as [(TaskStatus, TerminalKind, String?, String?, String)])
  func `what did not succeed is failed and says why`(
    _ status: TaskStatus, _ kind: TerminalKind, _ terminalMessage: String?, _ error: String?, _ expected: String
  ) {
    let snapshot = Specimen.snapshot {
      $0.status = status
      $0.finishedBy = kind
      $0.progress = Specimen.json("60")
      $0.message = Specimen.json(#""last""#)
      $0.terminalMessage = terminalMessage.map(Specimen.json)
      $0.error = error.map(Specimen.json)
    }
    #expect(
      Specimen.text(ExecutionDialect.status(snapshot, now: 2000))
        == #"{"type":"status","execution_id":"t-1","status":"failed","progress":60,"message":"last","result":null,"#
        + #""error":\#(expected),"execution_time":null}"#)
  }

  @Test(
    arguments: [
      (#"{"type":"ping"}"#, .ping), (#"{"type":"ping","x":1}"#, .ping), (#"{"type":"start"}"#, .unknownType("start")),
      ("{}", .unknownType("None")), (#"{"type":null}"#, .unknownType("None")), (#"{"type":7.0}"#, .unknownType("7.0")),
      (#"{"type":true}"#, .unknownType("True")), (#"{"type":false}"#, .unknownType("False")),
      (#"{"type":["a", 1]}"#, .unknownType(#"["a",1]"#)), (#"{"type":"启动"}"#, .unknownType("启动")),
      (#"{"type":"\ud800"}"#, .unknownType(#""\ud800""#)), ("ping", .notJSON), ("[]", .notJSON), ("1", .notJSON),
      ("", .notJSON), (#"{"type":"ping""#, .notJSON),
    ] as [(String, ExecutionClientMessage)])
  func `client messages`(_ text: String, _ expected: ExecutionClientMessage) {
    #expect(ExecutionDialect.parse(text) == expected)
  }

  @Test func `answers`() {
    #expect(Specimen.text(ExecutionDialect.pong) == #"{"type":"pong"}"#)
    #expect(
      ExecutionDialect.refusal(of: .unknownType("a\"b")).map(Specimen.text)
        == #"{"type":"error","message":"Unknown message type: a\"b"}"#)
    #expect(
      ExecutionDialect.refusal(of: .notJSON).map(Specimen.text) == #"{"type":"error","message":"Invalid JSON format"}"#)
    #expect(ExecutionDialect.refusal(of: .ping) == nil)
    #expect(
      Specimen.text(ExecutionDialect.error("Execution not found"))
        == #"{"type":"error","message":"Execution not found"}"#)
  }
}
