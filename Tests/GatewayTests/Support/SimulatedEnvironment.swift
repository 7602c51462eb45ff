@testable import Gateway

/// A shard's outside world in memory: poller, byte streams, clock and randomness, all repeatable from one seed.
///
/// It never waits: time moves when the test moves it. Readiness is level-triggered exactly as epoll's is without
/// `EPOLLET`: what is ready and watched is reported again and again until it is dealt with.
final class SimulatedEnvironment: GatewayEnvironment {
  private struct Watch {
    var token: UInt64
    var isReadable: Bool
    var isWritable: Bool
  }

  let world: SimulatedWorld
  private var streams: [Int32: SimulatedStream] = [:]
  private var watches: [Int32: Watch] = [:]
  private var nextDescriptor: Int32 = 3
  private var freeDescriptors: [Int32] = []
  private var arrivals: [SimulatedStream] = []
  private var internalArrivals: [SimulatedStream] = []
  private(set) var isAccepting = true
  /// `accept` fails with this code as long as it is set.
  var acceptFailure: Int32?
  /// Peers that were accepted only to be closed.
  private(set) var discardedCount = 0
  /// Calls of `send`.
  private(set) var sendCount = 0

  init(world: SimulatedWorld) { self.world = world }

  /// Descriptors that are open: streams that were accepted and not closed.
  var openDescriptorCount: Int { streams.count }

  /// A client connects.
  func connect(_ stream: SimulatedStream) {
    if stream.isInternal { internalArrivals.append(stream) } else { arrivals.append(stream) }
  }

  /// Whether `wait` would report anything.
  var isAnythingReady: Bool {
    if isAccepting, !arrivals.isEmpty || !internalArrivals.isEmpty { return true }
    return watches.contains { isReady($0.key, $0.value) }
  }

  private func isReady(_ descriptor: Int32, _ watch: Watch) -> Bool {
    guard let stream = streams[descriptor] else { return false }
    return watch.isReadable && stream.isReadable || watch.isWritable && stream.isWritable || stream.isBroken
  }

  // MARK: GatewayEnvironment

  func monotonicNanoseconds() -> UInt64 { world.nanoseconds }
  func wallSeconds() -> Double { world.wallSeconds }
  func randomBits() -> UInt64 { world.generator.next() }

  func wait(milliseconds: Int32, into ready: inout [ReadyEvent]) {
    ready.removeAll(keepingCapacity: true)
    if isAccepting, !arrivals.isEmpty { ready.append(Self.readable(Self.listenerToken)) }
    if isAccepting, !internalArrivals.isEmpty { ready.append(Self.readable(Self.internalListenerToken)) }
    // The kernel promises no order: each run takes another one, the same for the same seed.
    for descriptor in watches.keys.sorted().shuffled(using: &world.generator) {
      guard let watch = watches[descriptor], let stream = streams[descriptor], isReady(descriptor, watch) else {
        continue
      }
      ready.append(
        ReadyEvent(
          token: watch.token, isReadable: watch.isReadable && stream.isReadable,
          isWritable: watch.isWritable && stream.isWritable, isBroken: stream.isBroken))
    }
  }

  private static func readable(_ token: UInt64) -> ReadyEvent {
    ReadyEvent(token: token, isReadable: true, isWritable: false, isBroken: false)
  }

  func watch(_ descriptor: Int32, token: UInt64, readable: Bool, writable: Bool) -> Bool {
    guard streams[descriptor] != nil, watches[descriptor] == nil else {
      world.misuses.append("watch of descriptor \(descriptor)")
      return false
    }
    watches[descriptor] = Watch(token: token, isReadable: readable, isWritable: writable)
    return true
  }

  func rewatch(_ descriptor: Int32, token: UInt64, readable: Bool, writable: Bool) {
    guard watches[descriptor] != nil else {
      world.misuses.append("rewatch of descriptor \(descriptor)")
      return
    }
    watches[descriptor] = Watch(token: token, isReadable: readable, isWritable: writable)
  }

