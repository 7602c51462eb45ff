import Protocol
import Testing

@Suite("RFC 9112 §6 message body framing")
struct MessageFramingTests {
  private func parse(_ lines: String, version: String = "HTTP/1.1") -> ParseOutcome {
    parseEveryWay("POST / \(version)\r\nHost: a\r\n\(lines)\r\n")
  }

  @Test(arguments: [
    ("", BodyFraming.none), ("Content-Length: 0\r\n", .length(0)), ("content-length:5\r\n", .length(5)),
    ("Content-Length: 007 \r\n", .length(7)), ("Content-Length: 9223372036854775807\r\n", .length(Int.max)),
    ("Transfer-Encoding: chunked\r\n", .chunked), ("tRANSFER-eNCODING:\tChunked\t\r\n", .chunked),
  ])
  func `the framing follows the fields`(lines: String, framing: BodyFraming) {
    #expect(parse(lines).head?.framing == framing)
  }

  @Test(arguments: [
    ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", HTTPError.contentLengthWithTransferEncoding),
    ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", .contentLengthWithTransferEncoding),
    ("Transfer-Encoding: gzip\r\nContent-Length: x\r\n", .contentLengthWithTransferEncoding),
    ("Content-Length: 5\r\nContent-Length: 6\r\n", .repeatedContentLength),
    ("Content-Length: 5\r\nContent-Length: 5\r\n", .repeatedContentLength),
    ("Content-Length: 5, 5\r\n", .invalidContentLength),
    ("Content-Length: +5\r\n", .invalidContentLength), ("Content-Length: -5\r\n", .invalidContentLength),
    ("Content-Length: -0\r\n", .invalidContentLength), ("Content-Length: 5 5\r\n", .invalidContentLength),
    ("Content-Length: 0x5\r\n", .invalidContentLength), ("Content-Length: 5.0\r\n", .invalidContentLength),
    ("Content-Length: 1e3\r\n", .invalidContentLength), ("Content-Length: 1_0\r\n", .invalidContentLength),
    ("Content-Length:\r\n", .invalidContentLength), ("Content-Length: \u{663}\r\n", .invalidContentLength),
    ("Content-Length: 9223372036854775808\r\n", .invalidContentLength),
    ("Content-Length: 18446744073709551621\r\n", .invalidContentLength),
    ("Content-Length: 99999999999999999999999999999\r\n", .invalidContentLength),
    ("Transfer-Encoding: chunked, gzip\r\n", .chunkedNotLast),
    ("Transfer-Encoding: chunked, chunked\r\n", .chunkedNotLast),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .chunkedNotLast),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", .chunkedNotLast),
    ("Transfer-Encoding: chunked,\r\n", .chunkedNotLast), ("Transfer-Encoding: ,chunked\r\n", .chunkedNotLast),
    ("Transfer-Encoding:\r\n", .chunkedNotLast),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", .chunkedNotLast),
    ("Transfer-Encoding : chunked\r\n", .whitespaceBeforeColon), ("Content-Length : 5\r\n", .whitespaceBeforeColon),
    ("Transfer-Encoding: \u{b}chunked\r\n", .controlCharacter(11)),
    ("X: y\r\n\tTransfer-Encoding: chunked\r\n", .foldedField),
    ("Transfer-Encoding:\r\n chunked\r\n", .foldedField),
  ])
  func `what two servers might frame in two ways is 400`(lines: String, error: HTTPError) {
    #expect(parse(lines).error == error)
    #expect(error.status == 400)
  }

  @Test(arguments: [
    "gzip", "identity", "gzip, chunked", "xchunked", "chunkedx", "\"chunked\"", "chunked;q=1", "chunk ed", "'chunked'",
  ])
  func `other transfer codings are 501`(codings: String) {
    let error = parse("Transfer-Encoding: \(codings)\r\n").error
    #expect(error == .unsupportedTransferCoding)
    #expect(error?.status == 501)
  }

  @Test func `a transfer coding in HTTP 1.0 is 400`() {
    #expect(parse("Transfer-Encoding: chunked\r\n", version: "HTTP/1.0").error == .transferEncodingInOldVersion)
  }
}

