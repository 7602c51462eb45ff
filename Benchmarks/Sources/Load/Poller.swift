import CLoadShim
import Glibc

/// Stops the run: whatever a benchmark cannot explain makes its figures worthless.
func fail(_ message: String) -> Never {
  let line = Array("load: \(message)\n".utf8)
  write(STDERR_FILENO, line, line.count)
  exit(1)
}

/// Nanoseconds on the monotonic clock.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

/// Level-triggered epoll over tokens.
final class Poller {
  static let eventCountMax = 1024
  /// Never sleeps: on loopback it is the sender, here the server, who wakes a sleeping receiver and pays for it, so that a
  /// server's figure would depend on how often the load generator happens to sleep. It needs a core for itself.
  nonisolated(unsafe) static var spins = false
  /// Spent looking for nothing, to know how busy the load generator was.
  nonisolated(unsafe) private(set) static var idleNanoseconds: UInt64 = 0
  /// Itself to be watched by another poller: readable while it has events.
  let descriptor = load_epoll_make()
  private let events = UnsafeMutablePointer<load_event>.allocate(capacity: Poller.eventCountMax)

  deinit {
    close(descriptor)
    events.deallocate()
  }

  func watch(_ socket: Int32, token: Int, writable: Bool = false) {
    let events = writable ? LOAD_EVENT_OUT : LOAD_EVENT_IN
    guard load_epoll_watch(descriptor, socket, events, UInt64(bitPattern: Int64(token))) == 0 else {
      fail("cannot watch descriptor \(socket): errno \(errno)")
    }
  }

  /// Waits for events and hands each one's token over, at most `countMax` of them; false where none came in time.
  @inline(__always)
  func wait(milliseconds: Int32, countMax: Int = Poller.eventCountMax, _ body: (Int) -> Void) -> Bool {
    let countMax = Int32(min(countMax, Poller.eventCountMax))
    var count = load_epoll_wait(descriptor, events, countMax, Poller.spins ? 0 : milliseconds)
    if count == 0, Poller.spins { count = spin(milliseconds: milliseconds, countMax: countMax) }
    if count < 0 { fail("epoll_wait: errno \(errno)") }
    for index in 0..<Int(count) { body(Int(truncatingIfNeeded: events[index].token)) }
    return count > 0
  }

  /// Looks again and again instead of sleeping.
  private func spin(milliseconds: Int32, countMax: Int32) -> Int32 {
    let start = monotonicNanoseconds()
    let end = start + UInt64(max(0, milliseconds)) * 1_000_000
    var count: Int32 = 0
    var now = start
    while count == 0, now < end {
      for _ in 0..<16 where count == 0 { count = load_epoll_wait(descriptor, events, countMax, 0) }
      now = monotonicNanoseconds()
    }
    Poller.idleNanoseconds += now - start
    return count
  }
}

/// A non-blocking TCP socket to the server. Closed explicitly: thousands of them live in slabs.
struct Socket {
  enum Outcome {
    case moved(Int)
    case wouldBlock
    /// Closed by the peer, or broken.
    case ended
  }

  let descriptor: Int32

  /// - Parameter receiveByteCount: what the kernel may keep unread; 0 leaves that to it.
  init(port: UInt16, receiveByteCount: Int32 = 0) {
    descriptor = load_connect(port, receiveByteCount)
    if descriptor < 0 { fail("cannot connect to 127.0.0.1:\(port): errno \(errno)") }
  }

  @inline(__always)
  func receive(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
    Socket.outcome(recv(descriptor, buffer.baseAddress, buffer.count, 0))
  }

  @inline(__always)
  func send(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    Socket.outcome(Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
  }

  /// Sends a message that the kernel must take at once, because it is the only one under way.
  func sendWhole(_ bytes: [UInt8]) {
    let outcome = bytes.withUnsafeBytes { send($0) }
    guard case .moved(bytes.count) = outcome else { fail("the kernel did not take \(bytes.count) bytes: \(outcome)") }
  }

  private static func outcome(_ count: Int) -> Outcome {
    if count > 0 { return .moved(count) }
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return .wouldBlock }
    return .ended
  }
}

/// One buffer for whatever is read, as there is one thread.
struct ReadBuffer {
  static let byteCount = 1 << 18
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: ReadBuffer.byteCount, alignment: 64)
}
