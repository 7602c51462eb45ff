import Protocol
import Testing

@Suite("RFC 9112 §6.2 Content-Length bodies")
struct CountedBodyTests {
  @Test func `the body ends where it was said, and what follows is left`() {
    #expect(
      decodeEveryWay("helloGET /", framing: .length(5)) == .finished(body: Array("hello".utf8), consumedByteCount: 5))
    #expect(decodeEveryWay("hell", framing: .length(5)) == .incomplete(body: Array("hell".utf8)))
  }

  @Test(arguments: [BodyFraming.none, .length(0)])
  func `no body takes no byte`(framing: BodyFraming) {
    #expect(decodeEveryWay("GET /", framing: framing) == .finished(body: [], consumedByteCount: 0))
  }

  @Test func `a length of the bound is accepted and one more is 413 at once`() throws {
    _ = try BodyDecoder(framing: .length(100), byteCountMax: 100)
    #expect(throws: HTTPError.bodyTooLarge(byteCountMax: 100)) {
      try BodyDecoder(framing: .length(101), byteCountMax: 100)
    }
    #expect(throws: HTTPError.bodyTooLarge(byteCountMax: 100)) {
      try BodyDecoder(framing: .length(.max), byteCountMax: 100)
    }
    #expect(HTTPError.bodyTooLarge(byteCountMax: 100).status == 413)
  }
}

