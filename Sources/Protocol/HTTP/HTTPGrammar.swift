/// The character classes and comparisons that HTTP's grammar is made of (RFC 9110 §5.6, RFC 3986 §2).
package enum HTTPGrammar {
  static let tab = UInt8(ascii: "\t")
  static let lineFeed = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let space = UInt8(ascii: " ")
  static let delete: UInt8 = 0x7F

  /// One bit for each token character below 64, and for each from 64 on: the test is made for every byte of a name.
  private static let lowTokenBits: UInt64 = 0x03FF_6CFA_0000_0000
  private static let highTokenBits: UInt64 = 0x57FF_FFFF_C7FF_FFFE

  /// A character of a token (`tchar`, RFC 9110 §5.6.2).
  @inline(__always)
  package static func isToken(_ byte: UInt8) -> Bool {
    let bits = byte & 0x40 == 0 ? lowTokenBits : highTokenBits
    return byte < 0x80 && (bits &>> UInt64(byte & 0x3F)) & 1 == 1
  }

  /// Whether the bytes are one or more token characters.
  package static func isToken(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    for index in range where !isToken(bytes[index]) { return false }
    return !range.isEmpty
  }

  /// A control character: anything below the space, the tab included, and DEL.
  static func isControl(_ byte: UInt8) -> Bool {
    byte < space || byte == delete
  }

  /// Where the first control character of the range is, or the end of the range: eight bytes at a time, since every
  /// byte of every head passes here.
  static func firstControl(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range is not of these bytes")
    // SAFETY: the bytes of UInt8 are all initialised.
    let raw = unsafe bytes.bytes
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highBits = ones &* 0x80
    var index = range.lowerBound
    while range.upperBound - index >= 8 {
      // SAFETY: index + 8 <= range.upperBound <= bytes.count.
      let word = unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self).littleEndian
      // A byte below n leaves its high bit in `(word - n) & ~word`; one that is DEL becomes 0, which is below 1.
      let belowSpace = (word &- ones &* UInt64(space)) & ~word
      let withoutDelete = word ^ (ones &* UInt64(delete))
      let isDelete = (withoutDelete &- ones) & ~withoutDelete
      // The lowest bit is exact: what a subtraction borrows disturbs only the bytes above the one that was found.
      let found = (belowSpace | isDelete) & highBits
      if found != 0 { return index &+ found.trailingZeroBitCount / 8 }
      index &+= 8
    }
    while index < range.upperBound, !isControl(bytes[index]) { index &+= 1 }
    return index
  }

  /// Where the first colon of the range is, or the end of the range.
  static func firstColon(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    bytes.firstIndex(of: UInt8(ascii: ":"), in: range)
  }

  /// Whether all bytes of the range, which lies within the bytes, are below DEL and none is the one that may not be there.
  static func isASCII(_ bytes: Span<UInt8>, _ range: Range<Int>, without byte: UInt8) -> Bool {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range is not of these bytes")
    var index = range.lowerBound
    while range.upperBound - index >= 8 {
      // SAFETY: index + 8 <= range.upperBound <= bytes.count.
      let word = unsafe bytes.word(at: index)
      // A mask is not zero exactly where there is a hit.
      let found =
        (word & ByteSearch.highBits) | ByteSearch.mask(of: delete, in: word) | ByteSearch.mask(of: byte, in: word)
      guard found == 0 else { return false }
      index &+= 8
    }
    while index < range.upperBound {
      guard bytes[index] < delete, bytes[index] != byte else { return false }
      index &+= 1
    }
    return true
  }

  /// Optional white space (`OWS`): space or tab.
  static func isOptionalWhitespace(_ byte: UInt8) -> Bool {
    byte == space || byte == tab
  }

  static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  /// The value of a hexadecimal digit of either case.
  static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
    default: nil
    }
  }

  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  /// Whether the bytes are exactly the literal.
  package static func equals(_ literal: StaticString, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let count = literal.utf8CodeUnitCount
    guard range.count == count, range.lowerBound >= 0, range.upperBound <= bytes.count else { return false }
    // SAFETY: a StaticString of a literal is utf8CodeUnitCount bytes that live as long as the process.
    let expected = unsafe UnsafeRawPointer(literal.utf8Start)
    guard count >= 8 else {
      for offset in 0..<count {
        // SAFETY: offset < count, the literal's bytes and the range's, which lies within the bytes.
        let byte = unsafe expected.load(fromByteOffset: offset, as: UInt8.self)
        guard unsafe bytes[unchecked: range.lowerBound &+ offset] == byte else { return false }
      }
      return true
    }
    // The last word may overlap the one before it.
    var offset = 0
    while offset < count {
      offset = min(offset, count &- 8)
      // SAFETY: offset + 8 <= count, as above.
      let word = unsafe expected.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
      guard unsafe bytes.word(at: range.lowerBound &+ offset) == word else { return false }
      offset &+= 8
    }
    return true
  }

  /// Whether the bytes are the literal, which is in lower case, when ASCII letters of either case are the same.
  package static func equals(
    ignoringCase literal: StaticString, _ bytes: Span<UInt8>, _ range: Range<Int>
  ) -> Bool {
    let count = literal.utf8CodeUnitCount
    guard range.count == count, range.lowerBound >= 0, range.upperBound <= bytes.count else { return false }
    // SAFETY: a StaticString of a literal is utf8CodeUnitCount bytes that live as long as the process.
    let expected = unsafe UnsafeRawPointer(literal.utf8Start)
    for offset in 0..<count {
      // SAFETY: offset < count, the literal's bytes and the range's, which lies within the bytes.
      let byte = unsafe expected.load(fromByteOffset: offset, as: UInt8.self)
      guard unsafe lowercased(bytes[unchecked: range.lowerBound &+ offset]) == byte else { return false }
    }
    return true
  }

  /// The range without the white space at its ends.
  static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, isOptionalWhitespace(bytes[lower]) { lower += 1 }
    while upper > lower, isOptionalWhitespace(bytes[upper - 1]) { upper -= 1 }
    return lower..<upper
  }

  /// Where the byte is first found in the range, which lies within the bytes.
  static func firstIndex(of byte: UInt8, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    let index = bytes.firstIndex(of: byte, in: range)
    return index < range.upperBound ? index : nil
  }

  /// Takes the part of `rest` before the next separator, and leaves what follows it; nil once nothing is left.
  /// `a,b,` has the parts `a`, `b` and an empty one.
  static func nextPart(_ bytes: Span<UInt8>, of rest: inout Range<Int>?, separatedBy separator: UInt8) -> Range<Int>? {
    guard let range = rest else { return nil }
    guard let end = firstIndex(of: separator, bytes, range) else {
      rest = nil
      return range
    }
    rest = (end + 1)..<range.upperBound
    return range.lowerBound..<end
  }

  /// Whether the bytes are `uri-host [ ":" port ]` (RFC 9110 §7.2), or nothing, which a Host field may also be.
  static func isAuthority(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var index = range.lowerBound
    if index < range.upperBound, bytes[index] == UInt8(ascii: "[") {
      guard let end = firstIndex(of: UInt8(ascii: "]"), bytes, range), end > index + 1 else { return false }
      for inside in (index + 1)..<end {
        let byte = bytes[inside]
        guard hexadecimalValue(byte) != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") else {
          return false
        }
      }
      index = end + 1
    } else {
      while index < range.upperBound, isRegisteredName(bytes[index]) { index += 1 }
    }
    guard index < range.upperBound else { return true }
    guard bytes[index] == UInt8(ascii: ":"), index > range.lowerBound else { return false }
    let port = (index + 1)..<range.upperBound
    for index in port where !isDigit(bytes[index]) { return false }
    return port.count <= portDigitCountMax
  }

  /// 65,535 is the last port.
  private static let portDigitCountMax = 5

  /// A character of a `reg-name` (RFC 3986 §3.2.2).
  private static func isRegisteredName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"), UInt8(ascii: "%"), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="):
      true
    default: false
    }
  }
}
