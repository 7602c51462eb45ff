/// Why a WebSocket handshake is refused. Afterwards the connection is closed: after a failed upgrade nobody can know
/// what a proxy in between takes the following bytes for.
package enum OpeningHandshakeError: Error, Equatable, Sendable {
  /// An ordinary request: there is no `Upgrade: websocket` of HTTP/1.1.
  case notAnUpgrade
  case methodIsNotGet
  case missingConnectionUpgrade
  case hasBody
  case missingVersion
  case repeatedVersion
  case unsupportedVersion
  case missingKey
  case repeatedKey
  case invalidKey
  case invalidSubprotocol

  /// The status of the answer. 426 must come with `answerFields`.
  package var status: Int {
    switch self {
    case .notAnUpgrade, .unsupportedVersion: 426
    case .methodIsNotGet, .missingConnectionUpgrade, .hasBody, .missingVersion, .repeatedVersion, .missingKey,
      .repeatedKey, .invalidKey, .invalidSubprotocol:
      400
    }
  }

  /// Fields that the answer needs: what would be understood instead (RFC 6455 §4.4, RFC 9110 §15.5.22).
  package var answerFields: [(name: String, value: String)] {
    status == 426 ? [(name: "Upgrade", value: "websocket"), (name: "Sec-WebSocket-Version", value: "13")] : []
  }

  /// What is wrong, for the `detail` of the answer.
  package var detail: String {
    switch self {
    case .notAnUpgrade: "this address speaks WebSocket: send Upgrade: websocket over HTTP/1.1"
    case .methodIsNotGet: "a WebSocket handshake is a GET request"
    case .missingConnectionUpgrade: "the Connection field does not contain upgrade: a proxy may have dropped it"
    case .hasBody: "a WebSocket handshake has no body"
    case .missingVersion: "the Sec-WebSocket-Version field is missing, must be 13"
    case .repeatedVersion: "more than one Sec-WebSocket-Version field"
    case .unsupportedVersion: "the Sec-WebSocket-Version must be 13"
    case .missingKey: "the Sec-WebSocket-Key field is missing"
    case .repeatedKey: "more than one Sec-WebSocket-Key field"
    case .invalidKey: "the Sec-WebSocket-Key is not 16 bytes in base64"
    case .invalidSubprotocol: "the Sec-WebSocket-Protocol field is not a list of tokens"
    }
  }
}

