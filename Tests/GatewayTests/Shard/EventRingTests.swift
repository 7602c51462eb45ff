import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("Shard: the ring of a task's recent events")
struct EventRingTests {
  private let task: TaskIdentifier

  init() throws { task = try #require(TaskIdentifier(validating: "t")) }

  /// An event whose native frame has so many bytes of payload, at most 125, and none in the task's dialect.
  private func event(_ offset: Int, payloadByteCount: Int = 98, hasTask: Bool = false) -> TaskDelivery {
    let frame = SharedFrame.text([UInt8](repeating: 0x20, count: payloadByteCount))
    return TaskDelivery(
      task: task, offset: offset, native: frame, taskDialect: hasTask ? frame : nil, execution: nil, isTerminal: false)
  }

  private func offsets(_ ring: EventRing) -> [Int] { (0..<ring.count).map { ring[$0].offset } }

  private let native = Audience.native.dialect

  @Test(arguments: [RingLimits.eventCountMax, RingLimits.eventCountMax + 1, 3 * RingLimits.eventCountMax])
  func `keeps so many events, one by one or as a run`(count: Int) {
    let oneByOne = EventRing()
    let asRun = EventRing()
    for offset in 1...count { oneByOne.append(CollectionOfOne(event(offset)), byteCountMax: .max) }
    asRun.append((1...count).map { event($0) }, byteCountMax: .max)
    let expected = Array((1...count).suffix(RingLimits.eventCountMax))
    #expect(offsets(oneByOne) == expected)
    #expect(offsets(asRun) == expected)
    #expect(oneByOne.byteCount == asRun.byteCount)
    #expect(oneByOne.byteCount == expected.count * (100 + RingLimits.eventOverheadByteCount))
  }

  @Test func `keeps so many bytes, and the newest in any case`() {
    let one = 100 + RingLimits.eventOverheadByteCount
    let ring = EventRing()
    for offset in 1...4 { ring.append(CollectionOfOne(event(offset)), byteCountMax: 4 * one) }
    #expect(offsets(ring) == [1, 2, 3, 4])
    ring.append(CollectionOfOne(event(5)), byteCountMax: 5 * one - 1)
    #expect(offsets(ring) == [2, 3, 4, 5])
    ring.append(CollectionOfOne(event(6)), byteCountMax: -1)
    #expect(offsets(ring) == [6])
    #expect(ring.byteCount == one)
  }

  @Test func `one reads on at the next event, or at the newest where that has left`() {
    let ring = EventRing()
    ring.append((11...20).map { event($0) }, byteCountMax: .max)
    #expect(ring.place(after: 10, in: native) == 0)
    #expect(ring.place(after: 15, in: native) == 5)
    #expect(ring.place(after: 19, in: native) == 9)
    #expect(ring.place(after: 20, in: native) == nil)
    #expect(ring.place(after: 9, in: native) == 9)
    #expect(ring.place(after: 0, in: native) == 9)
  }

  @Test func `the newest is that of the reader's dialect`() {
    let ring = EventRing()
    ring.append([event(11), event(12, hasTask: true), event(13)], byteCountMax: .max)
    #expect(ring.place(after: 1, in: Audience.task.dialect) == 1)
    #expect(ring.place(after: 1, in: Audience.execution.dialect) == nil)
  }

  @Test func `an ending is encoded once for all who missed the same number`() {
    let ring = EventRing()
    let frame = SharedFrame.text(Array(#"{"type":"complete"}"#.utf8))
    let first = ring.ending(frame, skipping: 7)
    #expect(ring.ending(frame, skipping: 7) === first)
    #expect(ring.ending(frame, skipping: 8) !== first)
  }

  // MARK: In the topics

  /// A connection that follows so many tasks and lags behind of each.
  private func laggard(_ topics: ShardTopics, taskCount: Int, listHead: inout Int32) throws -> [TopicKey] {
    let keys: [TopicKey] = try (0..<taskCount).map {
      .task(try #require(TaskIdentifier(validating: "t\($0)")))
    }
    for key in keys {
      #expect(topics.subscribe(0, to: key, audience: .native, listHead: &listHead))
      topics.fallBehind(try #require(topics.topic(key)), 0, after: 0)
    }
    return keys
  }

  @Test func `where all rings have their bytes a task with an event keeps the newest`() throws {
    let one = 100 + RingLimits.eventOverheadByteCount
    let topics = ShardTopics(ringByteCountMax: 6 * one)
    var head: Int32 = -1
    let keys = try laggard(topics, taskCount: 3, listHead: &head)
    for offset in 1...3 {
      for key in keys[..<2] { topics.keep(CollectionOfOne(event(offset)), of: try #require(topics.topic(key))) }
    }
    #expect(topics.ringByteCount == 6 * one)
    for offset in 1...2 { topics.keep(CollectionOfOne(event(offset)), of: try #require(topics.topic(keys[2]))) }
    #expect(topics.ringByteCount == 7 * one)
    #expect(topics.topic(keys[2])?.ring.map(offsets) == [2])
    topics.keep(CollectionOfOne(event(4)), of: try #require(topics.topic(keys[0])))
    #expect(topics.topic(keys[0])?.ring.map(offsets) == [3, 4])
    while topics.unsubscribeFirst(listHead: &head) != nil {}
    #expect(topics.ringByteCount == 0 && topics.laggardCount == 0)
  }

  @Test func `a ring goes with the last who lags`() throws {
    let topics = ShardTopics()
    var heads: [Int32] = [-1, -1]
    let key = TopicKey.task(task)
    for slot in 0..<2 { _ = topics.subscribe(Int32(slot), to: key, audience: .native, listHead: &heads[slot]) }
    let topic = try #require(topics.topic(key))
    topics.keep(CollectionOfOne(event(1)), of: topic)
    #expect(topic.ring == nil && topics.ringByteCount == 0)
    topics.fallBehind(topic, 0, after: 1)
    topics.fallBehind(topic, 1, after: 2)
    topics.fallBehind(topic, 1, after: 3)
    topics.keep(CollectionOfOne(event(3)), of: topic)
    #expect(topic.laggardCount == 2 && topics.ringByteCount > 0)
    #expect(topics.catchUp(topic, 1) == 2)
    #expect(topic.ring?.count == 1)
    topics.advance(key, to: 0, listHead: heads[0])
    #expect(topics.cursor(topic, 0) == 1)
    topics.advance(key, to: 1, listHead: heads[0])
    #expect(topic.ring == nil && topics.ringByteCount == 0 && topics.laggardCount == 0)
  }

  @Test func `no task waits for busier ones for ever`() throws {
    let topics = ShardTopics()
    var head: Int32 = -1
    let keys = try laggard(topics, taskCount: 4, listHead: &head)
    var served: [TopicKey: Int] = [:]
    for _ in 0..<12 {
      let hasCaughtUp = topics.readOn(listHead: &head) { topic, _ in
        served[topic.key, default: 0] += 1
        return .inPart
      }
      #expect(!hasCaughtUp)
    }
    for key in keys { #expect(served[key] == 3) }
    // Who found no room at all is the first next time.
    var order: [TopicKey] = []
    for _ in 0..<2 {
      _ = topics.readOn(listHead: &head) { topic, place in
        order.append(topic.key)
        if order.count == 2 { return .notAtAll }
        return order.count == 3
          ? .inPart : topic.laggardCount > 0 && topics.catchUp(topic, place) >= 0 ? .caughtUp : .inPart
      }
    }
    #expect(order.count == 3 && order[1] == order[2])
    while topics.unsubscribeFirst(listHead: &head) != nil {}
    #expect(topics.topicCount == 0 && topics.subscriptionCount == 0)
  }
}
