import Protocol
import Testing

@Suite("RFC 6455 §5.2 frames to clients")
struct FrameWriterTests {
  @Test(
    arguments: [
      (0, [0x82, 0]), (1, [0x82, 1]), (125, [0x82, 125]), (126, [0x82, 126, 0, 126]),
      (65_535, [0x82, 126, 0xff, 0xff]),
      (65_536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] as [(Int, [UInt8])])
  func `the length stands in its shortest form`(byteCount: Int, header: [UInt8]) {
    let payload = [UInt8](repeating: 9, count: byteCount)
    var output: [UInt8] = [1, 2, 3]
    FrameWriter.appendFrame(opcode: .binary, payload: payload.span, into: &output)
    #expect(output == [1, 2, 3] + header + payload)
    #expect(FrameWriter.headerByteCount(forPayload: byteCount) == header.count)
    var room = [UInt8](repeating: 0xee, count: header.count + 1)
    let written = unsafe room.withUnsafeMutableBytes { buffer in
      let start = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<header.count])
      return unsafe FrameWriter.writeHeader(opcode: .binary, payloadByteCount: byteCount, to: start)
    }
    #expect(room == header + [0xee])
    #expect(written == header.count)
  }

  @Test func `the RFC's examples`() {
    var output: [UInt8] = []
    FrameWriter.appendFrame(opcode: .text, payload: Array("Hello".utf8).span, into: &output)
    #expect(output == [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f])
    output = []
    FrameWriter.appendFrame(opcode: .ping, payload: Array("Hello".utf8).span, into: &output)
    #expect(output == [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f])
    output = []
    let compressed: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
    FrameWriter.appendFrame(opcode: .text, compressed: true, payload: compressed.span, into: &output)
    #expect(output == [0xc1, 0x07] + compressed)
  }
}

@Suite("RFC 6455 §5.5.1 close frames to clients")
struct CloseWriterTests {
  @Test func `code and reason`() {
    var output: [UInt8] = []
    FrameWriter.appendClose(.tryAgainLater, reason: "Slow consumer", into: &output)
    #expect(output == [0x88, 15, 0x03, 0xf5] + Array("Slow consumer".utf8))
  }

  @Test func `a reason of 123 bytes is kept and one of 124 is cut`() {
    for byteCount in [123, 124] {
      var output: [UInt8] = []
      FrameWriter.appendClose(.normal, reason: String(repeating: "x", count: byteCount), into: &output)
      #expect(output == [0x88, 125, 0x03, 0xe8] + [UInt8](repeating: 0x78, count: 123))
    }
  }

  @Test func `it is cut on a character's border`() {
    for padding in 0..<4 {
      let reason = String(repeating: "x", count: padding) + String(repeating: "🂡", count: 40)
      var output: [UInt8] = []
      FrameWriter.appendClose(.normal, reason: reason, into: &output)
      let kept = String(validating: output.span.extracting(4..<output.count))
      #expect(kept.map { reason.hasPrefix($0) } == true)
      #expect(output.count == 4 + padding + (123 - padding) / 4 * 4)
      #expect(Int(output[1]) == output.count - 2)
    }
  }

  @Test func `without a body`() {
    var output: [UInt8] = []
    FrameWriter.appendEmptyClose(into: &output)
    #expect(output == [0x88, 0])
  }
}
