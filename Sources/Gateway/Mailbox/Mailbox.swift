import CEpollShim
import Glibc
import Synchronization

/// A many-to-one mailbox: senders push whole batches onto a lock-free stack, the owner takes everything by one exchange.
///
/// Mail is FIFO per sender. Only the push that finds the box empty wakes the owner, so a burst costs one system call.
@safe package final class Mailbox<Message: Sendable>: @unchecked Sendable {
  // SENDABLE: what is written after init is atomic; a block is filled before it is published and read after it is taken.

  /// What senders and owner both write, alone on its cache line.
  @safe private struct Top: ~Copyable {
    /// The newest block, which links to those before it.
    let head = unsafe Atomic<UnsafeMutableRawPointer?>(nil)
    let waiting = Atomic<Int>(0)
  }

  /// Messages that may wait before publishers are told to come back later (`over_capacity`). Mail itself is never refused.
  package static var waitingCountMax: Int { 262_144 }

  private let top: UnsafeMutablePointer<Top>
  private let pressure: MailPressure
  /// An eventfd; the owner watches it edge-triggered and never reads it.
  package let wakeDescriptor: Int32

  /// `pressure` learns when more mail waits than should.
  package init(pressure: MailPressure = MailPressure()) {
    self.pressure = pressure
    wakeDescriptor = signalbox_wake_descriptor()
    let block = UnsafeMutableRawPointer.allocate(byteCount: CacheLine.byteCount, alignment: CacheLine.byteCount)
    // SAFETY: the block is larger than a Top and suits its alignment.
    unsafe top = block.bindMemory(to: Top.self, capacity: 1)
    unsafe top.initialize(to: Top())
  }

  deinit {
    drain { _ in }
    // SAFETY: nobody holds the object any more; the block came from allocate with this alignment.
    unsafe top.deinitialize(count: 1)
    unsafe UnsafeMutableRawPointer(top).deallocate()
    _ = close(wakeDescriptor)
  }

  /// Hands a batch over. Any thread.
  package func post(_ batch: [Message]) {
    guard !batch.isEmpty else { return }
    let block = MailBlock<Message>(capacity: batch.count)
    for message in batch { block.append(message) }
    post(block)
  }

  /// Hands a block over, which has at least one message. Any thread.
  func post(_ block: MailBlock<Message>) {
    // The block is the owner's once it is on the stack: not looked at afterwards.
    let count = block.count
    // SAFETY of `top` here and below: set in init, freed in deinit.
    let waiting = unsafe top.pointee.waiting.wrappingAdd(count, ordering: .relaxed)
    if waiting.oldValue <= Self.waitingCountMax, waiting.newValue > Self.waitingCountMax { pressure.rise() }
    var seen = unsafe top.pointee.head.load(ordering: .relaxed)
    while true {
      unsafe block.next = seen
      let result = unsafe top.pointee.head.weakCompareExchange(
        expected: seen, desired: block.raw, successOrdering: .acquiringAndReleasing, failureOrdering: .relaxed)
      if unsafe result.exchanged { break }
      unsafe seen = unsafe result.original
    }
    let wasEmpty = unsafe seen == nil
    if wasEmpty { signalbox_wake(wakeDescriptor) }
  }

  /// True where the owner is so far behind that new work should be refused at the door.
  package var isOverfull: Bool { unsafe top.pointee.waiting.load(ordering: .relaxed) > Self.waitingCountMax }

  /// Whether nothing waits. Any thread; by the time the caller looks at the answer mail may have come.
  package var isEmpty: Bool { unsafe top.pointee.head.load(ordering: .relaxed) == nil }

  /// Takes all mail, oldest batch first per sender, and says how much it was. The owner's thread only.
  @discardableResult
  package func drain(_ body: (consuming Message) -> Void) -> (batches: Int, messages: Int) {
    drain(into: nil, body)
  }

  /// The same; the emptied blocks go to `pool`.
  @discardableResult
  func drain(
    into pool: MailBlockPool<Message>?, _ body: (consuming Message) -> Void
  ) -> (batches: Int, messages: Int) {
    // A look first: an exchange takes the line from the senders even where there is nothing to take.
    guard !isEmpty, var current = unsafe top.pointee.head.exchange(nil, ordering: .acquiringAndReleasing) else {
      return (0, 0)
    }
    // The stack has the newest on top: turn it round.
    var oldestFirst: UnsafeMutableRawPointer?
    var batches = 0
    var messages = 0
    while true {
      // SAFETY: every pointer on the stack is of a block that was posted, and is taken exactly once.
      let block = unsafe MailBlock<Message>(raw: current)
      batches += 1
      messages += block.count
      let next = unsafe block.next
      unsafe block.next = oldestFirst
      unsafe oldestFirst = unsafe current
      guard let next = unsafe next else { break }
      unsafe current = unsafe next
    }
    let waiting = unsafe top.pointee.waiting.wrappingSubtract(messages, ordering: .relaxed)
    if waiting.oldValue > Self.waitingCountMax, waiting.newValue <= Self.waitingCountMax { pressure.fall() }
    while let raw = unsafe oldestFirst {
      let block = unsafe MailBlock<Message>(raw: raw)
      unsafe oldestFirst = block.next
      block.takeAll(body)
      if let pool { pool.give(block) } else { block.free() }
    }
    return (batches, messages)
  }
}

/// How many of a gateway's mailboxes are overfull. Written when one becomes so and when it no longer is, so that
/// publishers may look at every request: all cores keep a copy of the line.
package final class MailPressure: Sendable {
  private let padding = CacheLine.Padding(repeating: 0)
  private let overfullCount = Atomic<Int>(0)
  private let paddingBehind = CacheLine.Padding(repeating: 0)

  package init() {}

  /// True where some owner is so far behind that new work should be refused at the door.
  package var isHigh: Bool { overfullCount.load(ordering: .relaxed) > 0 }

  func rise() { overfullCount.add(1, ordering: .relaxed) }
  func fall() { overfullCount.subtract(1, ordering: .relaxed) }
}

/// What cores pass back and forth.
enum CacheLine {
  /// Bytes that one core's writing takes from the others: two lines of 64, which x86 fetches in pairs.
  static let byteCount = 128
  /// Put before and behind what is written often, so that nothing else lies on its lines.
  typealias Padding = InlineArray<16, UInt64>
}
