import GatewayDomain
import Testing

@Suite("contract §3: an idempotency key is used once")
struct IdempotencyDeskTests {
  private let now = Moment(wall: 1_700_000_000, monotonic: 100)
  private let body = IdempotencyToken(high: 7, low: 7)
  private let outcome = IdempotencyOutcome(status: 201, body: Array("{}".utf8))

  private func token(_ number: UInt64) -> IdempotencyToken { IdempotencyToken(high: number, low: number) }

  private func later(_ seconds: Double) -> Moment {
    Moment(wall: now.wall + seconds, monotonic: now.monotonic + seconds)
  }

  @Test func `the first is carried out, the next ones wait, and then get its answer`() {
    var desk = IdempotencyDesk()
    var removed: [Int64] = []
    #expect(desk.claim(token(1), bodyDigest: body, at: now, removed: &removed) == .first(row: 1))
    #expect(desk.claim(token(1), bodyDigest: body, at: now, removed: &removed) == .underWay)
    desk.complete(token(1), outcome, at: now, removed: &removed)
    #expect(desk.claim(token(1), bodyDigest: body, at: now, removed: &removed) == .replay(outcome))
    #expect(desk.claim(token(2), bodyDigest: body, at: now, removed: &removed) == .first(row: 2))
    #expect(removed.isEmpty)
  }

  @Test func `another body is a mismatch, while the first is under way and after it`() {
    var desk = IdempotencyDesk()
    var removed: [Int64] = []
    _ = desk.claim(token(1), bodyDigest: body, at: now, removed: &removed)
    #expect(desk.claim(token(1), bodyDigest: token(8), at: now, removed: &removed) == .mismatch)
    desk.complete(token(1), outcome, at: now, removed: &removed)
    #expect(desk.claim(token(1), bodyDigest: token(8), at: now, removed: &removed) == .mismatch)
  }

  @Test func `a key that came to nothing is free, and one that was carried out is not`() {
    var desk = IdempotencyDesk()
    var removed: [Int64] = []
    _ = desk.claim(token(1), bodyDigest: body, at: now, removed: &removed)
    desk.abandon(token(1))
    #expect(desk.claim(token(1), bodyDigest: token(8), at: now, removed: &removed) == .first(row: 2))
    desk.complete(token(1), outcome, at: now, removed: &removed)
    desk.abandon(token(1))
    #expect(desk.claim(token(1), bodyDigest: token(8), at: now, removed: &removed) == .replay(outcome))
  }

  @Test func `a key is remembered for a day, to the second, also over a restart`() {
    var desk = IdempotencyDesk()
    var removed: [Int64] = []
    _ = desk.claim(token(1), bodyDigest: body, at: now, removed: &removed)
    desk.complete(token(1), outcome, at: now, removed: &removed)
    #expect(desk.claim(token(1), bodyDigest: body, at: later(86_399), removed: &removed) == .replay(outcome))
    var restarted = IdempotencyDesk()
    restarted.restore(
      IdempotencyRecord(token: token(1), bodyDigest: body, outcome: outcome, row: 1, createdAt: now.wall),
      at: Moment(wall: now.wall + 86_000, monotonic: 5))
    #expect(
      restarted.claim(
        token(1), bodyDigest: body, at: Moment(wall: now.wall + 86_399, monotonic: 404), removed: &removed)
        == .replay(outcome))
    restarted.expire(at: Moment(wall: now.wall + 86_400, monotonic: 405), removed: &removed)
    #expect(removed == [1] && restarted.count == 0)
    desk.expire(at: later(86_400), removed: &removed)
    #expect(desk.claim(token(1), bodyDigest: body, at: later(86_400), removed: &removed) == .first(row: 2))
  }

  @Test func `a request that never ends gives its key up`() {
    var desk = IdempotencyDesk()
    var removed: [Int64] = []
    _ = desk.claim(token(1), bodyDigest: body, at: now, removed: &removed)
    #expect(desk.claim(token(1), bodyDigest: body, at: later(329), removed: &removed) == .underWay)
    #expect(desk.claim(token(1), bodyDigest: body, at: later(330), removed: &removed) == .first(row: 2))
  }

  @Test func `at the bound the oldest answer goes, and requests under way stay`() {
    var settings = IdempotencyDeskSettings()
    settings.countMax = 3
    var desk = IdempotencyDesk(settings: settings)
    var removed: [Int64] = []
    for number in 1...2 as ClosedRange<UInt64> {
      _ = desk.claim(token(number), bodyDigest: body, at: later(Double(number)), removed: &removed)
      desk.complete(token(number), outcome, at: later(Double(number)), removed: &removed)
    }
    _ = desk.claim(token(3), bodyDigest: body, at: later(3), removed: &removed)
    #expect(removed.isEmpty && desk.count == 3)
    _ = desk.claim(token(4), bodyDigest: body, at: later(4), removed: &removed)
    #expect(removed == [1] && desk.count == 3)
    _ = desk.claim(token(5), bodyDigest: body, at: later(5), removed: &removed)
    #expect(removed == [1, 2])
    // Nothing is left but what is under way.
    #expect(desk.claim(token(6), bodyDigest: body, at: later(6), removed: &removed) == .full)
    #expect(desk.claim(token(3), bodyDigest: body, at: later(6), removed: &removed) == .underWay)
  }

  @Test func `bytes of answers are bounded`() {
    var settings = IdempotencyDeskSettings()
    settings.byteCountMax = 4
    var desk = IdempotencyDesk(settings: settings)
    var removed: [Int64] = []
    for number in 1...2 as ClosedRange<UInt64> {
      _ = desk.claim(token(number), bodyDigest: body, at: later(Double(number)), removed: &removed)
      desk.complete(token(number), outcome, at: later(Double(number)), removed: &removed)
    }
    #expect(removed.isEmpty)
    _ = desk.claim(token(3), bodyDigest: body, at: later(3), removed: &removed)
    desk.complete(token(3), outcome, at: later(3), removed: &removed)
    #expect(removed == [1])
  }
}
