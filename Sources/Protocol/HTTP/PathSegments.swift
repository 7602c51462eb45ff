/// The most segments of a path that is split. The longest route has seven.
package let pathSegmentCountMax = 32

/// The decoded segments of an absolute path: `/a/b` has `a` and `b`, `/` and the empty path have none, `/a/` has `a`
/// and an empty one. A `%2F` stays inside its segment. Nil where it does not begin with `/`, a segment does not
/// decode, or there are more than `pathSegmentCountMax`.
///
/// Dot segments stay as they are, since `..` may be an identifier; so segments must never be joined to a file's path.
package func splitPath(_ path: Span<UInt8>) -> [String]? {
  if path.isEmpty { return [] }
  guard path[0] == UInt8(ascii: "/") else { return nil }
  if path.count == 1 { return [] }
  var segments: [String] = []
  var rest: Range<Int>? = 1..<path.count
  while let segment = HTTPGrammar.nextPart(path, of: &rest, separatedBy: UInt8(ascii: "/")) {
    guard segments.count < pathSegmentCountMax,
      let decoded = PercentDecoding.decode(path.extracting(segment), plusIsSpace: false)
    else { return nil }
    segments.append(decoded)
  }
  return segments
}
