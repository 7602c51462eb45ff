/// A value of a log line's field. Never a token or a payload: what a peer sent is named by size or reason.
package enum LogValue: Sendable, Equatable {
  case text(String)
  case integer(Int)
  case number(Double)
  case flag(Bool)
  /// Written in seconds; the field's name ends in `_seconds`.
  case duration(Duration)
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
  /// A text.
  package init(stringLiteral value: String) { self = .text(value) }
}

extension LogValue: ExpressibleByIntegerLiteral {
  /// A whole number.
  package init(integerLiteral value: Int) { self = .integer(value) }
}

extension LogValue: ExpressibleByFloatLiteral {
  /// A number.
  package init(floatLiteral value: Double) { self = .number(value) }
}

extension LogValue: ExpressibleByBooleanLiteral {
  /// A flag.
  package init(booleanLiteral value: Bool) { self = .flag(value) }
}

/// The fields of a line in their order: `["host": .text(host), "port": .integer(port)]`.
package struct LogFields: Sendable, ExpressibleByDictionaryLiteral {
  /// Names are constants of the program, in snake case.
  package var entries: [(name: StaticString, value: LogValue)]

  /// In the order written.
  package init(dictionaryLiteral elements: (StaticString, LogValue)...) {
    entries = elements.map { (name: $0.0, value: $0.1) }
  }

  /// Adds a field at the end.
  package mutating func append(_ name: StaticString, _ value: LogValue) { entries.append((name: name, value: value)) }
}
