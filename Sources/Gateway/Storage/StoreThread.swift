import CEpollShim
import Glibc

/// The thread that writes: waits for its mail, takes all there is, makes one transaction of it (group commit), and tells the
/// shards. While one commit waits for the disk the next group gathers in the mailbox.
// SAFETY of `@unchecked Sendable`: `thread` is written by init and read by `stop`, which one thread calls once; all else is
// constant and made for sharing.
final class StoreThread: @unchecked Sendable {
  private enum Mail: Sendable {
    case batch(StoreBatch)
    case stop(isClean: Bool)
  }

  let health: StoreHealth
  private let mailbox: Mailbox<Mail>
  private var thread: PosixThread?

  /// Starts at once.
  /// - Parameters:
  ///   - engine: the thread's from now on.
  ///   - pressure: learns when the thread is far behind (`Mailbox.waitingCountMax` batches).
  ///   - tell: called on the store thread, for each notice; must not block.
  init(
    engine: sending any StoreEngine, shardCount: Int, health: StoreHealth = StoreHealth(),
    pressure: MailPressure = MailPressure(), tell: @escaping @Sendable (StoreNotice) -> Void
  ) throws(SystemCallError) {
    self.health = health
    let mailbox = Mailbox<Mail>(pressure: pressure)
    self.mailbox = mailbox
    let engine = HandedOver(engine)
    thread = try PosixThread {
      var loop = Loop(mailbox: mailbox, engine: engine.value, shardCount: shardCount, health: health, tell: tell)
      loop.run()
    }
  }

  /// Hands a batch over. Any thread; batches of one shard from one thread, in order.
  func post(_ batch: StoreBatch) { mailbox.post([.batch(batch)]) }

  /// Commits what was posted before, closes the engine, ends the thread and waits for its end. Called once. The store is
  /// marked as stopped in order where `isClean` and nothing is left that could not be written.
  func stop(isClean: Bool) {
    mailbox.post([.stop(isClean: isClean)])
    thread?.join()
    thread = nil
  }

  private struct HandedOver: @unchecked Sendable {
    // SENDABLE: the maker gave the engine up (`sending`); only the new thread touches it.
    let value: any StoreEngine
    init(_ value: any StoreEngine) { self.value = value }
  }

  private struct Loop {
    let mailbox: Mailbox<Mail>
    let engine: any StoreEngine
    let tell: @Sendable (StoreNotice) -> Void
    var writer: StoreWriter
    /// Whether something was written since upkeep last found nothing to do.
    var isUntidy = true
    var isTidying = false

    init(
      mailbox: Mailbox<Mail>, engine: any StoreEngine, shardCount: Int, health: StoreHealth,
      tell: @escaping @Sendable (StoreNotice) -> Void
    ) {
      self.mailbox = mailbox
      self.engine = engine
      self.tell = tell
      writer = StoreWriter(
        engine: engine, shardCount: shardCount, health: health, nanoseconds: StoreThread.monotonicNanoseconds)
    }

    mutating func run() {
      while true {
        let hasMail = wait()
        var stop: Bool?
        mailbox.drain { mail in
          switch mail {
          case .batch(let batch): writer.take(batch)
          case .stop(let isClean): stop = isClean
          }
        }
        for notice in writer.commit(nowMilliseconds: Self.nowMilliseconds, isLastAttempt: stop != nil) { tell(notice) }
        if let isClean = stop {
          engine.close(isClean: isClean && writer.waitingRowCount == 0)
          return
        }
        upkeep(wasIdle: !hasMail)
      }
    }

    /// Waits for mail, the retry or the time for upkeep; false where no mail came.
    private func wait() -> Bool {
      var waiting = pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)
      // SAFETY: one element, which outlives the call.
      guard unsafe poll(&waiting, 1, waitMilliseconds) > 0 else { return false }
      // Read before the mail is taken: a push that finds the box empty afterwards wakes again.
      var count: UInt64 = 0
      // SAFETY: eight bytes are read into a local of eight.
      _ = unsafe read(mailbox.wakeDescriptor, &count, 8)
      return true
    }

    private var waitMilliseconds: Int32 {
      if let retry = writer.nextRetryMilliseconds {
        return Int32(clamping: max(0, retry - Self.nowMilliseconds))
      }
      if !isUntidy { return -1 }
      return isTidying ? StoreThread.tidyPauseMilliseconds : StoreThread.idleMilliseconds
    }

    /// One step where nothing came for a while and the store is well.
    private mutating func upkeep(wasIdle: Bool) {
      guard wasIdle, writer.nextRetryMilliseconds == nil else {
        isUntidy = true
        isTidying = false
        return
      }
      isTidying = engine.tidy()
      isUntidy = isTidying
    }

    private static var nowMilliseconds: Int64 { Int64(StoreThread.monotonicNanoseconds() / 1_000_000) }
  }

  /// Milliseconds without mail after which upkeep begins.
  private static let idleMilliseconds: Int32 = 500
  /// Milliseconds between two steps of it.
  private static let tidyPauseMilliseconds: Int32 = 20

  private static func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    // SAFETY: the structure outlives the call.
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