@Suite("RFC 9112 §7.1 chunked bodies")
struct ChunkedBodyTests {
  @Test(arguments: [
    ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "ab"),
    ("a\r\n0123456789\r\n00\r\n\r\n", "0123456789"), ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    ("0000000000000001\r\nx\r\n0\r\n\r\n", "x"), ("2;a=b\r\nhi\r\n0;c=\"d e\"\r\n\r\n", "hi"),
    ("2;\r\nhi\r\n0\r\n\r\n", "hi"),
    ("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"), ("1\r\nx\r\n0\r\nA: b\r\nC:\r\nD-e: \tf\t\r\n\r\n", "x"),
  ])
  func `chunks are joined, extensions and trailers dropped`(chunks: String, body: String) {
    let outcome = decodeEveryWay(chunks + "GET / HTTP/1.1")
    #expect(outcome == .finished(body: Array(body.utf8), consumedByteCount: chunks.utf8.count))
  }

  @Test func `what is incomplete is waited for`() {
    let chunks = Array("3;x\r\nabc\r\n0\r\nT: v\r\n\r\n".utf8)
    for count in 0..<chunks.count {
      let outcome = decodeBody(chunks, framing: .chunked, byteCountMax: 10, arrivingAt: [count])
      #expect(outcome == .incomplete(body: Array("abc".utf8.prefix(max(0, count - 5)))))
    }
  }

  @Test(arguments: [
    ("\r\n", HTTPError.invalidChunkSize), ("g\r\n", .invalidChunkSize), ("0x1\r\n", .invalidChunkSize),
    ("-1\r\n", .invalidChunkSize),
    ("+1\r\n", .invalidChunkSize), (" 1\r\n", .invalidChunkSize), ("1 \r\n", .invalidChunkSize),
    ("1 ;a\r\n", .invalidChunkSize),
    (";a\r\n", .invalidChunkSize), ("1_0\r\n", .invalidChunkSize), ("1\n", .invalidChunkSize),
    ("\u{0}", .invalidChunkSize),
    ("8000000000000000\r\n", .invalidChunkSize), ("ffffffffffffffff\r\n", .invalidChunkSize),
    ("00000000000000001\r\n", .invalidChunkSize), ("10000000000000005\r\n", .invalidChunkSize),
    ("1\ra", .bareCarriageReturn), ("1;a\rb", .bareCarriageReturn), ("1;a\nb", .bareLineFeed),
    ("1;\u{0}", .controlCharacter(0)),
    ("1\r\nab\r\n", .invalidChunkEnd), ("1\r\na\n", .invalidChunkEnd), ("1\r\na\r\r", .invalidChunkEnd),
    ("1\r\na1", .invalidChunkEnd),
    ("0\r\n\n", .bareLineFeed), ("0\r\n\r\r", .bareCarriageReturn), ("0\r\n x: y\r\n", .foldedField),
    ("0\r\nx: y\r\n z\r\n", .foldedField), ("0\r\n: y\r\n", .emptyFieldName),
    ("0\r\nx : y\r\n", .whitespaceBeforeColon),
    ("0\r\nx\r\n", .missingColon), ("0\r\nx(: y\r\n", .invalidFieldName(0x28)),
    ("0\r\n(x: y\r\n", .invalidFieldName(0x28)),
    ("0\r\nx: y\n", .bareLineFeed), ("0\r\nx: y\ra", .bareCarriageReturn), ("0\r\nx: \u{7f}", .controlCharacter(127)),
    ("0\r\nx\n", .bareLineFeed),
  ])
  func `malformed chunks are 400`(chunks: String, error: HTTPError) {
    #expect(decodeEveryWay(chunks).error == error)
    #expect(error.status == 400)
  }

  @Test func `a body of the bound is accepted, and one byte more is 413 before its data comes`() {
    #expect(decodeEveryWay("6\r\nabcdef\r\n4\r\nghij\r\n0\r\n\r\n", byteCountMax: 10).body == "abcdefghij")
    let outcome = decodeEveryWay("6\r\nabcdef\r\n5\r", byteCountMax: 10)
    #expect(outcome == .refused(.bodyTooLarge(byteCountMax: 10), body: Array("abcdef".utf8)))
    #expect(decodeEveryWay("b;", byteCountMax: 10).error == .bodyTooLarge(byteCountMax: 10))
    #expect(decodeEveryWay("7fffffffffffffff\r", byteCountMax: 10).error == .bodyTooLarge(byteCountMax: 10))
    #expect(
      decodeEveryWay("1\r\na\r\n7fffffffffffffff\r", byteCountMax: .max).error == .bodyTooLarge(byteCountMax: .max))
  }

  @Test func `chunk extensions are bounded for the whole body`() {
    let limits = HTTPLimits(chunkExtensionByteCountMax: 6)
    #expect(decodeEveryWay("1;ab\r\nx\r\n0;cd\r\n\r\n", limits: limits).body == "x")
    let error = decodeEveryWay("1;ab\r\nx\r\n0;cde\r\n\r\n", limits: limits).error
    #expect(error == .chunkExtensionsTooLong(byteCountMax: 6))
    let standard = HTTPLimits.standard.chunkExtensionByteCountMax
    #expect(decodeEveryWay("0;\(String(repeating: "a", count: standard - 1))\r\n\r\n").body == "")
    #expect(decodeEveryWay("0;\(String(repeating: "a", count: standard))\r\n\r\n").error?.status == 400)
  }

  @Test func `the trailer section is bounded in bytes`() {
    let limits = HTTPLimits(trailerByteCountMax: 20)
    #expect(
      decodeEveryWay("0\r\nA: bcd\r\nEfgh: ijk\r\n\r\n", limits: limits).error == .trailersTooLarge(byteCountMax: 20))
    #expect(decodeEveryWay("0\r\nA: bcd\r\nEfgh: ij\r\n\r\n", limits: limits).body == "")
    let longest = HTTPLimits.standard.trailerByteCountMax - "A:\r\n\r\n".utf8.count
    #expect(decodeEveryWay("0\r\nA:\(String(repeating: "b", count: longest))\r\n\r\n").body == "")
    #expect(decodeEveryWay("0\r\nA:\(String(repeating: "b", count: longest + 1))\r\n\r\n").error?.status == 431)
  }

  @Test func `the trailer section is bounded in fields`() {
    let countMax = HTTPLimits.standard.trailerFieldCountMax
    #expect(decodeEveryWay("0\r\n\(String(repeating: "a:b\r\n", count: countMax))\r\n").body == "")
    let error = decodeEveryWay("0\r\n\(String(repeating: "a:b\r\n", count: countMax + 1))\r\n").error
    #expect(error == .tooManyTrailers(countMax: countMax))
    #expect(error?.status == 431)
  }
}
