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
    let count = load_epoll_wait(descriptor, events, Int32(min(countMax, Poller.eventCountMax)), milliseconds)
    if count < 0 { fail("epoll_wait: errno \(errno)") }
    for index in 0..<Int(count) { body(Int(truncatingIfNeeded: events[index].token)) }
    return count > 0
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
