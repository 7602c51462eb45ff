import CEpollShim
import Glibc
import Synchronization

/// A many-to-one mailbox: senders push whole batches onto a lock-free stack, the owner takes everything by one exchange.
///
/// Mail is FIFO per sender. Only the push that finds the box empty wakes the owner, so a burst costs one system call.
@safe package final class Mailbox<Message: Sendable>: @unchecked Sendable {
  // SENDABLE: the stack's head is atomic; a node is written before it is published and read after it is taken.
  @safe private final class Node {
    let batch: [Message]
    var next: UnsafeMutableRawPointer?
    init(_ batch: [Message]) { self.batch = batch }
  }

  /// Messages that may wait before publishers are told to come back later (`over_capacity`). Mail itself is never refused.
  package static var waitingCountMax: Int { 262_144 }

  private let head = unsafe Atomic<UnsafeMutableRawPointer?>(nil)
  private let waiting = Atomic<Int>(0)
  /// An eventfd; the owner watches it edge-triggered and never reads it.
  package let wakeDescriptor: Int32

  package init() {
    wakeDescriptor = signalbox_wake_descriptor()
  }

  deinit {
    drain { _ in }
    _ = close(wakeDescriptor)
  }

  /// Hands a batch over. Any thread.
  package func post(_ batch: [Message]) {
    guard !batch.isEmpty else { return }
    waiting.add(batch.count, ordering: .relaxed)
    let node = Node(batch)
    let raw = unsafe Unmanaged.passRetained(node).toOpaque()
    var seen = unsafe head.load(ordering: .relaxed)
    while true {
      unsafe node.next = seen
      let result = unsafe head.weakCompareExchange(
        expected: seen, desired: raw, successOrdering: .acquiringAndReleasing, failureOrdering: .relaxed)
      if unsafe result.exchanged { break }
      unsafe seen = unsafe result.original
    }
    let wasEmpty = unsafe seen == nil
    if wasEmpty { signalbox_wake(wakeDescriptor) }
  }

  /// True where the owner is so far behind that new work should be refused at the door.
  package var isOverfull: Bool { waiting.load(ordering: .relaxed) > Self.waitingCountMax }

  /// Whether nothing waits. Any thread; by the time the caller looks at the answer mail may have come.
  package var isEmpty: Bool { unsafe head.load(ordering: .relaxed) == nil }

  /// Takes all mail, oldest batch first per sender. The owner's thread only.
  package func drain(_ body: ([Message]) -> Void) {
    guard var current = unsafe head.exchange(nil, ordering: .acquiringAndReleasing) else { return }
    // The stack has the newest on top: turn it round.
    var oldestFirst: UnsafeMutableRawPointer?
    while true {
      // SAFETY: every pointer on the stack came from passRetained and is taken exactly once, below.
      let node = unsafe Unmanaged<Node>.fromOpaque(current).takeUnretainedValue()
      let next = unsafe node.next
      unsafe node.next = oldestFirst
      unsafe oldestFirst = unsafe current
      guard let next = unsafe next else { break }
      unsafe current = unsafe next
    }
    while let raw = unsafe oldestFirst {
      let node = unsafe Unmanaged<Node>.fromOpaque(raw).takeRetainedValue()
      unsafe oldestFirst = unsafe node.next
      waiting.subtract(node.batch.count, ordering: .relaxed)
      body(node.batch)
    }
  }
}
