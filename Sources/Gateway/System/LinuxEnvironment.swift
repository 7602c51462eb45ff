import CEpollShim
import Glibc

/// The real world: epoll, sockets, the kernel's clocks and its randomness. One per shard, used by its thread only.
@safe package final class LinuxEnvironment: GatewayEnvironment {
  /// Ready descriptors taken per wait; more stay ready for the next turn.
  static let readyEventCountMax = 1024

  private let epoll: OwnedDescriptor
  private let listener: OwnedDescriptor
  /// −1 for none.
  private let internalListener: OwnedDescriptor
  /// Given up for a moment when the descriptor limit is reached, so that a peer can be accepted and closed.
  private var reserve: Int32
  private var isAccepting = true
  private let events: UnsafeMutablePointer<signalbox_epoll_event>

  /// Takes the listeners over; the wake descriptor stays the mailbox's.
  package init(listener: Int32, internalListener: Int32, wakeDescriptor: Int32) throws(SystemCallError) {
    let descriptor = signalbox_epoll_make()
    guard descriptor >= 0 else { throw SystemCallError("cannot make an epoll set") }
    epoll = OwnedDescriptor(descriptor)
    self.listener = OwnedDescriptor(listener)
    self.internalListener = OwnedDescriptor(internalListener)
    reserve = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    unsafe events = .allocate(capacity: Self.readyEventCountMax)
    guard
      signalbox_epoll_control(descriptor, SIGNALBOX_EPOLL_ADD, listener, SIGNALBOX_EPOLL_IN, Self.listenerToken) == 0,
      // Edge-triggered: each write to the eventfd is one event, and nobody ever needs to read it.
      signalbox_epoll_control(
        descriptor, SIGNALBOX_EPOLL_ADD, wakeDescriptor, SIGNALBOX_EPOLL_IN | SIGNALBOX_EPOLL_EDGE, Self.wakeToken) == 0
    else { throw SystemCallError("cannot watch the listener") }
    if internalListener >= 0 {
      _ = signalbox_epoll_control(
        descriptor, SIGNALBOX_EPOLL_ADD, internalListener, SIGNALBOX_EPOLL_IN, Self.internalListenerToken)
    }
  }

  deinit {
    unsafe events.deallocate()
    if reserve >= 0 { _ = Glibc.close(reserve) }
  }

  package func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  package func wallSeconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec / 1000) / 1_000_000
  }

  package func randomBits() -> UInt64 {
    // The kernel's generator, through the standard library.
    var generator = SystemRandomNumberGenerator()
    return generator.next()
  }

  package func wait(milliseconds: Int32, into ready: inout [ReadyEvent]) {
    ready.removeAll(keepingCapacity: true)
    let count = unsafe signalbox_epoll_wait(epoll.number, events, Int32(Self.readyEventCountMax), milliseconds)
    guard count > 0 else { return }
    for index in 0..<Int(count) {
      // SAFETY: the kernel filled `count` entries, at most readyEventCountMax.
      let event = unsafe events[index]
      let flags = event.events
      ready.append(
        ReadyEvent(
          token: event.token,
          isReadable: flags & (SIGNALBOX_EPOLL_IN | SIGNALBOX_EPOLL_READ_HANGUP) != 0,
          isWritable: flags & SIGNALBOX_EPOLL_OUT != 0,
          isBroken: flags & (SIGNALBOX_EPOLL_ERROR | SIGNALBOX_EPOLL_HANGUP) != 0))
    }
  }

  private func flags(readable: Bool, writable: Bool) -> UInt32 {
    (readable ? SIGNALBOX_EPOLL_IN : 0) | (writable ? SIGNALBOX_EPOLL_OUT : 0)
  }

  package func watch(_ descriptor: Int32, token: UInt64, readable: Bool, writable: Bool) -> Bool {
    signalbox_epoll_control(
      epoll.number, SIGNALBOX_EPOLL_ADD, descriptor, flags(readable: readable, writable: writable), token) == 0
  }

  package func rewatch(_ descriptor: Int32, token: UInt64, readable: Bool, writable: Bool) {
    _ = signalbox_epoll_control(
      epoll.number, SIGNALBOX_EPOLL_CHANGE, descriptor, flags(readable: readable, writable: writable), token)
  }

  package func accept(isInternal: Bool) -> AcceptOutcome {
    var high: UInt64 = 0
    var low: UInt64 = 0
    let descriptor = unsafe signalbox_accept(isInternal ? internalListener.number : listener.number, &high, &low)
    if descriptor >= 0 { return .accepted(descriptor: descriptor, peer: InternetAddress(high: high, low: low)) }
    switch errno {
    case EAGAIN, EINTR, ECONNABORTED: return .wouldBlock
    case EMFILE, ENFILE: return .descriptorsExhausted
    default: return .failed(errno)
    }
  }

  package func acceptAndDiscard(isInternal: Bool) -> Bool {
    if reserve >= 0 { _ = Glibc.close(reserve) }
    var high: UInt64 = 0
    var low: UInt64 = 0
    let descriptor = unsafe signalbox_accept(isInternal ? internalListener.number : listener.number, &high, &low)
    if descriptor >= 0 { _ = Glibc.close(descriptor) }
    reserve = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    return descriptor >= 0
  }

  package func setAccepting(_ accepting: Bool) {
    guard accepting != isAccepting else { return }
    isAccepting = accepting
    _ = signalbox_epoll_control(
      epoll.number, SIGNALBOX_EPOLL_CHANGE, listener.number, accepting ? SIGNALBOX_EPOLL_IN : 0, Self.listenerToken)
    if internalListener.number >= 0 {
      _ = signalbox_epoll_control(
        epoll.number, SIGNALBOX_EPOLL_CHANGE, internalListener.number, accepting ? SIGNALBOX_EPOLL_IN : 0,
        Self.internalListenerToken)
    }
  }

  package func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> StreamOutcome {
    let count = unsafe signalbox_receive(descriptor, buffer.baseAddress, buffer.count)
    if count > 0 { return .moved(Int(count)) }
    if count == 0 { return .ended }
    return Self.refusal(Int32(-count))
  }

  package func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> StreamOutcome {
    let count = unsafe signalbox_send(descriptor, bytes.baseAddress, bytes.count)
    if count >= 0 { return .moved(Int(count)) }
    return Self.refusal(Int32(-count))
  }

  private static func refusal(_ code: Int32) -> StreamOutcome {
    code == EAGAIN || code == EINTR ? .wouldBlock : .failed(code)
  }

  package func shutdownSending(_ descriptor: Int32) {
    signalbox_shutdown_sending(descriptor)
  }

  package func close(_ descriptor: Int32) {
    signalbox_close(descriptor)
  }
}
