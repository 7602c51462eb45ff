import CMicroFloor
import Protocol

/// RFC 6455's part: masks, frames, text, and the handshake's answer.
enum FrameSubjects {
  static func all() -> [Subject] {
    [
      unmask(64), unmask(16_384), readFrames(), writeFrame(), validate("ASCII", ascii), validate("mixed", mixed),
      requestHead(), handshake(),
    ]
  }

  private static let ascii = String(repeating: "indexing shard 17 of 412 documents, embedding batch 9; ", count: 40)
  private static let mixed = String(repeating: "任务完成 – größer, ça va, ±5 %, 進捗 42 🙂 plain text as well; ", count: 30)

  private static func unmask(_ byteCount: Int) -> Subject {
    let bytes = Bytes([UInt8](repeating: 0x61, count: byteCount))
    return Subject("unmask \(byteCount) bytes", floorName: "the same in C") { count in
      bytes.withMutableSpan { span in
        for _ in 0..<count { _ = FrameMasking.apply(key: 0x9A3C_51E7, to: &span, in: 0..<byteCount) }
      }
      consume(Int(bytes.start[0]))
    } floor: { count in
      for _ in 0..<count { micro_unmask(bytes.start, byteCount, 0x9A3C_51E7) }
      consume(Int(bytes.start[0]))
    }
  }

  /// Sixteen masked text frames of 64 bytes; an operation is one of them. A key of zero leaves them as they are, so that
  /// each round reads the same; the mask is applied nevertheless where a key is not zero, which `unmask` measures.
  private static func readFrames() -> Subject {
    let frameCount = 16
    let payload = Array(String(repeating: "progress", count: 8).utf8)
    var frames: [UInt8] = []
    for _ in 0..<frameCount { frames += [0x81, 0x80 | UInt8(payload.count), 0, 0, 0, 0] + payload }
    let bytes = Bytes(frames)
    return Subject("read a frame of 64 bytes", floorName: "head and mask in C, no UTF-8") { count in
      var session = WebSocketSession(messageByteCountMax: 65_536, deflate: nil)
      var inflaters = InflaterPool()
      var messageCount = 0
      bytes.withMutableSpan { span in
        for _ in 0..<count / frameCount {
          var position = 0
          while case .message = session.next(&span, position: &position, inflaters: &inflaters) { messageCount += 1 }
        }
      }
      if messageCount != count / frameCount * frameCount { fail("\(messageCount) messages of \(count)") }
      consume(messageCount)
    } floor: { count in
      var total = 0
      for _ in 0..<count / frameCount {
        var position = 0
        while position < bytes.count { position += micro_read_frame(bytes.start + position, bytes.count - position) }
        total += position
      }
      consume(total)
    }
  }

  private static func writeFrame() -> Subject {
    let payload = Bytes([UInt8](repeating: 0x61, count: 200))
    let target = Bytes([UInt8](repeating: 0, count: 256))
    var output: [UInt8] = []
    output.reserveCapacity(256)
    return Subject("write a frame of 200 bytes", floorName: "header and memcpy") { count in
      payload.withSpan { span in
        for _ in 0..<count {
          output.removeAll(keepingCapacity: true)
          FrameWriter.appendFrame(opcode: .text, payload: span, into: &output)
        }
      }
      consume(output.count)
    } floor: { count in
      var total = 0
      for _ in 0..<count { total &+= micro_write_frame(target.start, payload.start, payload.count) }
      consume(total)
    }
  }

  private static func validate(_ kind: String, _ text: String) -> Subject {
    let bytes = Bytes(text)
    let isASCII = kind == "ASCII"
    return Subject(
      "validate \(bytes.count) bytes of UTF-8, \(kind)",
      floorName: isASCII ? "no top bit, words in C" : "an automaton in C"
    ) { count in
      bytes.withSpan { span in
        for _ in 0..<count {
          var validator = UTF8Validator()
          guard validator.feed(span), validator.isComplete else { fail("valid text is refused") }
        }
      }
    } floor: { count in
      for _ in 0..<count {
        consume(Int(isASCII ? micro_is_ascii(bytes.start, bytes.count) : micro_is_utf8(bytes.start, bytes.count)))
      }
    }
  }

  private static let upgradeText =
    """
    GET /ws HTTP/1.1\r
    Host: gateway.example.org\r
    Upgrade: websocket\r
    Connection: Upgrade\r
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
    Sec-WebSocket-Version: 13\r
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r
    Origin: https://gateway.example.org\r
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\r
    \r\n
    """

  private static func requestHead() -> Subject {
    let upgrade = Bytes(upgradeText)
    var parser = RequestParser()
    var head = RequestHead()
    return Subject("parse a request head of \(upgrade.count) bytes", floorName: "memmem of its end") { count in
      upgrade.withSpan { span in
        for _ in 0..<count {
          guard (try? parser.parse(span, into: &head)) == true else { fail("a request is refused") }
        }
      }
      consume(head.byteCount)
    } floor: { count in
      for _ in 0..<count { consume(micro_head_end(upgrade.start, upgrade.count)) }
    }
  }

  private static func handshake() -> Subject {
    let upgrade = Bytes(upgradeText)
    var parser = RequestParser()
    var head = RequestHead()
    guard upgrade.withSpan({ try? parser.parse($0, into: &head) }) == true else { fail("a request is refused") }
    let digest = Bytes([UInt8](repeating: 0, count: 20))
    return Subject("read a handshake, make its accept key", floorName: "SHA-1 of 60 bytes by libcrypto") { count in
      upgrade.withSpan { span in
        for _ in 0..<count {
          guard let handshake = try? OpeningHandshake(head: head, bytes: span) else { fail("a handshake is refused") }
          consume(handshake.acceptKey.count)
        }
      }
    } floor: { count in
      for _ in 0..<count { micro_sha1(upgrade.start, 60, digest.start) }
      consume(Int(digest.start[0]))
    }
  }
}
