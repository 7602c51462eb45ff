/// A message as nearly all of them come: one frame, neither fragmented nor compressed, that has arrived whole.
package struct WholeFrame: Sendable, Equatable {
  package let kind: MessageKind
  /// Where the masked payload is.
  package let payload: Range<Int>
  /// The key's byte i stands in bits 8i ..< 8i + 8.
  package let maskingKey: UInt32
}

extension WebSocketSession {
  /// The message that begins at `position`, where it is a whole frame; nil for everything else, a violation of the
  /// protocol among it: the caller then passes the same position to `next`, which says what it is.
  ///
  /// Nothing is changed. A caller that wants the payload in another place than the one it came to unmasks it there
  /// (`FrameMasking.copy`), and goes on behind the frame. Until a text has shown to be UTF-8 it must not be used.
  package func wholeFrame(in bytes: Span<UInt8>, at position: Int) -> WholeFrame? {
    precondition(position >= 0 && position <= bytes.count, "the position lies outside the bytes")
    guard isBetweenFrames else { return nil }
    let availableByteCount = bytes.count &- position
    guard availableByteCount >= 6 else { return nil }
    let kind: MessageKind
    switch bytes[position] {
    case 0x81: kind = .text
    case 0x82: kind = .binary
    default: return nil
    }
    let second = bytes[position &+ 1]
    guard second & 0x80 != 0 else { return nil }
    var payloadByteCount = Int(second & 0x7f)
    var headerByteCount = 6
    if payloadByteCount > 125 {
      // A payload of more than 65,535 bytes is rare, and does not fit into a receive buffer with its header.
      guard payloadByteCount == 126, availableByteCount >= 8 else { return nil }
      payloadByteCount = Int(bytes[position &+ 2]) << 8 | Int(bytes[position &+ 3])
      guard payloadByteCount > 125 else { return nil }
      headerByteCount = 8
    }
    guard payloadByteCount <= availableByteCount &- headerByteCount, isWithinBound(payloadByteCount) else { return nil }
    let start = position &+ headerByteCount
    // SAFETY: the four bytes before `start` are the header's end, within the bytes; all are initialised.
    let maskingKey = unsafe bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: start &- 4, as: UInt32.self)
    return WholeFrame(
      kind: kind, payload: start..<(start &+ payloadByteCount), maskingKey: UInt32(littleEndian: maskingKey))
  }
}
