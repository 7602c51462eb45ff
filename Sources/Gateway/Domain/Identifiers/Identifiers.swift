/// A task's name: 1–128 characters of `A-Z a-z 0-9 . _ : -` (contract §1).
///
/// An execution is the same object under the same name.
package struct TaskIdentifier: Hashable, Sendable {
  package static let characterCountMax = 128
  package let text: String

  /// Nil where the text breaks the rule above.
  package init?(validating text: String) {
    let count = text.utf8.count
    guard count >= 1, count <= Self.characterCountMax else { return nil }
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
        UInt8(ascii: "-"):
        continue
      default: return nil
      }
    }
    self.text = text
  }

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
