import Protocol

/// The bytes of one frame while they are written, in the block that the frame then keeps: nothing is copied twice.
///
/// The writer says beforehand how many bytes it will write at most. One that writes more is wrong about its own
/// arithmetic, and stops the process before memory is touched.
@safe struct FrameBuffer: ~Copyable {
  private let block: UnsafeMutableRawBufferPointer
  private(set) var byteCount = 0

  init(byteCountMax: Int) {
    unsafe block = .allocate(byteCount: max(byteCountMax, 1), alignment: 1)
  }

  /// A text message's frame, its header written already, for a payload of exactly so many bytes.
  init(textOf payloadByteCount: Int) {
    self.init(byteCountMax: FrameWriter.headerByteCount(forPayload: payloadByteCount) + payloadByteCount)
    append(0x80 | Opcode.text.rawValue)
    switch payloadByteCount {
    case ...125: append(UInt8(truncatingIfNeeded: payloadByteCount))
    case ...0xffff:
      append(126)
      append(UInt8(truncatingIfNeeded: payloadByteCount >> 8))
      append(UInt8(truncatingIfNeeded: payloadByteCount))
    default:
      append(127)
      for shift in stride(from: 56, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: payloadByteCount >> shift)) }
    }
  }

  deinit {
    unsafe block.deallocate()
  }

  /// The room for so many bytes behind those that are written, which count as written from now on.
  @inline(__always)
  private mutating func take(_ count: Int) -> UnsafeMutableRawPointer {
    let roomByteCount = unsafe block.count - byteCount
    precondition(count >= 0 && count <= roomByteCount, "a frame is longer than its writer said")
    // SAFETY: byteCount + count <= block.count, checked above; an allocated block has a base address.
    let room = unsafe block.baseAddress.unsafelyUnwrapped + byteCount
    byteCount += count
    return unsafe room
  }

  @inline(__always)
  mutating func append(_ byte: UInt8) {
    // SAFETY: take gives room for one byte.
    unsafe take(1).storeBytes(of: byte, as: UInt8.self)
  }

  @inline(__always)
  mutating func append(_ literal: StaticString) {
    // SAFETY: take gives room for the literal's bytes, which lie elsewhere.
    unsafe take(literal.utf8CodeUnitCount).copyMemory(from: literal.utf8Start, byteCount: literal.utf8CodeUnitCount)
  }

  mutating func append(_ bytes: [UInt8]) {
    append(bytes.span)
  }

  mutating func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { source in
      guard let start = source.baseAddress else { return }
      // SAFETY: take gives room for as many bytes as the source has, which lies elsewhere.
      unsafe take(source.count).copyMemory(from: start, byteCount: source.count)
    }
  }

  /// The text as it is: whoever writes JSON knows that nothing in it needs an escape.
  mutating func append(unescaped text: String) {
    append(text.utf8.span)
  }

  mutating func append(decimal value: Int) {
    if value < 0 { append(UInt8(ascii: "-")) }
    var rest = value.magnitude
    let count = Self.digitCount(rest)
    let room = unsafe take(count)
    var place = count
    while place > 0 {
      place -= 1
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      // SAFETY: place is below count, for which there is room.
      unsafe room.storeBytes(
        of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit), toByteOffset: place, as: UInt8.self)
      rest = quotient
    }
  }

  /// How many bytes `append(decimal:)` writes.
  static func decimalByteCount(_ value: Int) -> Int {
    digitCount(value.magnitude) + (value < 0 ? 1 : 0)
  }

  private static func digitCount(_ magnitude: UInt) -> Int {
    var count = 1
    var bound: UInt = 10
    // 10^19 is the largest power of ten that fits.
    while count < 20, magnitude >= bound {
      count += 1
      if count == 20 { break }
      bound *= 10
    }
    return count
  }

  /// What is written, for a closure that keeps nothing of it.
  func withBytes<Result>(from start: Int, _ body: (Span<UInt8>) -> Result) -> Result {
    precondition(start >= 0 && start <= byteCount, "no byte is written there yet")
    // SAFETY: start <= byteCount <= block.count, and take has seen every byte before byteCount written.
    return unsafe body(
      Span(
        _unsafeElements: UnsafeRawBufferPointer(rebasing: block[start..<byteCount]).assumingMemoryBound(to: UInt8.self)
      ))
  }

  /// Gives the block away, with what is written; the taker deallocates it.
  consuming func release() -> UnsafeRawBufferPointer {
    let written = unsafe UnsafeRawBufferPointer(rebasing: block[..<byteCount])
    discard self
    return unsafe written
  }
}

extension SharedFrame {
  /// Keeps the block of bytes that was written.
  convenience init(_ plain: consuming FrameBuffer, compressed: Span<UInt8> = Span()) {
    unsafe self.init(adopting: plain.release(), compressed: compressed)
  }
}
