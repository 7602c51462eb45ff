import CCrypto

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
  /// Not the client's fault: libcrypto would not compute a SHA-1.
  case digestUnavailable

  /// The status of the answer. 426 must come with `answerFields`.
  package var status: Int {
    switch self {
    case .notAnUpgrade, .unsupportedVersion: 426
    case .methodIsNotGet, .missingConnectionUpgrade, .hasBody, .missingVersion, .repeatedVersion, .missingKey,
      .repeatedKey, .invalidKey, .invalidSubprotocol:
      400
    case .digestUnavailable: 500
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
    case .digestUnavailable: "the digest of the handshake could not be computed"
    }
  }
}

/// The server's side of the WebSocket opening handshake (RFC 6455 §4.2): what a valid request offers, and the answer
/// that accepts it.
package struct OpeningHandshake: Sendable {
  /// The value of `Sec-WebSocket-Accept`: 28 characters of base64.
  package let acceptKey: [UInt8]
  /// The offered subprotocols in the client's order, as ranges into the request's bytes.
  package let subprotocols: [Range<Int>]
  /// The values of the `Sec-WebSocket-Extensions` fields, as ranges into the request's bytes.
  package let extensions: [Range<Int>]

  /// Whether the request asks to become a WebSocket, rightly or wrongly: `init` says. HTTP/1.0 cannot (RFC 9110 §7.8).
  package static func isUpgrade(head: RequestHead, bytes: Span<UInt8>) -> Bool {
    head.minorVersion >= 1 && head.hasToken("websocket", in: "upgrade", bytes: bytes)
  }

  /// Reads the handshake out of a request that the parser accepted, so that it has exactly one Host.
  package init(head: RequestHead, bytes: Span<UInt8>) throws(OpeningHandshakeError) {
    guard OpeningHandshake.isUpgrade(head: head, bytes: bytes) else { throw .notAnUpgrade }
    guard head.method == .get else { throw .methodIsNotGet }
    guard head.hasToken("upgrade", in: "connection", bytes: bytes) else { throw .missingConnectionUpgrade }
    guard head.framing == .none || head.framing == .length(0) else { throw .hasBody }

    guard let version = head.first("sec-websocket-version", in: bytes) else { throw .missingVersion }
    guard head.occurrences(of: "sec-websocket-version", in: bytes) == 1 else { throw .repeatedVersion }
    guard HTTPGrammar.equals("13", bytes, version) else { throw .unsupportedVersion }

    guard let key = head.first("sec-websocket-key", in: bytes) else { throw .missingKey }
    guard head.occurrences(of: "sec-websocket-key", in: bytes) == 1 else { throw .repeatedKey }
    guard OpeningHandshake.isKey(bytes, key) else { throw .invalidKey }

    let subprotocols = head.listElements(of: "sec-websocket-protocol", in: bytes)
    for subprotocol in subprotocols where !HTTPGrammar.isToken(bytes, subprotocol) { throw .invalidSubprotocol }

    self.acceptKey = try OpeningHandshake.acceptKey(for: bytes.extracting(key))
    self.subprotocols = subprotocols
    self.extensions = head.values(of: "sec-websocket-extensions", in: bytes)
  }

  /// Appends the `101 Switching Protocols` answer, with the selected subprotocol and the accepted extensions if any.
  package func appendResponse(subprotocol: String?, extensions: String?, into output: inout [UInt8]) {
    ResponseHead.appendStatusLine(101, into: &output)
    output.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
    output.append(acceptKey.span)
    output.append("\r\n")
    if let subprotocol {
      ResponseHead.appendField(name: "Sec-WebSocket-Protocol", value: subprotocol, into: &output)
    }
    if let extensions {
      ResponseHead.appendField(name: "Sec-WebSocket-Extensions", value: extensions, into: &output)
    }
    output.append("\r\n")
  }

  /// 16 bytes in base64 are 22 of its characters and `==`.
  private static func isKey(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard range.count == 24, HTTPGrammar.equals("==", bytes, (range.upperBound - 2)..<range.upperBound) else {
      return false
    }
    for index in range.lowerBound..<(range.upperBound - 2) {
      switch bytes[index] {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
        continue
      default:
        return false
      }
    }
    return true
  }

  /// The base64 of the SHA-1 of the key and the protocol's GUID (RFC 6455 §4.2.2).
  private static func acceptKey(for key: Span<UInt8>) throws(OpeningHandshakeError) -> [UInt8] {
    var input: [UInt8] = []
    input.reserveCapacity(60)
    input.append(key)
    input.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")

    var digest = [UInt8](repeating: 0, count: 20)
    var digestByteCount: UInt32 = 0
    // SAFETY: SHA-1 writes 20 bytes, which digest has; both arrays live through the call.
    let succeeded = unsafe EVP_Digest(input, input.count, &digest, &digestByteCount, EVP_sha1(), nil)
    guard succeeded == 1, digestByteCount == digest.count else { throw .digestUnavailable }

    var encoded = [UInt8](repeating: 0, count: 29)
    // SAFETY: 20 bytes become 28 characters and a NUL, which is what encoded holds.
    let encodedByteCount = unsafe EVP_EncodeBlock(&encoded, digest, 20)
    encoded.removeLast(encoded.count - Int(encodedByteCount))
    return encoded
  }
}
