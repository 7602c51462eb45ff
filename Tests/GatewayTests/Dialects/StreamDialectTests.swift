import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("Dialect: server-sent events (contract §2.6)")
struct StreamDialectTests {
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  private func event(_ given: String) throws -> TaskEvent {
    TaskEvent(
      task: try #require(TaskIdentifier(validating: "t")), epoch: Epoch(text: "e1"), offset: 7, kind: .progress,
      occurredAt: 0, given: Array(given.utf8), statusWord: "running")
  }

  @Test func `an event is its type, its place and the native message`() throws {
    let event = try event(#""progress":40"#)
    #expect(
      text(StreamDialect.event(event))
        == "event: progress\nid: e1:7\ndata: {\"type\":\"progress\",\"task_id\":\"t\",\"epoch\":\"e1\",\"offset\":7,"
        + "\"progress\":40}\n\n")
  }

  @Test func `a snapshot is the task object`() throws {
    var snapshot = TaskSnapshot(
      identifier: try #require(TaskIdentifier(validating: "t")), epoch: Epoch(text: "e1"), createdAt: 5)
    snapshot.offset = 3
    #expect(
      text(StreamDialect.snapshot(snapshot))
        == "event: snapshot\nid: e1:3\ndata: " + text(ResponseBodies.task(snapshot)) + "\n\n")
  }

  @Test func `what has no number has no identifier`() {
    #expect(
      text(StreamDialect.notice("heartbeat", Array("{}".utf8))) == "event: heartbeat\ndata: {}\n\n")
  }

  @Test(arguments: ["\n", "\r", "\r\n", "\u{2028}", "data: x\n\nevent: y"])
  func `nothing that is published begins a line of its own`(published: String) throws {
    // As it comes from a body: text and white space between the tokens are normalised.
    let escaped = published.unicodeScalars.map { $0 == "\n" ? "\\n" : $0 == "\r" ? "\\r" : String($0) }.joined()
    let body = Array("{\n\"progress\"\r\n: 40,\n \"message\" : \"\(escaped)\"}".utf8)
    let report = try RequestBodies.progress(body.span)
    let block = StreamDialect.event(try event(text(report.given)))
    #expect(block.count(where: { $0 == UInt8(ascii: "\n") }) == 4)
    #expect(!block.contains(UInt8(ascii: "\r")))
  }

  @Test func `the place of an event is read as it was written`() {
    #expect(StreamDialect.position("e1:7") == EventPosition(epoch: Epoch(text: "e1"), offset: 7))
    #expect(StreamDialect.position("a:b:0") == EventPosition(epoch: Epoch(text: "a:b"), offset: 0))
  }

  @Test(arguments: ["", ":", ":7", "7", "e1", "e1:", "e1:-1", "e1:7x", "e1: 7", "e1:99999999999999999999", "e1:7.0"])
  func `nonsense is no place`(text: String) {
    #expect(StreamDialect.position(text) == nil)
  }

  @Test func `what was left out is said in the data`() throws {
    let event = try event(#""progress":40"#)
    let frame = SharedFrame.raw(StreamDialect.event(event))
    let cut = frame.skippingInStream(2)
    let told = withExtendedLifetime(cut) { unsafe [UInt8](cut.plain) }
    #expect(text(told).hasSuffix("\"progress\":40,\"skipped\":2}\n\n"))
    #expect(text(told).hasPrefix("event: progress\nid: e1:7\ndata: {"))
    let whole = withExtendedLifetime(frame) { unsafe [UInt8](frame.skippingInStream(0).plain) }
    #expect(whole == StreamDialect.event(event))
  }
}
