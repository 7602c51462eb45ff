/// Header field lines (RFC 9112 §5). They end with CRLF and hold no control character but the tab: `HeadScanner` saw to
/// it, and counted them.
enum FieldLines {
  static func read(_ lines: Range<Int>, of bytes: Span<UInt8>, into head: inout RequestHead) throws(HTTPError) {
    var index = lines.lowerBound
    while index < lines.upperBound {
      let nameStart = index
      // The line may have no colon, so that this is another's: then there is a CR before it, which is in no name.
      index = HTTPGrammar.firstColon(bytes, index..<lines.upperBound)
      let name = nameStart..<index
      let known = KnownField(bytes, name)
      if known == nil {
        var end = nameStart
        while end < index, HTTPGrammar.isToken(bytes[end]) { end += 1 }
        guard end == index, index < lines.upperBound else {
          throw refusal(of: bytes, lineFrom: nameStart, stoppedAt: end, linesEnd: lines.upperBound)
        }
        guard !name.isEmpty else { throw .emptyFieldName }
      } else if index == lines.upperBound {
        throw .missingColon
      }
      index += 1
      let valueStart = index
      index = bytes.firstIndex(of: HTTPGrammar.carriageReturn, in: index..<lines.upperBound)
      head.append(
        HeaderField(name: name, value: HTTPGrammar.trimmed(bytes, valueStart..<index), known: known))
      index += 2
    }
  }

  /// Says what is wrong with a line whose name is not followed by a colon.
  private static func refusal(
    of bytes: Span<UInt8>, lineFrom start: Int, stoppedAt index: Int, linesEnd: Int
  ) -> HTTPError {
    guard index < linesEnd, bytes[index] != HTTPGrammar.carriageReturn else { return .missingColon }
    guard HTTPGrammar.isOptionalWhitespace(bytes[index]) else { return .invalidFieldName(bytes[index]) }
    if index == start { return .foldedField }
    var next = index
    while next < linesEnd, HTTPGrammar.isOptionalWhitespace(bytes[next]) { next += 1 }
    return next < linesEnd && bytes[next] == UInt8(ascii: ":")
      ? .whitespaceBeforeColon : .invalidFieldName(bytes[index])
  }
}
