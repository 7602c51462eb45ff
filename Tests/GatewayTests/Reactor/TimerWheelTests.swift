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

  // MARK: The next entry

  @Test func `it says when the next entry comes up, and nothing where nothing is filed`() {
    var wheel = TimerWheel(nowMilliseconds: 1_000)
    #expect(wheel.nextMilliseconds == nil)
    wheel.file(entry(1), deadlineMilliseconds: 3_000)
    #expect(wheel.nextMilliseconds == 3_050)
    wheel.file(entry(2), deadlineMilliseconds: 1_010)
    #expect(wheel.nextMilliseconds == 1_050)
    #expect(slots(&wheel, at: 1_049) == [])
    #expect(slots(&wheel, at: 1_050) == [2])
    #expect(wheel.nextMilliseconds == 3_050)
    #expect(slots(&wheel, at: 3_050) == [1])
    #expect(wheel.nextMilliseconds == nil)
  }

  @Test(arguments: [0, 1, 62, 63, 64, 65, 511, 1021, 1022] as [Int64])
  func `an entry so many ticks ahead is the next one, wherever the wheel stands`(ticks: Int64) {
    for start in stride(from: 0 as Int64, to: 1024, by: 31) {
      var wheel = TimerWheel(nowMilliseconds: start * Self.tick)
      wheel.file(entry(1), deadlineMilliseconds: (start + ticks) * Self.tick)
      #expect(wheel.nextMilliseconds == (start + ticks + 1) * Self.tick)
    }
  }

  /// An owner that sleeps until `nextMilliseconds` each time sees what one sees that looks at every millisecond.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `who sleeps from entry to entry misses none`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var sleeper = TimerWheel(nowMilliseconds: 0)
    var watcher = TimerWheel(nowMilliseconds: 0)
    var now: Int64 = 0
    var seenBySleeper: [Int64: [Int32]] = [:]
    var seenByWatcher: [Int64: [Int32]] = [:]
    for slot in 0..<400 as Range<Int32> {
      let deadline = now + Int64.random(in: -10...80_000, using: &random)
      sleeper.file(entry(slot), deadlineMilliseconds: deadline)
      watcher.file(entry(slot), deadlineMilliseconds: deadline)
      let until = now + Int64.random(in: 0...300, using: &random)
      while let next = sleeper.nextMilliseconds, next <= until {
        let found = slots(&sleeper, at: next)
        #expect(!found.isEmpty, "seed \(seed): woken for nothing")
        seenBySleeper[next, default: []] += found.sorted()
      }
      for moment in stride(from: now, through: until, by: 1) {
        let found = slots(&watcher, at: moment)
        if !found.isEmpty { seenByWatcher[moment, default: []] += found.sorted() }
      }
      // Both stand at the same time before the next entry is filed.
      _ = slots(&sleeper, at: until)
      now = until
    }
    #expect(seenBySleeper == seenByWatcher, "seed \(seed)")
    #expect(sleeper.count == watcher.count && sleeper.nextMilliseconds == watcher.nextMilliseconds)
  }
}
