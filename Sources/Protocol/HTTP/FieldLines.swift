/// Header field lines (RFC 9112 §5). They end with CRLF and hold no control character but the tab: `HeadScanner` saw to
/// it, and counted them.
enum FieldLines {
  static func read(_ lines: Range<Int>, of bytes: Span<UInt8>, into head: inout RequestHead) throws(HTTPError) {
    var index = lines.lowerBound
    while index < lines.upperBound {
      let nameStart = index
      while index < lines.upperBound, HTTPGrammar.isToken(bytes[index]) { index += 1 }
      let name = nameStart..<index
      guard index < lines.upperBound, bytes[index] == UInt8(ascii: ":") else {
        throw refusal(of: bytes, lineFrom: nameStart, stoppedAt: index, linesEnd: lines.upperBound)
      }
      guard !name.isEmpty else { throw .emptyFieldName }
      index += 1
      let valueStart = index
      index = HTTPGrammar.firstControl(bytes, index..<lines.upperBound)
      while index < lines.upperBound, bytes[index] != HTTPGrammar.carriageReturn {
        index = HTTPGrammar.firstControl(bytes, (index + 1)..<lines.upperBound)
      }
      head.fields.append(HeaderField(name: name, value: HTTPGrammar.trimmed(bytes, valueStart..<index)))
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
