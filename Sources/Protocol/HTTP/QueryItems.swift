/// `name=value` pairs between `&`, percent-encoded, with `+` for a space: what forms and URLSearchParams write
/// (WHATWG URL §5). A pair without `=` has an empty value; empty pairs are skipped.
package enum QueryItems {
  /// The value of the first pair of that name; nil where there is none or it does not decode.
  package static func first(_ name: String, in query: Span<UInt8>) -> String? {
    var rest: Range<Int>? = 0..<query.count
    while let pair = HTTPGrammar.nextPart(query, of: &rest, separatedBy: UInt8(ascii: "&")) {
      guard !pair.isEmpty else { continue }
      let (nameRange, valueRange) = split(pair, of: query)
      guard decode(nameRange, of: query) == name else { continue }
      return decode(valueRange, of: query)
    }
    return nil
  }

  /// All pairs in order; nil where one does not decode.
  package static func all(in query: Span<UInt8>) -> [(name: String, value: String)]? {
    var items: [(name: String, value: String)] = []
    var rest: Range<Int>? = 0..<query.count
    while let pair = HTTPGrammar.nextPart(query, of: &rest, separatedBy: UInt8(ascii: "&")) {
      guard !pair.isEmpty else { continue }
      let (nameRange, valueRange) = split(pair, of: query)
      guard let name = decode(nameRange, of: query), let value = decode(valueRange, of: query) else { return nil }
      items.append((name, value))
    }
    return items
  }

  private static func split(_ pair: Range<Int>, of query: Span<UInt8>) -> (name: Range<Int>, value: Range<Int>) {
    guard let equals = HTTPGrammar.firstIndex(of: UInt8(ascii: "="), query, pair) else {
      return (pair, pair.upperBound..<pair.upperBound)
    }
    return (pair.lowerBound..<equals, (equals + 1)..<pair.upperBound)
  }

  private static func decode(_ range: Range<Int>, of query: Span<UInt8>) -> String? {
    PercentDecoding.decode(query.extracting(range), plusIsSpace: true)
  }
}
