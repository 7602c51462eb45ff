import Protocol
import Testing

@testable import Gateway
@testable import GatewayDomain

private let taskObject =
  #"{"task_id":"t-1","status":"pending","status_text":null,"progress":0,"current":null,"total":null,"message":null,"#
  + #""details":null,"result":null,"error":null,"error_code":null,"owner":null,"viewers":[],"kind":null,"title":null,"#
  + #""parent_id":null,"depends_on":[],"metadata":null,"epoch":"e1","offset":3,"stale":false,"cancel_requested":false,"#
  + #""eta":null,"eta_earliest":null,"eta_latest":null,"created_at":1000.25,"started_at":null,"updated_at":1000.25,"finished_at":null}"#

@Suite("Contract §2.3 what the server says in the action dialect")
struct ActionDialectMessagesTests {
  @Test func `subscriptions are confirmed by their key`() {
    #expect(
      Specimen.text(ActionDialect.subscriptionConfirmed(.user("用户")))
        == #"{"type":"subscription_confirmed","user_id":"用户"}"#)
    #expect(
      Specimen.text(ActionDialect.subscriptionConfirmed(.channel("c")))
        == #"{"type":"subscription_confirmed","channel":"c"}"#)
    #expect(Specimen.text(ActionDialect.unsubscribed(.task("t"))) == #"{"type":"unsubscribed","task_id":"t"}"#)
  }

