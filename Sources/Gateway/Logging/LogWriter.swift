import Glibc

/// Writes log lines to a descriptor from its own thread, so that a slow disk or terminal never holds up an event loop.
/// The queue between is bounded; what does not fit is dropped and counted. Any thread may log.
// SAFETY of `@unchecked Sendable`: every mutable field is read and written with the monitor's lock held.
package final class LogWriter: @unchecked Sendable {
  /// Bytes that wait for the writer at most: some thousand lines.
  package static let queueByteCountMax = 1 << 20
  /// Lines of equal content that a second writes.
  package static let equalLineBurstCount = 10
  /// Lines of one event, whatever their fields, that a second writes: peers choose fields, so they could flood.
  package static let eventBurstCount = 200

  /// Lines below it are not made.
  package let level: LogLevel
  /// How lines are written.
  package let format: LogFormat
  private let descriptor: Int32
  private let clock: @Sendable () -> Int
  private let queueByteCountMax: Int
  private let monitor = LogMonitor()

  private var queue: [UInt8] = []
  private var queuedByteCount = 0
  private var writtenByteCount = 0
  private var equalLines = RepetitionLimiter(burstCount: equalLineBurstCount)
  private var equalEvents = RepetitionLimiter(burstCount: eventBurstCount)
  private var droppedCount = 0
  private var repeatedCount = 0
  private var isStopping = false
  private var thread: pthread_t?

  /// Starts the thread. `stop` ends it.
  /// - Parameters:
  ///   - descriptor: stays the caller's.
  ///   - clock: Unix milliseconds.
  package init(
    level: LogLevel, format: LogFormat, descriptor: Int32 = STDERR_FILENO,
    queueByteCountMax: Int = LogWriter.queueByteCountMax,
    clock: @escaping @Sendable () -> Int = { LogWriter.unixMilliseconds() }
  ) {
    self.level = level
    self.format = format
    self.descriptor = descriptor
    self.queueByteCountMax = queueByteCountMax
    self.clock = clock
    var thread = pthread_t()
    // SAFETY: the retained reference is taken over by runLogWriter, which the new thread calls exactly once.
    let context = unsafe Unmanaged.passRetained(self)
    let result = unsafe pthread_create(&thread, nil, runLogWriter, context.toOpaque())
    if result == 0 {
      self.thread = thread
    } else {
      // Without a thread nothing would ever be written; `stop` and `flush` must not wait for it either.
      unsafe context.release()
      isStopping = true
    }
  }

  /// Whether a line of this level is written.
  package func isEnabled(_ level: LogLevel) -> Bool { level >= self.level }

  /// Queues a line. Never blocks on the descriptor.
  /// - Parameters:
  ///   - event: constant, in snake case; what varies stands in the fields.
  ///   - fields: not evaluated below the level.
  package func log(_ level: LogLevel, _ event: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
    guard isEnabled(level) else { return }
    var body: [UInt8] = []
    LogLine.appendBody(to: &body, format, level, event, fields())
    let now = clock()
    let line = StableHash.of(body)
    let eventIdentity = StableHash.of(level.rawValue.utf8, event)
    monitor.withLock {
      guard case .write(let leftOutOfEqual) = equalLines.admit(line, now: now),
        case .write(let leftOutOfEvent) = equalEvents.admit(eventIdentity, now: now)
      else {
        repeatedCount += 1
        return
      }
      let bytes = LogLine.whole(format, time: now, body: body, leftOutCount: leftOutOfEqual + leftOutOfEvent)
      guard !isStopping, queuedByteCount - writtenByteCount + bytes.count <= queueByteCountMax else {
        droppedCount += 1
        return
      }
      queue += bytes
      queuedByteCount += bytes.count
      monitor.signalFilled()
    }
  }

  /// Lines lost because the queue was full.
  package var droppedLineCount: Int { monitor.withLock { droppedCount } }

  /// Lines left out because they repeated.
  package var repeatedLineCount: Int { monitor.withLock { repeatedCount } }

  /// Waits until everything logged before is written. Not for event loops.
  package func flush() {
    monitor.withLock {
      let target = queuedByteCount
      while thread != nil, writtenByteCount < target { monitor.waitUntilWritten() }
    }
  }

  /// Writes what is queued and ends the thread. Called once, last thing before the process exits; lines logged
  /// afterwards are dropped.
  package func stop() {
    let thread = monitor.withLock {
      isStopping = true
      monitor.signalFilled()
      let thread = self.thread
      self.thread = nil
      return thread
    }
    // Created joinable, and joined once, since the field is taken under the lock.
    if let thread { pthread_join(thread, nil) }
  }

  /// The writer's thread: takes what is queued, writes it, until told to stop with nothing left.
  fileprivate func run() {
    while true {
      let taken = monitor.withLock { () -> [UInt8]? in
        while queue.isEmpty {
          if isStopping { return nil }
          monitor.waitUntilFilled()
        }
        let taken = queue
        queue = []
        return taken
      }
      guard let taken else { return }
      write(taken)
      monitor.withLock {
        writtenByteCount += taken.count
        monitor.signalWritten()
      }
    }
  }

  /// Writes everything, waiting for a descriptor that is not ready. A broken one swallows the lines: there is nowhere to
  /// complain to.
  private func write(_ bytes: [UInt8]) {
    var start = 0
    while start < bytes.count {
      // SAFETY: start is below the count, which is checked above, and the buffer lives through the call.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress.map { unsafe $0 + start }, $0.count - start)
      }
      if count > 0 {
        start += count
      } else if count < 0, errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one element, which outlives the call.
        unsafe poll(&waiting, 1, -1)
      } else if !(count < 0 && errno == EINTR) {
        return
      }
    }
  }

  /// The wall clock.
  package static func unixMilliseconds() -> Int {
    var time = timespec()
    // SAFETY: the structure outlives the call.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }
}

/// The thread's entry. A file-level function, because a closure made on the main actor would check for its executor
/// here and trap.
private func runLogWriter(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let context = unsafe context else { return nil }
  // SAFETY: the context is the reference that init retained for this call.
  unsafe Unmanaged<LogWriter>.fromOpaque(context).takeRetainedValue().run()
  return nil
}

/// FNV-1a, 64 bits: tells lines apart. A collision leaves one line out for a second, so it need not withstand malice.
enum StableHash {
  static func of(_ bytes: some Sequence<UInt8>) -> UInt64 { continued(0xCBF2_9CE4_8422_2325, bytes) }

  static func of(_ bytes: some Sequence<UInt8>, _ literal: StaticString) -> UInt64 {
    // SAFETY: the pointer of a literal lives as long as the process.
    let text = unsafe UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
    return unsafe continued(of(bytes), text)
  }

  private static func continued(_ state: UInt64, _ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(state) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}
