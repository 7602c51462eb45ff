/// One JSON value as text, already validated and normalised: valid UTF-8, no insignificant white
/// space, strings unescaped as far as RFC 8259 §7 allows, numbers exactly as they were written.
///
/// The domain stores and forwards these without looking inside.
package struct JSONText: Hashable, Sendable {
  /// The text. Never empty.
  package let bytes: [UInt8]

  /// The caller vouches that `bytes` is one normalised JSON value.
  package init(normalised bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The value `null`.
  package static let null = JSONText(normalised: Array("null".utf8))
}
