import CLoadShim
import Glibc

/// Publishes to subscribers and follows every message to every one of them.
final class FanOut {
  private struct Subscriber {
    var socket: Socket
    let topic: Int32
    /// How many whole messages it has.
    var messageCount = 0
    /// How many bytes it has.
    var position = 0
  }

  private static let publisherToken = -1
  private static let timerToken = -2
  private static let probeToken = -3
  /// How many subscribers are read between two looks at what the probe has to do: about a tenth of a millisecond.
  private static let eventCountBesideProbe = 16

  private let poller = Poller()
  private let buffer: ReadBuffer
  private var publisher: Publisher
  private var target: any Target
  private let checker: MessageChecker
  private let subscribers: UnsafeMutableBufferPointer<Subscriber>
  private let streams: UnsafeMutableBufferPointer<ReferenceStream>
  private let timer = load_timer_make()
  private var isTimerDue = false
  /// Messages of one topic under way at once at most.
  private let perTopicMax: Int
  private var nextTopic = 0
  private var publications: [Publication] = []

  private(set) var publishedCount = 0
  private(set) var completedCount = 0
  private(set) var deliveryCount = 0
  private(set) var receivedByteCount = 0
  private(set) var readCount = 0
  private(set) var requestCount = 0
  private(set) var latencies = Histogram()
  /// How late paced messages were sent.
  private(set) var lateness = Histogram()

  /// Looked after between reads, so that its times are right while thousands of subscribers have something.
  var probe: LoopProbe? {
    didSet { if let probe { poller.watch(probe.poller.descriptor, token: FanOut.probeToken) } }
  }
  /// While clients come back: when each one began to.
  private var resumedAt: [UInt64] = []
  /// From then until each had what it had missed.
  private(set) var catchUps = Histogram()

  /// - Parameter underWayMax: messages published and not yet received by all, over all topics.
  init(fleet: Fleet, topicCount: Int, underWayMax: Int, options: Options, buffer: ReadBuffer) {
    let target = Targets.named(options.target)
    let messageByteCount = options.messageByteCount
    self.buffer = buffer
    self.target = target
    checker = MessageChecker(byteCountMax: messageByteCount)
    let count = fleet.sockets.count
    subscribers = .allocate(capacity: count)
    for index in 0..<count {
      let subscriber = Subscriber(socket: fleet.sockets[index], topic: Int32(index % topicCount))
      subscribers.initializeElement(at: index, to: subscriber)
      poller.watch(subscriber.socket.descriptor, token: index)
    }
    streams = .allocate(capacity: topicCount)
    perTopicMax = (underWayMax + topicCount - 1) / topicCount
    for topic in 0..<topicCount {
      let subscriberCount = (count - topic + topicCount - 1) / topicCount
      streams.initializeElement(
        at: topic,
        to: ReferenceStream(
          subscriberCount: subscriberCount, messageCountMax: perTopicMax, frameByteCountMax: messageByteCount + 256,
          checker: checker, isCompressed: fleet.isCompressed))
    }
    publisher = Publisher(port: options.port, target: target, poller: poller, token: FanOut.publisherToken)
    poller.watch(timer, token: FanOut.timerToken)
    while !publisher.isOpen { turn() }
    calibrate(messageByteCount: messageByteCount)
  }

  /// Fixes the published messages' length so that a *delivered* message, envelope included, has the wanted one.
  private func calibrate(messageByteCount: Int) {
    target.prepare(topicCount: streams.count, messageByteCount: messageByteCount)
    publish(count: 1, inBulk: false)
    awaitAll()
    let envelopeByteCount = max(0, streams[0].plainByteCount - messageByteCount)
    checker.forgetLength()
    target.prepare(topicCount: streams.count, messageByteCount: messageByteCount - envelopeByteCount)
  }

  /// Of the last message of the first topic.
  var lastNumber: Int { streams[0].publishedCount - 1 }

  func resetCounts() {
    publishedCount = 0
    completedCount = 0
    deliveryCount = 0
    receivedByteCount = 0
    readCount = 0
    requestCount = 0
    latencies.removeAll()
    lateness.removeAll()
    catchUps.removeAll()
  }

  // MARK: Ways to publish

  /// One message at a time: the next one when everybody has it and the publisher has its answer.
  func runClosedLoop(messageCount: Int) {
    for _ in 0..<messageCount {
      publish(count: 1, inBulk: false)
      awaitAll()
    }
  }

  /// So many a second, however the server keeps up; latencies count from when a message was due.
  func runPaced(messageCount: Int, perSecond: Double) {
    let start = monotonicNanoseconds() + 1_000_000
    for index in 0..<messageCount {
      let due = start + UInt64(Double(index) * 1e9 / perSecond)
      load_timer_set(timer, due)
      isTimerDue = false
      while !isTimerDue { turn() }
      if streams[nextTopic].underWay >= perTopicMax { fail("the server falls behind \(perSecond) messages a second") }
      lateness.record(monotonicNanoseconds() - due)
      publish(count: 1, inBulk: false, at: due)
    }
    load_timer_set(timer, 0)
    awaitAll()
  }

  /// Batches: so many messages in one go, the next ones when everybody has them all. In step, so that every server
  /// gets the same batches, however fast it answers.
  func runStream(messageCount: Int, underWayMax: Int) {
    var left = messageCount
    while left > 0 {
      var room = min(underWayMax, left)
      left -= room
      while room > 0 {
        let count = min(room, target.publicationsPerRequestMax)
        publish(count: count, inBulk: true)
        room -= count
      }
      awaitAll()
    }
  }

