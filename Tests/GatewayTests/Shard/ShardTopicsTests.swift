import GatewayDomain
import Testing

@testable import Gateway

@Suite("Shard: topics and who follows them")
struct ShardTopicsTests {
  private func task(_ number: Int) throws -> TopicKey { .task(try #require(TaskIdentifier(validating: "t\(number)"))) }

  @Test func `a topic exists while somebody follows it`() throws {
    let topics = ShardTopics()
    var head: Int32 = -1
    let key = try task(1)
    #expect(topics.subscribe(5, to: key, audience: .native, listHead: &head))
    #expect(topics.topic(key)?.slots == [5])
    #expect(topics.audience(of: key, listHead: head) == .native)
    #expect(topics.unsubscribe(from: key, listHead: &head) == .native)
    #expect(topics.topic(key) == nil)
    #expect(head == -1)
    #expect(topics.topicCount == 0 && topics.subscriptionCount == 0)
  }

  @Test func `what is not followed is not left`() throws {
    let topics = ShardTopics()
    var head: Int32 = -1
    var other: Int32 = -1
    _ = topics.subscribe(1, to: try task(1), audience: .native, listHead: &head)
    #expect(topics.unsubscribe(from: try task(2), listHead: &head) == nil)
    #expect(topics.unsubscribe(from: try task(1), listHead: &other) == nil)
    #expect(topics.unsubscribeFirst(listHead: &other) == nil)
    #expect(topics.subscriptionCount == 1)
  }

  @Test func `when one leaves, the last takes its place and can still leave`() throws {
    let topics = ShardTopics()
    var heads: [Int32] = [-1, -1, -1]
    let key = try task(1)
    for slot in 0..<3 {
      _ = topics.subscribe(Int32(slot), to: key, audience: .native, listHead: &heads[slot])
    }
    _ = topics.unsubscribe(from: key, listHead: &heads[0])
    #expect(topics.topic(key)?.slots == [2, 1])
    _ = topics.unsubscribe(from: key, listHead: &heads[2])
    #expect(topics.topic(key)?.slots == [1])
    _ = topics.unsubscribe(from: key, listHead: &heads[1])
    #expect(topics.topicCount == 0)
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func `agrees with a naive model`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let topics = ShardTopics()
    let keys: [TopicKey] =
      try (0..<6).map(task) + [
        .unnamed, .user(try #require(UserIdentifier(validating: "u"))),
        .channel(try #require(ChannelName(validating: "c"))),
      ]
    var heads = [Int32](repeating: -1, count: 12)
    var model: [[TopicKey: Audience]] = Array(repeating: [:], count: heads.count)
    for _ in 0..<1500 {
      let slot = Int.random(in: 0..<heads.count, using: &random)
      let key = try #require(keys.randomElement(using: &random))
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<6:
        #expect(topics.audience(of: key, listHead: heads[slot]) == model[slot][key])
        guard model[slot][key] == nil else { continue }
        let audience = try #require(Audience.allCases.randomElement(using: &random))
        #expect(topics.subscribe(Int32(slot), to: key, audience: audience, listHead: &heads[slot]))
        model[slot][key] = audience
      case 6..<9:
        #expect(topics.unsubscribe(from: key, listHead: &heads[slot]) == model[slot].removeValue(forKey: key))
      default:
        while let (key, audience) = topics.unsubscribeFirst(listHead: &heads[slot]) {
          #expect(model[slot].removeValue(forKey: key) == audience, "seed \(seed)")
        }
        #expect(model[slot].isEmpty, "seed \(seed)")
      }
      #expect(topics.subscriptionCount == model.reduce(0) { $0 + $1.count }, "seed \(seed)")
      for key in keys {
        let expected = model.indices.filter { model[$0][key] != nil }.map { Int32($0) }
        let topic = topics.topic(key)
        #expect((topic?.slots ?? []).sorted() == expected, "seed \(seed)")
        for place in 0..<(topic?.watchers.count ?? 0) {
          let (slot, audience) = topic.map { ($0.watchers[place].slot, $0.watchers[place].audience) } ?? (-1, .task)
          #expect(audience == model[Int(slot)][key], "seed \(seed)")
        }
        for audience in Audience.allCases {
          let isThere = model.contains { $0[key] == audience }
          #expect((topic?.has(audience) ?? false) == isThere, "seed \(seed)")
        }
      }
    }
  }
}

extension LocalTopic {
  fileprivate var slots: [Int32] { (0..<watchers.count).map { watchers[$0].slot } }
}
