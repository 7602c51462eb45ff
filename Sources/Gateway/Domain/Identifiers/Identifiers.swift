import Protocol

/// A task's name: 1–128 characters of `A-Z a-z 0-9 . _ : -` (contract §1).
///
/// An execution is the same object under the same name.
package struct TaskIdentifier: Hashable, Sendable {
  package static let characterCountMax = 128
  package let text: String

  /// Nil where the text breaks the rule above.
  package init?(validating text: String) {
    let view = text.utf8
    guard Self.keepsRule(view.span) else { return nil }
    self.text = text
  }

  /// The same for bytes, which are copied: nothing is made of those that break the rule.
  package init?(validating bytes: Span<UInt8>) {
    guard Self.keepsRule(bytes) else { return nil }
    text = String(decoding: bytes)
  }

  private static func keepsRule(_ bytes: Span<UInt8>) -> Bool {
    guard bytes.count >= 1, bytes.count <= characterCountMax else { return false }
    for index in bytes.indices {
      let byte = bytes[index]
      // Bit n of the words is character n or 64 + n; a shift by more than 63 gives 0.
      let isAllowed = byte < 64 ? (allowedBelow64 >> UInt64(byte)) & 1 : (allowedFrom64 >> UInt64(byte - 64)) & 1
      guard isAllowed == 1 else { return false }
    }
    return true
  }

  /// `-`, `.`, the digits and `:`.
  private static let allowedBelow64: UInt64 = 0x07FF_6000_0000_0000
  /// The letters of both cases and `_`.
  private static let allowedFrom64: UInt64 = 0x07FF_FFFE_87FF_FFFE

  /// The caller vouches for the rule.
  init(trusted text: String) {
    self.text = text
  }

  /// The rule in a sentence, for problems and documentation.
  package static let rule = "1 to 128 characters of A-Z a-z 0-9 . _ : -"
}

/// A user's name: 1–128 characters of UTF-8 without controls (contract §1).
package struct UserIdentifier: Hashable, Sendable {
  package static let characterCountMax = 128
  package let text: String

  /// Nil where the text breaks the rule above.
  package init?(validating text: String) {
    guard namedWithoutControls(text, characterCountMax: Self.characterCountMax) else { return nil }
    self.text = text
  }

  package static let rule = "1 to 128 characters without control characters"
}

/// A channel's name; the same rule as for users.
package struct ChannelName: Hashable, Sendable {
  package let text: String

  /// Nil where the text breaks the rule above.
  package init?(validating text: String) {
    guard namedWithoutControls(text, characterCountMax: 128) else { return nil }
    self.text = text
  }

  package static let rule = "1 to 128 characters without control characters"
}

/// A confirmation's name, a version 4 UUID made by `CallbackIdentifier.make`.
///
/// The last four hexadecimal digits carry the low 16 bits of the user's topic hash, so that every shard
/// finds the confirmation's home, which is the user's home, without a lookup.
package struct CallbackIdentifier: Hashable, Sendable {
  package let text: String

  /// Takes any text a client may send; an unknown one is simply not found.
  package init(text: String) {
    self.text = text
  }
}

/// An acknowledged message's name, a version 4 UUID made by `MessageIdentifier.make`; it carries its user's hash too.
package struct MessageIdentifier: Hashable, Sendable {
  package let text: String
  package init(text: String) { self.text = text }
}

/// The random name of a task's numbering: no (epoch, offset) ever denotes two events.
package struct Epoch: Hashable, Sendable {
  package let text: String
  package init(text: String) { self.text = text }
}

/// A place in a task's numbering.
package struct EventPosition: Hashable, Sendable {
  package let epoch: Epoch
  package let offset: Int
  package init(epoch: Epoch, offset: Int) {
    self.epoch = epoch
    self.offset = offset
  }
}

private func namedWithoutControls(_ text: String, characterCountMax: Int) -> Bool {
  // Four bytes a character at most, so an over-long text is refused before it is walked.
  guard !text.isEmpty, text.utf8.count <= characterCountMax * 4 else { return false }
  var count = 0
  for scalar in text.unicodeScalars {
    if scalar.value < 0x20 || (scalar.value >= 0x7F && scalar.value < 0xA0) { return false }
    count += 1
  }
  return count <= characterCountMax
}
