/// Reads the heads of HTTP/1.1 and HTTP/1.0 requests (RFC 9112), strictly: what two implementations might read in two
/// ways is refused, because the difference is how requests are smuggled past a proxy.
///
/// A connection keeps one parser. `parse` is called with all bytes that came since the end of the previous request;
/// after it returned true the caller drops `head.byteCount` bytes, then the body (`BodyDecoder`), and calls it again.
package struct RequestParser: Sendable {
  private let limits: HTTPLimits
  private var scanner = HeadScanner()

  package init(limits: HTTPLimits = .standard) {
    self.limits = limits
  }

  /// Forgets how far an incomplete head was searched.
  package mutating func reset() {
    scanner = HeadScanner()
  }

  /// Fills `head` from the request that starts at the first byte. False: incomplete, and `head` is as it was; call
  /// again with the same bytes and more. Throws what makes the connection unusable.
  package mutating func parse(_ bytes: Span<UInt8>, into head: inout RequestHead) throws(HTTPError) -> Bool {
    guard let byteCount = try scanner.scan(bytes, limits: limits) else { return false }
    guard let requestLine = scanner.requestLine else { return false }
    reset()

    head.clear()
    head.byteCount = byteCount
    try RequestLine.read(requestLine, of: bytes, into: &head)
    try FieldLines.read((requestLine.upperBound + 2)..<(byteCount - 2), of: bytes, into: &head)
    try MessageFraming.settle(&head, bytes)
    return true
  }
}
