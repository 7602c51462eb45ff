/// Writes one thing after another into a buffer, which the caller keeps alive. After something that did not fit nothing
/// more is written.
@safe
struct BufferWriter {
  private let target: UnsafeMutableRawBufferPointer
  private(set) var byteCount = 0
  private(set) var fits = true

  init(_ target: UnsafeMutableRawBufferPointer) { unsafe self.target = target }

  mutating func append(_ literal: StaticString) {
    unsafe append(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  mutating func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { unsafe append($0) }
  }

  /// Appends text that goes into a header field; control characters become spaces, so that it cannot end the field.
  mutating func append(fieldValue: String) {
    for byte in fieldValue.utf8 {
      let harmless = HTTPGrammar.isControl(byte) ? HTTPGrammar.space : byte
      unsafe Swift.withUnsafeBytes(of: harmless) { unsafe append($0) }
    }
  }

  @inline(__always)
  private mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard fits, unsafe target.count &- byteCount >= bytes.count else {
      fits = false
      return
    }
    // SAFETY: the target has room for the bytes behind those written, checked above.
    unsafe UnsafeMutableRawBufferPointer(rebasing: target[byteCount...]).copyMemory(from: bytes)
    byteCount &+= bytes.count
  }
}
