/// Frames from the server to a client: never masked (RFC 6455 §5.1), never fragmented by us.
package enum FrameWriter {
  /// RFC 6455 §5.5: 125 bytes of a control frame less 2 of the close code.
  package static let closeReasonByteCountMax = 123

  /// 2 bytes and an extended length of 8: we never mask.
  package static let headerByteCountMax = 10

  /// The length of the header for a payload of so many bytes: 2, 4 or 10.
  @inlinable
  package static func headerByteCount(forPayload payloadByteCount: Int) -> Int {
    payloadByteCount <= 125 ? 2 : payloadByteCount <= 0xffff ? 4 : 10
  }

  /// Appends the header of a final frame, its length in the shortest form (RFC 6455 §5.2).
  package static func appendHeader(
    opcode: Opcode, compressed: Bool = false, payloadByteCount: Int, into output: inout [UInt8]
  ) {
    output.append(0x80 | (compressed ? 0x40 : 0) | opcode.rawValue)
    switch payloadByteCount {
    case ...125:
      output.append(UInt8(truncatingIfNeeded: payloadByteCount))
    case ...0xffff:
      output.append(126)
      output.append(UInt8(truncatingIfNeeded: payloadByteCount >> 8))
      output.append(UInt8(truncatingIfNeeded: payloadByteCount))
    default:
      output.append(127)
      for shift in stride(from: 56, through: 0, by: -8) {
        output.append(UInt8(truncatingIfNeeded: payloadByteCount >> shift))
      }
    }
  }

  /// Writes what `appendHeader` appends to the first bytes of `target`, and returns how many those are. The target has
  /// room for `headerByteCount(forPayload:)`.
  @discardableResult
  package static func writeHeader(
    opcode: Opcode, compressed: Bool = false, payloadByteCount: Int, to target: UnsafeMutableRawBufferPointer
  ) -> Int {
    let headerByteCount = headerByteCount(forPayload: payloadByteCount)
    precondition(headerByteCount <= target.count, "the target is too small")
    // SAFETY: the target has headerByteCount bytes, checked above, and each form writes so many.
    guard let start = target.baseAddress else { return 0 }
    unsafe start.storeBytes(of: 0x80 | (compressed ? 0x40 : 0) | opcode.rawValue, as: UInt8.self)
    let length = UInt64(truncatingIfNeeded: payloadByteCount)
    switch headerByteCount {
    case 2: unsafe start.storeBytes(of: UInt8(truncatingIfNeeded: length), toByteOffset: 1, as: UInt8.self)
    case 4:
      unsafe start.storeBytes(of: 126, toByteOffset: 1, as: UInt8.self)
      unsafe start.storeBytes(of: UInt16(truncatingIfNeeded: length).bigEndian, toByteOffset: 2, as: UInt16.self)
    default:
      unsafe start.storeBytes(of: 127, toByteOffset: 1, as: UInt8.self)
      unsafe start.storeBytes(of: length.bigEndian, toByteOffset: 2, as: UInt64.self)
    }
    return headerByteCount
  }

  /// Appends a whole frame. `compressed` says that the payload is what `Deflater.compress` made (RFC 7692 §6).
  /// A control frame's payload is the caller's to keep within 125 bytes.
  package static func appendFrame(
    opcode: Opcode, compressed: Bool = false, payload: Span<UInt8>, into output: inout [UInt8]
  ) {
    assert(!opcode.isControl || payload.count <= FrameHeader.controlPayloadByteCountMax)
    appendHeader(opcode: opcode, compressed: compressed, payloadByteCount: payload.count, into: &output)
    output.append(payload)
  }

  /// Appends a close frame; a reason longer than 123 bytes is cut before the scalar that would not fit.
  package static func appendClose(_ code: CloseCode, reason: String, into output: inout [UInt8]) {
    var byteCount = 0
    for scalar in reason.unicodeScalars {
      let scalarByteCount = UTF8.width(scalar)
      if byteCount + scalarByteCount > closeReasonByteCountMax { break }
      byteCount += scalarByteCount
    }
    appendHeader(opcode: .close, payloadByteCount: 2 + byteCount, into: &output)
    output.append(UInt8(truncatingIfNeeded: code.rawValue >> 8))
    output.append(UInt8(truncatingIfNeeded: code.rawValue))
    output.append(contentsOf: reason.utf8.prefix(byteCount))
  }

  /// Appends the close frame without a body, the answer to one without a body.
  package static func appendEmptyClose(into output: inout [UInt8]) {
    appendHeader(opcode: .close, payloadByteCount: 0, into: &output)
  }
}
