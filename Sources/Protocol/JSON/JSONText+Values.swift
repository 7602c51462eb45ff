extension JSONText {
  /// Normalises the validated JSON value that `range` of `bytes` is: white space between tokens goes, escapes become
  /// UTF-8 except where RFC 8259 §7 wants them, numbers stay exactly as they were written.
  package init(normalising range: Range<Int>, of bytes: Span<UInt8>) {
    guard Self.firstAbnormalIndex(bytes, in: range) < range.upperBound else {
      self.init(normalised: bytes.extracting(range))
      return
    }
    var output: [UInt8] = []
    output.reserveCapacity(range.count)
    Self.appendNormalised(range, of: bytes, to: &output)
    self.init(normalised: output)
  }

  /// The same for a member's value: what the scan found to be normal is copied as it is.
  package init(normalising member: JSONMember, of bytes: Span<UInt8>) {
    if member.valueIsNormal {
      self.init(normalised: bytes.extracting(member.value))
    } else {
      self.init(normalising: member.value, of: bytes)
    }
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
    switch utf8.first {
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
  package var string: String? {
    let view = utf8
    return JSONDecode.string(0..<view.count, in: view.span)
  }

  /// The number as a double; nil for other kinds and beyond its range.
  package var double: Double? {
    let view = utf8
    return JSONDecode.double(0..<view.count, in: view.span)
  }

  /// The number where it is whole and fits.
  package var int: Int? {
    let view = utf8
    return JSONDecode.int(0..<view.count, in: view.span)
  }

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
    while true {
      index = firstAbnormalIndex(bytes, in: index..<end, isInString: &isInString)
      output.append(bytes.extracting(runStart..<index))
      guard index < end else { return }
      if isInString {
        appendNormalisedEscape(bytes, &index, end: end, to: &output)
      } else {
        index += 1
      }
      runStart = index
    }
  }

  private static func firstAbnormalIndex(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int {
    var isInString = false
    return firstAbnormalIndex(bytes, in: range, isInString: &isInString)
  }

  /// The first white space outside strings or backslash within one; the range's end where there is none.
  ///
  /// - Parameter isInString: whether the range begins, and then whether the answer lies, within a string.
  private static func firstAbnormalIndex(
    _ bytes: Span<UInt8>, in range: Range<Int>, isInString: inout Bool
  ) -> Int {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
    let end = range.upperBound
    var index = range.lowerBound
    while index < end {
      if isInString { index = JSONScanner.skipPlain(bytes, from: index, end: end) }
      guard index < end else { break }
      // SAFETY: index < end <= count, checked above.
      let byte = unsafe bytes[unchecked: index]
      if byte == UInt8(ascii: "\"") {
        isInString.toggle()
      } else if isInString ? byte == UInt8(ascii: "\\") : byte <= 0x20 {
        return index
      }
      index &+= 1
      // Multi-byte sequences, of which there are rarely few.
      while isInString, index < end, bytes[index] >= 0x80 { index &+= 1 }
    }
    return end
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