  @Test func `a task's subscription says where it stands`() {
    func text(_ key: ActionKey, _ decision: ResumeDecision) -> String? {
      ActionDialect.subscriptionConfirmed(key, decision).map(Specimen.text)
    }
    #expect(
      text(.task("t-1"), .snapshot(Specimen.snapshot { $0.offset = 3 }))
        == #"{"type":"subscription_confirmed","task_id":"t-1","epoch":"e1","offset":3,"recovered":false,"snapshot":\#(taskObject)}"#
    )
    #expect(
      text(.execution("t-1"), .replay([Specimen.event(.progress)], epoch: Epoch(text: "e2"), offset: 6))
        == #"{"type":"subscription_confirmed","execution_id":"t-1","epoch":"e2","offset":6,"recovered":true,"snapshot":null}"#
    )
    #expect(
      text(.task("t-1"), .waiting)
        == #"{"type":"subscription_confirmed","task_id":"t-1","epoch":null,"offset":0,"recovered":false,"snapshot":null}"#
    )
    #expect(text(.task("t-1"), .unknownTask) == nil)
  }

  @Test func `confirmation results carry the outcome where there is one`() {
    let callback = CallbackIdentifier(text: "c-1")
    let confirmed = Specimen.confirmation {
      $0.status = .confirmed
      $0.proceed = true
      $0.feedback = Specimen.json(#""同意""#)
      $0.resolvedBy = .user
    }
    let timedOut = Specimen.confirmation {
      $0.status = .timedOut
      $0.proceed = false
      $0.resolvedBy = .timeout
    }
    let outcome = #""proceed":true,"feedback":"同意","resolved_by":"user"}"#
    let cases: [(AnswerResult, String)] = [
      (.accepted(confirmed), #""accepted",\#(outcome)"#),
      (.alreadyResolved(confirmed), #""already_resolved",\#(outcome)"#),
      (.expired(timedOut), #""expired","proceed":false,"feedback":null,"resolved_by":"timeout"}"#),
      (.unknown, #""unknown"}"#), (.forbidden, #""forbidden"}"#),
    ]
    for (result, end) in cases {
      #expect(
        Specimen.text(ActionDialect.confirmationResult(callback, result))
          == #"{"type":"confirmation_result","callback_id":"c-1","status":\#(end)"#)
    }
    #expect(
      Specimen.text(ActionDialect.confirmationResolved(confirmed))
        == #"{"type":"confirmation_resolved","callback_id":"c-1","status":"confirmed",\#(outcome)"#)
    let withdrawn = Specimen.confirmation {
      $0.status = .withdrawn
      $0.resolvedBy = .withdrawn
    }
    #expect(
      Specimen.text(ActionDialect.confirmationResolved(withdrawn))
        == #"{"type":"confirmation_resolved","callback_id":"c-1","status":"withdrawn","proceed":null,"feedback":null,"#
        + #""resolved_by":"withdrawn"}"#)
  }

  @Test func `a question has the seed's fields, then the deadline`() {
    #expect(
      Specimen.text(ActionDialect.taskStepResult(Specimen.confirmation()))
        == #"{"type":"task_step_result","callback_id":"c-1","step":2,"message":"Model training failed, retry?","#
        + #""result":{"rows":[12345678901234567890,1e400]},"status":"failed","error_code":"E003","#
        + #""error_message":"显存不足","user_id":"用户 1","task_id":"task_789","timestamp":1000.5,"deadline":1300.5,"#
        + #""default_proceed":true}"#)
  }

  @Test func `cancels, heartbeats and errors`() {
    #expect(
      Specimen.text(
        ActionDialect.taskCancelled(
          CancelRequest(
            task: Specimen.task(), user: nil, reason: Specimen.json("1"), requestedAt: 1000.5, isFirst: true,
            taskIsKnown: true)))
        == #"{"type":"task_cancelled","user_id":null,"task_id":"t-1","timestamp":1000.5}"#)
    #expect(
      Specimen.text(ActionDialect.taskCancelled(task: "task_456", user: "user_123", now: 1000))
        == #"{"type":"task_cancelled","user_id":"user_123","task_id":"task_456","timestamp":1000.0}"#)
    let heartbeat = TaskHeartbeat(task: Specimen.task(), user: Specimen.user("u"), message: nil, occurredAt: 1000.5)
    #expect(
      Specimen.text(ActionDialect.heartbeat(heartbeat))
        == #"{"type":"heartbeat","status":"heartbeat","message":"Task is still executing...","user_id":"u","#
        + #""task_id":"t-1","timestamp":1000.5}"#)
    let named = TaskHeartbeat(
      task: Specimen.task(), user: nil, message: Specimen.json(#""还在""#), occurredAt: 1000.5)
    #expect(
      Specimen.text(ActionDialect.heartbeat(named))
        == #"{"type":"heartbeat","status":"heartbeat","message":"还在","user_id":null,"task_id":"t-1","timestamp":1000.5}"#
    )
    #expect(
      Specimen.text(ActionDialect.error("Task not found", now: 1000.5, key: .task("t\n")))
        == #"{"type":"error","message":"Task not found","timestamp":1000.5,"task_id":"t\n"}"#)
    #expect(
      Specimen.text(ActionDialect.unknownAction("跳\"", now: 1000.5))
        == #"{"type":"error","message":"Unknown action: 跳\"","timestamp":1000.5}"#)
    #expect(
      Specimen.text(ActionDialect.invalidJSON(now: 1000.5))
        == #"{"type":"error","message":"Invalid JSON format","timestamp":1000.5}"#)
  }

  @Test func `events carry what was given and where they stand`() {
    let given = #""progress":50,"message":"处理中","x":{"n":1e400}"#
    #expect(
      Specimen.text(ActionDialect.event(Specimen.event(.progress, given: given)))
        == #"{"type":"progress","task_id":"t-1","epoch":"e1","offset":7,\#(given)}"#)
    #expect(
      Specimen.text(ActionDialect.event(Specimen.event(.progress, given: given), skipped: 2))
        == #"{"type":"progress","task_id":"t-1","epoch":"e1","offset":7,"skipped":2,\#(given)}"#)
    #expect(
      Specimen.text(ActionDialect.event(Specimen.event(.complete(success: false), given: #""result":1"#)))
        == #"{"type":"complete","task_id":"t-1","epoch":"e1","offset":7,"success":false,"result":1}"#)
    #expect(
      Specimen.text(ActionDialect.event(Specimen.event(.complete(success: true))))
        == #"{"type":"complete","task_id":"t-1","epoch":"e1","offset":7,"success":true}"#)
    #expect(
      Specimen.text(ActionDialect.event(Specimen.event(.error, given: #""error":"x""#)))
        == #"{"type":"error","task_id":"t-1","epoch":"e1","offset":7,"error":"x"}"#)
    #expect(
      Specimen.text(ActionDialect.event(Specimen.event(.cancelled)))
        == #"{"type":"cancelled","task_id":"t-1","epoch":"e1","offset":7}"#)
  }

  @Test func `messages keep the publisher's fields and say whom they are for`() {
    let body = Specimen.json(
      #"{"type":"note","message":"你好","target_user_id":"spoof","message_id":"own","requires_ack":false,"n":0.10}"#)
    #expect(
      Specimen.text(ActionDialect.userMessage(body, to: Specimen.user("u")))
        == #"{"type":"note","message":"你好","message_id":"own","requires_ack":false,"n":0.10,"target_user_id":"u"}"#)
    #expect(
      Specimen.text(
        ActionDialect.userMessage(body, to: Specimen.user("u"), acknowledgedAs: MessageIdentifier(text: "m")))
        == #"{"type":"note","message":"你好","n":0.10,"target_user_id":"u","message_id":"m","requires_ack":true}"#)
    #expect(
      Specimen.text(ActionDialect.userMessage(Specimen.json("{}"), to: Specimen.user("u")))
        == #"{"target_user_id":"u"}"#)
    #expect(
      Specimen.text(
        ActionDialect.channelMessage(
          Specimen.json(#"{"a":1,"ch\\u0061nnel":2,"channel":"x"}"#), channel: Specimen.channel("新闻")))
        == #"{"a":1,"ch\\u0061nnel":2,"channel":"新闻"}"#)
  }

  @Test func `messages of the subprotocol`() {
    #expect(
      Specimen.text(
        ActionDialect.welcome(
          connectionIdentifier: "3.17", pingIntervalSeconds: 30, messageByteCountMax: 65_536, now: 1000.5))
        == #"{"type":"welcome","connection_id":"3.17","ping_interval":30,"max_message_bytes":65536,"server_time":1000.5}"#
    )
    #expect(Specimen.text(ActionDialect.refreshed(expiresAt: 1000)) == #"{"type":"refreshed","expires_at":1000.0}"#)
    #expect(
      Specimen.text(ActionDialect.tokenExpiring(expiresAt: 1000)) == #"{"type":"token_expiring","expires_at":1000.0}"#)
    #expect(
      Specimen.text(ActionDialect.serverDraining(reconnectAfterSeconds: 2.5))
        == #"{"type":"server_draining","reconnect_after":2.5}"#)
  }
}
