import GatewayDomain
import Testing

@Suite("contract §3.2: messages that ask for an acknowledgement")
struct MessageDeskTests {
  private let now = Moment(wall: 1_700_000_000, monotonic: 100)

  @Test func `the first acknowledgement of its user counts, once`() throws {
    var desk = MessageDesk()
    var random = SeededGenerator(seed: 3)
    var effects: [MessageEffect] = []
    let identifier = MessageIdentifier.make(for: user("ann"), using: &random)
    try desk.open(identifier, for: user("ann"), body: json("{}"), at: now, into: &effects)
    desk.addConnections(2, to: identifier)
    effects = []
    let byBob = desk.acknowledge(identifier, by: user("bob"), at: now, into: &effects)
    #expect(!byBob && effects.isEmpty)
    let byAnn = desk.acknowledge(identifier, by: user("ann"), at: now, into: &effects)
    #expect(byAnn && effects.count == 2)
    let message = desk.find(identifier)
    #expect(message?.acknowledgedAt == now.wall && message?.connectionCount == 2)
    let again = desk.acknowledge(identifier, by: nil, at: now, into: &effects)
    #expect(again && effects.count == 2)
    let unknown = desk.acknowledge(MessageIdentifier(text: "unheard"), by: nil, at: now, into: &effects)
    #expect(!unknown)
  }

  @Test func `messages are forgotten after their time and at the bound the oldest goes`() throws {
    var settings = MessageDeskSettings()
    settings.countMax = 2
    settings.secondsMax = 10
    var desk = MessageDesk(settings: settings)
    var effects: [MessageEffect] = []
    let names = ["a", "b", "c"].map { MessageIdentifier(text: $0) }
    for name in names { try desk.open(name, for: user("ann"), body: json("{}"), at: now, into: &effects) }
    let isHeld = names.map { desk.find($0) != nil }
    #expect(isHeld == [false, true, true])
    desk.expire(at: Moment(wall: now.wall, monotonic: 109.5), into: &effects)
    #expect(desk.count == 2)
    desk.expire(at: Moment(wall: now.wall, monotonic: 110), into: &effects)
    #expect(desk.count == 0)
    // The tries of those that are gone are swept as they come up.
    desk.expire(at: Moment(wall: now.wall, monotonic: 130), into: &effects)
    #expect(desk.nextDeadline == nil)
  }

  @Test func `it is sent again every five seconds, three times, and has failed five seconds after the last`() throws {
    var desk = MessageDesk()
    var effects: [MessageEffect] = []
    let name = MessageIdentifier(text: "m")
    try desk.open(name, for: user("ann"), body: json(#"{"a":1}"#), at: now, into: &effects)
    var sentAt: [Double] = []
    var failedAt: Double?
    for second in 1...30 {
      effects = []
      desk.expire(at: Moment(wall: now.wall, monotonic: now.monotonic + Double(second)), into: &effects)
      for effect in effects {
        switch effect {
        case .sendAgain(let message):
          #expect(message.body.text == #"{"a":1}"#)
          sentAt.append(Double(second))
        case .failed: failedAt = Double(second)
        case .acknowledged, .persist: break
        }
      }
    }
    #expect(sentAt == [5, 10, 15])
    #expect(failedAt == 20)
    #expect(desk.find(name)?.status == .failed)
    #expect(desk.pendingCount == 0)
    // It arrived after all.
    let late = desk.acknowledge(name, by: user("ann"), at: now, into: &effects)
    #expect(late && desk.find(name)?.status == .acknowledged)
  }

  @Test func `one that is acknowledged is not sent again`() throws {
    var desk = MessageDesk()
    var effects: [MessageEffect] = []
    let name = MessageIdentifier(text: "m")
    try desk.open(name, for: user("ann"), body: json("{}"), at: now, into: &effects)
    desk.acknowledge(name, by: user("ann"), at: now, into: &effects)
    effects = []
    desk.expire(at: Moment(wall: now.wall, monotonic: now.monotonic + 60), into: &effects)
    #expect(effects.isEmpty)
  }

  @Test func `bytes that wait are bounded: one that just fits is taken, one more byte is refused`() throws {
    var settings = MessageDeskSettings()
    settings.pendingByteCountMax = 10
    var desk = MessageDesk(settings: settings)
    var effects: [MessageEffect] = []
    try desk.open(MessageIdentifier(text: "a"), for: user("ann"), body: json("\"12345678\""), at: now, into: &effects)
    #expect(throws: Problem.self) {
      try desk.open(MessageIdentifier(text: "b"), for: user("ann"), body: json("1"), at: now, into: &effects)
    }
    desk.acknowledge(MessageIdentifier(text: "a"), by: nil, at: now, into: &effects)
    try desk.open(MessageIdentifier(text: "b"), for: user("ann"), body: json("1"), at: now, into: &effects)
    #expect(desk.pendingCount == 1)
  }
}
