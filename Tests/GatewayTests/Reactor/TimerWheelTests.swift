import Testing

@testable import Gateway

@Suite("Reactor: the timer wheel")
struct TimerWheelTests {
  private static let tick = TimerWheel.tickMilliseconds
  /// Milliseconds of one round less the present tick: the farthest that an entry is filed.
  private static let round = tick * 1023

  private func slots(_ wheel: inout TimerWheel, at now: Int64) -> [Int32] {
    var due: [TimerWheel.Entry] = []
    wheel.advance(nowMilliseconds: now, into: &due)
    return due.map(\.slot)
  }

  private func entry(_ slot: Int32) -> TimerWheel.Entry { TimerWheel.Entry(slot: slot, generation: 1) }

  @Test(arguments: [0, 1, 49, 50, 51, 99, 100, 1234, 50_000, 51_099] as [Int64])
  func `an entry comes up once, after its deadline and within a tick of it`(delay: Int64) {
    for start in [0, 7, 49, 50, 1_000_003] as [Int64] {
      var wheel = TimerWheel(nowMilliseconds: start)
      _ = wheel.file(entry(1), deadlineMilliseconds: start + delay)
      var cameUpAt: [Int64] = []
      for now in stride(from: start, through: start + delay + 200, by: 1) where !slots(&wheel, at: now).isEmpty {
        cameUpAt.append(now)
      }
      #expect(cameUpAt.count == 1)
      if let now = cameUpAt.first {
        #expect(now >= start + delay)
        #expect(now <= start + delay + Self.tick)
      }
      #expect(wheel.count == 0)
    }
  }

  @Test func `a deadline that has passed comes up at the next tick`() {
    var wheel = TimerWheel(nowMilliseconds: 10_000)
    _ = wheel.file(entry(1), deadlineMilliseconds: 3)
    #expect(slots(&wheel, at: 10_049) == [])
    #expect(slots(&wheel, at: 10_050) == [1])
  }

  @Test func `beyond a round it comes up early and says when`() {
    var wheel = TimerWheel(nowMilliseconds: 0)
    let within = wheel.file(entry(1), deadlineMilliseconds: Self.round - Self.tick)
    #expect(within == Self.round - Self.tick)
    let beyond = wheel.file(entry(2), deadlineMilliseconds: 75_000)
    #expect(beyond == Self.round)
    #expect(slots(&wheel, at: Self.round - 1) == [])
    #expect(slots(&wheel, at: Self.round).sorted() == [1, 2])
  }

  @Test func `after a stop of many rounds every entry comes up once`() {
    var wheel = TimerWheel(nowMilliseconds: 0)
    for slot in 0..<2000 as Range<Int32> { _ = wheel.file(entry(slot), deadlineMilliseconds: Int64(slot) * 25) }
    #expect(slots(&wheel, at: 10_000_000).sorted() == Array(0..<2000))
    #expect(wheel.count == 0)
    #expect(slots(&wheel, at: 20_000_000) == [])
    _ = wheel.file(entry(5), deadlineMilliseconds: 20_000_100)
    #expect(slots(&wheel, at: 20_000_150) == [5])
  }

  @Test func `time that stands still or goes back brings nothing up`() {
    var wheel = TimerWheel(nowMilliseconds: 5000)
    _ = wheel.file(entry(1), deadlineMilliseconds: 5010)
    #expect(slots(&wheel, at: 5000) == [])
    #expect(slots(&wheel, at: 100) == [])
    #expect(slots(&wheel, at: 5050) == [1])
  }
}
