/// The bytes that every subscriber of a topic must get, known from whoever got them first.
///
/// Whoever is furthest appends what it received; it is parsed here once, and every message's number is checked. All
/// others are compared with it, byte by byte. So all of them got every message once, in order and identical, at the
/// price of one memcmp for each read.
struct ReferenceStream {
  private let ring: UnsafeMutableRawPointer
  private let ringByteCount: Int
  /// Where each message ends, by its number modulo the capacity.
  private let ends: UnsafeMutablePointer<Int>
  private let publishedAt: UnsafeMutablePointer<UInt64>
  /// How many subscribers still lack a message.
  private let lacking: UnsafeMutablePointer<Int32>
  private let messageCountMask: Int
  private let checker: MessageChecker
  /// Where messages come compressed.
  private let inflater: MessageInflater?
  /// For a message that lies across the ring's end.
  private let scratch: UnsafeMutableRawPointer
  /// Of the last message that was parsed, inflated.
  private(set) var plainByteCount = 0

  let subscriberCount: Int32
  private(set) var byteCount = 0
  private var parsedByteCount = 0
  /// Published, received by at least one, received by all.
  private(set) var publishedCount = 0
  private(set) var receivedCount = 0
  private(set) var completedCount = 0

  /// - Parameters:
  ///   - messageCountMax: under way at once at most.
  ///   - frameByteCountMax: of one message with its envelope and header, inflated.
  ///   - isCompressed: each message must be compressed; else none may be.
  init(
    subscriberCount: Int, messageCountMax: Int, frameByteCountMax: Int, checker: MessageChecker,
    isCompressed: Bool = false
  ) {
    let messageCapacity = ReferenceStream.powerOfTwo(atLeast: messageCountMax + 1)
    ringByteCount = ReferenceStream.powerOfTwo(atLeast: messageCapacity * frameByteCountMax)
    ring = UnsafeMutableRawPointer.allocate(byteCount: ringByteCount, alignment: 64)
    ends = .allocate(capacity: messageCapacity)
    publishedAt = .allocate(capacity: messageCapacity)
    lacking = .allocate(capacity: messageCapacity)
    messageCountMask = messageCapacity - 1
    self.subscriberCount = Int32(subscriberCount)
    self.checker = checker
    inflater = isCompressed ? MessageInflater(byteCountMax: 2 * frameByteCountMax) : nil
    scratch = .allocate(byteCount: ringByteCount, alignment: 64)
  }

  func deallocate() {
    ring.deallocate()
    ends.deallocate()
    publishedAt.deallocate()
    lacking.deallocate()
    scratch.deallocate()
  }

  private static func powerOfTwo(atLeast value: Int) -> Int {
    var power = 1
    while power < value { power *= 2 }
    return power
  }

  var underWay: Int { publishedCount - completedCount }

  /// Notes a publication; returns its number.
  mutating func publish(at time: UInt64) -> Int {
    let number = publishedCount
    precondition(underWay <= messageCountMask, "more messages under way than there is room for")
    publishedAt[number & messageCountMask] = time
    lacking[number & messageCountMask] = subscriberCount
    publishedCount += 1
    return number
  }

  @inline(__always)
  func end(of message: Int) -> Int { ends[message & messageCountMask] }
  @inline(__always)
  func publicationTime(of message: Int) -> UInt64 { publishedAt[message & messageCountMask] }

  /// Notes that one more subscriber has the message; true where it was the last one.
  @inline(__always)
  mutating func complete(_ message: Int) -> Bool {
    lacking[message & messageCountMask] &-= 1
    guard lacking[message & messageCountMask] == 0 else { return false }
    completedCount += 1
    return true
  }

  /// Takes what a subscriber received who stands at `position`.
  @inline(__always)
  mutating func receive(_ bytes: UnsafeRawBufferPointer, at position: Int) {
    var position = position
    var rest = bytes
    while position < byteCount, !rest.isEmpty {
      let offset = position & (ringByteCount - 1)
      let count = min(rest.count, byteCount - position, ringByteCount - offset)
      let expected = UnsafeRawBufferPointer(start: ring + offset, count: count)
      if !UnsafeRawBufferPointer(rebasing: rest[..<count]).hasSameBytes(as: expected) { mismatch(rest, at: position) }
      position += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    if !rest.isEmpty { extend(rest) }
  }

  private mutating func extend(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while !rest.isEmpty {
      let offset = byteCount & (ringByteCount - 1)
      let count = min(rest.count, ringByteCount - offset)
      UnsafeMutableRawBufferPointer(start: ring + offset, count: count)
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
      byteCount += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    // The end of the last message that everybody has; its place is taken only after as many more as may be under way.
    let oldestNeeded = completedCount > 0 ? end(of: completedCount - 1) : 0
    if byteCount - oldestNeeded > ringByteCount { fail("messages are longer than expected") }
    parse()
  }

  private mutating func parse() {
    while let header = Frames.header(available: byteCount - parsedByteCount, at: { self.byte(parsedByteCount + $0) }) {
      let start = parsedByteCount + header.headerByteCount
      let end = start + header.payloadByteCount
      guard end <= byteCount else { return }
      // A whole text message (RFC 6455 §5.2), compressed (RFC 7692 §6) or not.
      guard header.first == (inflater == nil ? 0x81 : 0xC1) else {
        fail("a frame that starts with \(header.first) instead of a whole \(inflater == nil ? "" : "compressed ")text")
      }
      var message = contiguous(from: start, to: end)
      if let inflater { message = inflater.inflate(message) }
      let number = checker.number(of: message)
      guard number == receivedCount, number < publishedCount else {
        fail("got message \(number) after \(receivedCount - 1), published are \(publishedCount)")
      }
      plainByteCount = message.count
      ends[receivedCount & messageCountMask] = end
      receivedCount += 1
      parsedByteCount = end
    }
  }

  /// The payload of the last message that somebody got.
  func lastMessage() -> UnsafeRawBufferPointer {
    let start = receivedCount > 1 ? end(of: receivedCount - 2) : 0
    guard receivedCount > 0, let header = Frames.header(available: 4, at: { byte(start + $0) }) else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return contiguous(from: start + header.headerByteCount, to: end(of: receivedCount - 1))
  }

  private func contiguous(from start: Int, to end: Int) -> UnsafeRawBufferPointer {
    let offset = start & (ringByteCount - 1)
    let first = min(end - start, ringByteCount - offset)
    if first == end - start { return UnsafeRawBufferPointer(start: ring + offset, count: first) }
    scratch.copyMemory(from: ring + offset, byteCount: first)
    (scratch + first).copyMemory(from: ring, byteCount: end - start - first)
    return UnsafeRawBufferPointer(start: scratch, count: end - start)
  }

  @inline(__always)
  private func byte(_ position: Int) -> UInt8 {
    ring.load(fromByteOffset: position & (ringByteCount - 1), as: UInt8.self)
  }

  private func mismatch(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Never {
    let expected = (position..<min(position + 300, byteCount)).map { byte($0) }
    fail(
      """
      subscribers got different bytes at \(position):
      \(String(decoding: bytes.prefix(300), as: UTF8.self))
      instead of
      \(String(decoding: expected, as: UTF8.self))
      """)
  }
}