/// The server's side of the WebSocket opening handshake (RFC 6455 §4.2): what a valid request offers, and the answer
/// that accepts it.
package struct OpeningHandshake: Sendable {
  /// The value of `Sec-WebSocket-Accept`: 28 characters of base64.
  package let acceptKey: InlineArray<28, UInt8>
  /// The offered subprotocols in the client's order, as ranges into the request's bytes.
  package let subprotocols: [Range<Int>]
  /// The values of the `Sec-WebSocket-Extensions` fields, as ranges into the request's bytes.
  package let extensions: [Range<Int>]

  /// Whether the request asks to become a WebSocket, rightly or wrongly: `init` says. HTTP/1.0 cannot (RFC 9110 §7.8).
  package static func isUpgrade(head: RequestHead, bytes: Span<UInt8>) -> Bool {
    head.minorVersion >= 1 && head.hasToken("websocket", in: .upgrade, bytes: bytes)
  }

  /// Reads the handshake out of a request that the parser accepted, so that it has exactly one Host.
  package init(head: RequestHead, bytes: Span<UInt8>) throws(OpeningHandshakeError) {
    guard OpeningHandshake.isUpgrade(head: head, bytes: bytes) else { throw .notAnUpgrade }
    guard head.method == .get else { throw .methodIsNotGet }
    guard head.hasToken("upgrade", in: .connection, bytes: bytes) else { throw .missingConnectionUpgrade }
    guard head.framing == .none || head.framing == .length(0) else { throw .hasBody }

    guard let version = head.first(.secWebSocketVersion) else { throw .missingVersion }
    guard !head.isRepeated(.secWebSocketVersion) else { throw .repeatedVersion }
    guard HTTPGrammar.equals("13", bytes, version) else { throw .unsupportedVersion }

    guard let key = head.first(.secWebSocketKey) else { throw .missingKey }
    guard !head.isRepeated(.secWebSocketKey) else { throw .repeatedKey }
    guard OpeningHandshake.isKey(bytes, key) else { throw .invalidKey }

    let subprotocols = head.listElements(of: .secWebSocketProtocol, in: bytes)
    for subprotocol in subprotocols where !HTTPGrammar.isToken(bytes, subprotocol) { throw .invalidSubprotocol }

    self.acceptKey = AcceptKey.make(for: bytes.extracting(key))
    self.subprotocols = subprotocols
    self.extensions = head.values(of: .secWebSocketExtensions)
  }

  private static let answerHead: StaticString = """
    HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept:\u{20}
    """

  private static let lineEnd: StaticString = "\r\n"

  /// Writes the `101 Switching Protocols` answer, with the selected subprotocol and the accepted extensions if any, to the
  /// first bytes of `target`, and returns how many those are; nil where it has too few.
  package func writeResponse(
    subprotocol: String?, extensions: String?, to target: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var writer = unsafe BufferWriter(target)
    writer.append(Self.answerHead)
    writer.append(acceptKey.span)
    writer.append(Self.lineEnd)
    if let subprotocol {
      writer.append("Sec-WebSocket-Protocol: ")
      writer.append(fieldValue: subprotocol)
      writer.append(Self.lineEnd)
    }
    if let extensions {
      writer.append("Sec-WebSocket-Extensions: ")
      writer.append(fieldValue: extensions)
      writer.append(Self.lineEnd)
    }
    writer.append(Self.lineEnd)
    return writer.fits ? writer.byteCount : nil
  }

  /// As `writeResponse`, at the end of an array.
  package func appendResponse(subprotocol: String?, extensions: String?, into output: inout [UInt8]) {
    let byteCount =
      Self.answerHead.utf8CodeUnitCount + 128 + (subprotocol?.utf8.count ?? 0) + (extensions?.utf8.count ?? 0)
    unsafe withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 1) { buffer in
      guard let written = unsafe writeResponse(subprotocol: subprotocol, extensions: extensions, to: buffer) else {
        return
      }
      unsafe output.append(contentsOf: buffer[..<written])
    }
  }

  /// 16 bytes in base64 are 22 of its characters and `==`.
  private static func isKey(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard range.count == AcceptKey.keyByteCount,
      HTTPGrammar.equals("==", bytes, (range.upperBound - 2)..<range.upperBound)
    else { return false }
    let key = unsafe bytes.extracting(range).bytes
    // SAFETY: eight bytes each from the first, the ninth and the fifteenth on: the 22 before the end, two of them twice.
    return isBase64(unsafe key.unsafeLoadUnaligned(fromUncheckedByteOffset: 0, as: UInt64.self))
      && isBase64(unsafe key.unsafeLoadUnaligned(fromUncheckedByteOffset: 8, as: UInt64.self))
      && isBase64(unsafe key.unsafeLoadUnaligned(fromUncheckedByteOffset: 14, as: UInt64.self))
  }

  /// Whether eight bytes are letters, digits, `+` or `/`.
  @inline(__always)
  private static func isBase64(_ bytes: UInt64) -> Bool {
    // Without their top bits, which are looked at last, so that no sum reaches into the next byte.
    let low = bytes & (0x7f &* ones)
    // A letter in lower case stays what it is, and nothing else becomes one.
    let allowed =
      within(UInt8(ascii: "a"), UInt8(ascii: "z"), low | 0x20 &* ones)
      | within(UInt8(ascii: "/"), UInt8(ascii: "9"), low) | within(UInt8(ascii: "+"), UInt8(ascii: "+"), low)
    return allowed & ~bytes & (0x80 &* ones) == 0x80 &* ones
  }

  /// One in each of eight bytes.
  private static var ones: UInt64 { 0x0101_0101_0101_0101 }

  /// The top bit of each byte that is within the bounds, themselves included; the other bits mean nothing. All are below 80.
  @inline(__always)
  private static func within(_ first: UInt8, _ last: UInt8, _ bytes: UInt64) -> UInt64 {
    (bytes &+ UInt64(0x80 - first) &* ones) & ~(bytes &+ UInt64(0x7f - last) &* ones)
  }
}
