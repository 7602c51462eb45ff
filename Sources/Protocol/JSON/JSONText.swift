/// One JSON value as text, already validated and normalised: valid UTF-8, no insignificant white
/// space, strings unescaped as far as RFC 8259 §7 allows, numbers exactly as they were written.
///
/// The domain stores and forwards these without looking inside.
package struct JSONText: Sendable {
  /// The text as a `String`, because that holds up to 15 bytes in itself: numbers, words and short strings, which is
  /// what reports are made of, cost no allocation. It is never compared as one (Unicode's equivalent forms are different
  /// values).
  @usableFromInline let text: String

  /// The caller vouches that `bytes` is one normalised JSON value.
  package init(normalised bytes: [UInt8]) {
    self.init(normalised: bytes.span)
  }

  /// The same for borrowed bytes, which are copied.
  package init(normalised bytes: Span<UInt8>) {
    text = String(decoding: bytes)
  }

  /// The text's bytes; never empty.
  @inlinable @inline(__always) package var utf8: String.UTF8View { text.utf8 }

  /// How many there are; needs no walk.
  @inlinable @inline(__always) package var byteCount: Int { text.utf8.count }

  /// A copy of the text's bytes, for what needs an array. Counting is `byteCount`, appending `[UInt8].append(_:)`.
  package var bytes: [UInt8] { Array(text.utf8) }

  /// The value `null`.
  package static let null = JSONText(normalised: Array("null".utf8))
}

extension JSONText: Hashable {
  package static func == (left: JSONText, right: JSONText) -> Bool {
    left.byteCount == right.byteCount && left.utf8.elementsEqual(right.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    for byte in utf8 { hasher.combine(byte) }
  }
}

extension [UInt8] {
  /// Appends the text.
  package mutating func append(_ text: JSONText) {
    let view = text.utf8
    append(view.span)
  }
}
