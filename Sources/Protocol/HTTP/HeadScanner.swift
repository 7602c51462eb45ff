/// Finds where a request's head ends, byte after byte, and checks on the way what can be checked without looking back:
/// line ends, control characters and sizes. What it decides depends on the bytes alone, not on how they arrive.
struct HeadScanner: Sendable {
  /// Bytes already looked at, so that a head that arrives byte by byte is read once.
  private var searchedByteCount = 0
  private var lineStart = 0
  private var leadingEmptyLineCount = 0
  private var fieldLineCount = 0
  private var isAfterCarriageReturn = false
  /// The request line without its CRLF, once it is there.
  private(set) var requestLine: Range<Int>?

  /// Returns the byte count of the head, nil while it is incomplete. The bytes start where they started last time.
  mutating func scan(_ bytes: Span<UInt8>, limits: HTTPLimits) throws(HTTPError) -> Int? {
    if bytes.count < searchedByteCount { self = HeadScanner() }
    let end = min(bytes.count, limits.headByteCountMax)
    var index = searchedByteCount
    while index < end {
      let textStart = index
      index = HTTPGrammar.firstControl(bytes, index..<end)
      if index > textStart {
        if isAfterCarriageReturn { throw .bareCarriageReturn }
        guard requestLine != nil || index - lineStart <= limits.requestLineByteCountMax else {
          throw .requestLineTooLong(byteCountMax: limits.requestLineByteCountMax)
        }
      }
      guard index < end else { break }

      switch bytes[index] {
      case HTTPGrammar.carriageReturn:
        if isAfterCarriageReturn { throw .bareCarriageReturn }
        isAfterCarriageReturn = true
      case HTTPGrammar.lineFeed:
        guard isAfterCarriageReturn else { throw .bareLineFeed }
        isAfterCarriageReturn = false
        if try endLine(lineStart..<(index - 1), limits: limits) { return index + 1 }
        lineStart = index + 1
      case let control:
        if isAfterCarriageReturn { throw .bareCarriageReturn }
        guard control == HTTPGrammar.tab, requestLine != nil else { throw .controlCharacter(control) }
      }
      index += 1
    }
    searchedByteCount = index
    guard index < limits.headByteCountMax else { throw .headTooLarge(byteCountMax: limits.headByteCountMax) }
    return nil
  }

  /// Returns whether this line ends the head.
  private mutating func endLine(_ line: Range<Int>, limits: HTTPLimits) throws(HTTPError) -> Bool {
    if requestLine == nil {
      if line.isEmpty {
        leadingEmptyLineCount += 1
        guard leadingEmptyLineCount <= limits.leadingEmptyLineCountMax else {
          throw .leadingEmptyLines(countMax: limits.leadingEmptyLineCountMax)
        }
      } else {
        requestLine = line
      }
      return false
    }
    if line.isEmpty { return true }
    fieldLineCount += 1
    guard fieldLineCount <= limits.fieldCountMax else { throw .tooManyFields(countMax: limits.fieldCountMax) }
    return false
  }
}
