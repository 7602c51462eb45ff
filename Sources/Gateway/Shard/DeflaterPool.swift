import Protocol

/// A shard's compressor, made when it is first needed. Messages are compressed without context takeover and with one
/// window that every client that negotiated at least this much can read.
struct DeflaterPool: ~Copyable {
  private var deflater: Deflater?

  /// As `Deflater.compress(_:to:)`; nil too where there is no memory for a compressor.
  mutating func compress(_ payload: Span<UInt8>, to target: UnsafeMutableRawBufferPointer) -> Int? {
    if deflater == nil { deflater = Deflater(windowBits: Deflater.preferredWindowBits) }
    return unsafe deflater?.compress(payload, to: target) ?? nil
  }

  /// The payload of a compressed message; nil where compressing failed or saved nothing.
  mutating func compress(_ payload: Span<UInt8>) -> [UInt8]? {
    if deflater == nil { deflater = Deflater(windowBits: Deflater.preferredWindowBits) }
    var output: [UInt8] = []
    guard deflater?.compress(payload, into: &output) == true else { return nil }
    return output
  }
}
