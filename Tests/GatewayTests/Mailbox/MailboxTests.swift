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

  private func drained(_ mailbox: Mailbox<Mail>) -> [Mail] {
    var mails: [Mail] = []
    let taken = mailbox.drain { mails.append($0) }
    #expect(taken.messages == mails.count)
    return mails
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
    #expect(drained(mailbox) == batches.flatMap { $0 })
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
    let pressure = MailPressure()
    let mailbox = Mailbox<Mail>(pressure: pressure)
    let bound = Mailbox<Mail>.waitingCountMax
    mailbox.post(Array(repeating: Mail(sender: 0, number: 0), count: bound))
    #expect(!mailbox.isOverfull)
    #expect(!pressure.isHigh)
    mailbox.post([Mail(sender: 0, number: 0)])
    #expect(mailbox.isOverfull)
    #expect(pressure.isHigh)
    mailbox.post([Mail(sender: 0, number: 1)])
    #expect(pressure.isHigh)
    #expect(drained(mailbox).count == bound + 2)
    #expect(!mailbox.isOverfull)
    #expect(!pressure.isHigh)
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
      let way = MailSender(to: mailbox, pool: MailBlockPool<Counted>())
      for _ in 0..<20 { way.append(Counted()) }
      #expect(Counted.count.load(ordering: .relaxed) == 40)
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
          // As a shard sends: a sender and a pool of its own, batches within a block's room and beyond it.
          let way = MailSender(to: mailbox, pool: MailBlockPool<Mail>())
          var number = 0
          while number < mailCount {
            let size = min(1 + (number * 7 + sender) % 19, mailCount - number)
            for next in number..<(number + size) { way.append(Mail(sender: sender, number: next)) }
            way.flush()
            number += size
          }
        })
    }
    var next = [Int](repeating: 0, count: senderCount)
    var disorderCount = 0
    let pool = MailBlockPool<Mail>()
    // The owner sleeps on the descriptor as the event loop does: a lost wake-up would hang here until the timeout.
    var timeoutCount = 0
    while next.contains(where: { $0 < mailCount }), timeoutCount == 0 {
      var poll = pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)
      // SAFETY: one descriptor, one element.
      if unsafe Glibc.poll(&poll, 1, 10_000) == 0 { timeoutCount += 1 }
      _ = wakeUps(mailbox)
      mailbox.drain(into: pool) { mail in
        if mail.number != next[mail.sender] { disorderCount += 1 }
        next[mail.sender] += 1
      }
    }
    for thread in threads { thread.join() }
    #expect(timeoutCount == 0)
    #expect(disorderCount == 0)
    #expect(next == [Int](repeating: mailCount, count: senderCount))
    #expect(mailbox.isEmpty)
  }

  // MARK: Senders and their blocks

  @Test(arguments: [0, 1, 7, 8, 9, 16, 17, 64, 65, 1000])
  func `a sender hands over what it gathered, in one batch and in order`(count: Int) {
    let mailbox = Mailbox<Mail>()
    let way = MailSender(to: mailbox, pool: MailBlockPool<Mail>())
    let mails = (0..<count).map { Mail(sender: 0, number: $0) }
    for mail in mails { way.append(mail) }
    #expect(way.isEmpty == mails.isEmpty)
    #expect(mailbox.isEmpty)
    way.flush()
    #expect(way.isEmpty)
    #expect(wakeUps(mailbox) == (count == 0 ? 0 : 1))
    var taken: [Mail] = []
    let total = mailbox.drain { taken.append($0) }
    #expect(taken == mails)
    #expect(total == (count == 0 ? 0 : 1, count))
  }

  @Test func `two that write to each other allocate no more once their pools are filled`() {
    let boxes = [Mailbox<Mail>(), Mailbox<Mail>()]
    let pools = [MailBlockPool<Mail>(), MailBlockPool<Mail>()]
    let ways = [MailSender(to: boxes[1], pool: pools[0]), MailSender(to: boxes[0], pool: pools[1])]
    for round in 0..<100 {
      for side in 0..<2 {
        for number in 0..<5 { ways[side].append(Mail(sender: side, number: round * 5 + number)) }
        ways[side].flush()
      }
      for side in 0..<2 { boxes[side].drain(into: pools[side]) { _ in } }
      // The block that each has received is the one that it sends next.
      #expect(pools[0].count == 1 && pools[1].count == 1)
    }
  }

  @Test func `a pool keeps so many blocks and none that is large`() {
    let pool = MailBlockPool<Mail>()
    for _ in 0..<MailBlockPool<Mail>.countMax + 1 { pool.give(MailBlock(capacity: MailBlockPool<Mail>.capacityMax)) }
    #expect(pool.count == MailBlockPool<Mail>.countMax)
    for _ in 0..<MailBlockPool<Mail>.countMax { pool.take().free() }
    #expect(pool.count == 0)
    pool.give(MailBlock(capacity: MailBlockPool<Mail>.capacityMax + 1))
    #expect(pool.count == 0)
    #expect(pool.take().capacity == MailBlock<Mail>.capacityMin)
  }
}
