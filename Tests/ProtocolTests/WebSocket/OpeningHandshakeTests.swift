import CCrypto
import Protocol
import Testing

@Suite("RFC 6455 §4.2 opening handshake")
struct OpeningHandshakeTests {
  private static let valid = [
    "GET /chat?token=x HTTP/1.1", "Host: server.example.com", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
  ]

  /// The valid handshake with the lines that begin with `prefix` replaced.
  private static func request(_ prefix: String = "-", replacedBy lines: [String] = [], adding more: [String] = [])
    -> String
  {
    let kept = valid.flatMap { $0.hasPrefix(prefix) ? lines : [$0] } + more
    return kept.joined(separator: "\r\n") + "\r\n\r\n"
  }

  private struct Accepted {
    var acceptKey: String
    var subprotocols: [String]
    var extensions: [String]
    var handshake: OpeningHandshake
  }

  private func accept(_ text: String) throws -> Accepted {
    let received = try ReceivedRequest(text)
    let handshake = try OpeningHandshake(head: received.head, bytes: received.bytes.span)
    return Accepted(
      acceptKey: String(decoding: [UInt8](handshake.acceptKey.span), as: UTF8.self),
      subprotocols: handshake.subprotocols.map { ProtocolTests.text(received.bytes, $0) },
      extensions: handshake.extensions.map { ProtocolTests.text(received.bytes, $0) }, handshake: handshake)
  }

  private func refusal(_ text: String) throws -> OpeningHandshakeError? {
    let received = try ReceivedRequest(text)
    do throws(OpeningHandshakeError) {
      _ = try OpeningHandshake(head: received.head, bytes: received.bytes.span)
      return nil
    } catch {
      return error
    }
  }

  private func isUpgrade(_ text: String) throws -> Bool {
    let received = try ReceivedRequest(text)
    return OpeningHandshake.isUpgrade(head: received.head, bytes: received.bytes.span)
  }

  @Test func `a key has characters of base64 only, at each of its places`() throws {
    let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    for place in 0..<22 {
      for byte in UInt8(0x21)...0x7e {
        var key = Array("dGhlIHNhbXBsZSBub25jZQ==".utf8)
        key[place] = byte
        let line = "Sec-WebSocket-Key: " + String(decoding: key, as: UTF8.self)
        let refused = try refusal(Self.request("Sec-WebSocket-Key", replacedBy: [line]))
        #expect(refused == (alphabet.contains(byte) ? nil : .invalidKey), "\(byte) at \(place)")
      }
      guard place < 21 else { continue }
      // Two bytes beyond ASCII, which without their top bits would be right.
      let key = String(repeating: "A", count: place) + "\u{c1}" + String(repeating: "A", count: 20 - place) + "=="
      #expect(try refusal(Self.request("Sec-WebSocket-Key", replacedBy: ["Sec-WebSocket-Key: \(key)"])) == .invalidKey)
    }
  }

  @Test(arguments: [
    ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
  ])
  func `the accept key is the digest of the key and the GUID`(key: String, acceptKey: String) throws {
    let accepted = try accept(Self.request("Sec-WebSocket-Key", replacedBy: ["Sec-WebSocket-Key: \(key)"]))
    #expect(accepted.acceptKey == acceptKey)
  }

