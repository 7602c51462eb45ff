import GatewayDomain

/// What a connection of this shard can be subscribed to.
enum TopicKey: Hashable {
  /// With authentication off: connections of the action dialect that named no user.
  case unnamed
  case user(UserIdentifier)
  case channel(ChannelName)
  case task(TaskIdentifier)
}

/// One connection among those that follow a topic.
struct Watcher: BitwiseCopyable {
  var slot: Int32
  /// The connection's subscription node that stands for this entry.
  var node: Int32
  var audience: Audience
  /// Tasks: state events wait in the topic's ring because the connection does not keep up. How far it has come is in
  /// `ShardTopics.cursors`.
  var isLagging = false
}

/// A topic as this shard sees it: who of its connections listens.
final class LocalTopic {
  let key: TopicKey
  /// In no order.
  var watchers = PackedList<Watcher>()
  /// Watchers by audience, so that nothing is made ready for nobody.
  private(set) var audienceCounts = InlineArray<8, Int32>(repeating: 0)
  /// Tasks: the recent events, while any of the watchers lags.
  fileprivate(set) var ring: EventRing?
  /// Watchers that lag.
  fileprivate(set) var laggardCount = 0
  /// Tasks: this turn's events that wait for `Shard.closeRuns`, as indices into the shard's list; −1 for none.
  var runHead: Int32 = -1
  var runTail: Int32 = -1
  /// Bytes of the run in the dialect that has most.
  var runByteCount = 0

  init(key: TopicKey) {
    self.key = key
  }

  func has(_ audience: Audience) -> Bool { audienceCounts[audience.rawValue] > 0 }

  fileprivate func count(_ audience: Audience, by amount: Int32) { audienceCounts[audience.rawValue] += amount }
}

/// One entry of a connection's list of subscriptions.
struct SubscriptionNode {
  var topic: LocalTopic?
  var watcherIndex: Int32 = 0
  var next: Int32 = -1
}

/// How far a connection that lags behind of a task came when it read on.
enum ReadingOn {
  case caughtUp
  /// There was room for some of what the ring has for it.
  case inPart
  case notAtAll
}

/// Bounds of subscriptions.
enum SubscriptionLimits {
  /// Subscriptions of one connection: a page shows hundreds of tasks, not tens of thousands.
  static let perConnectionCountMax = 4096
  /// Answers that wait for the home of an earlier command.
  static let deferredAnswerCountMax = 4096
  /// Users that one connection may name in its life (authentication off): each name asks for that user's questions.
  static let namedUserCountMax = 64
  /// Subscriptions of one shard.
  static let perShardCountMax = 4_194_304
}

/// The topics of a shard with their watchers, and each connection's list of them.
///
/// Both directions are indices, so that a connection's end costs its own subscriptions only.
final class ShardTopics {
  private var topics: [TopicKey: LocalTopic] = [:]
  /// Cursors of those who lag, by their subscription's node: the offset of the last event that they got.
  private var cursors: [Int32: Int] = [:]
  /// Entries for which the cursors keep their storage when nobody lags any more.
  private static let cursorCapacityMax = 1024
  /// Bytes of all rings, and how many there may be.
  private(set) var ringByteCount = 0
  private let ringByteCountMax: Int
  private let nodes = Slab<SubscriptionNode>(countMax: SubscriptionLimits.perShardCountMax) { SubscriptionNode() }

  init(ringByteCountMax: Int = RingLimits.perShardByteCountMax) {
    self.ringByteCountMax = ringByteCountMax
  }

  var subscriptionCount: Int { nodes.count }
  var topicCount: Int { topics.count }
  /// Subscriptions whose connections do not keep up.
  var laggardCount: Int { cursors.count }

  func topic(_ key: TopicKey) -> LocalTopic? { topics[key] }

  func forEachTopic(_ body: (LocalTopic) -> Void) {
    for topic in topics.values { body(topic) }
  }

  /// Adds a connection to a topic and to its own list. False at the shard's bound.
  func subscribe(
    _ slot: Int32, to key: TopicKey, audience: Audience, listHead: inout Int32
  ) -> Bool {
    guard let index = nodes.take() else { return false }
    let topic: LocalTopic
    if let known = topics[key] {
      topic = known
    } else {
      topic = LocalTopic(key: key)
      topics[key] = topic
    }
    nodes[index].topic = topic
    nodes[index].watcherIndex = Int32(topic.watchers.count)
    nodes[index].next = listHead
    listHead = index
    topic.watchers.append(Watcher(slot: slot, node: index, audience: audience))
    topic.count(audience, by: 1)
    return true
  }

  // MARK: Those who do not keep up

  /// A watcher that has got everything up to an offset gets nothing more for now. What follows goes into the topic's ring,
  /// by `keep`.
  func fallBehind(_ topic: LocalTopic, _ place: Int, after offset: Int) {
    guard !topic.watchers[place].isLagging else { return }
    topic.watchers[place].isLagging = true
    cursors[topic.watchers[place].node] = offset
    topic.laggardCount += 1
    if topic.ring == nil { topic.ring = EventRing() }
  }

