/// The reading side of one WebSocket connection (RFC 6455 §5, RFC 7692 §7.2.2), without I/O: bytes in, events out.
///
/// It sits in every idle connection, so it is small and owns no memory between messages. A whole message
/// inside the bytes given is delivered in place; anything else is assembled in `assembled`, which grows as
/// bytes arrive and never by what a header claims.
package struct WebSocketSession: ~Copyable {
  /// What a configuration may ask for at most: beyond, zlib's 32-bit counts would need care.
  package static let messageByteCountLimit = 1 << 30

  private let messageByteCountMax: Int
  /// The bytes so far of the message that is incomplete, compressed as they came if it is.
  private var assembled: [UInt8] = []
  /// The bytes so far of a control frame that is incomplete; it may stand between two fragments.
  private var control: [UInt8] = []
  /// Bytes of the current frame's payload still to come.
  private var missingByteCount = 0
  private var maskingKey: UInt32 = 0
  /// The head of a header that ended with the bytes given.
  private var partialHeader = InlineArray<14, UInt8>(repeating: 0)
  private var partialHeaderByteCount: UInt8 = 0
  private var validator = UTF8Validator()
  private var phase = Phase.header
  private var opcode = Opcode.continuation
  private var frameIsFinal = false
  /// Of the message that is incomplete; nil between messages.
  private var messageKind: MessageKind?
  private var messageIsCompressed = false
  private let isDeflateNegotiated: Bool

  private enum Phase: UInt8 {
    case header, payload, finished
  }

  /// - Parameter messageByteCountMax: of a message as the application gets it, inflated if it was compressed;
  ///   one more is answered by 1009.
  package init(messageByteCountMax: Int, deflate: NegotiatedDeflate?) {
    self.messageByteCountMax = min(max(messageByteCountMax, 0), Self.messageByteCountLimit)
    isDeflateNegotiated = deflate != nil
  }

  /// Whether a message is incomplete, which a server that drains may want to wait for.
  package var isMessageOpen: Bool { messageKind != nil }

  /// Whether the next byte begins a frame that is no continuation.
  @inline(__always)
  var isBetweenFrames: Bool { phase == .header && partialHeaderByteCount == 0 && messageKind == nil }

  @inline(__always)
  func isWithinBound(_ payloadByteCount: Int) -> Bool { payloadByteCount <= messageByteCountMax }

  /// Consumes `bytes[position...]`, unmasking in place, until one event is complete. The caller loops until
  /// `.needMoreBytes`, which means that all is consumed. Nothing points into the bytes afterwards but the range
  /// of an `.inPlace` message. After a close or a violation every byte is swallowed.
  package mutating func next(
    _ bytes: inout MutableSpan<UInt8>, position: inout Int, inflaters: inout InflaterPool
  ) -> WebSocketEvent {
    precondition(position >= 0 && position <= bytes.count, "the position lies outside the bytes")
    if isBetweenFrames, let frame = WholeFrame(bytes.span, at: position), isWithinBound(frame.payload.count) {
      return receiveWhole(frame, &bytes, &position)
    }
    while true {
      switch phase {
      case .finished:
        position = bytes.count
        return .needMoreBytes
      case .header:
        if position == bytes.count { return .needMoreBytes }
        switch readHeader(bytes.span, &position) {
        case .incomplete: return .needMoreBytes
        case .violation(let reason): return violation(.protocolError, reason)
        case .header(let header):
          if let event = begin(header) { return event }
        }
      case .payload:
        let available = min(missingByteCount, bytes.count - position)
        if available == 0 && missingByteCount > 0 { return .needMoreBytes }
        let range = position..<position + available
        FrameMasking.apply(key: maskingKey, to: &bytes, in: range)
        maskingKey = FrameMasking.rotated(maskingKey, by: available)
        position += available
        missingByteCount -= available
        let event =
          opcode.isControl
          ? receiveControl(bytes.span.extracting(range))
          : receiveData(bytes.span, range, &inflaters)
        if let event { return event }
      }
    }
  }

  /// Unmasks a whole frame where it is.
  @inline(__always)
  private mutating func receiveWhole(
    _ frame: WholeFrame, _ bytes: inout MutableSpan<UInt8>, _ position: inout Int
  ) -> WebSocketEvent {
    let isASCII = FrameMasking.apply(key: frame.maskingKey, to: &bytes, in: frame.payload)
    position = frame.payload.upperBound
    if frame.isText, !isASCII {
      var validator = UTF8Validator()
      guard validator.feed(bytes.span.extracting(frame.payload)) else {
        return violation(.invalidPayload, "a text is not UTF-8")
      }
      guard validator.isComplete else { return violation(.invalidPayload, "a text ends within a character") }
    }
    return .message(frame.kind, .inPlace(frame.payload))
  }

  // MARK: - Headers

  @inline(__always)
  private mutating func readHeader(_ bytes: Span<UInt8>, _ position: inout Int) -> FrameHeader.Parsed {
    if partialHeaderByteCount == 0 {
      let parsed = parseHeader(bytes.extracting(position..<bytes.count))
      switch parsed {
      case .header(let header):
        position += header.byteCount
      case .incomplete:
        while position < bytes.count { keepHeaderByte(bytes, &position) }
      case .violation:
        break
      }
      return parsed
    }
    return readRestOfHeader(bytes, &position)
  }

  private mutating func readRestOfHeader(_ bytes: Span<UInt8>, _ position: inout Int) -> FrameHeader.Parsed {
    while position < bytes.count {
      keepHeaderByte(bytes, &position)
      let parsed = parseHeader(partialHeader.span.extracting(0..<Int(partialHeaderByteCount)))
      if case .incomplete = parsed { continue }
      partialHeaderByteCount = 0
      return parsed
    }
    return .incomplete
  }

  @inline(__always)
  private func parseHeader(_ bytes: Span<UInt8>) -> FrameHeader.Parsed {
    FrameHeader.parse(bytes, isDeflateNegotiated: isDeflateNegotiated, isMessageOpen: messageKind != nil)
  }

  /// An incomplete header has at most 13 bytes, so there is room for one more.
  private mutating func keepHeaderByte(_ bytes: Span<UInt8>, _ position: inout Int) {
    partialHeader[Int(partialHeaderByteCount)] = bytes[position]
    partialHeaderByteCount += 1
    position += 1
  }

  /// Starts a frame's payload; the message's bound is looked at here, before any of it has come.
  @inline(__always)
  private mutating func begin(_ header: FrameHeader) -> WebSocketEvent? {
    opcode = header.opcode
    frameIsFinal = header.isFinal
    missingByteCount = header.payloadByteCount
    maskingKey = header.maskingKey
    phase = .payload
    if header.opcode.isControl { return nil }
    if header.opcode != .continuation {
      messageKind = header.opcode == .text ? .text : .binary
      messageIsCompressed = header.isCompressed
    }
    // assembled.count never exceeds the bound, so that this cannot overflow.
    guard header.payloadByteCount <= assembledByteCountMax - assembled.count else {
      return violation(.messageTooBig, "the message is too big")
    }
    return nil
  }

  /// How much may be collected. Compression can make a message longer: zlib's `deflateBound` for the
  /// least favourable parameters is an eighth, a sixty-fourth and a few bytes more.
  private var assembledByteCountMax: Int {
    messageIsCompressed
      ? messageByteCountMax + messageByteCountMax / 8 + messageByteCountMax / 64 + 64 : messageByteCountMax
  }

  // MARK: - Payloads

  private mutating func receiveControl(_ bytes: Span<UInt8>) -> WebSocketEvent? {
    control.append(bytes)
    guard missingByteCount == 0 else { return nil }
    var payload: [UInt8] = []
    swap(&payload, &control)
    phase = .header
    switch opcode {
    case .ping: return .ping(payload)
    case .pong: return .pong(payload)
    case .close: return receiveClose(payload)
    case .continuation, .text, .binary: return nil  // not control: never here
    }
  }

  /// RFC 6455 §5.5.1, §7.4.
  private mutating func receiveClose(_ payload: [UInt8]) -> WebSocketEvent {
    guard !payload.isEmpty else {
      finish()
      return .close(nil, reason: [])
    }
    guard payload.count >= 2 else { return violation(.protocolError, "a close frame of one byte") }
    let code = CloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
    guard code.isValidOnWire() else { return violation(.protocolError, "a close code that must not be sent") }
    var validator = UTF8Validator()
    guard validator.feed(payload.span.extracting(2..<payload.count)), validator.isComplete else {
      return violation(.invalidPayload, "a close reason is not UTF-8")
    }
    finish()
    return .close(code, reason: Array(payload[2...]))
  }

  @inline(__always)
  private mutating func receiveData(
    _ bytes: Span<UInt8>, _ range: Range<Int>, _ inflaters: inout InflaterPool
  ) -> WebSocketEvent? {
    guard let kind = messageKind else { return violation(.internalError, "data without a message") }
    let isText = kind == .text && !messageIsCompressed
    if isText && !validator.feed(bytes.extracting(range)) {
      return violation(.invalidPayload, "a text is not UTF-8")
    }
    let isMessageComplete = missingByteCount == 0 && frameIsFinal
    let isInPlace = isMessageComplete && assembled.isEmpty
    if !isInPlace { assemble(bytes.extracting(range)) }
    if missingByteCount == 0 { phase = .header }
    guard isMessageComplete else { return nil }

    if isText && !validator.isComplete { return violation(.invalidPayload, "a text ends within a character") }
    if messageIsCompressed {
      if isInPlace { return inflate(bytes.extracting(range), kind, &inflaters) }
      var compressed: [UInt8] = []
      swap(&compressed, &assembled)
      return inflate(compressed.span, kind, &inflaters)
    }
    messageKind = nil
    if isInPlace { return .message(kind, .inPlace(range)) }
    var payload: [UInt8] = []
    swap(&payload, &assembled)
    return .message(kind, .owned(payload))
  }

  /// Grows by doubling, within the bound, as the standard library's growth would not be.
  private mutating func assemble(_ bytes: Span<UInt8>) {
    let needed = assembled.count + bytes.count
    if needed > assembled.capacity {
      assembled.reserveCapacity(max(needed, min(assembled.capacity * 2, assembledByteCountMax)))
    }
    assembled.append(bytes)
  }

  private mutating func inflate(
    _ compressed: Span<UInt8>, _ kind: MessageKind, _ inflaters: inout InflaterPool
  ) -> WebSocketEvent {
    var payload: [UInt8] = []
    do {
      try inflaters.inflate(compressed, byteCountMax: messageByteCountMax, into: &payload)
    } catch {
      switch error {
      case .corrupt: return violation(.invalidPayload, "a compressed message is corrupt")
      case .tooBig: return violation(.messageTooBig, "the inflated message is too big")
      case .outOfMemory: return violation(.internalError, "no memory to inflate")
      }
    }
    if kind == .text {
      var validator = UTF8Validator()
      guard validator.feed(payload.span), validator.isComplete else {
        return violation(.invalidPayload, "a text is not UTF-8")
      }
    }
    messageKind = nil
    messageIsCompressed = false
    return .message(kind, .owned(payload))
  }

  // MARK: - Ends

  private mutating func violation(_ code: CloseCode, _ reason: StaticString) -> WebSocketEvent {
    finish()
    return .violation(code, reason)
  }

  private mutating func finish() {
    phase = .finished
    messageKind = nil
    assembled = []
    control = []
  }
}
