/// The currency of this module: bytes are borrowed as `Span<UInt8>`, results are `Range<Int>` into
/// the borrowed bytes, and output is appended to an `[UInt8]` that the caller owns and reuses.

extension Array where Element == UInt8 {
  /// Appends the borrowed bytes.
  package mutating func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }

  /// Appends the bytes of a literal.
  @inlinable
  package mutating func append(_ literal: StaticString) {
    // SAFETY: a StaticString of a literal is contiguous UTF-8 that lives as long as the process.
    unsafe append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  /// Appends an integer in decimal.
  package mutating func append(decimal value: Int) {
    append(contentsOf: String(value).utf8)
  }

  /// A copy of the borrowed bytes.
  package init(_ bytes: Span<UInt8>) {
    self = []
    append(bytes)
  }
}

extension String {
  /// Decodes UTF-8; nil where the bytes are not valid UTF-8.
  package init?(validating bytes: Span<UInt8>) {
    // The standard library's own validating initialiser is generic and several times as dear.
    var validator = UTF8Validator()
    guard validator.feed(bytes), validator.isComplete else { return nil }
    self.init(decoding: bytes)
  }

  /// Decodes UTF-8 that has been validated; what is not valid would be replaced by U+FFFD.
  package init(decoding bytes: Span<UInt8>) {
    // SAFETY: the pointer is used while `bytes` is borrowed; the room takes `bytes.count` bytes.
    self = unsafe bytes.withUnsafeBufferPointer { source in
      // Up to 15 bytes are held in the string itself, and are checked there as two words.
      guard source.count <= 15 else { return unsafe String(decoding: source, as: UTF8.self) }
      return unsafe String(unsafeUninitializedCapacity: source.count) { room in
        for index in source.indices { unsafe room.initializeElement(at: index, to: source[index]) }
        return source.count
      }
    }
  }
}
