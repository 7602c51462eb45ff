import CZlib
import Glibc

/// Inflates the messages that one connection receives with permessage-deflate (RFC 7692 §7.2.2).
///
/// The window is kept from message to message. A sender without context takeover never looks back into it, so both
/// kinds are understood.
final class MessageInflater {
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private let output: UnsafeMutableRawBufferPointer

  /// - Parameter byteCountMax: of an inflated message.
  init(byteCountMax: Int) {
    stream.initialize(to: z_stream())
    output = .allocate(byteCount: byteCountMax, alignment: 64)
    // Negative: raw deflate, without zlib's header.
    guard inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      fail("zlib does not start")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    output.deallocate()
  }

  /// The message behind a frame's payload; valid until the next call.
  func inflate(_ payload: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(output.count)
    feed(payload)
    // What the sender leaves out (§7.2.1).
    let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]
    tail.withUnsafeBytes { feed($0) }
    return UnsafeRawBufferPointer(rebasing: output[..<(output.count - Int(stream.pointee.avail_out))])
  }

  private func feed(_ bytes: UnsafeRawBufferPointer) {
    let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.next_in = UnsafeMutablePointer(mutating: start)
    stream.pointee.avail_in = UInt32(bytes.count)
    let status = CZlib.inflate(stream, Z_SYNC_FLUSH)
    // A sender may end with a final block; what follows is a new stream.
    if status == Z_STREAM_END {
      inflateReset(stream)
      return
    }
    guard status == Z_OK || status == Z_BUF_ERROR, stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 else {
      fail("a compressed message does not inflate: zlib's status \(status), \(stream.pointee.avail_in) bytes are left")
    }
  }
}

/// Compresses as a server without context takeover does, for the ceiling that sends what it is given.
enum MessageDeflater {
  static func deflated(_ message: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    guard
      deflateInit2_(
        &stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { fail("zlib does not start") }
    defer { deflateEnd(&stream) }
    var input = message
    var output = [UInt8](repeating: 0, count: message.count + 64)
    let byteCount = input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(input.count)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(output.count)
        guard deflate(&stream, Z_SYNC_FLUSH) == Z_OK, stream.avail_in == 0 else { fail("zlib does not compress") }
        return output.count - Int(stream.avail_out)
      }
    }
    // Z_SYNC_FLUSH ends with the four bytes that are left out (RFC 7692 §7.2.1).
    return Array(output[..<(byteCount - 4)])
  }
}
