/// The request methods that the gateway tells apart (RFC 9110 §9, RFC 5789). Method names are case-sensitive.
package enum HTTPMethod: Sendable, Equatable {
  case get, head, post, put, patch, delete, options
  /// Any other valid token, CONNECT and TRACE among them: no endpoint takes it.
  case other

  /// The method that a token names.
  init(_ bytes: Span<UInt8>, in range: Range<Int>) {
    if HTTPGrammar.equals("GET", bytes, range) {
      self = .get
    } else if HTTPGrammar.equals("POST", bytes, range) {
      self = .post
    } else if HTTPGrammar.equals("DELETE", bytes, range) {
      self = .delete
    } else if HTTPGrammar.equals("HEAD", bytes, range) {
      self = .head
    } else if HTTPGrammar.equals("OPTIONS", bytes, range) {
      self = .options
    } else if HTTPGrammar.equals("PUT", bytes, range) {
      self = .put
    } else if HTTPGrammar.equals("PATCH", bytes, range) {
      self = .patch
    } else {
      self = .other
    }
  }
}
