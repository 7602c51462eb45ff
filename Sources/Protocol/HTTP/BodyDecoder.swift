/// Takes a request's body out of the bytes that follow its head: so many bytes, or chunks (RFC 9112 §7.1). What it
/// decides depends on the bytes alone, not on how they arrive.
package struct BodyDecoder: Sendable {
  private enum Phase: Equatable {
    /// Content-Length: bytes still to come.
    case counted(remaining: Int)
    case chunkSize(value: Int, digitCount: Int)
    case chunkExtension
    case chunkSizeLineFeed(value: Int)
    case chunkData(remaining: Int)
    case chunkDataCarriageReturn
    case chunkDataLineFeed
    case trailerLineStart
    case trailerName
    case trailerValue
    case trailerLineFeed
    case lastLineFeed
    case finished
  }

  private let byteCountMax: Int
  private let limits: HTTPLimits
  private var phase: Phase
  /// The size of the chunk whose extension is being read.
  private var pendingChunkByteCount = 0
  private var decodedByteCount = 0
  private var extensionByteCount = 0
  private var trailerByteCount = 0
  private var trailerFieldCount = 0

  /// - Parameter byteCountMax: the largest decoded body, in bytes. A larger Content-Length is refused here, a larger
  ///   chunk as soon as its size is known: before its data is waited for.
  package init(framing: BodyFraming, byteCountMax: Int, limits: HTTPLimits = .standard) throws(HTTPError) {
    self.byteCountMax = byteCountMax
    self.limits = limits
    switch framing {
    case .none:
      phase = .finished
    case .length(let byteCount):
      guard byteCount <= byteCountMax else { throw .bodyTooLarge(byteCountMax: byteCountMax) }
      phase = byteCount > 0 ? .counted(remaining: byteCount) : .finished
    case .chunked:
      phase = .chunkSize(value: 0, digitCount: 0)
    }
  }

  /// Whether the whole body was decoded.
  package var isFinished: Bool { phase == .finished }

  /// Appends the decoded bytes to `body`. Returns how many of `bytes` were consumed: all of them, or those up to the
  /// end of the body, behind which the next request begins.
  package mutating func decode(_ bytes: Span<UInt8>, into body: inout [UInt8]) throws(HTTPError) -> Int {
    var index = 0
    while index < bytes.count, phase != .finished {
      switch phase {
      case .counted(let remaining):
        let byteCount = min(remaining, bytes.count - index)
        body.append(bytes.extracting(index..<(index + byteCount)))
        index += byteCount
        phase = byteCount == remaining ? .finished : .counted(remaining: remaining - byteCount)
      case .chunkData(let remaining):
        let byteCount = min(remaining, bytes.count - index)
        body.append(bytes.extracting(index..<(index + byteCount)))
        index += byteCount
        phase = byteCount == remaining ? .chunkDataCarriageReturn : .chunkData(remaining: remaining - byteCount)
      case .trailerLineStart, .trailerName, .trailerValue, .trailerLineFeed, .lastLineFeed:
        try takeTrailer(bytes[index])
        index += 1
      case .chunkSize, .chunkExtension, .chunkSizeLineFeed, .chunkDataCarriageReturn, .chunkDataLineFeed, .finished:
        try takeChunkLine(bytes[index])
        index += 1
      }
    }
    return index
  }

  /// One byte of `chunk-size [ chunk-ext ] CRLF`, or of the CRLF behind the data.
  private mutating func takeChunkLine(_ byte: UInt8) throws(HTTPError) {
    switch phase {
    case .chunkSize(let value, let digitCount):
      try takeChunkSize(byte, value: value, digitCount: digitCount)
    case .chunkExtension:
      if byte == HTTPGrammar.carriageReturn {
        phase = .chunkSizeLineFeed(value: pendingChunkByteCount)
      } else {
        try refuseControl(byte)
        try countExtensionByte()
      }
    case .chunkSizeLineFeed(let value):
      guard byte == HTTPGrammar.lineFeed else { throw .bareCarriageReturn }
      phase = value > 0 ? .chunkData(remaining: value) : .trailerLineStart
    case .chunkDataCarriageReturn:
      guard byte == HTTPGrammar.carriageReturn else { throw .invalidChunkEnd }
      phase = .chunkDataLineFeed
    case .chunkDataLineFeed:
      guard byte == HTTPGrammar.lineFeed else { throw .invalidChunkEnd }
      phase = .chunkSize(value: 0, digitCount: 0)
    case .counted, .chunkData, .trailerLineStart, .trailerName, .trailerValue, .trailerLineFeed, .lastLineFeed,
      .finished:
      assertionFailure("\(phase) takes no chunk line")
    }
  }

  private mutating func takeChunkSize(_ byte: UInt8, value: Int, digitCount: Int) throws(HTTPError) {
    if let digit = HTTPGrammar.hexadecimalValue(byte) {
      guard digitCount < limits.chunkSizeDigitCountMax else { throw .invalidChunkSize }
      let (product, productOverflows) = value.multipliedReportingOverflow(by: 16)
      let (sum, sumOverflows) = product.addingReportingOverflow(Int(digit))
      guard !productOverflows, !sumOverflows else { throw .invalidChunkSize }
      phase = .chunkSize(value: sum, digitCount: digitCount + 1)
      return
    }
    guard digitCount > 0, byte == HTTPGrammar.carriageReturn || byte == UInt8(ascii: ";") else {
      throw .invalidChunkSize
    }
    guard value <= byteCountMax - decodedByteCount else { throw .bodyTooLarge(byteCountMax: byteCountMax) }
    decodedByteCount += value
    if byte == HTTPGrammar.carriageReturn {
      phase = .chunkSizeLineFeed(value: value)
    } else {
      pendingChunkByteCount = value
      phase = .chunkExtension
      try countExtensionByte()
    }
  }

  private mutating func countExtensionByte() throws(HTTPError) {
    extensionByteCount += 1
    guard extensionByteCount <= limits.chunkExtensionByteCountMax else {
      throw .chunkExtensionsTooLong(byteCountMax: limits.chunkExtensionByteCountMax)
    }
  }

  /// One byte of the trailer section (RFC 9112 §7.1.2), which is checked like a head's fields and dropped.
  private mutating func takeTrailer(_ byte: UInt8) throws(HTTPError) {
    trailerByteCount += 1
    guard trailerByteCount <= limits.trailerByteCountMax else {
      throw .trailersTooLarge(byteCountMax: limits.trailerByteCountMax)
    }
    switch phase {
    case .trailerLineStart where byte == HTTPGrammar.carriageReturn:
      phase = .lastLineFeed
    case .trailerLineStart:
      trailerFieldCount += 1
      guard trailerFieldCount <= limits.trailerFieldCountMax else {
        throw .tooManyTrailers(countMax: limits.trailerFieldCountMax)
      }
      if HTTPGrammar.isOptionalWhitespace(byte) { throw .foldedField }
      if byte == UInt8(ascii: ":") { throw .emptyFieldName }
      try refuseControl(byte)
      guard HTTPGrammar.isToken(byte) else { throw .invalidFieldName(byte) }
      phase = .trailerName
    case .trailerName where byte == UInt8(ascii: ":"):
      phase = .trailerValue
    case .trailerName:
      if HTTPGrammar.isOptionalWhitespace(byte) { throw .whitespaceBeforeColon }
      if byte == HTTPGrammar.carriageReturn { throw .missingColon }
      try refuseControl(byte)
      guard HTTPGrammar.isToken(byte) else { throw .invalidFieldName(byte) }
    case .trailerValue where byte == HTTPGrammar.carriageReturn:
      phase = .trailerLineFeed
    case .trailerValue:
      try refuseControl(byte)
    case .trailerLineFeed:
      guard byte == HTTPGrammar.lineFeed else { throw .bareCarriageReturn }
      phase = .trailerLineStart
    case .lastLineFeed:
      guard byte == HTTPGrammar.lineFeed else { throw .bareCarriageReturn }
      phase = .finished
    case .counted, .chunkSize, .chunkExtension, .chunkSizeLineFeed, .chunkData, .chunkDataCarriageReturn,
      .chunkDataLineFeed, .finished:
      assertionFailure("\(phase) takes no trailer")
    }
  }

  private func refuseControl(_ byte: UInt8) throws(HTTPError) {
    guard HTTPGrammar.isControl(byte), byte != HTTPGrammar.tab else { return }
    throw byte == HTTPGrammar.lineFeed ? .bareLineFeed : .controlCharacter(byte)
  }
}
