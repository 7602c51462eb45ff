/// Writes compact JSON: no white space, Unicode unescaped.
///
/// Nesting is the caller's; the writer only sets the commas.
package struct JSONWriter {
  package private(set) var bytes: [UInt8] = []
  /// Whether a value stands before what comes next, in the same object or array.
  private var needsComma = false

  /// - Parameter byteCount: about how long the text will be, so that it is allocated once.
  package init(reserving byteCount: Int = 256) {
    bytes.reserveCapacity(byteCount)
  }

  package mutating func beginObject() {
    open(UInt8(ascii: "{"))
  }

  package mutating func endObject() {
    close(UInt8(ascii: "}"))
  }

  package mutating func beginArray() {
    open(UInt8(ascii: "["))
  }

  package mutating func endArray() {
    close(UInt8(ascii: "]"))
  }

  /// A member's name that needs no escapes.
  package mutating func key(_ name: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    bytes.append(name)
    bytes.append("\":")
    needsComma = false
  }

  /// Any member's name.
  package mutating func key(escaping name: String) {
    separate()
    Self.appendEscaped(name, into: &bytes)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  package mutating func value(string: String) {
    separate()
    Self.appendEscaped(string, into: &bytes)
    needsComma = true
  }

  /// A string that needs no escapes.
  package mutating func value(literal: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    bytes.append(literal)
    bytes.append(UInt8(ascii: "\""))
    needsComma = true
  }

  package mutating func value(integer: Int) {
    separate()
    bytes.append(decimal: integer)
    needsComma = true
  }

  package mutating func value(double: Double) {
    separate()
    Self.appendDouble(double, into: &bytes)
    needsComma = true
  }

  package mutating func value(bool: Bool) {
    separate()
    bytes.append(bool ? "true" : "false")
    needsComma = true
  }

  package mutating func value(raw: JSONText) {
    separate()
    bytes.append(raw)
    needsComma = true
  }

  package mutating func valueNull() {
    separate()
    bytes.append("null")
    needsComma = true
  }

  /// Members as normalised JSON without the braces, such as `"progress":50,"message":"x"`; may be empty.
  package mutating func members(normalised members: [UInt8]) {
    guard !members.isEmpty else { return }
    separate()
    bytes.append(contentsOf: members)
    needsComma = true
  }

  private mutating func open(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }
}

// Members with their values. A nil of the optional forms is written as null.
extension JSONWriter {
  package mutating func member(_ name: StaticString, string: String?) {
    key(name)
    if let string { value(string: string) } else { valueNull() }
  }

  package mutating func member(_ name: StaticString, literal: StaticString) {
    key(name)
    value(literal: literal)
  }

  package mutating func member(_ name: StaticString, integer: Int) {
    key(name)
    value(integer: integer)
  }

  package mutating func member(_ name: StaticString, double: Double?) {
    key(name)
    if let double { value(double: double) } else { valueNull() }
  }

  package mutating func member(_ name: StaticString, bool: Bool?) {
    key(name)
    if let bool { value(bool: bool) } else { valueNull() }
  }

  package mutating func member(_ name: StaticString, raw: JSONText?) {
    key(name)
    if let raw { value(raw: raw) } else { valueNull() }
  }

  package mutating func memberNull(_ name: StaticString) {
    key(name)
    valueNull()
  }
}

// The forms of strings and doubles.
extension JSONWriter {
  /// A string with its quotes: quotation mark, backslash and controls below 0x20 escaped (RFC 8259 §7), nothing else.
  package static func appendEscaped(_ string: String, into output: inout [UInt8]) {
    let bytes = string.utf8.span
    output.append(UInt8(ascii: "\""))
    // What needs no escape is copied in runs: nearly always the whole text in one.
    var runStart = 0
    for index in bytes.indices {
      let byte = bytes[index]
      if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        output.append(bytes.extracting(runStart..<index))
        appendEscaped(Unicode.Scalar(byte), into: &output)
        runStart = index + 1
      }
    }
    output.append(bytes.extracting(runStart..<bytes.count))
    output.append(UInt8(ascii: "\""))
  }

  /// One character of a string, escaped where RFC 8259 §7 wants it.
  static func appendEscaped(_ scalar: Unicode.Scalar, into output: inout [UInt8]) {
    switch scalar {
    case "\"": output.append("\\\"")
    case "\\": output.append("\\\\")
    case "\u{08}": output.append("\\b")
    case "\u{0C}": output.append("\\f")
    case "\n": output.append("\\n")
    case "\r": output.append("\\r")
    case "\t": output.append("\\t")
    case "\u{00}"..."\u{1F}":
      output.append("\\u00")
      output.append(scalar.value < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
      let digit = UInt8(truncatingIfNeeded: scalar.value & 0xF)
      output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    default:
      output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
  }

  /// The shortest decimal that reads back as the same double, always with a fraction (`1700000000.0`) and never with an
  /// exponent, so that times look like times; `null` where the value is not finite.
  package static func appendDouble(_ value: Double, into output: inout [UInt8]) {
    guard value.isFinite else {
      output.append("null")
      return
    }
    let description = Array(value.description.utf8)
    guard let exponentIndex = description.firstIndex(of: UInt8(ascii: "e")) else {
      output.append(contentsOf: description)
      return
    }
    // `-1.25e-07`: the digits are kept and the point is moved.
    let exponent = decimalValue(description[(exponentIndex + 1)...])
    var digits: [UInt8] = []
    var integerDigitCount = 0
    var hasPoint = false
    for byte in description[..<exponentIndex] {
      switch byte {
      case UInt8(ascii: "-"): output.append(byte)
      case UInt8(ascii: "."): hasPoint = true
      default:
        digits.append(byte)
        if !hasPoint { integerDigitCount += 1 }
      }
    }
    let pointIndex = integerDigitCount + exponent
    let zero = UInt8(ascii: "0")
    if pointIndex <= 0 {
      output.append("0.")
      output.append(contentsOf: repeatElement(zero, count: -pointIndex))
      output.append(contentsOf: digits)
    } else if pointIndex >= digits.count {
      output.append(contentsOf: digits)
      output.append(contentsOf: repeatElement(zero, count: pointIndex - digits.count))
      output.append(".0")
    } else {
      output.append(contentsOf: digits[..<pointIndex])
      output.append(UInt8(ascii: "."))
      output.append(contentsOf: digits[pointIndex...])
    }
  }

  /// `+16` or `-07`.
  private static func decimalValue(_ text: ArraySlice<UInt8>) -> Int {
    var magnitude = 0
    for byte in text where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") {
      magnitude = magnitude * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return text.first == UInt8(ascii: "-") ? -magnitude : magnitude
  }
}
