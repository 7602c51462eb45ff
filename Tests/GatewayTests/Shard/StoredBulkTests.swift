import GatewayDomain
import Testing

@testable import Gateway

@Suite("Shard: a bulk publish whose ends wait for the store (contract §3.3, §4.3)")
struct StoredBulkTests {
  private static let lines = [
    #"{"op":"progress","task_id":"t","progress":1}"#,
    #"{"op":"channel","channel":"c","body":{"type":"first"}}"#,
    #"{"op":"complete","task_id":"t"}"#,
    #"{"op":"channel","channel":"c","body":{"type":"second"}}"#,
    #"{"op":"message","user_id":"ann","type":"message"}"#,
    #"{"op":"broadcast","type":"broadcast"}"#,
  ]

  private func run(_ gateway: SimulatedGateway) -> (status: Int?, types: [String]) {
    let watcher = gateway.connect(to: gateway.shards.count - 1)
    watcher.upgrade("/ws")
    watcher.sendText(#"{"action":"subscribe","task_id":"t","channel":"c","user_id":"ann","wait":true}"#)
    gateway.settle()
    #expect(watcher.answer()?.status == 101)
    _ = watcher.frames()
    let publisher = gateway.connect()
    publisher.request(
      "POST", "/api/v1/publish", body: Self.lines.joined(separator: "\n"), contentType: "application/x-ndjson")
    gateway.settle()
    return (publisher.answer()?.status, watcher.messages().map(\.type))
  }

  @Test(arguments: [1, 2, 4])
  func `what stands behind an end is told behind it`(shardCount: Int) {
    let gateway = SimulatedGateway(shardCount: shardCount, disk: SimulatedDisk())
    let (status, types) = run(gateway)
    #expect(status == 200)
    #expect(types == ["progress", "first", "complete", "second", "message", "broadcast"])
    gateway.expectNothingLeft()
  }

  @Test(arguments: [1, 2, 4])
  func `where the end cannot be stored the messages behind it leave without it`(shardCount: Int) {
    let disk = SimulatedDisk()
    disk.failure = StoreFailure(kind: .full, detail: "the disk is full")
    let gateway = SimulatedGateway(shardCount: shardCount, disk: disk)
    let (status, types) = run(gateway)
    #expect(status == 503)
    #expect(types == ["progress", "first", "second", "message", "broadcast"])
  }
}
