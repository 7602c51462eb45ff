import Protocol
import Testing

@Suite("RFC 9112 §5 field lines")
struct FieldLineTests {
  private func parse(_ lines: String) -> ParseOutcome {
    parseEveryWay("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
  }

  @Test func `values lose the white space around them and keep that inside`() {
    let parsed = parse("A:b\r\nC: \t d  e\t \r\nF:\r\nG: \t\r\nH: a:b\r\n").head
    #expect(parsed?.fields == ["Host=a", "A=b", "C=d  e", "F=", "G=", "H=a:b"])
  }

  @Test func `values may be any text above the controls`() {
    #expect(parse("X: \u{e4}\u{1F600}\tz\r\n").head?.fields.last == "X=\u{e4}\u{1F600}\tz")
  }

  @Test(arguments: [
    (" X: b\r\n", HTTPError.foldedField), ("\tX: b\r\n", .foldedField), ("X: b\r\n c\r\n", .foldedField),
    (" \r\n", .foldedField),
    ("X : b\r\n", .whitespaceBeforeColon), ("X\t: b\r\n", .whitespaceBeforeColon), (": b\r\n", .emptyFieldName),
    ("X\r\n", .missingColon), ("X Y\r\n", .invalidFieldName(0x20)), ("X(: b\r\n", .invalidFieldName(0x28)),
    ("X\u{e9}: b\r\n", .invalidFieldName(0xc3)), ("\"X\": b\r\n", .invalidFieldName(0x22)),
    ("X: \u{0}\r\n", .controlCharacter(0)), ("X: \u{b}\r\n", .controlCharacter(11)),
    ("X: \u{7f}\r\n", .controlCharacter(127)),
    ("X\u{0}: b\r\n", .controlCharacter(0)), ("X: \u{1b}[0m\r\n", .controlCharacter(27)),
  ])
  func `malformed lines are refused`(lines: String, error: HTTPError) {
    #expect(parse(lines).error == error)
    #expect(error.status == 400)
  }

  @Test func `a head whose first line after the request line is indented is refused`() {
    #expect(parseEveryWay("GET / HTTP/1.1\r\n Host: a\r\n\r\n").error == .foldedField)
  }

  @Test(arguments: 0..<20)
  func `at every place of a value, every byte but the controls is accepted`(place: Int) {
    for byte in UInt8.min ... .max {
      var request = Array("GET / HTTP/1.1\r\nHost: a\r\nX:\(String(repeating: "\u{7e}", count: 20))\r\n\r\n".utf8)
      request[request.count - 24 + place] = byte
      let outcome = parseHead(request, arrivingAt: [request.count])
      let isRefused = (byte < 0x20 && byte != 0x09) || byte == 0x7F
      #expect((outcome.error != nil) == isRefused, "byte \(byte)")
      #expect((outcome.head != nil) == !isRefused, "byte \(byte)")
    }
  }

  @Test func `exactly the 77 token characters make a name`() {
    let punctuation = Set("!#$%&'*+-.^_`|~".utf8)
    for byte in UInt8.min ... .max {
      let isAlphanumeric =
        byte < 0x80 && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber)
      let request = Array("GET / HTTP/1.1\r\nHost: a\r\nx".utf8) + [byte] + Array("y: z\r\n\r\n".utf8)
      let parsed = parseHead(request, arrivingAt: [request.count]).head
      // A colon ends the name one byte earlier.
      let isAccepted = isAlphanumeric || punctuation.contains(byte) || byte == UInt8(ascii: ":")
      #expect((parsed != nil) == isAccepted, "byte \(byte)")
    }
  }

  @Test func `64 fields are accepted and one more is 431`() {
    func request(_ count: Int) -> String {
      "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "a:b\r\n", count: count - 1) + "\r\n"
    }
    #expect(parseEveryWay(request(64)).head?.fields.count == 64)
    let error = parseEveryWay(request(65)).error
    #expect(error == .tooManyFields(countMax: 64))
    #expect(error?.status == 431)
  }

  @Test func `a head of 16 KiB is accepted and one byte more is 431`() {
    let fixed = "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n".utf8.count
    func request(_ byteCount: Int) -> String {
      "GET / HTTP/1.1\r\nHost: a\r\nX:" + String(repeating: "b", count: byteCount - fixed) + "\r\n\r\n"
    }
    #expect(parseEveryWay(request(16 * 1024)).head?.byteCount == 16 * 1024)
    let error = parseEveryWay(request(16 * 1024 + 1)).error
    #expect(error == .headTooLarge(byteCountMax: 16 * 1024))
    #expect(error?.status == 431)
  }

  @Test func `a buffer filled to the head bound by an incomplete head is refused, not waited for`() {
    let bytes = Array(("GET / HTTP/1.1\r\nX:" + String(repeating: "b", count: 16 * 1024)).utf8)
    #expect(parseHead(bytes, arrivingAt: [16 * 1024 - 1]) == .incomplete)
    #expect(parseHead(bytes, arrivingAt: [16 * 1024]).error == .headTooLarge(byteCountMax: 16 * 1024))
  }

  @Test(arguments: [39, 38])
  func `a small head bound is exact, empty lines before it included`(byteCountMax: Int) {
    let request = "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX: yyy\r\n\r\n"
    let outcome = parseEveryWay(request, limits: HTTPLimits(headByteCountMax: byteCountMax))
    #expect(request.utf8.count == 39)
    #expect(outcome.error == (byteCountMax < 39 ? .headTooLarge(byteCountMax: byteCountMax) : nil))
  }

