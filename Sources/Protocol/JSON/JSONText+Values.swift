extension JSONText {
  /// Normalises the validated JSON value that `range` of `bytes` is: white space between tokens goes, escapes become
  /// UTF-8 except where RFC 8259 §7 wants them, numbers stay exactly as they were written.
  package init(normalising range: Range<Int>, of bytes: Span<UInt8>) {
    var output: [UInt8] = []
    output.reserveCapacity(range.count)
    Self.appendNormalised(range, of: bytes, to: &output)
    self.init(normalised: output)
  }

  package init(string: String) {
    var output: [UInt8] = []
    JSONWriter.appendEscaped(string, into: &output)
    self.init(normalised: output)
  }

  package init(integer: Int) {
    var output: [UInt8] = []
    output.append(decimal: integer)
    self.init(normalised: output)
  }

  /// The shortest decimal that reads back as the same double, without an exponent; `null` where it is not finite.
  package init(double: Double) {
    var output: [UInt8] = []
    JSONWriter.appendDouble(double, into: &output)
    self.init(normalised: output)
  }

  package init(bool: Bool) {
    self.init(normalised: Array((bool ? "true" : "false").utf8))
  }

  package var kind: JSONKind {
    switch bytes.first {
    case UInt8(ascii: "{"): .object
    case UInt8(ascii: "["): .array
    case UInt8(ascii: "\""): .string
    case UInt8(ascii: "t"): .true
    case UInt8(ascii: "f"): .false
    case UInt8(ascii: "n"): .null
    default: .number
    }
  }

  package var isNull: Bool { kind == .null }

  /// The unescaped string; nil for other kinds and for lone surrogates.
  package var string: String? { JSONDecode.string(0..<bytes.count, in: bytes.span) }

  /// The number as a double; nil for other kinds and beyond its range.
  package var double: Double? { JSONDecode.double(0..<bytes.count, in: bytes.span) }

  /// The number where it is whole and fits.
  package var int: Int? { JSONDecode.int(0..<bytes.count, in: bytes.span) }

  package var bool: Bool? {
    switch kind {
    case .true: true
    case .false: false
    case .object, .array, .string, .number, .null: nil
    }
  }

  /// The normal form's bytes, appended. What needs no change is copied in runs: where nothing does, in one.
  package static func appendNormalised(
    _ range: Range<Int>, of bytes: Span<UInt8>, to output: inout [UInt8]
  ) {
    let end = range.upperBound
    var runStart = range.lowerBound
    var index = runStart
    var isInString = false
    while index < end {
      let byte = bytes[index]
      if byte == UInt8(ascii: "\"") {
        isInString.toggle()
        index += 1
      } else if isInString ? byte == UInt8(ascii: "\\") : byte <= 0x20 {
        output.append(bytes.extracting(runStart..<index))
        if isInString {
          appendNormalisedEscape(bytes, &index, end: end, to: &output)
        } else {
          index += 1
        }
        runStart = index
      } else {
        index += 1
      }
    }
    output.append(bytes.extracting(runStart..<end))
  }

  private static func appendNormalisedEscape(
    _ bytes: Span<UInt8>, _ index: inout Int, end: Int, to output: inout [UInt8]
  ) {
    let start = index
    switch JSONScanner.readEscape(bytes, &index, end: end) {
    case .scalar(let scalar): JSONWriter.appendEscaped(scalar, into: &output)
    case .loneSurrogate: output.append(bytes.extracting(start..<index))
    }
  }
}
