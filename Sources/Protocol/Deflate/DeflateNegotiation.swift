/// Chooses from a client's offers of permessage-deflate (RFC 7692 §5, §7.1).
package enum DeflateNegotiation {
  /// How many bytes of one header value are looked at; browsers send about 60. What is longer is declined whole.
  package static let offersByteCountMax = 4_096

  /// The first acceptable offer of one `Sec-WebSocket-Extensions` value, as we answer it; nil where there is
  /// none. An offer with a parameter that is unknown, comes twice or has a value it must not have is
  /// declined (RFC 7692 §7.1); one of `server_max_window_bits=8` too, as zlib has no raw window of 256 bytes.
  /// Text that does not follow the grammar of RFC 6455 §9.1 ends the search.
  package static func negotiate(offers: Span<UInt8>) -> NegotiatedDeflate? {
    guard offers.count <= offersByteCountMax else { return nil }
    var offset = 0
    while true {
      switch nextOffer(offers, &offset) {
      case .acceptable(let serverMaxWindowBits): return accepted(serverMaxWindowBits: serverMaxWindowBits)
      case .declined: continue
      case .end: return nil
      }
    }
  }

  /// A server may add both `no_context_takeover` parameters unasked (RFC 7692 §7.1.1.1, §7.1.1.2). The
  /// client's window is left to it: we inflate with the largest.
  private static func accepted(serverMaxWindowBits: Int?) -> NegotiatedDeflate {
    var response = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    if let serverMaxWindowBits { response += "; server_max_window_bits=\(serverMaxWindowBits)" }
    return NegotiatedDeflate(serverMaxWindowBits: serverMaxWindowBits ?? 15, response: response)
  }

  private enum Offer {
    case acceptable(serverMaxWindowBits: Int?)
    case declined
    case end
  }

  /// Reads one `extension *(";" parameter)` and the comma after it.
  private static func nextOffer(_ bytes: Span<UInt8>, _ offset: inout Int) -> Offer {
    // RFC 9110 §5.6.1: empty list elements are skipped.
    skipBlanks(bytes, &offset)
    while offset < bytes.count, bytes[offset] == UInt8(ascii: ",") {
      offset += 1
      skipBlanks(bytes, &offset)
    }
    guard let name = token(bytes, &offset) else { return .end }
    var isAcceptable = equals(bytes, name, "permessage-deflate")
    var seen = Parameters()
    var serverMaxWindowBits: Int?
    while true {
      skipBlanks(bytes, &offset)
      guard offset < bytes.count else { break }
      if bytes[offset] == UInt8(ascii: ",") {
        offset += 1
        break
      }
      guard bytes[offset] == UInt8(ascii: ";") else { return .end }
      offset += 1
      skipBlanks(bytes, &offset)
      guard let parameterName = token(bytes, &offset) else { return .end }
      guard let value = parameterValue(bytes, &offset) else { return .end }

      let parameter = Parameters(bytes, parameterName)
      // An unknown one is the empty set, which every set is disjoint with.
      isAcceptable = isAcceptable && !parameter.isEmpty && seen.isDisjoint(with: parameter)
      seen.formUnion(parameter)
      if parameter == .serverNoContextTakeover || parameter == .clientNoContextTakeover {
        isAcceptable = isAcceptable && value == .absent
      } else if parameter == .clientMaxWindowBits {
        isAcceptable = isAcceptable && (value == .absent || value.windowBits != nil)
      } else if parameter == .serverMaxWindowBits {
        serverMaxWindowBits = value.windowBits
        isAcceptable = isAcceptable && (serverMaxWindowBits ?? 0) >= 9
      }
    }
    return isAcceptable ? .acceptable(serverMaxWindowBits: serverMaxWindowBits) : .declined
  }

  private struct Parameters: OptionSet {
    var rawValue: UInt8
    static let serverNoContextTakeover = Parameters(rawValue: 1)
    static let clientNoContextTakeover = Parameters(rawValue: 2)
    static let serverMaxWindowBits = Parameters(rawValue: 4)
    static let clientMaxWindowBits = Parameters(rawValue: 8)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The parameter of this name; empty for an unknown one.
    init(_ bytes: Span<UInt8>, _ name: Range<Int>) {
      if equals(bytes, name, "server_no_context_takeover") {
        self = .serverNoContextTakeover
      } else if equals(bytes, name, "client_no_context_takeover") {
        self = .clientNoContextTakeover
      } else if equals(bytes, name, "server_max_window_bits") {
        self = .serverMaxWindowBits
      } else if equals(bytes, name, "client_max_window_bits") {
        self = .clientMaxWindowBits
      } else {
        self = []
      }
    }
  }

  private enum Value: Equatable {
    case absent
    /// The first three bytes: a number that counts has one or two.
    case present(head: [UInt8])

    /// A decimal integer of 8 … 15 without leading zeros (RFC 7692 §7.1.2); nil for all else.
    var windowBits: Int? {
      guard case .present(let head) = self else { return nil }
      switch head {
      case [UInt8(ascii: "8")]: return 8
      case [UInt8(ascii: "9")]: return 9
      default:
        guard head.count == 2, head[0] == UInt8(ascii: "1") else { return nil }
        guard head[1] >= UInt8(ascii: "0") && head[1] <= UInt8(ascii: "5") else { return nil }
        return 10 + Int(head[1] - UInt8(ascii: "0"))
      }
    }
  }

  /// Reads `["=" (token / quoted-string)]`; nil where the text is malformed.
  private static func parameterValue(_ bytes: Span<UInt8>, _ offset: inout Int) -> Value? {
    skipBlanks(bytes, &offset)
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: "=") else { return .absent }
    offset += 1
    skipBlanks(bytes, &offset)
    guard offset < bytes.count else { return nil }
    var head: [UInt8] = []
    guard bytes[offset] == UInt8(ascii: "\"") else {
      guard let range = token(bytes, &offset) else { return nil }
      for index in range.prefix(3) { head.append(bytes[index]) }
      return .present(head: head)
    }
    offset += 1
    while offset < bytes.count {
      var byte = bytes[offset]
      offset += 1
      if byte == UInt8(ascii: "\"") { return .present(head: head) }
      if byte == UInt8(ascii: "\\") {
        guard offset < bytes.count else { return nil }
        byte = bytes[offset]
        offset += 1
      }
      // RFC 6455 §9.1: unescaped, the value must be a token.
      guard isTokenByte(byte) else { return nil }
      if head.count < 3 { head.append(byte) }
    }
    return nil  // the quote is not closed
  }

  private static func skipBlanks(_ bytes: Span<UInt8>, _ offset: inout Int) {
    while offset < bytes.count, bytes[offset] == UInt8(ascii: " ") || bytes[offset] == UInt8(ascii: "\t") {
      offset += 1
    }
  }

  /// The token at `offset`, nil where there is none.
  private static func token(_ bytes: Span<UInt8>, _ offset: inout Int) -> Range<Int>? {
    let start = offset
    while offset < bytes.count, isTokenByte(bytes[offset]) { offset += 1 }
    return start < offset ? start..<offset : nil
  }

  /// RFC 9110 §5.6.2 `tchar`.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
      true
    default:
      false
    }
  }

  private static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
    guard range.count == text.utf8.count else { return false }
    var index = range.lowerBound
    for byte in text.utf8 {
      guard bytes[index] == byte else { return false }
      index += 1
    }
    return true
  }
}
