import Protocol
import Testing

@testable import Gateway

@Suite("Shard: how long it sleeps")
struct SleepTests {
  private func sleep(_ gateway: SimulatedGateway) -> Int64 { Int64(gateway.shards[0].waitMilliseconds()) }

  @Test func `with nothing to do it sleeps as long as it may, and never counts as stuck`() {
    let gateway = SimulatedGateway()
    gateway.settle()
    #expect(sleep(gateway) == ShardLimits.idleMilliseconds)
    #expect(ShardLimits.idleMilliseconds * 2 < ShardLimits.livenessMilliseconds)
  }

  @Test func `idle connections do not wake it before their deadlines`() {
    let gateway = SimulatedGateway()
    let clients = (0..<50).map { _ in gateway.connect() }
    for client in clients { client.upgrade("/ws") }
    gateway.settle()
    #expect(clients.allSatisfy { $0.answer()?.status == 101 })
    #expect(sleep(gateway) == ShardLimits.idleMilliseconds)
    // Past the deadline of the handshake, which still lies in the wheel, to just before the first ping.
    gateway.advance(milliseconds: 29_800)
    #expect(sleep(gateway) == 250)
    gateway.advance(milliseconds: 250)
    #expect(clients.allSatisfy { $0.frames().contains { $0.opcode == .ping } })
    gateway.expectNothingLeft()
  }

  @Test func `a request in part wakes it for its time limit`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.send("GET / HT")
    gateway.advance(milliseconds: 9_700)
    #expect(sleep(gateway) == 350)
    gateway.expectNothingLeft()
  }

  @Test func `a question's deadline wakes it to the millisecond`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.request(
      "POST", "/api/v1/confirmations?wait=3",
      body: #"{"task_id":"t","user_id":"u","step":"s","step_result":{"step":"s","result":1},"timeout":0.5}"#)
    gateway.settle()
    #expect((1...500).contains(sleep(gateway)))
    gateway.advance(milliseconds: 500)
    #expect(client.answer()?.status == 201)
    gateway.expectNothingLeft()
  }

  @Test func `a listener that rests wakes it to try again`() {
    let gateway = SimulatedGateway()
    gateway.environments[0].acceptFailure = 12
    _ = gateway.connect()
    gateway.settle()
    #expect(sleep(gateway) == ShardLimits.acceptPauseMilliseconds)
    gateway.environments[0].acceptFailure = nil
    gateway.advance(milliseconds: ShardLimits.acceptPauseMilliseconds)
    #expect(gateway.shards[0].connections.count == 1)
    gateway.expectNothingLeft()
  }

  @Test func `frames kept for those who come together are given up at the next tick`() {
    let gateway = SimulatedGateway()
    let client = gateway.connect()
    client.upgrade("/ws", [("Sec-WebSocket-Protocol", "signalbox.v1")])
    let publisher = gateway.connect()
    publisher.request("POST", "/api/v1/tasks/t/progress", body: #"{"progress":1}"#)
    gateway.settle()
    client.sendText(#"{"action":"subscribe","task_id":"t"}"#)
    gateway.settle()
    #expect(!gateway.shards[0].openings.isEmpty)
    #expect(sleep(gateway) <= TimerWheel.tickMilliseconds)
    gateway.advance(milliseconds: TimerWheel.tickMilliseconds)
    #expect(gateway.shards[0].openings.isEmpty)
    #expect(sleep(gateway) > TimerWheel.tickMilliseconds)
    gateway.expectNothingLeft()
  }
}
