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
  /// The 00 00 ff ff with which a flush ends (RFC 7692 §7.2.1).
  package static let tailByteCount = 4

  package let windowBits: Int
  // zlib's state points back at the stream, which therefore has an address of its own.
  private let stream: UnsafeMutablePointer<z_stream>

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
  }

  deinit {
    // SAFETY: made in init, owned by this value alone.
    unsafe deflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Appends the compressed form of a message, without the 00 00 ff ff at its end. False, with the output
  /// as it was, when that would not be shorter than the message: it is then sent as it is.
  package mutating func compress(_ payload: Span<UInt8>, into output: inout [UInt8]) -> Bool {
    var isShorter = false
    output.append(addingCapacity: payload.count + Self.tailByteCount) { room in
      unsafe room.withUnsafeMutableBufferPointer { buffer, initializedCount in
        // SAFETY: the room behind what is initialised is the output's own; zlib writes there what is counted here.
        let whole = UnsafeMutableRawBufferPointer(buffer)
        let target = unsafe UnsafeMutableRawBufferPointer(rebasing: whole[initializedCount...])
        guard let byteCount = unsafe compress(payload, to: target) else { return }
        initializedCount += byteCount
        isShorter = true
      }
    }
    return isShorter
  }

  /// Writes the compressed form of a message, without the 00 00 ff ff at its end, to the first bytes of `target`, and
  /// returns how many those are; nil when that would not be fewer than the message has, or the target has too few.
  ///
  /// - Parameter target: what stands there is spoiled in any case. It needs `tailByteCount` bytes more than the result;
  ///   more than `tailByteCount` beyond the message's are not used.
  package mutating func compress(_ payload: Span<UInt8>, to target: UnsafeMutableRawBufferPointer) -> Int? {
    let room = min(target.count, payload.count + Self.tailByteCount)
    guard payload.count <= Int(UInt32.max) - Self.tailByteCount, let start = target.baseAddress else { return nil }
    // SAFETY: the stream was initialised by deflateInit2_.
    guard unsafe deflateReset(stream) == Z_OK else { return nil }
    let produced = unsafe payload.withUnsafeBufferPointer { buffer in
      // SAFETY: zlib only reads its input, at most avail_in bytes, and writes at most avail_out bytes of the target,
      // both not after this closure.
      unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: buffer.baseAddress)
      unsafe stream.pointee.avail_in = UInt32(buffer.count)
      unsafe stream.pointee.next_out = start.assumingMemoryBound(to: UInt8.self)
      unsafe stream.pointee.avail_out = UInt32(room)
      let status = unsafe deflate(stream, Z_SYNC_FLUSH)
      let left = Int(unsafe stream.pointee.avail_out)
      unsafe stream.pointee.next_in = nil
      unsafe stream.pointee.avail_in = 0
      unsafe stream.pointee.next_out = nil
      unsafe stream.pointee.avail_out = 0
      // zlib.h: a flush is complete when there is room left over.
      return status == Z_OK && left > 0 ? room - left : 0
    }
    guard produced >= Self.tailByteCount else { return nil }
    return produced - Self.tailByteCount
  }
}
