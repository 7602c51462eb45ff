import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("Frames written where they stay")
struct FrameBufferTests {
  private func bytes(_ buffer: consuming FrameBuffer) -> [UInt8] {
    let frame = SharedFrame(buffer)
    // SAFETY: the frame lives to the end of this function.
    return unsafe [UInt8](frame.plain)
  }

  @Test(arguments: [
    0, 1, 9, 10, 99, 100, 12_345, 999_999_999, 1_000_000_000_000_000_000, Int.max, -1, -10, Int.min,
  ])
  func `integers in decimal take as many bytes as was said`(_ value: Int) {
    var buffer = FrameBuffer(byteCountMax: FrameBuffer.decimalByteCount(value))
    buffer.append(decimal: value)
    #expect(String(decoding: bytes(buffer), as: UTF8.self) == "\(value)")
  }

  @Test(arguments: [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537])
  func `a text frame's header is the shortest for its payload`(_ byteCount: Int) {
    let payload = [UInt8](repeating: UInt8(ascii: "x"), count: byteCount)
    var buffer = FrameBuffer(textOf: byteCount)
    buffer.append(payload)
    let frame = SharedFrame.text(payload)
    // SAFETY: the frame lives to the end of the statement.
    let expected = unsafe [UInt8](frame.plain)
    #expect(bytes(buffer) == expected)
  }

  @Test func `less than was said is a shorter frame`() {
    var buffer = FrameBuffer(byteCountMax: 100)
    buffer.append("ab")
    buffer.append(unescaped: "中")
    buffer.append(UInt8(ascii: "c"))
    #expect(String(decoding: bytes(buffer), as: UTF8.self) == "ab中c")
  }

  @Test func `a buffer that nobody takes is given back`() {
    for _ in 0..<3 {
      var buffer = FrameBuffer(byteCountMax: 1 << 20)
      buffer.append("x")
    }
  }

  @Test func `one byte more than was said stops the process`() async {
    await #expect(processExitsWith: .failure) {
      var buffer = FrameBuffer(byteCountMax: 2)
      buffer.append("abc")
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `an event is written as the dialect encodes it`(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let kinds: [TaskEvent.Kind] = [.progress, .complete(success: true), .complete(success: false), .error, .cancelled]
    for _ in 0..<500 {
      let byteCount = [0, 1, 40, 55, 56, 57, 58, 200, 70_000].randomElement(using: &random) ?? 0
      let given = byteCount == 0 ? "" : #""a":"\#(String(repeating: "中", count: byteCount))""#
      let name = String(repeating: "t", count: Int.random(in: 1...128, using: &random))
      let offset = [1, 9, 10, 99_999, Int.max].randomElement(using: &random) ?? 1
      let event = TaskEvent(
        task: Specimen.task(name), epoch: Epoch.random(using: &random), offset: offset,
        kind: kinds.randomElement(using: &random) ?? .progress, occurredAt: 1, given: Array(given.utf8),
        statusWord: "running")
      let encoded = ActionDialect.event(event)
      #expect(ActionDialect.byteCount(of: event) == encoded.count, "seed \(seed)")
      var buffer = FrameBuffer(byteCountMax: encoded.count)
      ActionDialect.append(event, to: &buffer)
      #expect(bytes(buffer) == encoded, "seed \(seed)")
    }
  }

  @Test(arguments: [0, 1, 9, 10, 12_345, Int.max]) func `a receipt is written as it is encoded`(_ offset: Int) {
    var random = SeededGenerator(seed: UInt64(offset))
    for isTerminal in [false, true] {
      for cancelRequested in [false, true] {
        let receipt = PublishReceipt(
          epoch: Epoch.random(using: &random), offset: offset, cancelRequested: cancelRequested)
        let encoded = isTerminal ? ResponseBodies.terminalReceipt(receipt) : ResponseBodies.progressReceipt(receipt)
        #expect(ResponseBodies.byteCount(of: receipt, isTerminal: isTerminal) == encoded.count)
        var buffer = FrameBuffer(byteCountMax: encoded.count)
        ResponseBodies.append(receipt, isTerminal: isTerminal, to: &buffer)
        #expect(bytes(buffer) == encoded)
      }
    }
  }
}
