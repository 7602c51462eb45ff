import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

/// Contract §4.4 on whole gateways. Replay: the argument is the seed.
@Suite("Simulation: a confirmation is resolved once and everybody hears the same")
struct ConfirmationSimulationTests {
  @Test(arguments: 0..<100 as Range<UInt64>)
  func `of racing answers one is accepted, and all are told its outcome`(seed: UInt64) {
    var random = SeededGenerator(seed: seed &+ 77)
    let shardCount = [1, 2, 4][Int(seed % 3)]
    let gateway = SimulatedGateway(shardCount: shardCount, seed: seed, faults: .pieces)
    let clients = (0..<6).map { number in
      let client = gateway.connect(to: number % shardCount)
      client.upgrade("/ws", [("Sec-WebSocket-Protocol", "signalbox.v1")])
      // Some name the user, some nobody: both are asked.
      if number % 3 != 2 { client.sendText(#"{"action":"subscribe","user_id":"u"}"#) }
      return client
    }
    gateway.settle()
    for client in clients { #expect(client.answer()?.status == 101) }
    let publisher = gateway.connect()
    publisher.request(
      "POST", "/api/v1/confirmations?wait=30",
      body: #"{"task_id":"t","user_id":"u","step":"s","step_result":{"step":"s","result":1},"timeout":10}"#)
    gateway.settle()
    var inboxes = clients.map { $0.messages() }
    let callback = inboxes[0].first { $0.type == "task_step_result" }?.string("callback_id") ?? ""
    #expect(!callback.isEmpty)
    let answers = Int.random(in: 0...6, using: &random)
    for (number, client) in clients.enumerated() where number < answers {
      client.sendText(
        #"{"action":"confirm","callback_id":"\#(callback)","proceed":\#(number % 2 == 0),"feedback":"\#(number)"}"#)
      if random.once(in: 3) { client.sendText(#"{"action":"confirm","callback_id":"\#(callback)","proceed":true}"#) }
    }
    if random.once(in: 3) {
      let withdrawing = gateway.connect(to: Int.random(in: 0..<shardCount, using: &random))
      withdrawing.request("DELETE", "/api/v1/confirmations/\(callback)")
    }
    gateway.settle()
    gateway.advance(seconds: 12)
    let outcome = publisher.answer().map { Message($0.body) }
    #expect(outcome != nil)
    #expect(outcome?.string("status") != "pending")
    for (number, client) in clients.enumerated() { inboxes[number] += client.messages() }
    var acceptedCount = 0
    for inbox in inboxes {
      #expect(inbox.filter { $0.type == "task_step_result" }.count == 1, "seed \(seed)")
      let resolved = inbox.filter { $0.type == "confirmation_resolved" }
      #expect(resolved.count == 1, "seed \(seed)")
      for message in resolved {
        for key in ["status", "proceed", "feedback", "resolved_by"] as [StaticString] {
          #expect(message.raw(key) == outcome?.raw(key), "seed \(seed): \(key)")
        }
      }
      for result in inbox where result.type == "confirmation_result" {
        if result.string("status") == "accepted" { acceptedCount += 1 }
        #expect(result.raw("proceed") == outcome?.raw("proceed"), "seed \(seed)")
      }
    }
    #expect(acceptedCount == (outcome?.string("resolved_by") == "user" ? 1 : 0), "seed \(seed)")
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2, 4])
  func `a pending question is sent again once to a connection that becomes the user's, a resolved one never`(
    shardCount: Int
  ) {
    let gateway = SimulatedGateway(shardCount: shardCount)
    let publisher = gateway.connect()
    for step in 0..<3 {
      publisher.request(
        "POST", "/api/v1/confirmations",
        body: #"{"task_id":"t","user_id":"u","step":"\#(step)","step_result":{"step":"s","result":1},"timeout":100}"#)
      gateway.advance(seconds: 1)
    }
    let callbacks = publisher.answers().map { Message($0.body).string("callback_id") ?? "" }
    publisher.request("DELETE", "/api/v1/confirmations/\(callbacks[1])")
    gateway.settle()
    for shard in 0..<shardCount {
      let client = gateway.connect(to: shard)
      client.upgrade("/ws")
      gateway.settle()
      #expect(client.answer()?.status == 101)
      // With authentication off and no name it is asked at connect; naming the user asks nothing again.
      for _ in 0..<2 { client.sendText(#"{"action":"subscribe","user_id":"u"}"#) }
      gateway.settle()
      let asked = client.messages().filter { $0.type == "task_step_result" }.map { $0.string("callback_id") ?? "" }
      #expect(asked == [callbacks[0], callbacks[2]])
    }
    gateway.expectNothingLeft()
  }
}
