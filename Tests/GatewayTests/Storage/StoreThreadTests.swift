import Glibc
import Synchronization
import Testing

@testable import Gateway

@Suite("The store's thread")
struct StoreThreadTests {
  private final class Notices: Sendable {
    private let list = Mutex<[StoreNotice]>([])
    func append(_ notice: StoreNotice) { list.withLock { $0.append(notice) } }
    var all: [StoreNotice] { list.withLock { $0 } }
    /// The newest batch of a shard that is durable.
    func committed(_ shard: Int) -> UInt64 {
      all.reduce(0) { newest, notice in
        if case .committed(shard, let through) = notice { return max(newest, through) }
        return newest
      }
    }
  }

  @Test func `everything that several threads post is in the file after a stop in order`() throws {
    let folder = try TemporaryFolder()
    let notices = Notices()
    let thread = try StoreThread(engine: SQLiteEngine(path: folder.store), shardCount: 4) { notices.append($0) }
    let senders = try (0..<4).map { shard in
      try TestThread {
        for number in 1...250 as ClosedRange<UInt64> {
          let key = Int64(shard) * 1000 + Int64(number)
          thread.post(StoreBatch(shard: shard, sequence: number, changes: [StoreFixture.put(key, "\(key)")]))
        }
      }
    }
    for sender in senders { sender.join() }
    thread.stop(isClean: true)
    for shard in 0..<4 { #expect(notices.committed(shard) == 250) }
    #expect(thread.health.isHealthy && thread.health.waitingRowCount == 0)
    #expect(thread.health.facts.changeCount == 1000)
    try StoreFixture.withEngine(folder.store) { engine in
      let state = try engine.load()
      #expect(state.wasStoppedCleanly)
      #expect(state.rows(of: .task).count == 1000)
      #expect(state.rows(of: .task).allSatisfy { $0.record == Array("\($0.key)".utf8) })
    }
  }

  @Test func `what comes while a transaction is written becomes the next one`() throws {
    let engine = ScriptedEngine()
    let notices = Notices()
    engine.state.withLock { $0.isHeld = true }
    let thread = try StoreThread(engine: engine, shardCount: 1) { notices.append($0) }
    thread.post(StoreBatch(shard: 0, sequence: 1, changes: [StoreFixture.put(1, "a")]))
    #expect(eventually { engine.state.withLock { $0.isWaiting } })
    for number in 2...10 as ClosedRange<UInt64> {
      thread.post(StoreBatch(shard: 0, sequence: number, changes: [StoreFixture.put(Int64(number), "b")]))
    }
    #expect(notices.all.isEmpty)
    engine.state.withLock { $0.isHeld = false }
    #expect(eventually { notices.committed(0) == 10 })
    #expect(engine.state.withLock { $0.commits.map(\.count) } == [1, 9])
    thread.stop(isClean: true)
    #expect(engine.state.withLock { $0.closed } == true)
  }

  @Test func `a failure is told, and the retry comes by itself`() throws {
    let engine = ScriptedEngine()
    let notices = Notices()
    let failure = StoreFailure(kind: .full, detail: "full")
    engine.state.withLock { $0.failures = [failure] }
    let thread = try StoreThread(engine: engine, shardCount: 1) { notices.append($0) }
    thread.post(StoreBatch(shard: 0, sequence: 1, changes: [StoreFixture.put(1, "a")]))
    #expect(eventually { notices.all == [.failed(shard: 0, through: 1, failure)] })
    #expect(!thread.health.isHealthy)
    #expect(eventually { notices.committed(0) == 1 })
    #expect(thread.health.isHealthy)
    thread.stop(isClean: true)
  }

  @Test(arguments: [0, 1]) func `a stop tries once more, and is not clean where that fails`(_ laterFailureCount: Int)
    throws
  {
    let engine = ScriptedEngine()
    let notices = Notices()
    let failure = StoreFailure(kind: .full, detail: "full")
    engine.state.withLock { $0.failures = [StoreFailure](repeating: failure, count: 1 + laterFailureCount) }
    let thread = try StoreThread(engine: engine, shardCount: 1) { notices.append($0) }
    thread.post(StoreBatch(shard: 0, sequence: 1, changes: [StoreFixture.put(1, "a")]))
    #expect(eventually { !notices.all.isEmpty })
    thread.stop(isClean: true)
    #expect(engine.state.withLock { $0.closed } == (laterFailureCount == 0))
    #expect(notices.committed(0) == (laterFailureCount == 0 ? 1 : 0))
  }

  @Test func `a stop that is not in order is not marked as one`() throws {
    let engine = ScriptedEngine()
    let thread = try StoreThread(engine: engine, shardCount: 1) { _ in }
    thread.stop(isClean: false)
    #expect(engine.state.withLock { $0.closed } == false)
  }

  @Test func `upkeep runs to its end while nothing comes, and then rests`() throws {
    let engine = ScriptedEngine()
    engine.state.withLock { $0.tidyLeft = 3 }
    let thread = try StoreThread(engine: engine, shardCount: 1) { _ in }
    #expect(eventually { engine.state.withLock { $0.tidyCount } == 3 })
    thread.stop(isClean: true)
    #expect(engine.state.withLock { $0.tidyCount } == 3)
  }
}
