/// The texts of values: reading and writing of numbers, seconds, sizes and lists, without Foundation or locale.
enum ValueText {
  /// The word that turns an optional setting off.
  static let off = "off"

  /// `true`, `on`, `false`, `off`; nil for any other word.
  static func boolean(_ text: String) -> Bool? {
    switch text {
    case "true", "on": true
    case "false", "off": false
    default: nil
    }
  }

  /// Decimal digits and nothing else. A number too large for the machine is nil, as is a signed one.
  static func integer(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
    return Int(text)
  }

  /// Digits, optionally with `KiB`, `MiB` or `GiB`.
  static func byteCount(_ text: String) -> Int? {
    for (suffix, shift) in [("KiB", 10), ("MiB", 20), ("GiB", 30)] where text.hasSuffix(suffix) {
      guard let value = integer(String(text.dropLast(suffix.count))) else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 1 << shift)
      return overflow ? nil : product
    }
    return integer(text)
  }

  /// Digits with at most one decimal point between them, optionally with `ms`, `s`, `m`, `h` or `d`.
  static func seconds(_ text: String) -> Double? {
    var number = text
    var factor = 1.0
    for (suffix, value) in [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)]
    where text.hasSuffix(suffix) {
      number = String(text.dropLast(suffix.count))
      factor = value
      break
    }
    let parts = number.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.allSatisfy({ integer(String($0)) != nil }), let value = Double(number) else {
      return nil
    }
    return value * factor
  }

  /// Seconds as `seconds` reads them, without a needless fraction.
  static func seconds(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    return decimal(Double(seconds) + Double(attoseconds) / 1e18)
  }

  /// A number without a needless fraction.
  static func decimal(_ value: Double) -> String {
    value == value.rounded() && value.magnitude < 1e15 ? String(Int(value)) : String(value)
  }

  /// `a, b or c`
  static func alternatives(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }

  /// The entries between commas (and, for a file's content, line ends), without surrounding blanks; empty ones
  /// are left out.
  static func list(_ text: String) -> [String] {
    text.split(whereSeparator: { $0 == "," || $0.isNewline }).map { trimmed($0) }.filter { !$0.isEmpty }
  }

  /// Without blanks at the ends.
  static func trimmed(_ text: some StringProtocol) -> String {
    var rest = Substring(text)
    while let first = rest.first, first == " " || first == "\t" || first == "\r" { rest.removeFirst() }
    while let last = rest.last, last == " " || last == "\t" || last == "\r" { rest.removeLast() }
    return String(rest)
  }

  /// Characters of a value that a message shows: enough to recognise it.
  static let shownCharacterCountMax = 80

  /// A value fit for one line of a message: bounded, and without control characters.
  static func shown(_ text: String) -> String {
    guard !text.isEmpty else { return "empty" }
    var line = ""
    for character in text.prefix(shownCharacterCountMax) {
      let isControl = character.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
      line.append(isControl ? "\u{FFFD}" : character)
    }
    return text.count > shownCharacterCountMax ? line + "…" : line
  }
}
