/// A message as nearly all of them come: one frame, neither fragmented nor compressed, that has arrived whole.
struct WholeFrame {
  let isText: Bool
  /// Where the masked payload is.
  let payload: Range<Int>
  /// The key's byte i stands in bits 8i ..< 8i + 8.
  let maskingKey: UInt32

  var kind: MessageKind { isText ? .text : .binary }

  /// Reads the frame at `position`, which lies within the bytes; nil where what begins there is anything else, a violation
  /// of the protocol among it, or not whole: the long way says what it is. Whether a data frame may begin here and has no
  /// more bytes than are allowed is the caller's to know.
  @inline(__always)
  init?(_ bytes: Span<UInt8>, at position: Int) {
    let availableByteCount = bytes.count &- position
    guard availableByteCount >= 6 else { return nil }
    let raw = unsafe bytes.bytes
    // SAFETY: six bytes are there, and all bytes are initialised.
    let start = unsafe UInt16(
      bigEndian: raw.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt16.self))
    // Final, no reserved bit, text or binary; masked.
    let opcode = start & 0xff80
    guard opcode == 0x8180 || opcode == 0x8280 else { return nil }
    isText = opcode == 0x8180
    var payloadByteCount = Int(start & 0x7f)
    var headerByteCount = 6
    if payloadByteCount > 125 {
      // A payload of more than 65,535 bytes does not fit into a receive buffer with its header.
      guard payloadByteCount == 126, availableByteCount >= 8 else { return nil }
      // SAFETY: eight bytes are there.
      payloadByteCount = unsafe Int(
        UInt16(bigEndian: raw.unsafeLoadUnaligned(fromUncheckedByteOffset: position &+ 2, as: UInt16.self)))
      guard payloadByteCount > 125 else { return nil }
      headerByteCount = 8
    }
    guard payloadByteCount <= availableByteCount &- headerByteCount else { return nil }
    let payloadStart = position &+ headerByteCount
    // SAFETY: the four bytes before the payload are the header's end.
    maskingKey = unsafe UInt32(
      littleEndian: raw.unsafeLoadUnaligned(fromUncheckedByteOffset: payloadStart &- 4, as: UInt32.self))
    unsafe payload = Range(uncheckedBounds: (payloadStart, payloadStart &+ payloadByteCount))
  }
}

/// Server frames that `WebSocketSession.echo` has written.
package struct EchoedFrames: Sendable, Equatable {
  /// Bytes written.
  package let byteCount: Int
  package let messageCount: Int

  init(byteCount: Int = 0, messageCount: Int = 0) {
    self.byteCount = byteCount
    self.messageCount = messageCount
  }
}

extension WebSocketSession {
  /// Turns the messages from `position` on that came as whole frames into the frames that send them back: each payload is
  /// unmasked on its way to `target`, its only way. The position moves to the first byte that is something else, or has no
  /// room left, which `next` then takes; the session is as it was.
  ///
  /// - Parameters:
  ///   - payloadByteCountMax: longer messages are left to `next`.
  ///   - target: must not overlap the bytes; what stands behind what is written may be spoiled.
  package func echo(
    _ bytes: Span<UInt8>, position: inout Int, payloadByteCountMax: Int, to target: UnsafeMutableRawBufferPointer
  ) -> EchoedFrames {
    precondition(position >= 0 && position <= bytes.count, "the position lies outside the bytes")
    guard isBetweenFrames, let output = target.baseAddress else { return EchoedFrames() }
    return unsafe bytes.withUnsafeBytes { buffer in
      guard let input = buffer.baseAddress else { return EchoedFrames() }
      var written = 0
      var messageCount = 0
      while let frame = WholeFrame(bytes, at: position) {
        let payloadByteCount = frame.payload.count
        guard payloadByteCount <= payloadByteCountMax, isWithinBound(payloadByteCount) else { break }
        // SAFETY: written ≤ target.count; the room for the longest header of a whole frame and the payload is checked.
        guard target.count &- written >= payloadByteCount &+ 4 else { break }
        let start = unsafe output + written
        let headerByteCount = unsafe Self.writeHeader(of: frame, to: start)
        // SAFETY: the payload lies within the bytes, as WholeFrame has checked.
        let isASCII = unsafe FrameMasking.apply(
          key: frame.maskingKey, from: input + frame.payload.lowerBound, to: start + headerByteCount,
          byteCount: payloadByteCount)
        if frame.isText, !isASCII {
          // SAFETY: the payload was written just now.
          let text = unsafe UnsafeRawBufferPointer(start: start + headerByteCount, count: payloadByteCount)
          // What is wrong with it is found by `next`.
          guard unsafe Self.isText(Span(_unsafeBytes: text)) else { break }
        }
        written &+= headerByteCount &+ payloadByteCount
        position = frame.payload.upperBound
        messageCount &+= 1
      }
      return EchoedFrames(byteCount: written, messageCount: messageCount)
    }
  }

  /// Both headers that a whole frame may need: 2 or 4 bytes. There is room for 4.
  @inline(__always)
  private static func writeHeader(of frame: WholeFrame, to start: UnsafeMutableRawPointer) -> Int {
    let first: UInt32 = frame.isText ? 0x81 : 0x82
    let byteCount = UInt32(truncatingIfNeeded: frame.payload.count)
    // SAFETY: four bytes, or two, at the start.
    if byteCount <= 125 {
      unsafe start.storeBytes(of: UInt16(truncatingIfNeeded: first << 8 | byteCount).bigEndian, as: UInt16.self)
      return 2
    }
    unsafe start.storeBytes(of: (first << 24 | 126 << 16 | byteCount).bigEndian, as: UInt32.self)
    return 4
  }

  private static func isText(_ bytes: Span<UInt8>) -> Bool {
    var validator = UTF8Validator()
    return validator.feed(bytes) && validator.isComplete
  }
}