  @Test func `finding the end of a head that comes byte by byte does not read it again and again`() {
    let bytes = Array(("GET / HTTP/1.1\r\nHost: a\r\nX:" + String(repeating: "b", count: 16_000) + "\r\n\r\n").utf8)
    let clock = ContinuousClock()
    func fastest(_ work: () -> Void) -> Duration { (0..<5).map { _ in clock.measure(work) }.min() ?? .zero }
    let whole = fastest { _ = parseHead(bytes, arrivingAt: [bytes.count]) }
    let trickled = fastest { _ = parseHead(bytes, arrivingAt: 0...bytes.count) }
    // A quadratic search takes about 8,000 times as long as one pass, this one less than 100 times.
    #expect(trickled < whole * 1_000)
  }
}

@Suite("RFC 9112 §3.2 Host")
struct HostTests {
  @Test func `HTTP 1.1 needs exactly one Host`() {
    #expect(parseEveryWay("GET / HTTP/1.1\r\n\r\n").error == .missingHost)
    #expect(parseEveryWay("GET http://a/ HTTP/1.1\r\n\r\n").error == .missingHost)
    #expect(parseEveryWay("GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n").error == .repeatedHost)
    #expect(parseEveryWay("GET / HTTP/1.1\r\nHOST: a\r\n\r\n").head?.authority == "a")
  }

  @Test func `HTTP 1.0 needs none, and takes no two`() {
    #expect(parseEveryWay("GET / HTTP/1.0\r\n\r\n").head?.authority == nil)
    #expect(parseEveryWay("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n").error == .repeatedHost)
  }

  @Test(arguments: [
    "", "a", "a.example:8080", "127.0.0.1", "[::1]", "[::ffff:1.2.3.4]:1", "a:", "a:65535", "xn--a_b~c",
  ])
  func `valid hosts`(host: String) {
    #expect(parseEveryWay("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").head?.authority == host)
  }

  @Test(arguments: [
    "a b", "a/b", "u@a", "a:b", "a:123456", ":80", "[::1", "[]", "[g]", "[::1]x", "a?b", "a:80:80", "ä",
  ])
  func `invalid hosts`(host: String) {
    #expect(parseEveryWay("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").error == .invalidHost)
  }
}

@Suite("RFC 9110 §5.6.1 lists")
struct ListTests {
  private func receive(_ lines: String) throws -> ReceivedRequest {
    try ReceivedRequest("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
  }

  @Test func `tokens are found in all occurrences, in either case, and only whole`() throws {
    let request = try receive(
      "Upgrade: h2c\r\nConnection: keep-alive ,\tUPGRADE\r\nuPGRADE: x, WebSocket/13,websocket\r\n")
    #expect(request.hasToken("websocket", in: .upgrade))
    #expect(request.hasToken("h2c", in: .upgrade))
    #expect(request.hasToken("upgrade", in: .connection))
    #expect(!request.hasToken("keep", in: .connection))
    #expect(!request.hasToken("alive", in: .connection))
    #expect(!request.hasToken("h2c", in: .connection))
    #expect(!request.hasToken("h2c", in: .expect))
  }

  @Test func `elements come in order, trimmed, without the empty ones`() throws {
    let request = try receive(
      "Cookie: a , b\r\nQ: z\r\ncookie:,,c\t,\r\nCOOKIE:\r\nOrigin: x\r\n")
    #expect(request.listElements(of: .cookie) == ["a", "b", "c"])
    #expect(request.head.isRepeated(.cookie))
    #expect(request.values(of: .cookie) == ["a , b", ",,c\t,", ""])
    #expect(request.first(.cookie) == "a , b")
    #expect(request.first("cookie") == "a , b")
    #expect(request.first("q") == "z")
    #expect(request.first(.origin) == "x")
    #expect(!request.head.isRepeated(.origin))
    #expect(request.first(.accept) == nil)
    #expect(request.first("accept") == nil)
    #expect(request.values(of: .accept) == [] && request.listElements(of: .accept) == [])
    #expect(!request.head.isRepeated(.accept))
  }

  /// Names whose meaning the parser acts on are left out: here they would make another request of it.
  @Test(arguments: KnownField.allCases.filter { ![.host, .contentLength, .transferEncoding, .expect].contains($0) })
  func `a known name is known in every case, and nothing that is nearly it`(field: KnownField) throws {
    let name = field.name.description
    let mixed = name.enumerated().map { $0.offset % 2 == 0 ? $0.element.uppercased() : String($0.element) }.joined()
    for spelling in [name, name.uppercased(), mixed] {
      let request = try receive("X: y\r\n\(spelling): found\r\nZ:\r\n")
      #expect(request.first(field) == "found")
      #expect(request.head.fields.compactMap(\.known) == [.host, field])
    }
    for place in name.indices {
      var other = name
      // Not a letter's other case, and for the hyphen the control character's neighbour that the comparison must not take.
      other.replaceSubrange(place...place, with: name[place] == "-" ? "_" : "!")
      #expect(try receive("\(other): no\r\n").first(field) == nil)
    }
    #expect(try receive("\(name)x: no\r\n\(name.dropLast()): no\r\n").first(field) == nil)
  }

  @Test func `a head is refilled without what the previous request left`() throws {
    var parser = RequestParser()
    var head = RequestHead()
    let first = Array("POST http://b/x?y HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n".utf8)
    let isFirstComplete = try parser.parse(first.span, into: &head)
    #expect(isFirstComplete && head.expectsContinue && head.query != nil)
    let second = Array("GET / HTTP/1.0\r\n\r\n".utf8)
    let isSecondComplete = try parser.parse(second.span, into: &head)
    #expect(isSecondComplete)
    #expect(ParsedHead(head, second) == parseHead(second, arrivingAt: [second.count]).head)
    #expect(head.query == nil && head.authority == nil && head.fields.isEmpty && !head.expectsContinue)
  }
}
