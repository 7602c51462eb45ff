import Protocol
import Testing

@Suite("RFC 9112 §4 responses")
struct ResponseHeadTests {
  private func head(
    _ status: Int, contentType: StaticString? = nil, fields: [(name: String, value: String)] = [],
    bodyByteCount: Int = 0, keepsAlive: Bool = true
  ) -> String {
    var output: [UInt8] = []
    ResponseHead.append(
      status: status, contentType: contentType, extraFields: fields, bodyByteCount: bodyByteCount,
      keepsAlive: keepsAlive, into: &output)
    return String(decoding: output, as: UTF8.self)
  }

  @Test func `an answer has a status line, its type and its length`() {
    #expect(
      head(200, contentType: "application/json", bodyByteCount: 17)
        == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n")
  }

  @Test func `an answer has its date first`() {
    var output: [UInt8] = []
    ResponseHead.append(
      status: 204, contentType: nil, bodyByteCount: 0, keepsAlive: true,
      date: Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8), into: &output)
    #expect(
      String(decoding: output, as: UTF8.self)
        == "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n")
  }

  @Test func `a connection that ends says so`() {
    #expect(
      head(400, keepsAlive: false) == "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
  }

  @Test(arguments: [(true, "Upgrade"), (false, "Upgrade, close")])
  func `an offered upgrade is a matter of this connection`(keepsAlive: Bool, connection: String) {
    #expect(
      head(426, fields: [("Upgrade", "websocket")], keepsAlive: keepsAlive)
        == "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: \(connection)\r\n\r\n"
    )
  }

  @Test(arguments: [101, 204, 304])
  func `answers that cannot have a body state no length`(status: Int) {
    #expect(!head(status).contains("Content-Length"))
  }

  @Test func `extra fields are written in order`() {
    #expect(
      head(405, fields: [("Allow", "GET, HEAD"), ("X-Name", "你好")])
        == "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nX-Name: 你好\r\nContent-Length: 0\r\n\r\n")
  }

  @Test(arguments: ["a\r\nSet-Cookie: b=c", "a\nb", "a\rb", "\r\n\r\n<body>", "a\u{0}b", "a\u{7f}b"])
  func `a value cannot end its line`(value: String) {
    let written = head(200, fields: [("X", value)])
    #expect(written.utf8.filter { $0 == 0x0A }.count == 4)
    #expect(written.utf8.filter { $0 == 0x0D }.count == 4)
    #expect(written.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A || $0 == 0x0D })
    #expect(written.hasSuffix("\r\nContent-Length: 0\r\n\r\n"))
  }

  @Test(arguments: [
    "", "A B", "A:", "A\r\nB", "Ä", "Content-Length", "transfer-encoding", "CONNECTION", "content-type",
  ])
  func `a name that is no token or has another writer is left out`(name: String) {
    #expect(head(200, fields: [(name, "x")]) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
  }

  @Test func `a stream ends with its connection`() {
    var output: [UInt8] = []
    ResponseHead.appendStream(
      status: 200, contentType: "text/event-stream", extraFields: [("X-Accel-Buffering", "no")], into: &output)
    #expect(
      String(decoding: output, as: UTF8.self)
        == "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nConnection: close\r\n\r\n")
  }

  @Test func `the interim answer is a head alone`() {
    var output: [UInt8] = []
    ResponseHead.appendContinue(into: &output)
    #expect(String(decoding: output, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
  }

  @Test(arguments: [
    100, 101, 200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 422, 426, 429, 431, 500,
    501,
    503, 505,
  ])
  func `every status in use has a phrase`(status: Int) {
    #expect(HTTPStatus.reasonPhrase(status).utf8CodeUnitCount > 0)
  }

  @Test func `an unknown status keeps the space that the grammar wants`() {
    #expect(head(499) == "HTTP/1.1 499 \r\nContent-Length: 0\r\n\r\n")
  }
}
