import Protocol

/// A shard's compressor, made when it is first needed. Messages are compressed without context takeover and with one
/// window that every client that negotiated at least this much can read.
struct DeflaterPool: ~Copyable {
  private var deflater: Deflater?

  /// The payload of a compressed message; nil where compressing failed or saved nothing.
  mutating func compress(_ payload: Span<UInt8>) -> [UInt8]? {
    if deflater == nil { deflater = Deflater(windowBits: Deflater.preferredWindowBits) }
    var output: [UInt8] = []
    output.reserveCapacity(payload.count / 2 + 64)
    guard deflater?.compress(payload, into: &output) == true, output.count < payload.count else { return nil }
    return output
  }
}
