import CLoadShim
import Glibc

/// What a server's other clients notice while it is busy with a large fan-out: a connection without subscriptions sends
/// pings, and messages are published to another topic with one watcher, all at fixed times, whether or not the last ones
/// have been answered.
final class LoopProbe {
  /// Of those under way while a large message was, and of the others.
  struct Latencies {
    var during = Histogram()
    var quiet = Histogram()

    mutating func record(_ nanoseconds: UInt64, wasUnderWay: Bool) {
      if wasUnderWay { during.record(nanoseconds) } else { quiet.record(nanoseconds) }
    }
  }

  private static let pingToken = 0
  private static let watcherToken = 1
  private static let publisherToken = 2
  private static let timerToken = 3
  /// The subscribers of the large fan-out have topic 0.
  private static let topic = 1
  private static let pingDigitCount = 8
  private static let pingNanoseconds: UInt64 = 1_000_000
  private static let publicationNanoseconds: UInt64 = 5_000_000
  private static let publicationCountMax = 4096

  /// To be watched by whoever calls `turn`.
  let poller = Poller()
  private let buffer: ReadBuffer
  private let pinger: Socket
  private let watcher: Socket
  private let publisher: Publisher
  private let target: any Target
  private let timer = load_timer_make()
  private var stream: ReferenceStream
  private var isRunning = false

  /// When each ping that is under way was due, and whether a large message was under way then; oldest first.
  private var pings: [(due: UInt64, wasUnderWay: Bool)] = []
  private var firstPing = 0
  private var pingCount = 0
  private var pongs: [UInt8] = []
  private var wasUnderWay: [Bool] = []
  private var position = 0
  private var messageCount = 0
  private var nextPingAt: UInt64 = 0
  private var nextPublicationAt: UInt64 = 0

  /// From when a ping was due to its pong, and from when a publication was due to its watcher's reading it.
  private(set) var pingLatencies = Latencies()
  private(set) var messageLatencies = Latencies()
  /// How late pings and publications were sent: the load generator's share of the above.
  private(set) var lateness = Histogram()

  init(options: Options, buffer: ReadBuffer) {
    var target = Targets.named(options.target)
    target.prepare(topicCount: LoopProbe.topic + 1, messageByteCount: options.messageByteCount)
    self.target = target
    self.buffer = buffer
    let pingers = Fleet(.init(count: 1, path: target.pingPath), options: options, buffer: buffer)
    // Of two topics, the second connection has the second; the first one is a subscriber like the others and is let go.
    let watchers = Fleet(.init(count: 2, topicCount: 2), options: options, buffer: buffer)
    close(watchers.sockets[0].descriptor)
    pinger = pingers.sockets[0]
    watcher = watchers.sockets[1]
    stream = ReferenceStream(
      subscriberCount: 1, messageCountMax: LoopProbe.publicationCountMax,
      frameByteCountMax: options.messageByteCount + 256,
      checker: MessageChecker(byteCountMax: options.messageByteCount))
    publisher = Publisher(port: options.port, target: target, poller: poller, token: LoopProbe.publisherToken)
    poller.watch(pinger.descriptor, token: LoopProbe.pingToken)
    poller.watch(watcher.descriptor, token: LoopProbe.watcherToken)
    poller.watch(timer, token: LoopProbe.timerToken)
    while !publisher.isOpen { handleEvents(milliseconds: 100, isUnderWay: false) }
  }

  func start() {
    pingLatencies = Latencies()
    messageLatencies = Latencies()
    lateness.removeAll()
    isRunning = true
    nextPingAt = monotonicNanoseconds() + LoopProbe.pingNanoseconds
    nextPublicationAt = nextPingAt + LoopProbe.pingNanoseconds / 2
    load_timer_set(timer, nextPingAt)
  }

  func stop() {
    isRunning = false
    load_timer_set(timer, 0)
  }

  /// Whether everything that was sent is back.
  var isSettled: Bool { firstPing == pings.count && stream.underWay == 0 && publisher.requestsUnderWay == 0 }

