/// base64url without padding (RFC 4648 §5, RFC 7515 §2), strict: one text for each sequence of bytes.
package enum Base64URL {
  package static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count / 3 * 4 + 4)
    var pending: UInt32 = 0
    var bitCount = 0
    for index in bytes.indices {
      pending = (pending << 8 | UInt32(bytes[index])) & 0xFFFF
      bitCount += 8
      while bitCount >= 6 {
        bitCount -= 6
        output.append(letter(pending >> UInt32(bitCount) & 0x3F))
      }
    }
    if bitCount > 0 { output.append(letter(pending << UInt32(6 - bitCount) & 0x3F)) }
    return output
  }

  /// Nil for padding, letters outside the alphabet, a length that no encoder makes, and bits that no byte holds: else a
  /// signature could be changed without changing what it says.
  package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    guard text.count % 4 != 1 else { return nil }
    var output: [UInt8] = []
    output.reserveCapacity(text.count / 4 * 3 + 2)
    var pending: UInt32 = 0
    var bitCount = 0
    for index in text.indices {
      guard let value = value(text[index]) else { return nil }
      pending = (pending << 6 | value) & 0x3FFF
      bitCount += 6
      if bitCount >= 8 {
        bitCount -= 8
        output.append(UInt8(truncatingIfNeeded: pending >> UInt32(bitCount)))
      }
    }
    guard pending & ((1 << UInt32(bitCount)) - 1) == 0 else { return nil }
    return output
  }

  private static func letter(_ value: UInt32) -> UInt8 {
    let value = UInt8(truncatingIfNeeded: value)
    return switch value {
    case 0..<26: UInt8(ascii: "A") + value
    case 26..<52: UInt8(ascii: "a") + value - 26
    case 52..<62: UInt8(ascii: "0") + value - 52
    case 62: UInt8(ascii: "-")
    default: UInt8(ascii: "_")
    }
  }

  private static func value(_ letter: UInt8) -> UInt32? {
    switch letter {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(letter - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(letter - UInt8(ascii: "a") + 26)
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(letter - UInt8(ascii: "0") + 52)
    case UInt8(ascii: "-"): 62
    case UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
