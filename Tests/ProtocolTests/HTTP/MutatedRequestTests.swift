import Protocol
import Testing

/// A small deterministic generator (SplitMix64), so that a seed replays a failure.
private struct RequestMutationGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// Requests that are nearly right. To replay a failure, run the test with the seed of its argument alone; the
/// iteration is in the message.
@Suite("RFC 9112 §2.2 robustness against mutated requests")
struct MutatedRequestTests {
  private static let corpus: [[UInt8]] = [
    "GET /ws/task/t-1?token=a.b.c&x=%41+ HTTP/1.1\r\nHost: a.example:80\r\nCookie: s=1; t=\"2\"\r\n\r\n",
    "POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhelloGET / HTTP/1.1\r\n",
    "POST http://b:1/p%2Fq HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: signalbox.v1, bearer.a.b.c\r\n\r\n",
    "\r\nOPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
  ].map { Array($0.utf8) }

  private static let splices: [[UInt8]] = [
    "\r", "\n", "\r\n", "\r\n\r\n", "\0", "\t", " ", ":", ",", ";", "%", "%0", "%zz", "=", "&", "?", "#", "/", "0", "9",
    "f", "-", "\u{7f}", "\u{80}",
    "Host: b\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n", "\r\n x",
    "ffffffffffffffff", "99999999999999999999", "HTTP/2.0", "Connection: close\r\n", "Upgrade: websocket\r\n",
  ].map { Array($0.utf8) }

  private func mutate(_ request: [UInt8], _ random: inout RequestMutationGenerator) -> [UInt8] {
    var request = request
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let index = Int.random(in: 0...request.count, using: &random)
      let end = min(request.count, index + Int.random(in: 0...12, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: if index < request.count { request[index] = UInt8.random(in: .min ... .max, using: &random) }
      case 1: if index < request.count { request[index] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
      case 2: request.removeSubrange(index..<end)
      case 3:
        request.insert(contentsOf: Array(request[index..<end]), at: Int.random(in: 0...request.count, using: &random))
      default: request.insert(contentsOf: Self.splices.randomElement(using: &random) ?? [], at: index)
      }
    }
    return request
  }

  private func randomArrival(_ byteCount: Int, _ random: inout RequestMutationGenerator) -> [Int] {
    (0..<3).map { _ in Int.random(in: 0...byteCount, using: &random) }.sorted() + [byteCount]
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `nothing traps, and the pieces in which bytes arrive change nothing`(seed: UInt64) {
    var random = RequestMutationGenerator(state: seed)
    var completeCount = 0
    var refusedCount = 0
    for iteration in 0..<2_500 {
      let original = Self.corpus.randomElement(using: &random) ?? []
      let request = mutate(original, &random)
      let place: Comment =
        "seed \(seed), iteration \(iteration): \(String(decoding: request, as: UTF8.self).debugDescription)"
      let whole = parseHead(request, arrivingAt: [request.count])
      #expect(parseHead(request, arrivingAt: 0...request.count) == whole, place)
      #expect(parseHead(request, arrivingAt: randomArrival(request.count, &random)) == whole, place)
      switch whole {
      case .complete(let head):
        completeCount += 1
        #expect(violation(of: head, request) == nil, place)
        exerciseReaders(request)
        let body = Array(request[head.byteCount...])
        let decoded = decodeBody(body, framing: head.framing, byteCountMax: 64, arrivingAt: [body.count])
        #expect(decodeBody(body, framing: head.framing, byteCountMax: 64, arrivingAt: 0...body.count) == decoded, place)
        let pieces = randomArrival(body.count, &random)
        #expect(decodeBody(body, framing: head.framing, byteCountMax: 64, arrivingAt: pieces) == decoded, place)
        if case .finished(let bytes, let consumed) = decoded {
          #expect(bytes.count <= 64 && consumed <= body.count, place)
        }
      case .refused(let error):
        refusedCount += 1
        #expect([400, 413, 414, 417, 431, 501, 505].contains(error.status) && !error.detail.isEmpty, place)
      case .incomplete:
        break
      }
    }
    // Were nearly all of one kind, the mutations would test little.
    #expect(completeCount > 250 && refusedCount > 250)
  }

  @Test(arguments: [5, 6] as [UInt64])
  func `mutated chunks never trap, and never yield more than the bound`(seed: UInt64) {
    var random = RequestMutationGenerator(state: seed)
    let chunks = Array("3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: v\r\nU:\r\n\r\n".utf8)
    for iteration in 0..<2_500 {
      let body = mutate(chunks, &random)
      let place: Comment =
        "seed \(seed), iteration \(iteration): \(String(decoding: body, as: UTF8.self).debugDescription)"
      let whole = decodeBody(body, framing: .chunked, byteCountMax: 16, arrivingAt: [body.count])
      #expect(decodeBody(body, framing: .chunked, byteCountMax: 16, arrivingAt: 0...body.count) == whole, place)
      switch whole {
      case .finished(let decoded, _), .incomplete(let decoded), .refused(_, let decoded):
        #expect(decoded.count <= 16, place)
      }
    }
  }

  /// What must hold of every head that is accepted, found out another way than the parser's.
  private func violation(of head: ParsedHead, _ request: [UInt8]) -> String? {
    let bytes = request[..<head.byteCount]
    guard bytes.suffix(4) == [13, 10, 13, 10] else { return "the head does not end with an empty line" }
    for index in bytes.indices {
      if bytes[index] == 13, bytes[index + 1] != 10 { return "a bare CR" }
      if bytes[index] == 10, index == 0 || bytes[index - 1] != 13 { return "a bare LF" }
      if bytes[index] < 0x20, ![9, 10, 13].contains(bytes[index]) { return "a control character" }
    }
    let names = head.fields.map { String($0.prefix { $0 != "=" }).lowercased() }
    let hostCount = names.filter { $0 == "host" }.count
    if hostCount > 1 || (hostCount == 0 && head.minorVersion == 1) { return "\(hostCount) Hosts" }
    let lengthCount = names.filter { $0 == "content-length" }.count
    let codingCount = names.filter { $0 == "transfer-encoding" }.count
    if lengthCount + codingCount > 1 { return "\(lengthCount) lengths, \(codingCount) codings" }
    switch head.framing {
    case .none: return lengthCount + codingCount == 0 ? nil : "no framing"
    case .length(let count): return lengthCount == 1 && count >= 0 ? nil : "a length from nowhere"
    case .chunked: return codingCount == 1 && head.minorVersion == 1 ? nil : "chunked from nowhere"
    }
  }

  /// Everything that reads parts of a head later on.
  private func exerciseReaders(_ request: [UInt8]) {
    var parser = RequestParser()
    var head = RequestHead()
    let bytes = request.span
    guard (try? parser.parse(bytes, into: &head)) == true else { return }
    _ = splitPath(bytes.extracting(head.path))
    if let query = head.query {
      _ = QueryItems.first("token", in: bytes.extracting(query))
      _ = QueryItems.all(in: bytes.extracting(query))
    }
    if let cookie = head.first("cookie", in: bytes) { _ = Cookies.value(of: "t", in: bytes.extracting(cookie)) }
    guard let handshake = try? OpeningHandshake(head: head, bytes: bytes) else { return }
    var output: [UInt8] = []
    handshake.appendResponse(subprotocol: nil, extensions: nil, into: &output)
    #expect(handshake.acceptKey.count == 28)
  }
}
