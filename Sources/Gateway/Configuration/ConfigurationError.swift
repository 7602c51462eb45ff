/// A start that must not happen: what is wrong, in one line per mistake, with the value, the bound and the remedy.
package struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The exit status of a wrong command line or configuration (`EX_USAGE` of sysexits.h).
  package static let exitStatus: Int32 = 64

  /// One line per mistake, never empty.
  package let messages: [String]

  /// Several mistakes.
  package init(_ messages: [String]) { self.messages = messages }

  /// One mistake.
  package init(_ message: String) { messages = [message] }

  /// The lines, each with the program's name as every Unix tool writes it.
  package var description: String { messages.map { "signalbox: \($0)" }.joined(separator: "\n") }
}

/// Why a text is no value of a key. The reader adds the name and the value.
struct ValueRefusal: Error, Equatable {
  /// What is wrong and what is allowed: `must be a whole number from 0 to 65535`.
  var rule: String
  /// Replaces the value in the message where it is a secret, or where only its size matters.
  var shownValue: String?

  init(_ rule: String, showing shownValue: String? = nil) {
    self.rule = rule
    self.shownValue = shownValue
  }
}
