import GatewayDomain
import Testing

@testable import Gateway

@Suite("Contract §2.1 the task dialect")
struct TaskDialectTests {
  @Test(
    arguments: [
      (TaskStatus.pending, nil, "pending", "0"), (.running, nil, "processing", "30.50"),
      (.running, "训练中", "训练中", "30.50"), (.running, "connected", "connected", "30.50"),
      (.completed, nil, "completed", "100"), (.failed, nil, "failed", "-1"), (.cancelled, nil, "cancelled", "-1"),
    ] as [(TaskStatus, String?, String, String)])
  func `connected shows the state in the seed's words`(
    _ status: TaskStatus, _ statusText: String?, _ word: String, _ progress: String
  ) {
    let snapshot = Specimen.snapshot {
      $0.status = status
      $0.statusText = statusText
      $0.progress = Specimen.json("30.50")
    }
    #expect(
      Specimen.text(TaskDialect.connected(snapshot, now: Specimen.now))
        == #"{"type":"connected","task_id":"t-1","message":"已连接到任务 t-1 的进度推送","current_status":"\#(word)","#
        + #""current_progress":\#(progress),"timestamp":"\#(Specimen.timestamp)"}"#)
  }

  @Test func `progress has the fields that were given`() {
    let event = Specimen.event(
      .progress, given: #""ignored":1"#, progress: "60", current: "3", total: "12345678901234567890",
      message: #""处理中 3/5""#, details: #"{"a":[1e400,{"b":0.10}]}"#)
    #expect(
      Specimen.text(TaskDialect.event(event, after: Specimen.snapshot(), now: Specimen.now))
        == #"{"type":"progress","task_id":"t-1","progress":60,"status":"processing","current":3,"#
        + #""total":12345678901234567890,"message":"处理中 3/5","details":{"a":[1e400,{"b":0.10}]},"#
        + #""timestamp":"\#(Specimen.timestamp)"}"#)
  }

  @Test func `progress without a number has the latest one, and free words stay`() {
    let snapshot = Specimen.snapshot { $0.progress = Specimen.json("42") }
    #expect(
      Specimen.text(TaskDialect.event(Specimen.event(.progress, word: "loading"), after: snapshot, now: Specimen.now))
        == #"{"type":"progress","task_id":"t-1","progress":42,"status":"loading","timestamp":"\#(Specimen.timestamp)"}"#
    )
    let failing = Specimen.event(.progress, progress: "-1", word: "processing")
    #expect(
      Specimen.text(TaskDialect.event(failing, after: snapshot, now: Specimen.now))
        == #"{"type":"progress","task_id":"t-1","progress":-1,"status":"processing","timestamp":"\#(Specimen.timestamp)"}"#
    )
  }

  @Test(
    arguments: [
      (true, #""批量索引完成""#, #"{"total":5}"#, #""success":true,"message":"批量索引完成","progress":100,"result":{"total":5}"#),
      (true, nil, nil, #""success":true,"message":"任务完成","progress":100"#),
      (false, #""half""#, "[]", #""success":false,"message":"half","progress":-1,"result":[]"#),
      (false, nil, nil, #""success":false,"message":"任务失败","progress":-1"#),
    ] as [(Bool, String?, String?, String)])
  func `complete is the same live and stored`(_ success: Bool, _ message: String?, _ result: String?, _ middle: String)
  {
    let expected = #"{"type":"complete","task_id":"t-1",\#(middle),"timestamp":"\#(Specimen.timestamp)"}"#
    let event = Specimen.event(.complete(success: success), message: message, result: result)
    #expect(Specimen.text(TaskDialect.event(event, after: Specimen.snapshot(), now: Specimen.now)) == expected)
    let snapshot = Specimen.snapshot {
      $0.status = success ? .completed : .failed
      $0.finishedBy = success ? .completeSuccess : .completeFailure
      // The last progress report's message is not the end's.
      $0.message = message.map(Specimen.json) ?? Specimen.json(#""earlier""#)
      $0.terminalMessage = message.map(Specimen.json)
      $0.result = result.map(Specimen.json)
    }
    #expect(TaskDialect.terminal(snapshot, now: Specimen.now).map(Specimen.text) == expected)
  }

  @Test func `error is the same live and stored`() {
    let expected =
      #"{"type":"error","task_id":"t-1","error":"索引失败","progress":-1,"details":{"traceback":"..."},"#
      + #""timestamp":"\#(Specimen.timestamp)"}"#
    let event = Specimen.event(.error, word: "failed", details: #"{"traceback":"..."}"#, error: #""索引失败""#)
    #expect(Specimen.text(TaskDialect.event(event, after: Specimen.snapshot(), now: Specimen.now)) == expected)
    let snapshot = Specimen.snapshot {
      $0.status = .failed
      $0.finishedBy = .error
      $0.error = Specimen.json(#""索引失败""#)
      // The last progress report's details are not the end's.
      $0.details = Specimen.json(#"{"earlier":1}"#)
      $0.terminalDetails = Specimen.json(#"{"traceback":"..."}"#)
    }
    #expect(TaskDialect.terminal(snapshot, now: Specimen.now).map(Specimen.text) == expected)
  }

  @Test func `a cancelled task is a complete without success`() {
    let expected =
      #"{"type":"complete","task_id":"t-1","success":false,"message":"任务已取消","progress":-1,"timestamp":"\#(Specimen.timestamp)"}"#
    let event = Specimen.event(.cancelled, word: "cancelled", message: #""other""#)
    #expect(Specimen.text(TaskDialect.event(event, after: Specimen.snapshot(), now: Specimen.now)) == expected)
    let snapshot = Specimen.snapshot {
      $0.status = .cancelled
      $0.finishedBy = .cancelled
    }
    #expect(TaskDialect.terminal(snapshot, now: Specimen.now).map(Specimen.text) == expected)
  }

  @Test(arguments: [TaskStatus.pending, .running])
  func `an unfinished task has no terminal message`(_ status: TaskStatus) {
    #expect(TaskDialect.terminal(Specimen.snapshot { $0.status = status }, now: Specimen.now) == nil)
  }

  @Test func `pong`() {
    #expect(
      Specimen.text(TaskDialect.pong(now: Specimen.now)) == #"{"type":"pong","timestamp":"\#(Specimen.timestamp)"}"#)
  }

  @Test(arguments: [("ping", true), (#"{"type":"ping"}"#, true), (#" { "a":1, "type" : "p\u0069ng" } "#, true)])
  func `pings`(_ text: String, _ expected: Bool) {
    #expect(TaskDialect.isPing(text) == expected)
  }

  @Test(
    arguments: ["", "pong", "PING", "ping ", "pin", #""ping""#, #"{"type":"pong"}"#, #"{"type":1}"#, "{}", "[", "null"])
  func `everything else is no ping`(_ text: String) {
    #expect(!TaskDialect.isPing(text))
  }
}
