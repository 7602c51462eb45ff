import Protocol
import Testing

@Suite("RFC 9112 §3 request line")
struct RequestLineTests {
  private func head(_ requestLine: String, host: String = "a.example") -> ParseOutcome {
    parseEveryWay("\(requestLine)\r\nHost: \(host)\r\n\r\n")
  }

  @Test(arguments: [
    ("GET", HTTPMethod.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("PATCH", .patch), ("DELETE", .delete),
    ("OPTIONS", .options), ("get", .other), ("GETS", .other), ("TRACE", .other), ("M-SEARCH", .other),
    ("!#$%&'*+.^_`|~", .other),
  ])
  func `methods are told apart in exactly their case`(name: String, method: HTTPMethod) {
    let parsed = head("\(name) / HTTP/1.1").head
    #expect(parsed?.method == method)
    #expect(parsed?.methodText == name)
  }

  @Test func `origin form is split at the first question mark`() {
    let parsed = head("GET /a/b%2Fc?x=1?2&y HTTP/1.1").head
    #expect(parsed?.target == "/a/b%2Fc?x=1?2&y")
    #expect(parsed?.path == "/a/b%2Fc")
    #expect(parsed?.query == "x=1?2&y")
    #expect(parsed?.authority == "a.example")
  }

  @Test func `no query and an empty query differ`() {
    #expect(head("GET / HTTP/1.1").head?.query == nil)
    #expect(head("GET /? HTTP/1.1").head?.query == "")
  }

  @Test(arguments: [
    ("http://b.example/p?q", "/p", "q", "b.example"), ("HTTPS://b.example:8443/", "/", nil, "b.example:8443"),
    ("http://b.example", "", nil, "b.example"), ("http://b.example?q=/", "", "q=/", "b.example"),
    ("ws://[::1]:80/ws", "/ws", nil, "[::1]:80"),
  ])
  func `absolute form carries path, query and the authority that overrides Host`(
    target: String, path: String, query: String?, authority: String
  ) {
    let parsed = head("GET \(target) HTTP/1.1").head
    #expect(parsed?.target == target)
    #expect(parsed?.path == path)
    #expect(parsed?.query == query)
    #expect(parsed?.authority == authority)
  }

  @Test func `asterisk form belongs to OPTIONS and authority form to CONNECT`() {
    #expect(head("OPTIONS * HTTP/1.1").head?.path == "*")
    #expect(head("GET * HTTP/1.1").error == .invalidTarget)
    #expect(head("CONNECT b.example:443 HTTP/1.1").head?.authority == "b.example:443")
    #expect(head("CONNECT /path HTTP/1.1").error == .invalidTarget)
    #expect(head("GET b.example:443 HTTP/1.1").error == .invalidTarget)
  }

  @Test(arguments: [
    "a", "a/b", "?q", "ftp://b.example/", "http:/b.example/", "http://", "http:///p", "http://?q",
    "http://u:p@b.example/",
    "/a#fragment", "/ä", "/\u{80}", "http", "http:", "http://:80/",
  ])
  func `other targets are refused`(target: String) {
    #expect(head("GET \(target) HTTP/1.1").error == .invalidTarget)
  }

  @Test(arguments: [
    ("GET /", HTTPError.malformedRequestLine), ("GET", .malformedRequestLine),
    ("GET  / HTTP/1.1", .malformedRequestLine),
    ("GET /a b HTTP/1.1", .malformedVersion), ("GET / HTTP/1.1 ", .malformedVersion),
    ("GET /  HTTP/1.1", .malformedVersion),
    (" GET / HTTP/1.1", .invalidMethod), ("G(T / HTTP/1.1", .invalidMethod), ("G\u{e9}T / HTTP/1.1", .invalidMethod),
    ("GET\t/ HTTP/1.1", .controlCharacter(9)), ("GET /\u{0} HTTP/1.1", .controlCharacter(0)),
    ("GET /\u{7f} HTTP/1.1", .controlCharacter(127)), ("\u{16}\u{3}\u{1}", .controlCharacter(0x16)),
    ("GET / http/1.1", .malformedVersion), ("GET / HTTP/11", .malformedVersion), ("GET / HTTP/1.10", .malformedVersion),
    ("GET / HTTP/+.1", .malformedVersion), ("GET / HTTP/1,1", .malformedVersion), ("GET / ICY/1.1", .malformedVersion),
    ("GET / HTTP/1.", .malformedVersion),
  ])
  func `malformed lines are refused`(line: String, error: HTTPError) {
    #expect(head(line).error == error)
    #expect(error.status == 400)
  }

  @Test(arguments: [("HTTP/2.0", 2, 0), ("HTTP/0.9", 0, 9), ("HTTP/1.2", 1, 2), ("HTTP/3.0", 3, 0), ("HTTP/9.9", 9, 9)])
  func `other versions are 505`(version: String, major: Int, minor: Int) {
    let error = head("GET / \(version)").error
    #expect(error == .unsupportedVersion(major: major, minor: minor))
    #expect(error?.status == 505)
  }

  @Test func `the preface of HTTP slash 2 is 505`() {
    let outcome = parseEveryWay("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    #expect(outcome.error?.status == 505)
  }

  @Test func `HTTP 1.0 and 1.1 are understood`() {
    #expect(head("GET / HTTP/1.0").head?.minorVersion == 0)
    #expect(head("GET / HTTP/1.1").head?.minorVersion == 1)
  }

  @Test func `a request line of the bound is accepted and one byte more is 414`() {
    let limits = HTTPLimits(requestLineByteCountMax: 40)
    let fixed = "GET / HTTP/1.1".utf8.count
    func request(_ byteCount: Int) -> String {
      "GET /\(String(repeating: "a", count: byteCount - fixed)) HTTP/1.1\r\nHost: a.example.org\r\n\r\n"
    }
    #expect(parseEveryWay(request(40), limits: limits).head?.target.utf8.count == 27)
    let error = parseEveryWay(request(41), limits: limits).error
    #expect(error == .requestLineTooLong(byteCountMax: 40))
    #expect(error?.status == 414)
  }

  @Test func `the standard request line bound is 8 KiB, and is hit before the line ends`() {
    let fixed = "GET / HTTP/1.1".utf8.count
    let longest = String(repeating: "a", count: 8 * 1024 - fixed)
    #expect(parseEveryWay("GET /\(longest) HTTP/1.1\r\nHost: a\r\n\r\n").head != nil)
    #expect(parseEveryWay("GET /\(longest)a HTTP/1.1\r\nHost: a\r\n\r\n").error?.status == 414)
    #expect(parseEveryWay("GET /" + String(repeating: "a", count: 8 * 1024)).error?.status == 414)
  }
}

@Suite("RFC 9112 §2.2 line ends and empty lines")
struct LineEndTests {
  @Test(arguments: 0...2)
  func `empty lines before the request line are skipped and counted`(count: Int) {
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    let parsed = parseEveryWay(String(repeating: "\r\n", count: count) + request).head
    #expect(parsed?.path == "/")
    #expect(parsed?.byteCount == request.utf8.count + 2 * count)
  }

  @Test func `a third empty line is refused`() {
    #expect(parseEveryWay("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").error == .leadingEmptyLines(countMax: 2))
  }

  @Test(arguments: [
    ("GET / HTTP/1.1\nHost: a\n\n", HTTPError.bareLineFeed), ("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed), ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed),
    ("GET / HTTP/1.1\rHost: a\r\n\r\n", .bareCarriageReturn),
    ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", .bareCarriageReturn),
    ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", .bareCarriageReturn),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", .bareCarriageReturn),
    ("GET / HTTP/1.1\r\nHost: a\r\tb\r\n\r\n", .bareCarriageReturn), ("\rGET / HTTP/1.1\r\n\r\n", .bareCarriageReturn),
  ])
  func `a carriage return or line feed alone is refused`(request: String, error: HTTPError) {
    #expect(parseEveryWay(request).error == error)
    #expect(error.status == 400)
  }

  @Test func `what is incomplete is waited for`() {
    let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    for count in 0..<request.count { #expect(parseHead(request, arrivingAt: [count]) == .incomplete) }
    #expect(parseHead(request, arrivingAt: [request.count]).head?.byteCount == request.count)
  }
}
