/// The `Cookie` field (RFC 6265 §4.2): `name=value` pairs between `;`.
package enum Cookies {
  /// The value of the first cookie of that name, without the quotation marks that may enclose it; nil where there is
  /// none or it is not UTF-8. Browsers send the cookie of the most specific path first.
  package static func value(of name: String, in header: Span<UInt8>) -> String? {
    var rest: Range<Int>? = 0..<header.count
    while let part = HTTPGrammar.nextPart(header, of: &rest, separatedBy: UInt8(ascii: ";")) {
      guard let equals = HTTPGrammar.firstIndex(of: UInt8(ascii: "="), header, part) else { continue }
      let nameRange = HTTPGrammar.trimmed(header, part.lowerBound..<equals)
      guard String(validating: header.extracting(nameRange)) == name else { continue }
      var value = HTTPGrammar.trimmed(header, (equals + 1)..<part.upperBound)
      if value.count >= 2, header[value.lowerBound] == UInt8(ascii: "\""),
        header[value.upperBound - 1] == UInt8(ascii: "\"")
      {
        value = (value.lowerBound + 1)..<(value.upperBound - 1)
      }
      return String(validating: header.extracting(value))
    }
    return nil
  }
}
