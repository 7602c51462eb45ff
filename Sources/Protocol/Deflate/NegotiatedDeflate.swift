/// What permessage-deflate (RFC 7692) was agreed to be. Both sides reset their context with every message,
/// so that a shard needs one inflater and one deflater for each window size, not one for each connection.
package struct NegotiatedDeflate: Sendable, Equatable {
  /// The window, as a power of two, that the client is ready to inflate with: 9 … 15. Our frames may be
  /// compressed with this one or any smaller.
  package var serverMaxWindowBits: Int
  /// The value of the `Sec-WebSocket-Extensions` header to answer with.
  package var response: String

  package init(serverMaxWindowBits: Int, response: String) {
    self.serverMaxWindowBits = serverMaxWindowBits
    self.response = response
  }
}
