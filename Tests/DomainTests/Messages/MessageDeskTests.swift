import GatewayDomain
import Testing

@Suite("contract §3.2: messages that ask for an acknowledgement")
struct MessageDeskTests {
  private let now = Moment(wall: 1_700_000_000, monotonic: 100)

  @Test func `the first acknowledgement of its user counts, once`() {
    var desk = MessageDesk()
    var random = SeededGenerator(seed: 3)
    var effects: [MessageEffect] = []
    let identifier = MessageIdentifier.make(for: user("ann"), using: &random)
    desk.open(identifier, for: user("ann"), at: now, into: &effects)
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

  @Test func `messages are forgotten after their time and at the bound the oldest goes`() {
    var settings = MessageDeskSettings()
    settings.countMax = 2
    settings.secondsMax = 10
    var desk = MessageDesk(settings: settings)
    var effects: [MessageEffect] = []
    let names = ["a", "b", "c"].map { MessageIdentifier(text: $0) }
    for name in names { desk.open(name, for: user("ann"), at: now, into: &effects) }
    let isHeld = names.map { desk.find($0) != nil }
    #expect(isHeld == [false, true, true])
    desk.expire(at: Moment(wall: now.wall, monotonic: 109.5), into: &effects)
    #expect(desk.count == 2)
    desk.expire(at: Moment(wall: now.wall, monotonic: 110), into: &effects)
    #expect(desk.count == 0)
    #expect(desk.nextDeadline == nil)
  }
}
