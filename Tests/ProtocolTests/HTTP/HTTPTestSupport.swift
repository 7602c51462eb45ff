import Protocol
import Testing

/// A request head with its ranges resolved, so that outcomes can be compared and read.
struct ParsedHead: Equatable, CustomStringConvertible {
  var method: HTTPMethod
  var methodText: String
  var target: String
  var path: String
  var query: String?
  var authority: String?
  var minorVersion: Int
  var fields: [String]
  var framing: BodyFraming
  var keepsAlive: Bool
  var expectsContinue: Bool
  var byteCount: Int

  init(_ head: RequestHead, _ bytes: [UInt8]) {
    method = head.method
    methodText = text(bytes, head.methodRange)
    target = text(bytes, head.target)
    path = text(bytes, head.path)
    query = head.query.map { text(bytes, $0) }
    authority = head.authority.map { text(bytes, $0) }
    minorVersion = head.minorVersion
    fields = head.fields.map { text(bytes, $0.name) + "=" + text(bytes, $0.value) }
    framing = head.framing
    keepsAlive = head.keepsAlive
    expectsContinue = head.expectsContinue
    byteCount = head.byteCount
  }

  var description: String { "\(methodText) \(target) 1.\(minorVersion) \(fields) \(framing) of \(byteCount)" }
}

enum ParseOutcome: Equatable {
  case complete(ParsedHead)
  case incomplete
  case refused(HTTPError)

  var head: ParsedHead? {
    if case .complete(let head) = self { head } else { nil }
  }

  var error: HTTPError? {
    if case .refused(let error) = self { error } else { nil }
  }
}

enum DecodeOutcome: Equatable {
  case finished(body: [UInt8], consumedByteCount: Int)
  case incomplete(body: [UInt8])
  case refused(HTTPError, body: [UInt8])

  var body: String? {
    if case .finished(let body, _) = self { String(decoding: body, as: UTF8.self) } else { nil }
  }

  var error: HTTPError? {
    if case .refused(let error, _) = self { error } else { nil }
  }
}

func text(_ bytes: [UInt8], _ range: Range<Int>) -> String {
  String(decoding: bytes[range], as: UTF8.self)
}

/// Parses one head out of bytes that arrive in pieces which end at the given counts.
func parseHead(_ bytes: [UInt8], arrivingAt counts: some Sequence<Int>, limits: HTTPLimits = .standard) -> ParseOutcome
{
  var parser = RequestParser(limits: limits)
  var head = RequestHead()
  do throws(HTTPError) {
    for count in counts where try parser.parse(bytes.span.extracting(0..<count), into: &head) {
      return .complete(ParsedHead(head, bytes))
    }
    return .incomplete
  } catch {
    return .refused(error)
  }
}

/// Parses one head whole, byte by byte, and at every split while that is affordable; all ways must agree.
func parseEveryWay(
  _ request: String, limits: HTTPLimits = .standard, sourceLocation: SourceLocation = #_sourceLocation
) -> ParseOutcome {
  parseEveryWay(Array(request.utf8), limits: limits, sourceLocation: sourceLocation)
}

func parseEveryWay(
  _ bytes: [UInt8], limits: HTTPLimits = .standard, sourceLocation: SourceLocation = #_sourceLocation
) -> ParseOutcome {
  let whole = parseHead(bytes, arrivingAt: [bytes.count], limits: limits)
  #expect(
    parseHead(bytes, arrivingAt: 0...bytes.count, limits: limits) == whole, "byte by byte",
    sourceLocation: sourceLocation)
  if bytes.count <= 1024 {
    for split in 0..<bytes.count {
      #expect(
        parseHead(bytes, arrivingAt: [split, bytes.count], limits: limits) == whole, "split at \(split)",
        sourceLocation: sourceLocation)
    }
  }
  return whole
}

/// Decodes one body out of pieces that end at the given counts.
func decodeBody(
  _ bytes: [UInt8], framing: BodyFraming, byteCountMax: Int, arrivingAt counts: some Sequence<Int>,
  limits: HTTPLimits = .standard
) -> DecodeOutcome {
  var body: [UInt8] = []
  do throws(HTTPError) {
    var decoder = try BodyDecoder(framing: framing, byteCountMax: byteCountMax, limits: limits)
    var consumed = 0
    for count in counts where consumed < count {
      consumed += try decoder.decode(bytes.span.extracting(consumed..<count), into: &body)
    }
    return decoder.isFinished ? .finished(body: body, consumedByteCount: consumed) : .incomplete(body: body)
  } catch {
    return .refused(error, body: body)
  }
}

/// Decodes one body whole, byte by byte, and at every split; all ways must agree.
func decodeEveryWay(
  _ text: String, framing: BodyFraming = .chunked, byteCountMax: Int = 1024, limits: HTTPLimits = .standard,
  sourceLocation: SourceLocation = #_sourceLocation
) -> DecodeOutcome {
  let bytes = Array(text.utf8)
  func decode(_ counts: some Sequence<Int>) -> DecodeOutcome {
    decodeBody(bytes, framing: framing, byteCountMax: byteCountMax, arrivingAt: counts, limits: limits)
  }
  let whole = decode([bytes.count])
  #expect(decode(0...bytes.count) == whole, "byte by byte", sourceLocation: sourceLocation)
  if bytes.count <= 1024 {
    for split in 0..<bytes.count {
      #expect(decode([split, bytes.count]) == whole, "split at \(split)", sourceLocation: sourceLocation)
    }
  }
  return whole
}

/// A parsed head beside its bytes: spans cannot stand inside `#expect`.
struct ReceivedRequest {
  let bytes: [UInt8]
  let head: RequestHead

  init(_ request: String) throws {
    let bytes = Array(request.utf8)
    var parser = RequestParser()
    var head = RequestHead()
    let isComplete = try parser.parse(bytes.span, into: &head)
    try #require(isComplete)
    self.bytes = bytes
    self.head = head
  }

  func hasToken(_ token: StaticString, in name: KnownField) -> Bool {
    head.hasToken(token, in: name, bytes: bytes.span)
  }

  func listElements(of name: KnownField) -> [String] {
    head.listElements(of: name, in: bytes.span).map { text(bytes, $0) }
  }

  func values(of name: KnownField) -> [String] {
    head.values(of: name).map { text(bytes, $0) }
  }

  func first(_ name: KnownField) -> String? {
    head.first(name).map { text(bytes, $0) }
  }

  func first(_ name: StaticString) -> String? {
    head.first(name, in: bytes.span).map { text(bytes, $0) }
  }
}