@Suite("RFC 9112 §9.3 persistence")
struct PersistenceTests {
  @Test(arguments: [
    ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
    ("HTTP/1.1", "Connection: x, CLOSE\r\n", false),
    ("HTTP/1.1", "Connection: keep-alive\r\nconnection: close\r\n", false),
    ("HTTP/1.1", "Connection: closed\r\n", true),
    ("HTTP/1.1", "Connection: Upgrade\r\n", true), ("HTTP/1.0", "", false),
    ("HTTP/1.0", "Connection: Keep-Alive\r\n", true), ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
  ])
  func `the version and the Connection field decide`(version: String, lines: String, keepsAlive: Bool) {
    #expect(parseEveryWay("GET / \(version)\r\nHost: a\r\n\(lines)\r\n").head?.keepsAlive == keepsAlive)
  }

  @Test func `pipelined requests and their bodies are taken one after another, in pieces of any size`() throws {
    let stream = Array(
      ("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        + "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        + "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: v\r\n\r\n"
        + "\r\nDELETE /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + "GET /5 HTTP/1.0\r\n\r\n").utf8)
    for pieceByteCount in 1...stream.count {
      var server = PipelineReader()
      var index = 0
      while index < stream.count {
        let end = min(index + pieceByteCount, stream.count)
        try server.receive(stream[index..<end])
        index = end
      }
      #expect(server.requests == ["/1 ", "/2 hello", "/3 abcde", "/4 ", "/5 "], "pieces of \(pieceByteCount)")
      #expect(server.pending.isEmpty)
    }
  }
}

/// What a connection does with the parser and the decoder.
private struct PipelineReader {
  var requests: [String] = []
  var pending: [UInt8] = []
  private var parser = RequestParser()
  private var head = RequestHead()
  private var decoder: BodyDecoder?
  private var path = ""
  private var body: [UInt8] = []

  mutating func receive(_ piece: ArraySlice<UInt8>) throws(HTTPError) {
    pending.append(contentsOf: piece)
    while true {
      if decoder == nil {
        let received = pending
        guard try parser.parse(received.span, into: &head) else { return }
        path = text(pending, head.path)
        decoder = try BodyDecoder(framing: head.framing, byteCountMax: 1024)
        pending.removeFirst(head.byteCount)
        body = []
      }
      let received = pending
      let consumed = try decoder?.decode(received.span, into: &body) ?? 0
      pending.removeFirst(consumed)
      guard decoder?.isFinished == true else { return }
      requests.append("\(path) \(String(decoding: body, as: UTF8.self))")
      decoder = nil
    }
  }
}

@Suite("RFC 9110 §10.1.1 Expect")
struct ExpectationTests {
  @Test(arguments: [
    ("HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 5\r\n", true),
    ("HTTP/1.1", "expect: 100-CONTINUE\r\nTransfer-Encoding: chunked\r\n", true),
    ("HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false),
    ("HTTP/1.1", "Expect: 100-continue\r\n", false),
    ("HTTP/1.1", "Content-Length: 5\r\n", false), ("HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 5\r\n", false),
  ])
  func `100-continue is asked for with a body in HTTP 1.1`(version: String, lines: String, expects: Bool) {
    #expect(parseEveryWay("POST / \(version)\r\nHost: a\r\n\(lines)\r\n").head?.expectsContinue == expects)
  }

  @Test(arguments: ["200-ok", "100-continue, x", "100-continue=1"])
  func `another expectation is 417`(value: String) {
    let error = parseEveryWay("POST / HTTP/1.1\r\nHost: a\r\nExpect: \(value)\r\nContent-Length: 5\r\n\r\n").error
    #expect(error == .unknownExpectation)
    #expect(error?.status == 417)
  }
}
