import Glibc
import Synchronization
import Testing

@testable import Gateway

@Suite("Mailbox: many senders, one owner")
struct MailboxTests {
  private struct Mail: Sendable, Equatable {
    var sender: Int
    var number: Int
  }

  private func drained(_ mailbox: Mailbox<Mail>) -> [[Mail]] {
    var batches: [[Mail]] = []
    mailbox.drain { batches.append($0) }
    return batches
  }

  /// Wake-ups since the last look: the eventfd counts them.
  private func wakeUps(_ mailbox: Mailbox<Mail>) -> UInt64 {
    var count: UInt64 = 0
    // SAFETY: eight bytes are read into a local of eight.
    let byteCount = unsafe read(mailbox.wakeDescriptor, &count, 8)
    return byteCount == 8 ? count : 0
  }

  @Test func `batches come out whole and in the order they were posted`() {
    let mailbox = Mailbox<Mail>()
    let batches = [
      [Mail(sender: 0, number: 0)], (1...3).map { Mail(sender: 0, number: $0) }, [Mail(sender: 1, number: 0)],
    ]
    for batch in batches { mailbox.post(batch) }
    #expect(!mailbox.isEmpty)
    #expect(drained(mailbox) == batches)
    #expect(mailbox.isEmpty)
    #expect(drained(mailbox) == [])
  }

  @Test func `only the mail that finds the box empty wakes the owner`() {
    let mailbox = Mailbox<Mail>()
    #expect(wakeUps(mailbox) == 0)
    for number in 0..<100 { mailbox.post([Mail(sender: 0, number: number)]) }
    #expect(wakeUps(mailbox) == 1)
    _ = drained(mailbox)
    mailbox.post([Mail(sender: 0, number: 0)])
    #expect(wakeUps(mailbox) == 1)
  }

  @Test func `nothing is posted by an empty batch`() {
    let mailbox = Mailbox<Mail>()
    mailbox.post([])
    #expect(mailbox.isEmpty)
    #expect(wakeUps(mailbox) == 0)
  }

  @Test func `it is overfull beyond its bound and no longer once drained`() {
    let mailbox = Mailbox<Mail>()
    let bound = Mailbox<Mail>.waitingCountMax
    mailbox.post(Array(repeating: Mail(sender: 0, number: 0), count: bound))
    #expect(!mailbox.isOverfull)
    mailbox.post([Mail(sender: 0, number: 0)])
    #expect(mailbox.isOverfull)
    #expect(drained(mailbox).count == 2)
    #expect(!mailbox.isOverfull)
  }

  @Test func `mail that nobody took ends with the box`() {
    final class Counted: Sendable {
      static let count = Atomic<Int>(0)
      init() { Counted.count.add(1, ordering: .relaxed) }
      deinit { Counted.count.subtract(1, ordering: .relaxed) }
    }
    do {
      let mailbox = Mailbox<Counted>()
      for _ in 0..<10 { mailbox.post([Counted(), Counted()]) }
      #expect(Counted.count.load(ordering: .relaxed) == 20)
    }
    #expect(Counted.count.load(ordering: .relaxed) == 0)
  }

  @Test func `threads that hammer it lose nothing, double nothing and keep each sender's order`() throws {
    let mailbox = Mailbox<Mail>()
    let senderCount = 4
    let mailCount = 40_000
    var threads: [TestThread] = []
    for sender in 0..<senderCount {
      threads.append(
        try TestThread {
          var number = 0
          while number < mailCount {
            let size = min(1 + (number * 7 + sender) % 5, mailCount - number)
            mailbox.post((number..<(number + size)).map { Mail(sender: sender, number: $0) })
            number += size
          }
        })
    }
    var next = [Int](repeating: 0, count: senderCount)
    var disorderCount = 0
    // The owner sleeps on the descriptor as the event loop does: a lost wake-up would hang here until the timeout.
    var timeoutCount = 0
    while next.contains(where: { $0 < mailCount }), timeoutCount == 0 {
      var poll = pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)
      // SAFETY: one descriptor, one element.
      if unsafe Glibc.poll(&poll, 1, 10_000) == 0 { timeoutCount += 1 }
      _ = wakeUps(mailbox)
      mailbox.drain { batch in
        for mail in batch {
          if mail.number != next[mail.sender] { disorderCount += 1 }
          next[mail.sender] += 1
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(timeoutCount == 0)
    #expect(disorderCount == 0)
    #expect(next == [Int](repeating: mailCount, count: senderCount))
    #expect(mailbox.isEmpty)
  }
}