  func accept(isInternal: Bool) -> AcceptOutcome {
    if let acceptFailure { return .failed(acceptFailure) }
    guard !(isInternal ? internalArrivals : arrivals).isEmpty else { return .wouldBlock }
    guard world.descriptorCount < world.descriptorCountMax else { return .descriptorsExhausted }
    let stream = isInternal ? internalArrivals.removeFirst() : arrivals.removeFirst()
    // The lowest free number, as the kernel gives it: numbers are reused at once.
    let descriptor: Int32
    if let lowest = freeDescriptors.min() {
      freeDescriptors.removeAll { $0 == lowest }
      descriptor = lowest
    } else {
      descriptor = nextDescriptor
      nextDescriptor += 1
    }
    streams[descriptor] = stream
    world.descriptorCount += 1
    return .accepted(descriptor: descriptor, peer: stream.peer)
  }

  func acceptAndDiscard(isInternal: Bool) -> Bool {
    guard !(isInternal ? internalArrivals : arrivals).isEmpty else { return false }
    let stream = isInternal ? internalArrivals.removeFirst() : arrivals.removeFirst()
    stream.serverEnded = true
    stream.serverClosed = true
    discardedCount += 1
    return true
  }

  func setAccepting(_ accepting: Bool) { isAccepting = accepting }

  func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> StreamOutcome {
    guard let stream = streams[descriptor] else {
      world.misuses.append("receive from descriptor \(descriptor)")
      return .failed(9)
    }
    if breaks(stream) { return .failed(104) }
    guard !stream.toServer.isEmpty else { return stream.clientEnded ? .ended : .wouldBlock }
    guard let count = moved(min(buffer.count, stream.toServer.count)) else { return .wouldBlock }
    // SAFETY: count is at most the buffer's.
    unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]).copyBytes(from: stream.toServer[..<count])
    stream.toServer.removeFirst(count)
    return .moved(count)
  }

  func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> StreamOutcome {
    sendCount += 1
    guard let stream = streams[descriptor] else {
      world.misuses.append("send to descriptor \(descriptor)")
      return .failed(9)
    }
    if stream.serverEnded { world.misuses.append("send after the end of descriptor \(descriptor)") }
    if breaks(stream) { return .failed(104) }
    if stream.clientClosed {
      // The bytes are taken, and the peer's kernel answers with a reset.
      stream.isReset = true
      return .moved(bytes.count)
    }
    let room = stream.roomByteCount - stream.toClient.count
    guard room > 0, let count = moved(min(bytes.count, room)) else { return .wouldBlock }
    // SAFETY: count is at most the bytes'.
    unsafe stream.toClient.append(contentsOf: bytes[..<count])
    stream.sendCount += 1
    return .moved(count)
  }

  private func breaks(_ stream: SimulatedStream) -> Bool {
    if world.generator.once(in: world.faults.resetOnceIn) { stream.isReset = true }
    return stream.isReset
  }

  /// How many of so many possible bytes move; nil for none now.
  private func moved(_ count: Int) -> Int? {
    if world.generator.once(in: world.faults.refusalOnceIn) { return nil }
    guard count > 1, world.generator.once(in: world.faults.partialMoveOnceIn) else { return count }
    return Int.random(in: 1...min(count, world.generator.once(in: 2) ? 3 : count), using: &world.generator)
  }

  func shutdownSending(_ descriptor: Int32) {
    guard let stream = streams[descriptor] else {
      world.misuses.append("shutdown of descriptor \(descriptor)")
      return
    }
    stream.serverEnded = true
  }

  func close(_ descriptor: Int32) {
    guard let stream = streams.removeValue(forKey: descriptor) else {
      world.misuses.append("close of descriptor \(descriptor)")
      return
    }
    watches[descriptor] = nil
    freeDescriptors.append(descriptor)
    world.descriptorCount -= 1
    stream.serverEnded = true
    stream.serverClosed = true
    // Unread bytes at close make the kernel reset instead of ending the stream in order.
    if !stream.toServer.isEmpty { stream.isReset = true }
  }
}
