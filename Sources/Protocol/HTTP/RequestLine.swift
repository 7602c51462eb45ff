/// Method, target and version (RFC 9112 §3). The line has no control characters: `HeadScanner` saw to it.
enum RequestLine {
  static func read(_ line: Range<Int>, of bytes: Span<UInt8>, into head: inout RequestHead) throws(HTTPError) {
    guard let methodEnd = HTTPGrammar.firstIndex(of: HTTPGrammar.space, bytes, line) else {
      throw .malformedRequestLine
    }
    head.methodRange = line.lowerBound..<methodEnd
    guard HTTPGrammar.isToken(bytes, head.methodRange) else { throw .invalidMethod }

    let rest = (methodEnd + 1)..<line.upperBound
    guard let targetEnd = HTTPGrammar.firstIndex(of: HTTPGrammar.space, bytes, rest), targetEnd > rest.lowerBound else {
      throw .malformedRequestLine
    }
    // The version comes before the target: `PRI * HTTP/2.0` is to be answered with 505.
    head.minorVersion = try minorVersion(bytes, (targetEnd + 1)..<line.upperBound)
    head.method = HTTPMethod(bytes, in: head.methodRange)
    head.target = rest.lowerBound..<targetEnd
    try readTarget(of: bytes, into: &head)
  }

  /// `HTTP/1.0` or `HTTP/1.1`, in these letters (RFC 9112 §2.3).
  private static func minorVersion(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HTTPError) -> Int {
    let start = range.lowerBound
    guard range.count == 8, HTTPGrammar.equals("HTTP/", bytes, start..<(start + 5)),
      HTTPGrammar.isDigit(bytes[start + 5]), bytes[start + 6] == UInt8(ascii: "."),
      HTTPGrammar.isDigit(bytes[start + 7])
    else { throw .malformedVersion }
    let major = Int(bytes[start + 5] &- UInt8(ascii: "0"))
    let minor = Int(bytes[start + 7] &- UInt8(ascii: "0"))
    guard major == 1, minor <= 1 else { throw .unsupportedVersion(major: major, minor: minor) }
    return minor
  }

  /// The four forms of RFC 9112 §3.2.
  private static func readTarget(of bytes: Span<UInt8>, into head: inout RequestHead) throws(HTTPError) {
    let target = head.target
    // Nothing but ASCII belongs into a URI, and a fragment stays with the client.
    guard HTTPGrammar.isASCII(bytes, target, without: UInt8(ascii: "#")) else { throw .invalidTarget }
    if HTTPGrammar.equals("CONNECT", bytes, head.methodRange) {
      guard bytes[target.lowerBound] != UInt8(ascii: ":"), HTTPGrammar.isAuthority(bytes, target) else {
        throw .invalidTarget
      }
      head.authority = target
      head.path = target
    } else if bytes[target.lowerBound] == UInt8(ascii: "/") {
      splitQuery(target, of: bytes, into: &head)
    } else if HTTPGrammar.equals("*", bytes, target), head.method == .options {
      head.path = target
    } else {
      try readAbsoluteForm(of: bytes, into: &head)
    }
  }

  private static func readAbsoluteForm(of bytes: Span<UInt8>, into head: inout RequestHead) throws(HTTPError) {
    let target = head.target
    guard let schemeEnd = HTTPGrammar.firstIndex(of: UInt8(ascii: ":"), bytes, target) else { throw .invalidTarget }
    let scheme = target.lowerBound..<schemeEnd
    guard
      HTTPGrammar.equals(ignoringCase: "http", bytes, scheme)
        || HTTPGrammar.equals(ignoringCase: "https", bytes, scheme)
        || HTTPGrammar.equals(ignoringCase: "ws", bytes, scheme)
        || HTTPGrammar.equals(ignoringCase: "wss", bytes, scheme),
      schemeEnd + 3 <= target.upperBound, HTTPGrammar.equals("://", bytes, schemeEnd..<(schemeEnd + 3))
    else { throw .invalidTarget }

    let start = schemeEnd + 3
    var end = start
    while end < target.upperBound, bytes[end] != UInt8(ascii: "/"), bytes[end] != UInt8(ascii: "?") { end += 1 }
    // An http URI without a host is invalid (RFC 9110 §4.2.1), and user information is not sent to servers (§4.2.4).
    guard end > start, HTTPGrammar.isAuthority(bytes, start..<end) else { throw .invalidTarget }
    head.authority = start..<end
    splitQuery(end..<target.upperBound, of: bytes, into: &head)
  }

  private static func splitQuery(_ range: Range<Int>, of bytes: Span<UInt8>, into head: inout RequestHead) {
    if let mark = HTTPGrammar.firstIndex(of: UInt8(ascii: "?"), bytes, range) {
      head.path = range.lowerBound..<mark
      head.query = (mark + 1)..<range.upperBound
    } else {
      head.path = range
      head.query = nil
    }
  }
}
