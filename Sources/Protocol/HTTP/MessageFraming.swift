/// Decides what the fields say about the message and the connection: the body's framing (RFC 9112 §6), persistence
/// (§9.3), the host (§3.2) and the expectation (RFC 9110 §10.1.1).
enum MessageFraming {
  static func settle(_ head: inout RequestHead, _ bytes: Span<UInt8>) throws(HTTPError) {
    try settleHost(&head, bytes)

    if head.first(.transferEncoding) != nil {
      guard head.minorVersion >= 1 else { throw .transferEncodingInOldVersion }
      guard head.first(.contentLength) == nil else { throw .contentLengthWithTransferEncoding }
      try requireChunkedAlone(head, bytes)
      head.framing = .chunked
    } else if let value = head.first(.contentLength) {
      // Even equal ones are refused: nobody sends two, but to find out who reads which.
      guard !head.isRepeated(.contentLength) else { throw .repeatedContentLength }
      head.framing = .length(try contentLength(bytes, value))
    }

    let closes = head.hasToken("close", in: .connection, bytes: bytes)
    let keeps = head.minorVersion >= 1 || head.hasToken("keep-alive", in: .connection, bytes: bytes)
    head.keepsAlive = keeps && !closes

    try settleExpectation(&head, bytes)
  }

  private static func settleHost(_ head: inout RequestHead, _ bytes: Span<UInt8>) throws(HTTPError) {
    guard let host = head.first(.host) else {
      guard head.minorVersion == 0 else { throw .missingHost }
      return
    }
    guard !head.isRepeated(.host) else { throw .repeatedHost }
    guard HTTPGrammar.isAuthority(bytes, host) else { throw .invalidHost }
    if head.authority == nil { head.authority = host }
  }

  private static func requireChunkedAlone(_ head: RequestHead, _ bytes: Span<UInt8>) throws(HTTPError) {
    let codings = head.listElements(of: .transferEncoding, in: bytes)
    var chunkedCount = 0
    for coding in codings where HTTPGrammar.equals(ignoringCase: "chunked", bytes, coding) { chunkedCount += 1 }
    guard let last = codings.last else { throw .chunkedNotLast }
    let endsWithChunked = HTTPGrammar.equals(ignoringCase: "chunked", bytes, last)
    guard chunkedCount == 0 || (chunkedCount == 1 && endsWithChunked) else { throw .chunkedNotLast }
    guard chunkedCount == 1, codings.count == 1 else { throw .unsupportedTransferCoding }
    // `chunked,` and a second, empty field: one coding to us, who knows what to others.
    guard !head.isRepeated(.transferEncoding), let value = head.first(.transferEncoding), value == last
    else { throw .chunkedNotLast }
  }

  /// `1*DIGIT`: no sign, no list, no white space inside, and no more than fits.
  private static func contentLength(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HTTPError) -> Int {
    guard !range.isEmpty else { throw .invalidContentLength }
    var value = 0
    for index in range {
      guard HTTPGrammar.isDigit(bytes[index]) else { throw .invalidContentLength }
      let (product, productOverflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, sumOverflows) = product.addingReportingOverflow(Int(bytes[index] &- UInt8(ascii: "0")))
      guard !productOverflows, !sumOverflows else { throw .invalidContentLength }
      value = sum
    }
    return value
  }

  private static func settleExpectation(_ head: inout RequestHead, _ bytes: Span<UInt8>) throws(HTTPError) {
    for expectation in head.listElements(of: .expect, in: bytes) {
      guard HTTPGrammar.equals(ignoringCase: "100-continue", bytes, expectation) else { throw .unknownExpectation }
      // HTTP/1.0 has no interim answers, and without a body there is nothing to wait for.
      head.expectsContinue = head.minorVersion >= 1 && head.framing != .none && head.framing != .length(0)
    }
  }
}
