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

  let subscriberCount: Int32
  private(set) var byteCount = 0
  private var parsedByteCount = 0
  /// Published, received by at least one, received by all.
  private(set) var publishedCount = 0
  private(set) var receivedCount = 0
  private(set) var completedCount = 0

  /// - Parameters:
  ///   - messageCountMax: under way at once at most.
  ///   - frameByteCountMax: of one message with its envelope and header.
  init(subscriberCount: Int, messageCountMax: Int, frameByteCountMax: Int) {
    let messageCapacity = ReferenceStream.powerOfTwo(atLeast: messageCountMax + 1)
    ringByteCount = ReferenceStream.powerOfTwo(atLeast: messageCapacity * frameByteCountMax)
    ring = UnsafeMutableRawPointer.allocate(byteCount: ringByteCount, alignment: 64)
    ends = .allocate(capacity: messageCapacity)
    publishedAt = .allocate(capacity: messageCapacity)
    lacking = .allocate(capacity: messageCapacity)
    messageCountMask = messageCapacity - 1
    self.subscriberCount = Int32(subscriberCount)
  }

  func deallocate() {
    ring.deallocate()
    ends.deallocate()
    publishedAt.deallocate()
    lacking.deallocate()
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
      let end = parsedByteCount + header.headerByteCount + header.payloadByteCount
      guard end <= byteCount else { return }
      guard header.first == 0x81 else { fail("a frame that starts with \(header.first) instead of a whole text") }
      let number = messageNumber(from: parsedByteCount + header.headerByteCount, to: end)
      guard number == receivedCount, number < publishedCount else {
        fail("got message \(number) after \(receivedCount - 1), published are \(publishedCount)")
      }
      ends[receivedCount & messageCountMask] = end
      receivedCount += 1
      parsedByteCount = end
    }
  }

  @inline(__always)
  private func byte(_ position: Int) -> UInt8 {
    ring.load(fromByteOffset: position & (ringByteCount - 1), as: UInt8.self)
  }

  /// The seven digits after `"current":`.
  private func messageNumber(from start: Int, to end: Int) -> Int {
    let name: StaticString = "\"current\":"
    let last = end - name.utf8CodeUnitCount - MessageTemplate.numberDigitCount
    var position = start
    search: while position <= last {
      for index in 0..<name.utf8CodeUnitCount where byte(position + index) != name.utf8Start[index] {
        position += 1
        continue search
      }
      var number = 0
      for index in 0..<MessageTemplate.numberDigitCount {
        number = number * 10 + Int(byte(position + name.utf8CodeUnitCount + index)) - 48
      }
      return number - MessageTemplate.firstNumber
    }
    fail("a message without its number: \(String(decoding: (start..<end).map { byte($0) }, as: UTF8.self))")
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
