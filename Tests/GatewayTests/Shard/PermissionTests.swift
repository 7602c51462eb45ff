import Protocol
import Testing

@testable import Gateway

@Suite("Shard: who was let in before a task was anybody's is asked again")
struct PermissionTests {
  private func gateway(_ shardCount: Int) -> SimulatedGateway {
    SimulatedGateway(shardCount: shardCount) {
      $0.authentication = .required
      $0.jwtSecret = SimulatedGateway.tokenSecret
    }
  }

  private func watcher(_ gateway: SimulatedGateway, _ user: String, _ subscribe: String) -> SimulatedClient {
    let client = gateway.connect()
    client.upgrade("/ws?token=\(gateway.token(user))")
    client.sendText(subscribe)
    gateway.settle()
    #expect(client.answer()?.status == 101)
    #expect(client.messages().map(\.type) == ["subscription_confirmed"])
    return client
  }

  private func post(_ gateway: SimulatedGateway, _ path: String, _ body: String) {
    let client = gateway.connect()
    client.request("POST", path, body: body)
    gateway.settle()
    #expect((client.answer()?.status ?? 0) < 300)
  }

  @Test(arguments: [1, 2, 3])
  func `who waits for another user's task is told so, and of nothing else`(shardCount: Int) {
    let gateway = gateway(shardCount)
    let waits = #"{"action":"subscribe","task_id":"t","wait":true}"#
    let ann = watcher(gateway, "ann", waits)
    let bob = watcher(gateway, "bob", waits)
    let eve = watcher(gateway, "eve", waits)
    post(gateway, "/api/v1/tasks", #"{"task_id":"t","owner":"ann","viewers":["bob"]}"#)
    post(gateway, "/api/v1/tasks/t/progress", #"{"progress":1}"#)
    for client in [ann, bob] { #expect(client.messages().map(\.type) == ["progress"]) }
    let told = eve.messages()
    #expect(told.map { $0.string("message") } == ["forbidden"] && told.first?.string("task_id") == "t")
    // It may follow others, and ask again in vain.
    eve.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    gateway.settle()
    #expect(eve.messages().map { $0.string("message") } == ["forbidden"])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2])
  func `who watches what a report has registered is asked when its owner is known`(shardCount: Int) {
    let gateway = gateway(shardCount)
    post(gateway, "/api/v1/tasks/t/progress", #"{"progress":1}"#)
    let eve = watcher(gateway, "eve", #"{"action":"subscribe","task_id":"t"}"#)
    let seed = gateway.connect()
    seed.upgrade("/ws/task/t?token=\(gateway.token("eve"))")
    gateway.settle()
    _ = seed.answer()
    post(gateway, "/api/v1/tasks", #"{"task_id":"t","owner":"ann"}"#)
    post(gateway, "/api/v1/tasks/t/progress", #"{"progress":2}"#)
    #expect(eve.messages().map { $0.string("message") } == ["forbidden"])
    let frames = seed.frames()
    #expect(frames.last?.closeCode == 1008 && frames.last?.closeReason == "Permission denied")
    #expect(frames.filter { $0.opcode == .text }.count == 1)
    gateway.expectNothingLeft()
  }

  @Test func `a task that stays nobody's stays everybody's`() {
    let gateway = gateway(2)
    let eve = watcher(gateway, "eve", #"{"action":"subscribe","task_id":"t","wait":true}"#)
    post(gateway, "/api/v1/tasks", #"{"task_id":"t"}"#)
    post(gateway, "/api/v1/tasks/t/progress", #"{"progress":1}"#)
    #expect(eve.messages().map(\.type) == ["progress"])
    gateway.expectNothingLeft()
  }
}
