/// The two kinds of data message (RFC 6455 §5.6).
package enum MessageKind: Sendable, Equatable {
  case text, binary
}

/// Where a message's bytes are.
package enum MessagePayload: Sendable, Equatable {
  /// In the bytes that were given to `WebSocketSession.next`, unmasked; valid until those are overwritten.
  case inPlace(Range<Int>)
  /// In an array of its own: the message came in pieces, or compressed.
  case owned([UInt8])
}

/// What `WebSocketSession.next` found.
package enum WebSocketEvent: Sendable {
  /// All bytes are consumed; nothing is complete.
  case needMoreBytes
  /// A whole message; a text is valid UTF-8.
  case message(MessageKind, MessagePayload)
  /// The caller answers with a pong of the same bytes, before anything later is answered.
  case ping([UInt8])
  case pong([UInt8])
  /// The peer's close frame, validated; nil where its body was empty. The caller answers and closes;
  /// what follows is swallowed.
  case close(CloseCode?, reason: [UInt8])
  /// The peer broke the protocol or a bound: the caller sends this code and reads no more.
  case violation(CloseCode, StaticString)
}
