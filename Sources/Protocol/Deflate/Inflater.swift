internal import CZlib

/// Why a compressed message could not be read.
package enum InflateError: Error, Equatable {
  /// The bytes are no DEFLATE data, or end within a block.
  case corrupt
  /// More comes out than the bound; inflating stopped there.
  case tooBig
  /// zlib could not allocate its context.
  case outOfMemory
}

/// A context for the messages of permessage-deflate without context takeover (RFC 7692 §7.2.2): about
/// 44 KB of zlib and 16 KB of ours, one per shard.
@safe
package struct Inflater: ~Copyable {
  /// Output is taken in steps of so many bytes, so that the bound is looked at before memory grows.
  static let stepByteCount = 16_384
  /// How many blocks marked as the last one a message may contain (RFC 7692 §7.2.3.5). Compressors that
  /// flush so make one for each message; a peer that sends thousands costs much time for few bytes.
  static let finalBlockCountMax = 1_024
  /// RFC 7692 §7.2.2: what the sender took off, an empty stored block without its header bits.
  private static let tail: [UInt8] = [0x00, 0x00, 0xff, 0xff]

  // zlib's state points back at the stream, which therefore has an address of its own.
  private let stream: UnsafeMutablePointer<z_stream>
  private let step: UnsafeMutablePointer<UInt8>

  /// nil when zlib has no memory.
  package init?() {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // SAFETY: the stream is initialised, to zero as zlib asks; −15 is raw DEFLATE with the largest window.
    let status = unsafe inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      unsafe stream.deallocate()
      return nil
    }
    unsafe self.stream = stream
    unsafe step = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.stepByteCount)
  }

  deinit {
    // SAFETY: made in init, owned by this value alone.
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
    unsafe step.deallocate()
  }

  /// Appends the message that `bytes` are the compressed form of, at most `byteCountMax` bytes.
  /// After an error the output holds what came before it.
  package mutating func inflate(
    _ bytes: Span<UInt8>, byteCountMax: Int, into output: inout [UInt8]
  ) throws(InflateError) {
    // An empty payload is not what RFC 7692 §7.2.3.6 asks for, but what some compressors make of no bytes.
    guard !bytes.isEmpty else { return }
    guard bytes.count <= Int(UInt32.max) else { throw .tooBig }
    // SAFETY: the stream was initialised by inflateInit2_.
    guard unsafe inflateReset(stream) == Z_OK else { throw .corrupt }
    var progress = Progress(byteCountMax: byteCountMax)
    try feed(bytes, &progress, into: &output)
    if progress.isAtStreamEnd { return }  // the last block said so, with nothing behind it
    try feed(Self.tail.span, &progress, into: &output)
    // SAFETY: as above. data_type is 128 exactly at a block's border with no bit left over and no last
    // block open; anything else means that the message ends within a block.
    guard unsafe stream.pointee.data_type == 128 else { throw .corrupt }
  }

  private struct Progress {
    let byteCountMax: Int
    var byteCount = 0
    var finalBlockCount = 0
    var isAtStreamEnd = false

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }
  }

  private mutating func feed(
    _ bytes: Span<UInt8>, _ progress: inout Progress, into output: inout [UInt8]
  ) throws(InflateError) {
    let failure: InflateError? = unsafe bytes.withUnsafeBufferPointer { buffer in
      // SAFETY: zlib only reads its input, at most avail_in bytes, and not after this closure.
      unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: buffer.baseAddress)
      unsafe stream.pointee.avail_in = UInt32(buffer.count)
      let failure = drain(&progress, into: &output)
      unsafe stream.pointee.next_in = nil
      unsafe stream.pointee.avail_in = 0
      return failure
    }
    if let failure { throw failure }
  }

  /// Inflates until the input is used up.
  private mutating func drain(_ progress: inout Progress, into output: inout [UInt8]) -> InflateError? {
    while true {
      // One more than is allowed, to see that there is more.
      let room = min(Self.stepByteCount, progress.byteCountMax - progress.byteCount + 1)
      // SAFETY: room <= stepByteCount, the size of the step.
      unsafe stream.pointee.next_out = step
      unsafe stream.pointee.avail_out = UInt32(room)
      let status = unsafe CZlib.inflate(stream, Z_SYNC_FLUSH)
      let produced = room - Int(unsafe stream.pointee.avail_out)
      progress.byteCount += produced
      guard progress.byteCount <= progress.byteCountMax else { return .tooBig }
      // SAFETY: zlib wrote the first `produced` bytes of the step.
      unsafe output.append(contentsOf: UnsafeBufferPointer(start: step, count: produced))
      progress.isAtStreamEnd = status == Z_STREAM_END
      switch status {
      case Z_OK:
        // Room left over means that zlib wants input: there is none.
        if unsafe stream.pointee.avail_out > 0 && stream.pointee.avail_in == 0 { return nil }
      case Z_BUF_ERROR:
        return nil  // no progress possible: the input ended
      case Z_STREAM_END:
        progress.finalBlockCount += 1
        guard progress.finalBlockCount <= Self.finalBlockCountMax else { return .corrupt }
        if unsafe stream.pointee.avail_in == 0 { return nil }
        // The window is kept: what follows belongs to the same message and may refer back.
        guard unsafe inflateResetKeep(stream) == Z_OK else { return .corrupt }
      case Z_MEM_ERROR:
        return .outOfMemory
      default:
        return .corrupt
      }
    }
  }
}

/// A shard's inflater, made when the first compressed message comes.
package struct InflaterPool: ~Copyable {
  private var inflater: Inflater?

  package init() {}

  /// As `Inflater.inflate`.
  package mutating func inflate(
    _ bytes: Span<UInt8>, byteCountMax: Int, into output: inout [UInt8]
  ) throws(InflateError) {
    if inflater == nil { inflater = Inflater() }
    guard try inflater?.inflate(bytes, byteCountMax: byteCountMax, into: &output) != nil else { throw .outOfMemory }
  }
}
