import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite("Shard: subscriptions and audiences of the action dialect (contract §2.3)")
struct ActionSocketTests {
  private func open(
    _ gateway: SimulatedGateway, to shard: Int = 0, _ path: String = "/ws", _ fields: [(String, String)] = []
  ) -> SimulatedClient {
    let client = gateway.connect(to: shard)
    client.upgrade(path, fields)
    gateway.settle()
    #expect(client.answer()?.status == 101)
    return client
  }

  private func publish(_ gateway: SimulatedGateway, _ path: String, _ body: String) -> Message {
    let publisher = gateway.connect()
    publisher.request("POST", path, body: body)
    gateway.settle()
    let answer = publisher.answer()
    #expect((answer?.status ?? 0) / 100 == 2)
    publisher.close()
    gateway.settle()
    return Message(answer?.body ?? [])
  }

  private func subscriptionCount(_ gateway: SimulatedGateway, _ slot: Int32 = 0) -> Int? {
    Int(gateway.shards[0].connections[slot].subscriptionCount)
  }

  @Test(arguments: [1, 2, 4])
  func `subscribing and leaving in one breath follows nothing`(shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount)
    for number in 0..<8 { _ = publish(gateway, "/api/v1/tasks", #"{"task_id":"t\#(number)"}"#) }
    let client = open(gateway)
    for number in 0..<8 {
      client.sendText(#"{"action":"subscribe","task_id":"t\#(number)"}"#)
      client.sendText(#"{"action":"unsubscribe","task_id":"t\#(number)"}"#)
    }
    gateway.settle()
    _ = client.frames()
    #expect(subscriptionCount(gateway) == 0)
    for number in 0..<8 { _ = publish(gateway, "/api/v1/tasks/t\(number)/progress", #"{"progress":1}"#) }
    #expect(client.messages().map(\.type) == [])
    #expect(gateway.shards.allSatisfy { $0.interests.isEmpty })
    gateway.expectNothingLeft()
  }

  @Test func `leaving and subscribing again in one breath follows`() {
    let gateway = SimulatedGateway(shardCount: 2)
    _ = publish(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    let client = open(gateway)
    for _ in 0..<3 {
      client.sendText(#"{"action":"subscribe","task_id":"t"}"#)
      client.sendText(#"{"action":"unsubscribe","task_id":"t"}"#)
    }
    client.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    gateway.settle()
    #expect(client.messages().last?.type == "subscription_confirmed")
    #expect(subscriptionCount(gateway) == 1)
    _ = publish(gateway, "/api/v1/tasks/t/progress", #"{"progress":1}"#)
    #expect(client.messages().map(\.type) == ["progress"])
    gateway.expectNothingLeft()
  }

  @Test func `who follows a task already is not shown its past again`() {
    let gateway = SimulatedGateway(shardCount: 2)
    let epoch = publish(gateway, "/api/v1/tasks/t/progress", #"{"progress":1}"#).raw("epoch")
    _ = publish(gateway, "/api/v1/tasks/t/progress", #"{"progress":2}"#)
    let client = open(gateway)
    let again = #"{"action":"subscribe","task_id":"t","since":{"epoch":\#(epoch),"offset":1}}"#
    for _ in 0..<2 { client.sendText(again) }
    gateway.settle()
    client.sendText(again)
    gateway.settle()
    let messages = client.messages()
    #expect(
      messages.map(\.type) == [
        "subscription_confirmed", "progress", "subscription_confirmed", "subscription_confirmed",
      ])
    #expect(messages.map { $0.int("offset") } == [1, 2, 2, 2])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [false, true])
  func `who lags is told how many events it skipped, and a snapshot in between is not repeated`(asksAgain: Bool) {
    let gateway = SimulatedGateway(shardCount: 2) { $0.sendBufferByteCount = 4096 }
    _ = publish(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    let client = open(gateway)
    client.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    gateway.settle()
    _ = client.messages()
    client.isReading = false
    client.stream.roomByteCount = 100
    // More than the queue and the ring take.
    for number in 1...95 { _ = publish(gateway, "/api/v1/tasks/t/progress", #"{"progress":\#(number)}"#) }
    if asksAgain { client.sendText(#"{"action":"subscribe","task_id":"t"}"#) }
    gateway.settle()
    client.isReading = true
    gateway.settle()
    _ = publish(gateway, "/api/v1/tasks/t/progress", #"{"progress":96}"#)
    var next = 1
    var skippedCount = 0
    for message in client.messages() {
      let offset = message.int("offset") ?? -1
      if message.type == "progress" {
        let skipped = message.int("skipped") ?? 0
        #expect(offset == next + skipped)
        skippedCount += skipped
      } else {
        #expect(message.type == "subscription_confirmed" && offset >= next - 1)
      }
      next = offset + 1
    }
    #expect(next == 97)
    #expect(skippedCount > 0 || asksAgain)
    gateway.expectNothingLeft()
  }

  @Test(arguments: 0..<30 as Range<UInt64>)
  func `a client is answered in the order in which it asked`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let gateway = SimulatedGateway(shardCount: 4, seed: seed, faults: .pieces)
    let client = open(gateway)
    var expected: [String] = []
    for number in 0..<40 {
      switch Int.random(in: 0..<3, using: &random) {
      case 0:
        client.sendText(#"{"action":"subscribe","task_id":"t\#(number)","wait":true}"#)
        expected.append("subscription_confirmed t\(number)")
      case 1:
        let task = Int.random(in: 0...number, using: &random)
        client.sendText(#"{"action":"unsubscribe","task_id":"t\#(task)"}"#)
        expected.append("unsubscribed t\(task)")
      default:
        client.sendText(#"{"action":"ping","task_id":"p\#(number)"}"#)
        expected.append("pong ")
      }
    }
    gateway.settle()
    let answers = client.messages().map { "\($0.type) \($0.string("task_id") ?? "")" }
    // Commands to different homes may overtake each other; an answer and a command never do.
    func runs(_ list: [String]) -> [[String]] {
      list.split(whereSeparator: { !$0.hasPrefix("subscription") }).map { $0.sorted() }
    }
    #expect(answers.filter { !$0.hasPrefix("subscription") } == expected.filter { !$0.hasPrefix("subscription") })
    #expect(runs(answers) == runs(expected), "seed \(seed)")
    gateway.expectNothingLeft()
  }

  @Test func `a connection's count of subscriptions is what it follows`() {
    let gateway = SimulatedGateway(shardCount: 2)
    _ = publish(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    let client = open(gateway)
    for text in [
      #"{"action":"subscribe","task_id":"t"}"#, #"{"action":"subscribe","task_id":"t"}"#,
      #"{"action":"subscribe","execution_id":"t"}"#, #"{"action":"subscribe","task_id":"none"}"#,
      #"{"action":"subscribe","task_id":"bad id"}"#, #"{"action":"subscribe","channel":"c"}"#,
      #"{"action":"subscribe","channel":"c"}"#, #"{"action":"subscribe","user_id":"u"}"#,
    ] { client.sendText(text) }
    gateway.settle()
    #expect(subscriptionCount(gateway) == 2)
    for text in [
      #"{"action":"unsubscribe","user_id":"u"}"#, #"{"action":"unsubscribe","task_id":"none"}"#,
      #"{"action":"unsubscribe","execution_id":"t"}"#, #"{"action":"unsubscribe","task_id":"t"}"#,
      #"{"action":"unsubscribe","channel":"c"}"#, #"{"action":"unsubscribe","channel":"c"}"#,
    ] { client.sendText(text) }
    gateway.settle()
    #expect(subscriptionCount(gateway) == 0)
    #expect(gateway.shards.allSatisfy { $0.interests.isEmpty })
    gateway.expectNothingLeft()
  }

  @Test func `a connection follows 4096 things and not one more`() {
    let gateway = SimulatedGateway { $0.sendBufferByteCount = 8 << 20 }
    let client = open(gateway)
    for number in 0..<SubscriptionLimits.perConnectionCountMax {
      client.sendText(#"{"action":"subscribe","task_id":"t\#(number)","wait":true}"#)
    }
    gateway.settle()
    #expect(client.messages().allSatisfy { $0.type == "subscription_confirmed" })
    client.sendText(#"{"action":"subscribe","channel":"c"}"#)
    client.sendText(#"{"action":"subscribe","task_id":"more","wait":true}"#)
    gateway.settle()
    #expect(client.messages().map { $0.string("message") } == ["Too many subscriptions", "Too many subscriptions"])
    client.sendText(#"{"action":"unsubscribe","task_id":"t5"}"#)
    client.sendText(#"{"action":"subscribe","channel":"c"}"#)
    gateway.settle()
    #expect(client.messages().map(\.type) == ["unsubscribed", "subscription_confirmed"])
    gateway.expectNothingLeft()
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `of two connections that come at once one stays`(seed: UInt64) {
    let gateway = SimulatedGateway(shardCount: 2, seed: seed) {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
      $0.isSingleConnectionPerUser = true
    }
    let clients = (0..<4).map { gateway.connect(to: $0 % 2) }
    for client in clients { client.upgrade("/ws?token=\(gateway.token("alice"))") }
    gateway.settle()
    for client in clients { #expect(client.answer()?.status == 101) }
    let codes = clients.map { $0.frames().compactMap(\.closeCode) }
    #expect(codes.filter { $0 == [4500] }.count == 3, "seed \(seed)")
    #expect(codes.filter { $0 == [] }.count == 1, "seed \(seed)")
    gateway.expectNothingLeft()
  }

  @Test func `a newer connection of a user replaces the older one, wherever they are`() {
    let gateway = SimulatedGateway(shardCount: 2) { $0.isSingleConnectionPerUser = true }
    let older = open(gateway, to: 0)
    older.sendText(#"{"action":"subscribe","user_id":"u"}"#)
    gateway.settle()
    gateway.advance(seconds: 1)
    let newer = open(gateway, to: 1)
    newer.sendText(#"{"action":"subscribe","user_id":"u"}"#)
    gateway.settle()
    #expect(older.frames().last?.closeCode == 4500)
    #expect(newer.messages().map(\.type) == ["subscription_confirmed"])
    gateway.expectNothingLeft()
  }

  @Test func `sockets of the other dialects get their own messages only`() {
    let gateway = SimulatedGateway(shardCount: 2) {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
    }
    _ = publish(gateway, "/api/v1/tasks", #"{"task_id":"t","owner":"alice"}"#)
    let task = open(gateway, "/ws/task/t?token=\(gateway.token("alice"))")
    let execution = open(gateway, to: 1, "/api/v1/ws/executions/t?token=\(gateway.token("alice"))")
    let action = open(gateway, to: 1, "/ws?token=\(gateway.token("alice"))")
    _ = (task.frames(), execution.frames(), action.frames())
    #expect(publish(gateway, "/api/v1/broadcast", #"{"a":1}"#).int("connections") == 1)
    #expect(publish(gateway, "/api/v1/users/alice/messages", #"{"a":1}"#).int("connections") == 1)
    _ = publish(
      gateway, "/api/v1/confirmations",
      #"{"task_id":"t","user_id":"alice","step":"s","step_result":{"step":"s","result":1}}"#)
    _ = publish(gateway, "/api/v1/tasks/t/heartbeat", #"{"user_id":"alice"}"#)
    _ = publish(gateway, "/api/v1/tasks/t/cancel", #"{"user_id":"alice"}"#)
    #expect(task.messages().map(\.type) == [])
    #expect(execution.messages().map(\.type) == [])
    #expect(action.messages().map(\.type).suffix(3) == ["task_step_result", "heartbeat", "task_cancelled"])
    gateway.expectNothingLeft()
  }

  @Test func `a snapshot says that a cancel was requested in the same instant`() {
    let gateway = SimulatedGateway()
    _ = publish(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    let client = open(gateway)
    client.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    client.sendText(#"{"action":"cancel","task_id":"t","user_id":"u"}"#)
    client.sendText(#"{"action":"unsubscribe","task_id":"t"}"#)
    gateway.settle()
    client.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    gateway.settle()
    #expect(client.messages().last?.raw("snapshot").contains(#""cancel_requested":true"#) == true)
    gateway.expectNothingLeft()
  }
}
