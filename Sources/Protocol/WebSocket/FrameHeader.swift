/// The head of a client's frame: 6 to 14 bytes (RFC 6455 §5.2).
struct FrameHeader {
  /// 2 bytes, an extended length of at most 8, and 4 of masking key.
  static let byteCountMax = 14
  /// RFC 6455 §5.5: the length of a control frame's payload.
  static let controlPayloadByteCountMax = 125

  var opcode: Opcode
  var isFinal: Bool
  /// RSV1 of a message's first frame: it is compressed (RFC 7692 §6).
  var isCompressed: Bool
  /// As claimed; at most `Int.max`.
  var payloadByteCount: Int
  /// The key's byte i stands in bits 8i ..< 8i + 8.
  var maskingKey: UInt32
  /// The header's own length.
  var byteCount: Int

  enum Parsed {
    case incomplete
    case header(FrameHeader)
    case violation(StaticString)
  }

  /// Parses the head of `bytes`. A violation is reported with the first byte that shows it, however
  /// little of the header is there, so that a peer is not waited for in vain. All of them are 1002.
  ///
  /// - Parameters:
  ///   - isDeflateNegotiated: whether RSV1 has a meaning.
  ///   - isMessageOpen: whether a fragmented message is incomplete, so that data must be a continuation.
  @inline(__always)
  static func parse(_ bytes: Span<UInt8>, isDeflateNegotiated: Bool, isMessageOpen: Bool) -> Parsed {
    guard bytes.count >= 1 else { return .incomplete }
    let first = bytes[0]
    guard first & 0x30 == 0 else { return .violation("a reserved bit is set") }
    guard let opcode = Opcode(rawValue: first & 0x0f) else { return .violation("a reserved opcode") }
    let isFinal = first & 0x80 != 0
    let isCompressed = first & 0x40 != 0
    if isCompressed && !isDeflateNegotiated { return .violation("RSV1 is set and no extension was negotiated") }
    if opcode.isControl {
      guard isFinal else { return .violation("a control frame is fragmented") }
      guard !isCompressed else { return .violation("RSV1 is set in a control frame") }
    } else if opcode == .continuation {
      guard isMessageOpen else { return .violation("a continuation of nothing") }
      guard !isCompressed else { return .violation("RSV1 is set in a continuation") }
    } else if isMessageOpen {
      return .violation("a new message before the end of the fragmented one")
    }

    guard bytes.count >= 2 else { return .incomplete }
    guard bytes[1] & 0x80 != 0 else { return .violation("a frame is not masked") }
    let shortLength = bytes[1] & 0x7f
    var payloadByteCount = Int(shortLength)
    var offset = 2
    if opcode.isControl {
      guard payloadByteCount <= controlPayloadByteCountMax else { return .violation("a control frame is too long") }
    } else if shortLength == 126 {
      guard bytes.count >= 4 else { return .incomplete }
      payloadByteCount = Int(bytes[2]) << 8 | Int(bytes[3])
      guard payloadByteCount > 125 else { return .violation("a length is not in its shortest form") }
      offset = 4
    } else if shortLength == 127 {
      guard bytes.count >= 3 else { return .incomplete }
      guard bytes[2] & 0x80 == 0 else { return .violation("the top bit of a length is set") }
      guard bytes.count >= 10 else { return .incomplete }
      payloadByteCount = 0
      for index in 2..<10 {
        payloadByteCount = payloadByteCount << 8 | Int(bytes[index])  // the top bit is clear: no overflow
      }
      guard payloadByteCount > 0xffff else { return .violation("a length is not in its shortest form") }
      offset = 10
    }

    guard bytes.count >= offset + 4 else { return .incomplete }
    let maskingKey =
      UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
      | UInt32(bytes[offset + 3]) << 24
    return .header(
      FrameHeader(
        opcode: opcode, isFinal: isFinal, isCompressed: isCompressed, payloadByteCount: payloadByteCount,
        maskingKey: maskingKey, byteCount: offset + 4))
  }
}
