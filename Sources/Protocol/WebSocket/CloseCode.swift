/// The status code of a close frame (RFC 6455 §7.4).
package struct CloseCode: RawRepresentable, Hashable, Sendable {
  package var rawValue: UInt16

  @inlinable
  package init(rawValue: UInt16) {
    self.rawValue = rawValue
  }

  package static let normal = CloseCode(rawValue: 1000)
  package static let goingAway = CloseCode(rawValue: 1001)
  package static let protocolError = CloseCode(rawValue: 1002)
  package static let unsupportedData = CloseCode(rawValue: 1003)
  package static let invalidPayload = CloseCode(rawValue: 1007)
  package static let policyViolation = CloseCode(rawValue: 1008)
  package static let messageTooBig = CloseCode(rawValue: 1009)
  package static let internalError = CloseCode(rawValue: 1011)
  package static let serviceRestart = CloseCode(rawValue: 1012)
  package static let tryAgainLater = CloseCode(rawValue: 1013)
  /// Ours: a newer connection of the same user took over; the client does not reconnect.
  package static let replaced = CloseCode(rawValue: 4500)

  /// Whether a peer may put the code into a close frame (RFC 6455 §7.4.1, §7.4.2 and the IANA registry).
  /// 1004 is reserved; 1005, 1006 and 1015 are words for "none came", never sent; 1016–2999 are not
  /// assigned; 3000–3999 belong to libraries and 4000–4999 to applications.
  package func isValidOnWire() -> Bool {
    switch rawValue {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}
