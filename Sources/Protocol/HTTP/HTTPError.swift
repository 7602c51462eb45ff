/// Why a request is refused. After any of these the connection's framing cannot be trusted: answer with `status`,
/// then close.
package enum HTTPError: Error, Equatable, Sendable {
  // Lines (RFC 9112 §2.2)
  case bareCarriageReturn
  case bareLineFeed
  case controlCharacter(UInt8)
  case leadingEmptyLines(countMax: Int)

  // Request line (RFC 9112 §3)
  case malformedRequestLine
  case invalidMethod
  case invalidTarget
  case malformedVersion
  case unsupportedVersion(major: Int, minor: Int)
  case requestLineTooLong(byteCountMax: Int)
  case missingHost
  case repeatedHost
  case invalidHost

  // Fields (RFC 9112 §5)
  case headTooLarge(byteCountMax: Int)
  case tooManyFields(countMax: Int)
  case foldedField
  case missingColon
  case emptyFieldName
  case whitespaceBeforeColon
  case invalidFieldName(UInt8)
  case unknownExpectation

  // Body framing (RFC 9112 §6)
  case contentLengthWithTransferEncoding
  case repeatedContentLength
  case invalidContentLength
  case transferEncodingInOldVersion
  case chunkedNotLast
  case unsupportedTransferCoding
  case bodyTooLarge(byteCountMax: Int)

  // Chunks (RFC 9112 §7.1)
  case invalidChunkSize
  case invalidChunkEnd
  case chunkExtensionsTooLong(byteCountMax: Int)
  case trailersTooLarge(byteCountMax: Int)
  case tooManyTrailers(countMax: Int)

  /// The status of the answer.
  package var status: Int {
    switch self {
    case .bareCarriageReturn, .bareLineFeed, .controlCharacter, .leadingEmptyLines, .malformedRequestLine,
      .invalidMethod, .invalidTarget, .malformedVersion, .missingHost, .repeatedHost, .invalidHost, .foldedField,
      .missingColon, .emptyFieldName, .whitespaceBeforeColon, .invalidFieldName, .contentLengthWithTransferEncoding,
      .repeatedContentLength, .invalidContentLength, .transferEncodingInOldVersion, .chunkedNotLast,
      .invalidChunkSize, .invalidChunkEnd, .chunkExtensionsTooLong:
      400
    case .bodyTooLarge: 413
    case .requestLineTooLong: 414
    case .unknownExpectation: 417
    case .headTooLarge, .tooManyFields, .trailersTooLarge, .tooManyTrailers: 431
    case .unsupportedTransferCoding: 501
    case .unsupportedVersion: 505
    }
  }

  /// What is wrong, for the `detail` of the answer; it never repeats text of the request.
  package var detail: String {
    switch self {
    case .bareCarriageReturn: "a carriage return without a line feed"
    case .bareLineFeed: "a line feed without a carriage return: lines end with CRLF"
    case .controlCharacter(let byte): "the control character \(byte) in the head or a chunk line"
    case .leadingEmptyLines(let countMax): "more than \(countMax) empty lines before the request line"
    case .malformedRequestLine: "the request line is not method, target and version with one space between them"
    case .invalidMethod: "the method is not a token"
    case .invalidTarget: "the request target is not a path, an absolute URI, or * for OPTIONS"
    case .malformedVersion: "the request line does not end with a version such as HTTP/1.1"
    case .unsupportedVersion(let major, let minor):
      "HTTP/\(major).\(minor) is not spoken here, use HTTP/1.1 or HTTP/1.0"
    case .requestLineTooLong(let byteCountMax): "the request line is longer than \(byteCountMax) bytes"
    case .missingHost: "HTTP/1.1 needs a Host field"
    case .repeatedHost: "more than one Host field"
    case .invalidHost: "the Host is not a host name or address with an optional port"
    case .headTooLarge(let byteCountMax): "the request head is longer than \(byteCountMax) bytes"
    case .tooManyFields(let countMax): "more than \(countMax) header fields"
    case .foldedField: "a header line starts with white space: folded fields are not accepted"
    case .missingColon: "a header line has no colon"
    case .emptyFieldName: "a header field has no name"
    case .whitespaceBeforeColon: "white space between a header field's name and its colon"
    case .invalidFieldName(let byte): "the byte \(byte) in the name of a header field"
    case .unknownExpectation: "the Expect field asks for something else than 100-continue"
    case .contentLengthWithTransferEncoding: "both Content-Length and Transfer-Encoding"
    case .repeatedContentLength: "more than one Content-Length"
    case .invalidContentLength: "the Content-Length is not a decimal number below 2^63"
    case .transferEncodingInOldVersion: "Transfer-Encoding in an HTTP/1.0 request"
    case .chunkedNotLast: "Transfer-Encoding must name chunked once, and last"
    case .unsupportedTransferCoding: "the only transfer coding understood is chunked"
    case .bodyTooLarge(let byteCountMax): "the body is larger than \(byteCountMax) bytes"
    case .invalidChunkSize: "a chunk size is not a hexadecimal number"
    case .invalidChunkEnd: "a chunk's data is not followed by CRLF"
    case .chunkExtensionsTooLong(let byteCountMax): "the chunk extensions are longer than \(byteCountMax) bytes"
    case .trailersTooLarge(let byteCountMax): "the trailer section is longer than \(byteCountMax) bytes"
    case .tooManyTrailers(let countMax): "more than \(countMax) trailer fields"
    }
  }
}
