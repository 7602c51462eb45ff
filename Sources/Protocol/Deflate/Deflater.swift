internal import CZlib

/// Compresses messages for permessage-deflate without context takeover (RFC 7692 §7.2.1): every message on
/// its own, so that one result serves all clients whose `serverMaxWindowBits` is not smaller.
@safe
package struct Deflater: ~Copyable {
  /// Below this a message is not worth it: 163 bytes cost 11–13 µs to save 42.
  package static let worthwhileByteCountMin = 256
  /// The window we use where the client allows it: for 2 KB of JSON the same size as 15, with a context
  /// of 39 KB in place of 268 and in two thirds of the time (level 6, memLevel 5).
  package static let preferredWindowBits = 12
  static let stepByteCount = 16_384

  package let windowBits: Int
  // zlib's state points back at the stream, which therefore has an address of its own.
  private let stream: UnsafeMutablePointer<z_stream>
  private let step: UnsafeMutablePointer<UInt8>

  /// nil when zlib refuses: windowBits outside 9 … 15, level outside 0 … 9, memLevel outside 1 … 9, or no memory.
  package init?(windowBits: Int, level: Int = 6, memLevel: Int = 5) {
    guard 9...15 ~= windowBits, 0...9 ~= level, 1...9 ~= memLevel else { return nil }
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // SAFETY: the stream is initialised, to zero as zlib asks; negative window bits mean raw DEFLATE.
    let status = unsafe deflateInit2_(
      stream, Int32(level), Z_DEFLATED, -Int32(windowBits), Int32(memLevel), Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      unsafe stream.deallocate()
      return nil
    }
    self.windowBits = windowBits
    unsafe self.stream = stream
    unsafe step = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.stepByteCount)
  }

  deinit {
    // SAFETY: made in init, owned by this value alone.
    unsafe deflateEnd(stream)
    unsafe stream.deallocate()
    unsafe step.deallocate()
  }

  /// Appends the compressed form of a message, without the 00 00 ff ff at its end. False, with the output
  /// as it was, when that would not be shorter than the message: it is then sent as it is.
  package mutating func compress(_ payload: Span<UInt8>, into output: inout [UInt8]) -> Bool {
    guard payload.count <= Int(UInt32.max) else { return false }
    // SAFETY: the stream was initialised by deflateInit2_.
    guard unsafe deflateReset(stream) == Z_OK else { return false }
    let start = output.count
    // Four bytes more than pays, since the last four are taken off again.
    let byteCountMax = payload.count + 3
    let isDone = unsafe payload.withUnsafeBufferPointer { buffer in
      // SAFETY: zlib only reads its input, at most avail_in bytes, and not after this closure.
      unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: buffer.baseAddress)
      unsafe stream.pointee.avail_in = UInt32(buffer.count)
      let isDone = drain(outputCountMax: start + byteCountMax, into: &output)
      unsafe stream.pointee.next_in = nil
      unsafe stream.pointee.avail_in = 0
      return isDone
    }
    guard isDone, output.count - start >= 4 else {
      output.removeLast(output.count - start)
      return false
    }
    output.removeLast(4)
    return true
  }

  /// Flushes into the output, until done (true) or over the bound (false).
  private mutating func drain(outputCountMax: Int, into output: inout [UInt8]) -> Bool {
    while true {
      // SAFETY: the step has stepByteCount bytes.
      unsafe stream.pointee.next_out = step
      unsafe stream.pointee.avail_out = UInt32(Self.stepByteCount)
      let status = unsafe deflate(stream, Z_SYNC_FLUSH)
      guard status == Z_OK || status == Z_BUF_ERROR else { return false }
      let remaining = Int(unsafe stream.pointee.avail_out)
      let produced = Self.stepByteCount - remaining
      guard output.count + produced <= outputCountMax else { return false }
      // SAFETY: zlib wrote the first `produced` bytes of the step.
      unsafe output.append(contentsOf: UnsafeBufferPointer(start: step, count: produced))
      if remaining > 0 { return true }  // zlib.h: a flush is complete when there is room left over
    }
  }
}
