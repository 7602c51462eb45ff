/// One batch of mail as it crosses threads: a header and the messages behind it, in one block of memory. The sender fills
/// it where it lies and the owner takes the messages out where they lie, so a batch costs one allocation at most.
///
/// A block belongs to one thread at a time: to the sender until it is posted, then to the mailbox, then to the owner.
@safe struct MailBlock<Message: Sendable> {
  @safe private struct Header {
    var next: UnsafeMutableRawPointer?
    var count: Int
    let capacity: Int
  }

  /// Messages of a block that is made for nothing in particular: what a turn of a quiet loop sends.
  static var capacityMin: Int { 8 }

  /// Where the header is; the messages follow at `messagesOffset`.
  let raw: UnsafeMutableRawPointer

  private static var alignment: Int { max(MemoryLayout<Header>.alignment, MemoryLayout<Message>.alignment, 16) }
  private static var messagesOffset: Int {
    let mask = max(MemoryLayout<Message>.alignment, 1) - 1
    return (MemoryLayout<Header>.size + mask) & ~mask
  }

  /// An empty block with room for so many messages, at least one.
  init(capacity: Int) {
    let capacity = max(capacity, 1)
    unsafe raw = .allocate(
      byteCount: Self.messagesOffset + capacity * MemoryLayout<Message>.stride, alignment: Self.alignment)
    unsafe raw.bindMemory(to: Header.self, capacity: 1).initialize(to: Header(next: nil, count: 0, capacity: capacity))
  }

  /// The block that `raw` was of.
  init(raw: UnsafeMutableRawPointer) { unsafe self.raw = unsafe raw }

  // SAFETY of both: `init(capacity:)` bound the memory so, and the block lives until `free`.
  private var header: UnsafeMutablePointer<Header> { unsafe raw.assumingMemoryBound(to: Header.self) }
  private var messages: UnsafeMutablePointer<Message> {
    unsafe (raw + Self.messagesOffset).assumingMemoryBound(to: Message.self)
  }

  var count: Int { unsafe header.pointee.count }
  var capacity: Int { unsafe header.pointee.capacity }

  /// The next block of a list.
  var next: UnsafeMutableRawPointer? {
    get { unsafe header.pointee.next }
    nonmutating set { unsafe header.pointee.next = newValue }
  }

  /// Adds a message. The caller has made sure that there is room.
  func append(_ message: consuming Message) {
    let count = count
    precondition(count < capacity)
    // SAFETY: the place is within the block, checked above, and holds nothing.
    unsafe (messages + count).initialize(to: message)
    unsafe header.pointee.count = count + 1
  }

  /// A block of twice the size with the same messages; this one is gone.
  func grown() -> MailBlock {
    let larger = MailBlock(capacity: capacity * 2)
    // SAFETY: the larger block has room for all of these, which leave this one.
    unsafe larger.messages.moveInitialize(from: messages, count: count)
    unsafe larger.header.pointee.count = count
    unsafe header.pointee.count = 0
    free()
    return larger
  }

  /// Takes every message out, oldest first; the block is empty afterwards.
  func takeAll(_ body: (consuming Message) -> Void) {
    let count = count
    unsafe header.pointee.count = 0
    // SAFETY: the first `count` places hold messages, and each is moved out once.
    for index in 0..<count { body(unsafe (messages + index).move()) }
  }

  /// Ends the block with what is in it.
  func free() {
    takeAll { _ in }
    unsafe raw.deallocate()
  }
}

/// Empty blocks that one thread keeps for its next batches: those that came in full go out full again, so threads that
/// write to each other allocate nothing. One thread only.
@safe final class MailBlockPool<Message: Sendable> {
  /// Blocks kept, and the largest worth keeping: for a burst's blocks the allocator is the better place.
  static var countMax: Int { 16 }
  static var capacityMax: Int { 64 }

  private var first: UnsafeMutableRawPointer?
  private(set) var count = 0

  deinit {
    while let raw = unsafe first {
      let block = unsafe MailBlock<Message>(raw: raw)
      unsafe first = block.next
      block.free()
    }
  }

  /// An empty block.
  func take() -> MailBlock<Message> {
    guard let raw = unsafe first else { return MailBlock(capacity: MailBlock<Message>.capacityMin) }
    let block = unsafe MailBlock<Message>(raw: raw)
    unsafe first = block.next
    unsafe block.next = nil
    count -= 1
    return block
  }

  /// Gives an empty block back.
  func give(_ block: MailBlock<Message>) {
    guard count < Self.countMax, block.capacity <= Self.capacityMax else { return block.free() }
    unsafe block.next = first
    unsafe first = block.raw
    count += 1
  }
}
