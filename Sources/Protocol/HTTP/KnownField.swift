/// The header fields that the gateway reads. A head is searched for them once, while it is parsed.
package enum KnownField: UInt8, CaseIterable, Sendable {
  case host, accept, cookie, expect, origin, upgrade, xRealIP, connection, contentType, ifNoneMatch, authorization
  case contentLength, xForwardedFor, transferEncoding, secWebSocketKey, xSignalboxOverload, secWebSocketVersion
  case secWebSocketProtocol, secWebSocketExtensions

  /// In lower case, at least four characters, nothing but letters and hyphens.
  package var name: StaticString {
    switch self {
    case .host: "host"
    case .accept: "accept"
    case .cookie: "cookie"
    case .expect: "expect"
    case .origin: "origin"
    case .upgrade: "upgrade"
    case .xRealIP: "x-real-ip"
    case .connection: "connection"
    case .contentType: "content-type"
    case .ifNoneMatch: "if-none-match"
    case .authorization: "authorization"
    case .contentLength: "content-length"
    case .xForwardedFor: "x-forwarded-for"
    case .transferEncoding: "transfer-encoding"
    case .secWebSocketKey: "sec-websocket-key"
    case .xSignalboxOverload: "x-signalbox-overload"
    case .secWebSocketVersion: "sec-websocket-version"
    case .secWebSocketProtocol: "sec-websocket-protocol"
    case .secWebSocketExtensions: "sec-websocket-extensions"
    }
  }

  /// The field that the bytes name, which hold no control character but the tab; nil for all others.
  @inline(__always)
  init?(_ bytes: Span<UInt8>, _ name: Range<Int>) {
    let candidate: KnownField
    switch name.count {
    case 4: candidate = .host
    case 6:
      switch bytes[name.lowerBound] | 0x20 {
      case UInt8(ascii: "a"): candidate = .accept
      case UInt8(ascii: "c"): candidate = .cookie
      case UInt8(ascii: "e"): candidate = .expect
      default: candidate = .origin
      }
    case 7: candidate = .upgrade
    case 9: candidate = .xRealIP
    case 10: candidate = .connection
    case 12: candidate = .contentType
    case 13: candidate = bytes[name.lowerBound] | 0x20 == UInt8(ascii: "i") ? .ifNoneMatch : .authorization
    case 14: candidate = .contentLength
    case 15: candidate = .xForwardedFor
    case 17: candidate = bytes[name.lowerBound] | 0x20 == UInt8(ascii: "t") ? .transferEncoding : .secWebSocketKey
    case 20: candidate = .xSignalboxOverload
    case 21: candidate = .secWebSocketVersion
    case 22: candidate = .secWebSocketProtocol
    case 24: candidate = .secWebSocketExtensions
    default: return nil
    }
    guard Self.equals(candidate.name, bytes, name) else { return nil }
    self = candidate
  }

  /// Compares words with the bit of the lower case set in every byte. Besides the capital letter only a control character
  /// becomes a letter or a hyphen by that, and there is none. The last word may overlap the one before it.
  @inline(__always)
  private static func equals(_ literal: StaticString, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let count = literal.utf8CodeUnitCount
    guard range.count == count, range.lowerBound >= 0, range.upperBound <= bytes.count else { return false }
    let raw = unsafe bytes.bytes
    let expected = unsafe UnsafeRawPointer(literal.utf8Start)
    // SAFETY: every load is at an offset with its width ≤ count, of the literal's count bytes and of the range, which
    // lies within the bytes, as checked above.
    guard count >= 8 else {
      let low = unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: range.lowerBound, as: UInt32.self)
      let high = unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: range.upperBound &- 4, as: UInt32.self)
      return unsafe low | 0x2020_2020 == expected.loadUnaligned(as: UInt32.self)
        && high | 0x2020_2020 == expected.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
    }
    let cases: UInt64 = 0x2020_2020_2020_2020
    var offset = 0
    while offset < count {
      offset = min(offset, count &- 8)
      let word = unsafe raw.unsafeLoadUnaligned(
        fromUncheckedByteOffset: range.lowerBound &+ offset, as: UInt64.self)
      guard unsafe word | cases == expected.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
      offset &+= 8
    }
    return true
  }
}