  /// Takes what has come and sends what is due.
  ///
  /// - Parameter isUnderWay: whether a large message is.
  func turn(isUnderWay: Bool) {
    handleEvents(milliseconds: 0, isUnderWay: isUnderWay)
    guard isRunning else { return }
    let now = monotonicNanoseconds()
    guard now >= min(nextPingAt, nextPublicationAt) else { return }
    while nextPingAt <= now {
      sendPing(isUnderWay: isUnderWay)
      nextPingAt += LoopProbe.pingNanoseconds
    }
    while nextPublicationAt <= now {
      publish(isUnderWay: isUnderWay)
      nextPublicationAt += LoopProbe.publicationNanoseconds
    }
    load_timer_set(timer, min(nextPingAt, nextPublicationAt))
  }

  private func sendPing(isUnderWay: Bool) {
    lateness.record(monotonicNanoseconds() - nextPingAt)
    pings.append((due: nextPingAt, wasUnderWay: isUnderWay))
    pinger.sendWhole(Frames.clientPing(LoopProbe.payload(pingCount), key: 0x5EED_0001 &+ UInt32(pingCount)))
    pingCount += 1
  }

  private static func payload(_ number: Int) -> [UInt8] {
    let digits = Array(String(number).utf8)
    return [UInt8](repeating: UInt8(ascii: "0"), count: pingDigitCount - digits.count) + digits
  }

  private func publish(isUnderWay: Bool) {
    lateness.record(monotonicNanoseconds() - nextPublicationAt)
    guard stream.underWay < LoopProbe.publicationCountMax else { fail("the other topic's messages do not come") }
    let number = stream.publish(at: nextPublicationAt)
    wasUnderWay.append(isUnderWay)
    publisher.send(answered: target.answersPublishes) { output in
      target.appendPublication(Publication(topic: LoopProbe.topic, number: number), to: &output)
    }
  }

  private func handleEvents(milliseconds: Int32, isUnderWay: Bool) {
    _ = poller.wait(milliseconds: milliseconds) { token in
      switch token {
      case LoopProbe.pingToken: readPongs(isUnderWay: isUnderWay)
      case LoopProbe.watcherToken: readMessages(isUnderWay: isUnderWay)
      case LoopProbe.publisherToken: _ = publisher.handleEvent(buffer)
      default: break
      }
    }
  }

  private func readPongs(isUnderWay: Bool) {
    guard case .moved(let count) = pinger.receive(into: buffer.bytes) else {
      fail("the connection that pings was closed")
    }
    let now = monotonicNanoseconds()
    pongs += UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    let frameByteCount = 2 + LoopProbe.pingDigitCount
    while pongs.count >= frameByteCount {
      guard firstPing < pings.count else { fail("a pong without a ping") }
      let number = pingCount - (pings.count - firstPing)
      let expected = [0x8A, UInt8(LoopProbe.pingDigitCount)] + LoopProbe.payload(number)
      guard pongs.starts(with: expected) else { fail("ping \(number) was answered: \(pongs.prefix(100))") }
      let ping = pings[firstPing]
      pingLatencies.record(now - ping.due, wasUnderWay: ping.wasUnderWay || isUnderWay)
      pongs.removeFirst(frameByteCount)
      firstPing += 1
    }
    if firstPing == pings.count {
      pings.removeAll(keepingCapacity: true)
      firstPing = 0
    }
  }

  private func readMessages(isUnderWay: Bool) {
    guard case .moved(let count) = watcher.receive(into: buffer.bytes) else {
      fail("the other topic's watcher was closed")
    }
    let now = monotonicNanoseconds()
    stream.receive(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), at: position)
    position += count
    while messageCount < stream.receivedCount {
      messageLatencies.record(
        now - stream.publicationTime(of: messageCount), wasUnderWay: wasUnderWay[messageCount] || isUnderWay)
      _ = stream.complete(messageCount)
      messageCount += 1
    }
  }
}
