/// The names that a reader of JSON objects knows, numbered: while an object is scanned each member is given its name's
/// place, so that asking for a member compares a number and no text.
///
/// The names are constants of the program. A table of words: a name of at most 16 bytes is two words, found by a
/// multiplication and mostly one comparison. Who chooses the names of members can make them collide with each other at
/// will and gains nothing: the table holds none of them.
///
/// A value of it lives as long as the process, and so does its table, which is never freed.
@safe package struct JSONNames: @unchecked Sendable {
  /// A place is a bit of a word (`JSONObject.knownNames`).
  package static let countMax = 64
  package static let byteCountMax = 16
  /// The place of a name that is not in the table.
  package static let unknown = UInt8.max

  private struct Slot {
    var low: UInt64 = 0
    var high: UInt64 = 0
    /// 0 in a free slot: a name of no bytes cannot be in the table.
    var byteCount: UInt8 = 0
    var place = JSONNames.unknown
  }

  /// Four times as many as names at most, so that a search ends soon.
  private static let slotCount = 256
  /// `slotCount` of them, written by the initialiser and never again: any thread may read.
  private let slots: UnsafePointer<Slot>

  /// - Parameter names: 64 at most, each of 1 to 16 bytes, none twice; the place of each is its index.
  package init(_ names: [StaticString]) {
    precondition(names.count <= Self.countMax)
    // SAFETY: slotCount slots are made here; every place in them is masked by slotCount − 1.
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: Self.slotCount)
    unsafe slots.initialize(repeating: Slot(), count: Self.slotCount)
    for (place, name) in names.enumerated() {
      let bytes = Array(name.description.utf8)
      precondition((1...Self.byteCountMax).contains(bytes.count))
      let (low, high) = Self.words(of: 0..<bytes.count, in: bytes.span)
      var slot = Self.firstSlot(low, high)
      while unsafe slots[slot].byteCount > 0 {
        precondition(
          unsafe slots[slot].low != low || slots[slot].high != high || slots[slot].byteCount != bytes.count)
        slot = (slot + 1) & (Self.slotCount - 1)
      }
      unsafe slots[slot] = Slot(low: low, high: high, byteCount: UInt8(bytes.count), place: UInt8(place))
    }
    unsafe self.slots = UnsafePointer(slots)
  }

  /// The place of the name that is the whole of `range`, which lies within the bytes.
  package func place(of range: Range<Int>, in bytes: Span<UInt8>) -> UInt8 {
    guard !range.isEmpty, range.count <= Self.byteCountMax else { return Self.unknown }
    let (low, high) = Self.words(of: range, in: bytes)
    var slot = Self.firstSlot(low, high)
    while true {
      // SAFETY: slot < slotCount: the 8 bits of `firstSlot`, then masked.
      let found = unsafe slots + slot
      if unsafe found.pointee.low == low && found.pointee.high == high && Int(found.pointee.byteCount) == range.count {
        return unsafe found.pointee.place
      }
      if unsafe found.pointee.byteCount == 0 { break }
      slot = (slot &+ 1) & (Self.slotCount &- 1)
    }
    return Self.unknown
  }

  /// The same for what stands between the quotes of a validated string: escaped names are compared decoded.
  package func place(of contents: Range<Int>, hasEscapes: Bool, in bytes: Span<UInt8>) -> UInt8 {
    guard hasEscapes else { return place(of: contents, in: bytes) }
    guard let decoded = JSONDecode.bytes(contents: contents, in: bytes) else { return Self.unknown }
    return place(of: 0..<decoded.count, in: decoded.span)
  }

  private static func firstSlot(_ low: UInt64, _ high: UInt64) -> Int {
    // The odd constant is 2^64 divided by the golden ratio; the top 8 bits depend on all others.
    Int(truncatingIfNeeded: ((low ^ (high &* 0xff51_afd7_ed55_8ccd)) &* 0x9e37_79b9_7f4a_7c15) &>> 56)
  }

  /// The 1 to 16 bytes as two words, the first byte lowest, zeros behind the last.
  @inline(__always)
  private static func words(of range: Range<Int>, in bytes: Span<UInt8>) -> (low: UInt64, high: UInt64) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
    let byteCount = range.count
    if byteCount >= 8 {
      // SAFETY: both words lie within the range, which lies within the bytes.
      let low = unsafe bytes.word(at: range.lowerBound)
      let last = unsafe bytes.word(at: range.upperBound &- 8)
      // A shift by 64 gives 0.
      return (low, last >> UInt64(8 * (16 - byteCount)))
    }
    if range.lowerBound &+ 8 <= bytes.count {
      // SAFETY: lowerBound + 8 <= count, checked above.
      return (unsafe bytes.word(at: range.lowerBound) & ((1 << UInt64(8 * byteCount)) &- 1), 0)
    }
    var low: UInt64 = 0
    for index in range.reversed() { low = low << 8 | UInt64(bytes[index]) }
    return (low, 0)
  }
}