  private func publish(count: Int, inBulk: Bool, at time: UInt64? = nil) {
    let now = time ?? monotonicNanoseconds()
    publications.removeAll(keepingCapacity: true)
    for _ in 0..<count {
      publications.append(Publication(topic: nextTopic, number: streams[nextTopic].publish(at: now)))
      nextTopic = nextTopic + 1 == streams.count ? 0 : nextTopic + 1
    }
    publishedCount += publications.count
    requestCount += 1
    publisher.send(answered: target.answersPublishes) { output in
      if inBulk {
        target.appendPublications(publications, to: &output)
      } else {
        for publication in publications { target.appendPublication(publication, to: &output) }
      }
    }
  }

  private func awaitAll() {
    while completedCount < publishedCount || publisher.requestsUnderWay > 0 { turn() }
  }

  /// Until what the probe has sent is back.
  func settleProbe() {
    probe?.stop()
    while let probe, !probe.isSettled { turn() }
  }

  // MARK: Events

  private func turn() {
    let countMax = probe == nil ? Poller.eventCountMax : FanOut.eventCountBesideProbe
    let isAlive = poller.wait(milliseconds: 10_000, countMax: countMax) { handleEvent($0) }
    probe?.turn(isUnderWay: completedCount < publishedCount)
    if !isAlive {
      fail(
        "nothing for ten seconds: \(publishedCount) published, all have \(completedCount), \(deliveryCount) deliveries")
    }
  }

  @inline(__always)
  private func handleEvent(_ token: Int) {
    if token >= 0 {
      read(token)
    } else if token == FanOut.timerToken {
      isTimerDue = true
      load_timer_set(timer, 0)
    } else if token == FanOut.publisherToken {
      _ = publisher.handleEvent(buffer)
    }
    // The probe is looked after once in each turn, whether or not it has an event.
  }

  @inline(__always)
  private func read(_ index: Int) {
    guard case .moved(let count) = subscribers[index].socket.receive(into: buffer.bytes) else {
      fail("subscriber \(index) was closed after \(subscribers[index].messageCount) messages")
    }
    receive(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), index)
  }

  @inline(__always)
  private func receive(_ bytes: UnsafeRawBufferPointer, _ index: Int) {
    readCount &+= 1
    receivedByteCount &+= bytes.count
    let topic = Int(subscribers[index].topic)
    streams[topic].receive(bytes, at: subscribers[index].position)
    subscribers[index].position &+= bytes.count

    let position = subscribers[index].position
    var message = subscribers[index].messageCount
    guard message < streams[topic].receivedCount, streams[topic].end(of: message) <= position else { return }
    let now = monotonicNanoseconds()
    repeat {
      let publishedAt = streams[topic].publicationTime(of: message)
      latencies.record(now > publishedAt ? now - publishedAt : 0)
      if streams[topic].complete(message) { completedCount &+= 1 }
      message &+= 1
      deliveryCount &+= 1
    } while message < streams[topic].receivedCount && streams[topic].end(of: message) <= position
    subscribers[index].messageCount = message
    if !resumedAt.isEmpty, message == streams[topic].publishedCount { catchUps.record(now - resumedAt[index]) }
  }

  // MARK: Leaving and coming back

  /// The subscribers' connections are lost, and messages are published that nobody receives, so many to each topic.
  func lose(_ fleet: Fleet, missedMessageCount: Int) {
    fleet.drop()
    for _ in 0..<(missedMessageCount * streams.count) {
      publish(count: 1, inBulk: false)
      while publisher.requestsUnderWay > 0 { turn() }
    }
  }

  /// The server is about to end.
  func closePublisher() { close(publisher.socket.descriptor) }

  /// To the server that was started in its place.
  func openPublisher(_ options: Options) {
    publisher = Publisher(port: options.port, target: target, poller: poller, token: FanOut.publisherToken)
    while !publisher.isOpen { turn() }
  }

  /// How each topic's subscribers come back behind the last message they had.
  func resumptions() -> [Resumption] {
    streams.indices.map { topic in
      let message = streams[topic].lastMessage()
      guard let resumption = target.resumption(topic: topic, behind: message) else {
        fail("no way back behind \(String(decoding: message, as: UTF8.self))")
      }
      return resumption
    }
  }

  /// All subscribers come back at once; ends when everybody has everything.
  func resume(plan: Fleet.Plan, options: Options) -> Fleet {
    resumedAt = [UInt64](repeating: 0, count: plan.count)
    let fleet = Fleet(plan, options: options, buffer: buffer) { index, startedAt, bytes in
      self.resumedAt[index] = startedAt
      self.receive(bytes, index)
    }
    resumedAt = fleet.startedAt
    for index in subscribers.indices {
      subscribers[index].socket = fleet.sockets[index]
      poller.watch(fleet.sockets[index].descriptor, token: index)
    }
    awaitAll()
    resumedAt = []
    return fleet
  }

  /// After the last message: nobody may have less or more than the others.
  func verifyEnd() {
    while poller.wait(milliseconds: 20, { handleEvent($0) }) {}
    for index in subscribers.indices {
      let stream = streams[Int(subscribers[index].topic)]
      guard subscribers[index].position == stream.byteCount, subscribers[index].messageCount == stream.publishedCount
      else { fail("subscriber \(index) has \(subscribers[index].messageCount) of \(stream.publishedCount) messages") }
    }
  }
}
