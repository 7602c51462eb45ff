/// Percent-encoding (RFC 3986 §2.1).
package enum PercentDecoding {
  /// The decoded text; nil for an incomplete or bad escape, and for what decodes to invalid UTF-8 or to a NUL.
  /// - Parameter plusIsSpace: as in forms and queries, never in paths.
  package static func decode(_ bytes: Span<UInt8>, plusIsSpace: Bool) -> String? {
    var needsDecoding = false
    for index in bytes.indices {
      let byte = bytes[index]
      if byte == 0 { return nil }
      if byte == UInt8(ascii: "%") || (plusIsSpace && byte == UInt8(ascii: "+")) { needsDecoding = true }
    }
    guard needsDecoding else { return String(validating: bytes) }

    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if byte == UInt8(ascii: "%") {
        guard bytes.count - index >= 3, let high = HTTPGrammar.hexadecimalValue(bytes[index + 1]),
          let low = HTTPGrammar.hexadecimalValue(bytes[index + 2])
        else { return nil }
        let value = high << 4 | low
        if value == 0 { return nil }
        decoded.append(value)
        index += 3
      } else {
        decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? HTTPGrammar.space : byte)
        index += 1
      }
    }
    return String(validating: decoded.span)
  }
}
