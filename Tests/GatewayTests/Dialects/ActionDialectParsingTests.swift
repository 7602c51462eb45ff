import GatewayDomain
import Testing

@testable import Gateway

private func topics(_ change: (inout ActionTopics) -> Void) -> ActionTopics {
  var topics = ActionTopics()
  change(&topics)
  return topics
}

@Suite("Contract §2.3 what clients of the action dialect say")
struct ActionDialectParsingTests {
  @Test func `ping keeps the whole message`() {
    let text = #"{ "action" : "ping", "timestamp": 1763833684123, "x": {"u":"\u4e2d"} }"#
    let original = #"{"action":"ping","timestamp":1763833684123,"x":{"u":"中"}}"#
    #expect(ActionDialect.parse(text) == .ping(original: Specimen.json(original)))
    #expect(
      Specimen.text(ActionDialect.pong(original: Specimen.json(original), now: 1000.5))
        == #"{"type":"pong","timestamp":1000.5,"original_data":\#(original)}"#)
  }

  @Test func `subscribe and unsubscribe name things`() {
    #expect(
      ActionDialect.parse(
        #"{"action":"subscribe","user_id":"u","task_id":"t","execution_id":"x","channel":"频道","wait":true,"#
          + #""since":{"epoch":"e","offset":7}}"#)
        == .subscribe(
          topics {
            $0.user = "u"
            $0.task = "t"
            $0.execution = "x"
            $0.channel = "频道"
            $0.wait = true
            $0.since = EventPosition(epoch: Epoch(text: "e"), offset: 7)
          }))
    #expect(ActionDialect.parse(#"{"action":"unsubscribe","task_id":"t"}"#) == .unsubscribe(topics { $0.task = "t" }))
    #expect(ActionDialect.parse(#"{"action":"subscribe","user_id":42}"#) == .subscribe(topics { $0.user = "42" }))
  }

  @Test(
    arguments: [
      #"{"epoch":"e"}"#, #"{"offset":1}"#, #"{"epoch":1.5,"offset":"1"}"#, #"{"epoch":"e","offset":1.5}"#, "7", "null",
      #"{"epoch":"e","offset":1e400}"#, #"{"epoch":null,"offset":1}"#, "[]",
    ])
  func `a since that is no position asks for the snapshot`(_ since: String) {
    #expect(
      ActionDialect.parse(#"{"action":"subscribe","task_id":"t","since":\#(since)}"#)
        == .subscribe(topics { $0.task = "t" }))
  }

  @Test(
    arguments: [
      #"{"action":"subscribe"}"#, #"{"action":"unsubscribe","wait":true}"#, #"{"action":"subscribe","user_id":null}"#,
      #"{"action":"subscribe","task_id":["t"]}"#, #"{"action":"subscribe","user_id":""}"#, #"{"action":"cancel"}"#,
      #"{"action":"cancel","user_id":"u"}"#, #"{"action":"ack"}"#, #"{"action":"subscribe","user_id":"\ud800"}"#,
    ])
  func `what names nothing gets nothing`(_ text: String) {
    #expect(ActionDialect.parse(text) == .nothing)
  }

  @Test func `confirm, cancel, ack, refresh`() {
    let callback = CallbackIdentifier(text: "c")
    #expect(
      ActionDialect.parse(#"{"action":"confirm","callback_id":"c","proceed":true,"feedback":"同意"}"#)
        == .confirm(callback, proceed: true, feedback: Specimen.json(#""同意""#)))
    #expect(
      ActionDialect.parse(#"{"action":"confirm","callback_id":"c"}"#)
        == .confirm(callback, proceed: false, feedback: nil))
    #expect(
      ActionDialect.parse(#"{"action":"confirm","callback_id":"c","proceed":1,"feedback":null}"#)
        == .confirm(callback, proceed: false, feedback: nil))
    #expect(
      ActionDialect.parse(#"{"action":"confirm"}"#)
        == .confirm(CallbackIdentifier(text: ""), proceed: false, feedback: nil))
    #expect(
      ActionDialect.parse(#"{"action":"cancel","user_id":"u","task_id":"t","reason":{"a":1}}"#)
        == .cancel(task: "t", user: "u", reason: Specimen.json(#"{"a":1}"#)))
    #expect(ActionDialect.parse(#"{"action":"cancel","task_id":"t"}"#) == .cancel(task: "t", user: nil, reason: nil))
    #expect(ActionDialect.parse(#"{"action":"ack","message_id":"m"}"#) == .ack(MessageIdentifier(text: "m")))
    #expect(ActionDialect.parse(#"{"action":"refresh","token":"a.b.c"}"#) == .refresh(token: "a.b.c"))
    #expect(ActionDialect.parse(#"{"action":"refresh"}"#) == .refresh(token: ""))
  }

  @Test(
    arguments: [
      (#"{"action":"dance"}"#, "dance"), ("{}", "None"), (#"{"action":null}"#, "None"), (#"{"action":5}"#, "5"),
      (#"{"action":"Ping"}"#, "Ping"), (#"{"type":"ping"}"#, "None"), (#"{"action":"跳舞"}"#, "跳舞"),
    ])
  func `another action is unknown`(_ text: String, _ action: String) {
    #expect(ActionDialect.parse(text) == .unknown(action))
  }

  @Test(arguments: [
    "", "ping", "[]", "7", "null", #""ping""#, #"{"action":"ping""#, #"{"action":"ping"} x"#, "{'a':1}",
  ])
  func `what is no JSON object is invalid`(_ text: String) {
    #expect(ActionDialect.parse(text) == .invalidJSON)
  }
}
