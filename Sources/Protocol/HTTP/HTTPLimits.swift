/// What one HTTP message may cost before it is refused. Every bound is a count that is still accepted.
package struct HTTPLimits: Sendable {
  /// Bytes of the request line without its CRLF; longer is 414. RFC 9112 §3 recommends at least 8,000, and a JWT in
  /// `?token=` (8 KiB at most) needs most of it.
  package var requestLineByteCountMax: Int
  /// Bytes of the whole head, from an empty line that may precede it to the empty line that ends it; longer is 431.
  /// A receive buffer of this size can always tell a complete head from a refused one.
  package var headByteCountMax: Int
  /// Field lines of a head; more is 431. Browsers behind two proxies send about 30.
  package var fieldCountMax: Int
  /// Empty lines before the request line, which RFC 9112 §2.2 asks to ignore (old clients end a body with CRLF).
  package var leadingEmptyLineCountMax: Int
  /// Hexadecimal digits of one chunk size, leading zeros included: what a 64-bit number takes.
  package var chunkSizeDigitCountMax: Int
  /// Bytes of all chunk extensions of one body together, because nobody reads them (RFC 9112 §7.1.1).
  package var chunkExtensionByteCountMax: Int
  /// Bytes of the trailer section of one chunked body, line ends included; longer is 431. It is read and dropped.
  package var trailerByteCountMax: Int
  /// Field lines of the trailer section; more is 431.
  package var trailerFieldCountMax: Int

  package init(
    requestLineByteCountMax: Int = 8 * 1024,
    headByteCountMax: Int = 16 * 1024,
    fieldCountMax: Int = 64,
    leadingEmptyLineCountMax: Int = 2,
    chunkSizeDigitCountMax: Int = 16,
    chunkExtensionByteCountMax: Int = 4 * 1024,
    trailerByteCountMax: Int = 4 * 1024,
    trailerFieldCountMax: Int = 16
  ) {
    self.requestLineByteCountMax = requestLineByteCountMax
    self.headByteCountMax = headByteCountMax
    self.fieldCountMax = fieldCountMax
    self.leadingEmptyLineCountMax = leadingEmptyLineCountMax
    self.chunkSizeDigitCountMax = chunkSizeDigitCountMax
    self.chunkExtensionByteCountMax = chunkExtensionByteCountMax
    self.trailerByteCountMax = trailerByteCountMax
    self.trailerFieldCountMax = trailerFieldCountMax
  }

  package static let standard = HTTPLimits()
}