  /// Keeps events for those who lag. With the last of them the ring goes.
  func keep(_ run: some RandomAccessCollection<TaskDelivery>, of topic: LocalTopic) {
    guard let ring = topic.ring else { return }
    ringByteCount -= ring.byteCount
    ring.append(run, byteCountMax: min(RingLimits.byteCountMax, ringByteCountMax - ringByteCount))
    ringByteCount += ring.byteCount
  }

  /// The offset of the last event that a watcher that lags has got.
  func cursor(_ topic: LocalTopic, _ place: Int) -> Int { cursors[topic.watchers[place].node] ?? 0 }

  /// A watcher that lags has got one event more.
  func moveCursor(_ topic: LocalTopic, _ place: Int, to offset: Int) {
    cursors[topic.watchers[place].node] = offset
  }

  /// A watcher that lagged has all there is, or is about to: the offset of the last event that it got before.
  func catchUp(_ topic: LocalTopic, _ place: Int) -> Int {
    guard topic.watchers[place].isLagging else { return 0 }
    topic.watchers[place].isLagging = false
    topic.laggardCount -= 1
    if topic.laggardCount == 0, let ring = topic.ring {
      ringByteCount -= ring.byteCount
      topic.ring = nil
    }
    let cursor = cursors.removeValue(forKey: topic.watchers[place].node) ?? 0
    if cursors.isEmpty, cursors.capacity > Self.cursorCapacityMax { cursors = [:] }
    return cursor
  }

  /// Has a connection read on in each topic of which it lags behind, until there is no room for more. Next time its list
  /// begins behind the last that got some, so that no topic waits for busier ones for ever.
  ///
  /// - Returns: whether it has caught up with all.
  func readOn(listHead: inout Int32, _ body: (LocalTopic, Int) -> ReadingOn) -> Bool {
    var previous: Int32 = -1
    var index = listHead
    while index >= 0 {
      if let topic = nodes[index].topic {
        let place = Int(nodes[index].watcherIndex)
        if topic.watchers[place].isLagging {
          switch body(topic, place) {
          case .caughtUp: break
          case .inPart:
            beginList(&listHead, behind: index)
            return false
          case .notAtAll:
            beginList(&listHead, behind: previous)
            return false
          }
        }
      }
      previous = index
      index = nodes[index].next
    }
    return true
  }

  /// Puts the nodes up to the given one, −1 for none, at the end of a connection's list.
  private func beginList(_ listHead: inout Int32, behind last: Int32) {
    guard last >= 0, nodes[last].next >= 0 else { return }
    var tail = last
    while nodes[tail].next >= 0 { tail = nodes[tail].next }
    nodes[tail].next = listHead
    listHead = nodes[last].next
    nodes[last].next = -1
  }

  /// The audience with which a connection follows a topic; nil where it does not. Walks the connection's own list.
  func audience(of key: TopicKey, listHead: Int32) -> Audience? {
    var index = listHead
    while index >= 0 {
      if let topic = nodes[index].topic, topic.key == key {
        return topic.watchers[Int(nodes[index].watcherIndex)].audience
      }
      index = nodes[index].next
    }
    return nil
  }

  /// The connection has been told of everything up to the offset: it lags no more.
  func advance(_ key: TopicKey, to offset: Int, listHead: Int32) {
    var index = listHead
    while index >= 0 {
      if let topic = nodes[index].topic, topic.key == key {
        let place = Int(nodes[index].watcherIndex)
        if offset >= cursor(topic, place) { _ = catchUp(topic, place) }
        return
      }
      index = nodes[index].next
    }
  }

  /// Removes one topic from a connection's list. Nil where it was not there.
  func unsubscribe(from key: TopicKey, listHead: inout Int32) -> Audience? {
    var previous: Int32 = -1
    var index = listHead
    while index >= 0 {
      let next = nodes[index].next
      if let topic = nodes[index].topic, topic.key == key {
        if previous < 0 { listHead = next } else { nodes[previous].next = next }
        return detach(index, from: topic)
      }
      previous = index
      index = next
    }
    return nil
  }

  /// Takes the first topic off a connection's list: called until the list is empty when the connection ends.
  func unsubscribeFirst(listHead: inout Int32) -> (key: TopicKey, audience: Audience)? {
    guard listHead >= 0 else { return nil }
    let index = listHead
    listHead = nodes[index].next
    guard let topic = nodes[index].topic else { return nil }
    return (topic.key, detach(index, from: topic))
  }

  private func detach(_ index: Int32, from topic: LocalTopic) -> Audience {
    let place = Int(nodes[index].watcherIndex)
    let audience = topic.watchers[place].audience
    _ = catchUp(topic, place)
    topic.count(audience, by: -1)
    topic.watchers.removeBySwapping(place)
    if place < topic.watchers.count { nodes[topic.watchers[place].node].watcherIndex = Int32(place) }
    if topic.watchers.count == 0 { topics[topic.key] = nil }
    nodes[index].topic = nil
    nodes.give(index)
    return audience
  }
}
