import Glibc

/// The frames of RFC 6455 as a load generator needs them: client text of up to 64 KiB, whole server messages.
enum Frames {
  /// The opening handshake. The nonce is RFC 6455's own example, so the answer is known beforehand (§1.3).
  static func upgradeRequest(path: String, host: String = "127.0.0.1", extensions: String? = nil) -> [UInt8] {
    let extensionField = extensions.map { "Sec-WebSocket-Extensions: \($0)\r\n" } ?? ""
    return Array(
      """
      GET \(path) HTTP/1.1\r
      Host: \(host)\r
      Upgrade: websocket\r
      Connection: Upgrade\r
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
      Sec-WebSocket-Version: 13\r
      \(extensionField)\r\n
      """.utf8)
  }

  /// What browsers offer.
  static let deflateOffer = "permessage-deflate; client_max_window_bits"

  struct UpgradeAnswer {
    var byteCount: Int
    /// Whether the server agreed to permessage-deflate.
    var isCompressed: Bool
  }

  /// A successful handshake's head; nil while it is incomplete.
  static func upgradeAnswer(_ bytes: UnsafeRawBufferPointer) -> UpgradeAnswer? {
    guard let byteCount = upgradeAnswerByteCount(bytes) else { return nil }
    let head = UnsafeRawBufferPointer(rebasing: bytes[..<byteCount])
    return UpgradeAnswer(byteCount: byteCount, isCompressed: head.firstIndex(of: "permessage-deflate") != nil)
  }

  /// The count of bytes of a successful handshake's head; nil while it is incomplete.
  static func upgradeAnswerByteCount(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard let end = bytes.firstIndex(of: "\r\n\r\n") else { return nil }
    let head = UnsafeRawBufferPointer(rebasing: bytes[..<end])
    guard head.firstIndex(of: "HTTP/1.1 101 ") == 0, head.firstIndex(of: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != nil else {
      fail("the handshake was answered: \(String(decoding: head, as: UTF8.self))")
    }
    return end + 4
  }

  /// A masked text message.
  static func clientText(_ payload: [UInt8], key: UInt32) -> [UInt8] {
    var frame: [UInt8] = [0x81]
    if payload.count < 126 {
      frame.append(0x80 | UInt8(payload.count))
    } else {
      precondition(payload.count < 65536)
      frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    }
    let keyBytes = (0..<4).map { UInt8(truncatingIfNeeded: key >> (8 * UInt32($0))) }
    frame += keyBytes
    for (index, byte) in payload.enumerated() { frame.append(byte ^ keyBytes[index & 3]) }
    return frame
  }

  /// A masked ping of up to 125 bytes.
  static func clientPing(_ payload: [UInt8], key: UInt32) -> [UInt8] {
    var frame = clientText(payload, key: key)
    frame[0] = 0x89
    return frame
  }

  /// The header that a server writes before a text message of this length.
  static func serverTextHeader(byteCount: Int) -> [UInt8] {
    byteCount < 126 ? [0x81, UInt8(byteCount)] : [0x81, 126, UInt8(byteCount >> 8), UInt8(byteCount & 255)]
  }

  struct Header {
    var headerByteCount: Int
    var payloadByteCount: Int
    var first: UInt8
  }

  /// A server's frame header; nil while it is incomplete. `at` gives the byte at an index.
  @inline(__always)
  static func header(available: Int, at: (Int) -> UInt8) -> Header? {
    guard available >= 2 else { return nil }
    let length = Int(at(1))
    if length < 126 { return Header(headerByteCount: 2, payloadByteCount: length, first: at(0)) }
    if length == 126 {
      guard available >= 4 else { return nil }
      return Header(headerByteCount: 4, payloadByteCount: Int(at(2)) << 8 | Int(at(3)), first: at(0))
    }
    fail(length == 127 ? "a frame of more than 64 KiB" : "a masked frame from the server")
  }
}

extension UnsafeRawBufferPointer {
  /// By `memcmp`: comparing is most of what the load generator does.
  @inline(__always)
  func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    guard let mine = baseAddress, let theirs = other.baseAddress else { return count == 0 }
    return memcmp(mine, theirs, count) == 0
  }

  /// The index of a text's first occurrence.
  func firstIndex(of text: StaticString) -> Int? {
    let needle = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard count >= needle.count else { return nil }
    for start in 0...(count - needle.count) where self[start] == needle[0] {
      if (1..<needle.count).allSatisfy({ self[start + $0] == needle[$0] }) { return start }
    }
    return nil
  }
}
