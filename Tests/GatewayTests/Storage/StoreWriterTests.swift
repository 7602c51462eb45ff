import Synchronization
import Testing

@testable import Gateway

@Suite("The store's writer: groups, failures, retries")
struct StoreWriterTests {
  private static let full = StoreFailure(kind: .full, detail: "full")
  private static let locked = StoreFailure(kind: .locked, detail: "locked")

  private let engine = ScriptedEngine()
  private let health = StoreHealth()

  private func makeWriter(shardCount: Int = 2) -> StoreWriter {
    StoreWriter(engine: engine, shardCount: shardCount, health: health, nanoseconds: { 0 })
  }

  private func batch(_ shard: Int, _ sequence: UInt64, _ changes: StoreChange...) -> StoreBatch {
    StoreBatch(shard: shard, sequence: sequence, changes: changes)
  }

  private var commits: [[StoreChange]] { engine.state.withLock { $0.commits } }
  private var recoveryCount: Int { engine.state.withLock { $0.recoveryCount } }

  private func fail(_ failures: StoreFailure...) { engine.state.withLock { $0.failures = failures } }

  @Test func `what waits becomes one transaction, and each shard hears of its newest batch`() {
    var writer = makeWriter(shardCount: 3)
    writer.take(batch(0, 1, StoreFixture.put(1, "a")))
    writer.take(batch(2, 1, StoreFixture.put(2, "b"), .remove(.history, key: 7)))
    writer.take(batch(0, 2, StoreFixture.put(3, "c")))
    #expect(
      writer.commit(nowMilliseconds: 0) == [.committed(shard: 0, through: 2), .committed(shard: 2, through: 1)])
    #expect(
      commits == [
        [StoreFixture.put(1, "a"), StoreFixture.put(2, "b"), .remove(.history, key: 7), StoreFixture.put(3, "c")]
      ])
    #expect(writer.commit(nowMilliseconds: 1).isEmpty)
    #expect(commits.count == 1)
  }

  @Test func `of several changes to a row the newest counts, table by table`() {
    var writer = makeWriter()
    writer.take(batch(0, 1, StoreFixture.put(1, "a"), StoreFixture.put(.history, 1, "h"), StoreFixture.put(2, "z")))
    writer.take(batch(1, 1, StoreFixture.put(1, "b"), .remove(.task, key: 2)))
    writer.take(batch(0, 2, .remove(.history, key: 1), StoreFixture.put(.history, 1, "again")))
    #expect(writer.waitingRowCount == 3)
    _ = writer.commit(nowMilliseconds: 0)
    #expect(commits == [[StoreFixture.put(1, "b"), StoreFixture.put(.history, 1, "again"), .remove(.task, key: 2)]])
  }

  @Test func `bytes that wait are those of the newest changes`() {
    var writer = makeWriter()
    writer.take(batch(0, 1, StoreFixture.put(1, "12345", name: "n")))
    #expect(writer.waitingByteCount == 6)
    writer.take(batch(0, 2, StoreFixture.put(1, "12", name: "nn"), StoreFixture.put(2, "123", name: "")))
    #expect(writer.waitingByteCount == 7)
    writer.take(batch(0, 3, .remove(.task, key: 1)))
    #expect(writer.waitingByteCount == 3)
    _ = writer.commit(nowMilliseconds: 0)
    #expect(writer.waitingByteCount == 0 && writer.waitingRowCount == 0)
  }

  @Test func `a batch without changes is answered without a transaction`() {
    var writer = makeWriter()
    writer.take(batch(1, 1))
    #expect(writer.commit(nowMilliseconds: 0) == [.committed(shard: 1, through: 1)])
    #expect(commits.isEmpty)
  }

  @Test func `a failure is told once for each batch, and what failed stays`() {
    var writer = makeWriter()
    fail(Self.full, Self.full)
    writer.take(batch(0, 1, StoreFixture.put(1, "a")))
    writer.take(batch(1, 1, StoreFixture.put(2, "b")))
    #expect(
      writer.commit(nowMilliseconds: 5000)
        == [.failed(shard: 0, through: 1, Self.full), .failed(shard: 1, through: 1, Self.full)])
    #expect(!health.isHealthy && health.failure == Self.full && health.waitingRowCount == 2)
    #expect(writer.nextRetryMilliseconds == 6000)
    // Before the retry: no attempt, but the newcomer hears at once.
    writer.take(batch(1, 2, StoreFixture.put(2, "b2")))
    #expect(writer.commit(nowMilliseconds: 5999) == [.failed(shard: 1, through: 2, Self.full)])
    #expect(writer.commit(nowMilliseconds: 5999).isEmpty)
    #expect(recoveryCount == 0)
    // The second attempt fails as well, and has nobody to tell.
    #expect(writer.commit(nowMilliseconds: 6000).isEmpty)
    #expect(recoveryCount == 1 && writer.nextRetryMilliseconds == 7000)
    #expect(
      writer.commit(nowMilliseconds: 7000) == [.committed(shard: 0, through: 1), .committed(shard: 1, through: 2)])
    #expect(commits == [[StoreFixture.put(1, "a"), StoreFixture.put(2, "b2")]])
    #expect(health.isHealthy && health.failure == nil && writer.nextRetryMilliseconds == nil)
    #expect(health.facts.failureCounts[StoreFailure.Kind.full.rawValue] == 2)
    #expect(health.facts.commitCount == 1 && health.facts.changeCount == 2 && health.waitingRowCount == 0)
  }

  @Test func `a batch without changes waits behind those that failed`() {
    var writer = makeWriter()
    fail(Self.locked)
    writer.take(batch(0, 1, StoreFixture.put(1, "a")))
    _ = writer.commit(nowMilliseconds: 0)
    writer.take(batch(0, 2))
    #expect(writer.commit(nowMilliseconds: 1) == [.failed(shard: 0, through: 2, Self.locked)])
    #expect(writer.commit(nowMilliseconds: 1000) == [.committed(shard: 0, through: 2)])
  }

  @Test func `a recovery that fails says why, and is tried again`() {
    var writer = makeWriter()
    fail(Self.full)
    engine.state.withLock { $0.recoveryFailures = [Self.locked] }
    writer.take(batch(0, 1, StoreFixture.put(1, "a")))
    _ = writer.commit(nowMilliseconds: 0)
    #expect(writer.commit(nowMilliseconds: 1000).isEmpty)
    #expect(health.failure == Self.locked && commits.isEmpty)
    #expect(writer.commit(nowMilliseconds: 2000) == [.committed(shard: 0, through: 1)])
    #expect(recoveryCount == 2)
  }

  @Test func `the last attempt does not wait for the retry`() {
    var writer = makeWriter()
    fail(Self.full)
    writer.take(batch(0, 1, StoreFixture.put(1, "a")))
    _ = writer.commit(nowMilliseconds: 0)
    #expect(writer.commit(nowMilliseconds: 1, isLastAttempt: true) == [.committed(shard: 0, through: 1)])
  }

  @Test func `an outage costs memory by rows, not by changes`() {
    var writer = makeWriter(shardCount: 1)
    fail(Self.full)
    for number in 1...10_000 as ClosedRange<UInt64> {
      writer.take(batch(0, number, StoreFixture.put(Int64(number % 10), "record-\(number)")))
      _ = writer.commit(nowMilliseconds: 0)
    }
    #expect(writer.waitingRowCount == 10)
    _ = writer.commit(nowMilliseconds: 1000)
    #expect(commits.count == 1 && commits[0].count == 10)
    #expect(Set(commits[0].map(\.row.key)) == Set(0...9))
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `whatever fails and when, the tables end as the batches say`(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var writer = makeWriter(shardCount: 3)
    var sequences: [UInt64] = [0, 0, 0]
    var committed: [UInt64] = [0, 0, 0]
    var expected: [StoreRow: StoreChange] = [:]
    var now: Int64 = 0
    for step in 0..<2000 {
      let shard = Int.random(in: 0..<3, using: &random)
      sequences[shard] += 1
      let change: StoreChange =
        Bool.random(using: &random)
        ? .remove(.task, key: Int64.random(in: 1...20, using: &random))
        : StoreFixture.put(Int64.random(in: 1...20, using: &random), "\(step)")
      expected[change.row] = change
      writer.take(StoreBatch(shard: shard, sequence: sequences[shard], changes: [change]))
      if Int.random(in: 0..<8, using: &random) == 0 { fail(Self.full) }
      now += Int64.random(in: 0...600, using: &random)
      for notice in writer.commit(nowMilliseconds: now) {
        switch notice {
        case .committed(let shard, let through):
          #expect(through > committed[shard] && through <= sequences[shard], "seed \(seed)")
          committed[shard] = through
        case .failed(let shard, let through, _):
          #expect(through > committed[shard] && through <= sequences[shard], "seed \(seed)")
        }
      }
    }
    fail()
    for case .committed(let shard, let through) in writer.commit(nowMilliseconds: now + 1000) {
      committed[shard] = through
    }
    #expect(committed == sequences, "seed \(seed)")
    var actual: [StoreRow: StoreChange] = [:]
    for commit in commits { for change in commit { actual[change.row] = change } }
    #expect(actual == expected, "seed \(seed)")
  }
}
