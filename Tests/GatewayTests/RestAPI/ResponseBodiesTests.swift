import Protocol
import Testing

@testable import Gateway
@testable import GatewayDomain

@Suite("Contract §3 what the API answers")
struct ResponseBodiesTests {
  @Test func `a task has every key, in order`() {
    let snapshot = Specimen.snapshot {
      $0.status = .running
      $0.statusText = "训练中"
      $0.progress = Specimen.json("50.50")
      $0.current = Specimen.json("3")
      $0.total = Specimen.json("12345678901234567890")
      $0.message = Specimen.json(#""处理中""#)
      $0.details = Specimen.json(#"{"a":[1e400]}"#)
      $0.result = Specimen.json("[]")
      $0.error = Specimen.json(#""e""#)
      $0.errorCode = Specimen.json(#""E1""#)
      $0.owner = Specimen.user("用户")
      $0.viewers = [Specimen.user("a"), Specimen.user("b\"c")]
      $0.kind = "k"
      $0.title = "标\n题"
      $0.parent = Specimen.task("p")
      $0.dependsOn = [Specimen.task("d1"), Specimen.task("d2")]
      $0.metadata = Specimen.json(#"{"m":null}"#)
      $0.offset = 7
      $0.stale = true
      $0.cancelRequested = true
      $0.eta = 12.5
      $0.etaLatest = 20.5
      $0.startedAt = 1001
      $0.updatedAt = 1002
      $0.finishedAt = 1003
    }
    #expect(
      Specimen.text(ResponseBodies.task(snapshot))
        == #"{"task_id":"t-1","status":"running","status_text":"训练中","progress":50.50,"current":3,"#
        + #""total":12345678901234567890,"message":"处理中","details":{"a":[1e400]},"result":[],"error":"e","#
        + #""error_code":"E1","owner":"用户","viewers":["a","b\"c"],"kind":"k","title":"标\n题","parent_id":"p","#
        + #""depends_on":["d1","d2"],"metadata":{"m":null},"epoch":"e1","offset":7,"stale":true,"cancel_requested":true,"#
        + #""eta":12.5,"eta_earliest":null,"eta_latest":20.5,"created_at":1000.25,"started_at":1001.0,"updated_at":1002.0,"finished_at":1003.0}"#
    )
  }

  @Test func `nodes are in the task only where there are some`() {
    #expect(!Specimen.text(ResponseBodies.task(Specimen.snapshot())).contains("nodes"))
    let snapshot = Specimen.snapshot {
      var node = TaskNode(identifier: Specimen.task("n-1"), status: "训练")
      node.progress = Specimen.json("5.50")
      node.message = Specimen.json(#""m""#)
      node.weight = Specimen.json("2.0")
      $0.nodes = [node, TaskNode(identifier: Specimen.task("n-2"), status: "completed")]
    }
    #expect(
      Specimen.text(ResponseBodies.task(snapshot)).hasSuffix(
        #","nodes":[{"node_id":"n-1","status":"训练","progress":5.50,"message":"m","weight":2.0},"#
          + #"{"node_id":"n-2","status":"completed","progress":100,"message":null,"weight":1}]}"#))
  }

  @Test func `logs`() {
    #expect(
      Specimen.text(ResponseBodies.logReceipt(LogReceipt(logOffset: 7, cancelRequested: false)))
        == #"{"log_offset":7,"cancel_requested":false}"#)
    let line = TaskLogLine(
      offset: 7, level: Specimen.json(#""info""#), message: Specimen.json(#""中""#), timestamp: Specimen.json("1.50"))
    #expect(
      Specimen.text(ResponseBodies.logLines([line], newest: 9))
        == #"{"log_offset":9,"lines":[{"log_offset":7,"level":"info","message":"中","timestamp":1.50}]}"#)
    #expect(
      Specimen.text(ActionDialect.log(line, of: Specimen.task()))
        == #"{"type":"log","task_id":"t-1","log_offset":7,"level":"info","message":"中","timestamp":1.50}"#)
    #expect(
      Specimen.text(ExecutionDialect.log(line, of: Specimen.task()))
        == #"{"type":"log","execution_id":"t-1","log_offset":7,"level":"info","message":"中","timestamp":1.50}"#)
  }

  @Test func `receipts`() {
    let receipt = PublishReceipt(epoch: Epoch(text: "e1"), offset: 7, cancelRequested: true)
    #expect(
      Specimen.text(ResponseBodies.progressReceipt(receipt)) == #"{"epoch":"e1","offset":7,"cancel_requested":true}"#)
    #expect(Specimen.text(ResponseBodies.terminalReceipt(receipt)) == #"{"epoch":"e1","offset":7}"#)
    #expect(Specimen.text(ResponseBodies.cancelRequested(false)) == #"{"cancel_requested":false}"#)
  }

  @Test func `confirmations`() {
    #expect(
      Specimen.text(ResponseBodies.confirmation(Specimen.confirmation()))
        == #"{"callback_id":"c-1","status":"pending","deadline":1300.5,"proceed":null,"feedback":null,"resolved_by":null}"#
    )
    let timedOut = Specimen.confirmation {
      $0.status = .timedOut
      $0.proceed = true
      $0.resolvedBy = .timeout
    }
    #expect(
      Specimen.text(ResponseBodies.confirmation(timedOut))
        == #"{"callback_id":"c-1","status":"timed_out","deadline":1300.5,"proceed":true,"feedback":null,"resolved_by":"timeout"}"#
    )
  }

  @Test(arguments: Problem.Code.allCases)
  func `a problem is RFC 9457's`(_ code: Problem.Code) {
    #expect(
      Specimen.text(ResponseBodies.problem(Problem(code, "a \"b\" 中")))
        == #"{"type":"urn:signalbox:problem:\#(code.rawValue)","code":"\#(code.rawValue)","title":"\#(code.title)","#
        + #""status":\#(code.status),"detail":"a \"b\" 中"}"#)
  }

  @Test func `lists`() {
    #expect(Specimen.text(ResponseBodies.taskList([], nextCursor: nil)) == #"{"tasks":[],"next_cursor":null}"#)
    let one = Specimen.text(ResponseBodies.task(Specimen.snapshot()))
    #expect(
      Specimen.text(ResponseBodies.taskList([Specimen.snapshot(), Specimen.snapshot()], nextCursor: "c"))
        == #"{"tasks":[\#(one),\#(one)],"next_cursor":"c"}"#)
    #expect(
      Specimen.text(
        ResponseBodies.events(
          Epoch(text: "e1"),
          [
            Specimen.event(.progress, given: #""progress":1"#), Specimen.event(.complete(success: true)),
            Specimen.event(.cancelled),
          ]))
        == #"{"epoch":"e1","events":[{"type":"progress","offset":7,"progress":1},"#
        + #"{"type":"complete","offset":7,"success":true},{"type":"cancelled","offset":7}]}"#)
    #expect(Specimen.text(ResponseBodies.events(Epoch(text: "e1"), [])) == #"{"epoch":"e1","events":[]}"#)
  }

  @Test func `bulk answers`() {
    let problem = Problem(.taskFinished, "d")
    let shown = Specimen.text(ResponseBodies.problem(problem))
    #expect(
      Specimen.text(
        ResponseBodies.published(
          accepted: 2, rejected: [(line: 3, problem: problem)], cancelRequested: [Specimen.task()]))
        == #"{"accepted":2,"rejected":[{"line":3,"error":\#(shown)}],"cancel_requested":["t-1"]}"#)
    #expect(
      Specimen.text(
        ResponseBodies.cancelledMany([Specimen.task("a")], rejected: [(task: Specimen.task("b"), problem: problem)]))
        == #"{"cancel_requested":["a"],"rejected":[{"task_id":"b","error":\#(shown)}]}"#)
  }

  @Test func `executions`() {
    let body = ExecutionBody(workflow: Specimen.json(#""w""#), input: Specimen.json(#"{"input":1e400}"#))
    #expect(
      Specimen.text(ResponseBodies.execution(Specimen.snapshot { $0.metadata = body.metadata }, now: 2000))
        == #"{"id":"t-1","execution_id":"t-1","status":"pending","progress":0,"message":null,"result":null,"error":null,"#
        + #""execution_time":null,"workflow_id":"w","input_data":{"input":1e400},"created_at":1000.25}"#)
  }

  @Test(arguments: [nil, "1", #""workflow_id""#, #"["workflow_id"]"#, #"{"input_data":1}"#] as [String?])
  func `a task that was no execution shows no workflow`(_ metadata: String?) {
    let snapshot = Specimen.snapshot { $0.metadata = metadata.map(Specimen.json) }
    let text = Specimen.text(ResponseBodies.execution(snapshot, now: 2000))
    #expect(text.hasSuffix(#""execution_time":null,"workflow_id":null,"input_data":null,"created_at":1000.25}"#))
  }

  @Test func `the rest`() {
    #expect(Specimen.text(ResponseBodies.connections(3)) == #"{"connections":3}"#)
    #expect(
      Specimen.text(ResponseBodies.message(MessageIdentifier(text: "m"), connections: 2, isAcknowledged: true))
        == #"{"connections":2,"message_id":"m","acked":true}"#)
    #expect(
      Specimen.text(ResponseBodies.message(nil, connections: 0, isAcknowledged: false))
        == #"{"connections":0,"message_id":null,"acked":false}"#)
    #expect(Specimen.text(ResponseBodies.ticket("x", expiresAt: 1060)) == #"{"ticket":"x","expires_at":1060.0}"#)
    #expect(Specimen.text(ResponseBodies.health("ok")) == #"{"status":"ok"}"#)
    #expect(
      Specimen.text(
        ResponseBodies.status(
          StatusValues(
            isRunning: true, host: "127.0.0.1", port: 8765, activeConnections: 1, pendingCallbacks: 2, tasks: 3,
            version: "0.1.0", uptimeSeconds: 4.5)))
        == #"{"running":true,"host":"127.0.0.1","port":8765,"active_connections":1,"pending_callbacks":2,"tasks":3,"#
        + #""version":"0.1.0","uptime_seconds":4.5}"#)
  }
}