  /// Any key, against the library that everybody trusts.
  @Test(arguments: 1...50 as ClosedRange<UInt64>)
  func `the accept key is what libcrypto makes of it`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let characters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let key = (0..<22).map { _ in characters[Int(generator.next() >> 58)] } + Array("==".utf8)
    let input = key + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
    var digest = [UInt8](repeating: 0, count: 20)
    var encoded = [UInt8](repeating: 0, count: 29)
    // SAFETY: SHA-1 writes 20 bytes, their base64 is 28 characters and a NUL.
    unsafe EVP_Digest(input, input.count, &digest, nil, EVP_sha1(), nil)
    _ = unsafe EVP_EncodeBlock(&encoded, digest, 20)
    let text = String(decoding: key, as: UTF8.self)
    let accepted = try accept(Self.request("Sec-WebSocket-Key", replacedBy: ["Sec-WebSocket-Key: \(text)"]))
    #expect(accepted.acceptKey == String(decoding: encoded.dropLast(), as: UTF8.self), "seed \(seed)")
  }

  @Test func `the answer needs its room`() throws {
    let handshake = try accept(Self.request()).handshake
    var expected: [UInt8] = []
    handshake.appendResponse(subprotocol: "signalbox.v1", extensions: nil, into: &expected)
    for roomByteCount in [0, 1, expected.count - 1, expected.count, expected.count + 1] {
      var room = [UInt8](repeating: 0xee, count: roomByteCount + 1)
      let written = unsafe room.withUnsafeMutableBytes { buffer in
        unsafe handshake.writeResponse(
          subprotocol: "signalbox.v1", extensions: nil,
          to: UnsafeMutableRawBufferPointer(rebasing: buffer[..<roomByteCount]))
      }
      #expect(written == (roomByteCount < expected.count ? nil : expected.count))
      #expect(room[roomByteCount] == 0xee)
      if let written { #expect(Array(room[..<written]) == expected) }
    }
  }

  @Test func `the answer switches protocols`() throws {
    let handshake = try accept(Self.request()).handshake
    var output: [UInt8] = []
    handshake.appendResponse(subprotocol: nil, extensions: nil, into: &output)
    #expect(
      String(decoding: output, as: UTF8.self) == """
        HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n
        """)
    output = []
    handshake.appendResponse(subprotocol: "signalbox.v1", extensions: "permessage-deflate\r\nX: y", into: &output)
    #expect(
      String(decoding: output, as: UTF8.self) == """
        HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: signalbox.v1\r
        Sec-WebSocket-Extensions: permessage-deflate  X: y\r\n\r\n
        """)
  }

  @Test func `offers are read from all fields in order`() throws {
    let accepted = try accept(
      Self.request(adding: [
        "Sec-WebSocket-Protocol: signalbox.v1, bearer.eyJ.a-b_c.d",
        "sec-websocket-extensions: permessage-deflate; a, x",
        "sec-websocket-protocol: other", "Sec-WebSocket-Extensions: y",
      ]))
    #expect(accepted.subprotocols == ["signalbox.v1", "bearer.eyJ.a-b_c.d", "other"])
    #expect(accepted.extensions == ["permessage-deflate; a, x", "y"])
  }

  @Test func `nothing offered is nothing`() throws {
    let accepted = try accept(Self.request())
    #expect(accepted.subprotocols.isEmpty && accepted.extensions.isEmpty)
  }

  @Test(arguments: ["Connection: keep-alive, UPGRADE", "connection:upgrade,x"])
  func `upgrade may be one of several connection options`(line: String) throws {
    #expect(try refusal(Self.request("Connection", replacedBy: [line])) == nil)
  }

  @Test(arguments: ["Upgrade: WebSocket", "upgrade: h2c, websocket"])
  func `websocket may be one of several protocols, in either case`(line: String) throws {
    #expect(try refusal(Self.request("Upgrade", replacedBy: [line])) == nil)
  }

  @Test func `a body of no bytes is no body`() throws {
    #expect(try refusal(Self.request(adding: ["Content-Length: 0"])) == nil)
  }

  @Test(arguments: [
    ("Upgrade", [], OpeningHandshakeError.notAnUpgrade), ("Upgrade", ["Upgrade: websockets"], .notAnUpgrade),
    ("GET", ["GET / HTTP/1.0"], .notAnUpgrade), ("GET", ["POST / HTTP/1.1"], .methodIsNotGet),
    ("GET", ["HEAD / HTTP/1.1"], .methodIsNotGet), ("Connection", [], .missingConnectionUpgrade),
    ("Connection", ["Connection: close"], .missingConnectionUpgrade),
    ("Host", ["Host: a", "Content-Length: 1"], .hasBody),
    ("Host", ["Host: a", "Transfer-Encoding: chunked"], .hasBody), ("Sec-WebSocket-Version", [], .missingVersion),
    ("Sec-WebSocket-Version", ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"], .repeatedVersion),
    ("Sec-WebSocket-Version", ["Sec-WebSocket-Version: 8"], .unsupportedVersion),
    ("Sec-WebSocket-Version", ["Sec-WebSocket-Version: 013"], .unsupportedVersion),
    ("Sec-WebSocket-Version", ["Sec-WebSocket-Version: 13, 8"], .unsupportedVersion),
    ("Sec-WebSocket-Version", ["Sec-WebSocket-Version:"], .unsupportedVersion), ("Sec-WebSocket-Key", [], .missingKey),
    (
      "Sec-WebSocket-Key",
      ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], .repeatedKey
    ),
    ("Sec-WebSocket-V", ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: a b"], .invalidSubprotocol),
    ("Sec-WebSocket-V", ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: a, \"b\""], .invalidSubprotocol),
  ])
  func `an invalid handshake is refused with what is wrong`(
    prefix: String, lines: [String], error: OpeningHandshakeError
  ) throws {
    #expect(try refusal(Self.request(prefix, replacedBy: lines)) == error)
  }

  @Test(arguments: [
    "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZQAA",
    "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j-Q==", "dGhlIHNhbXBsZSBub25 ZQ==", "dGhlIHNhbXBsZSBub25jZQAAAA==",
    "====",
  ])
  func `a key that is not 16 bytes in base64 is refused`(key: String) throws {
    #expect(
      try refusal(Self.request("Sec-WebSocket-Key", replacedBy: ["Sec-WebSocket-Key: \(key)"])) == .invalidKey)
  }

  @Test func `a wrong version is told the right one with 426`() {
    for error in [OpeningHandshakeError.unsupportedVersion, .notAnUpgrade] {
      #expect(error.status == 426)
      #expect(error.answerFields.contains { $0.name == "Sec-WebSocket-Version" && $0.value == "13" })
      #expect(error.answerFields.contains { $0.name == "Upgrade" && $0.value == "websocket" })
    }
    #expect(OpeningHandshakeError.invalidKey.status == 400)
    #expect(OpeningHandshakeError.invalidKey.answerFields.isEmpty)
  }

  @Test func `what asks for websocket is an upgrade, be it wrong`() throws {
    #expect(try isUpgrade(Self.request()))
    #expect(try isUpgrade(Self.request("Connection")))
    #expect(try isUpgrade(Self.request("Sec-WebSocket-Key")))
    #expect(try !isUpgrade(Self.request("Upgrade")))
    #expect(try !isUpgrade(Self.request("Upgrade", replacedBy: ["Upgrade: h2c"])))
    #expect(try !isUpgrade(Self.request("GET", replacedBy: ["GET / HTTP/1.0"])))
  }
}
