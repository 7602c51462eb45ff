import GatewayDomain
import Testing

@Suite("contract §1 and §4.3: tasks come back from the store")
struct TaskRestoreTests {
  private func restored(
    _ snapshot: TaskSnapshot, history: [TaskEvent] = [], wasStoppedCleanly: Bool
  ) -> TaskBench {
    let bench = TaskBench()
    bench.random = SeededGenerator(seed: 2)
    var stored = StoredTask(snapshot: snapshot, row: 1, isImplicit: false)
    stored.history = history
    bench.desk.restore(
      stored, wasStoppedCleanly: wasStoppedCleanly, at: bench.now, random: &bench.random, into: &bench.effects)
    return bench
  }

  private func persistedEpochs(_ bench: TaskBench) -> [Epoch] {
    bench.takeEffects().compactMap {
      if case .persist(.progressed(let record)) = $0 { record.snapshot.epoch } else { nil }
    }
  }

  @Test func `after an orderly stop the numbering goes on, and who was away resumes in it`() throws {
    let before = TaskBench()
    for value in 1...3 { try before.progress("t", progressReport(Double(value))) }
    let events = before.takeEvents()
    let snapshot = try #require(before.snapshot("t"))
    let bench = restored(snapshot, history: events, wasStoppedCleanly: true)
    #expect(bench.snapshot("t")?.epoch == snapshot.epoch)
    #expect(persistedEpochs(bench).isEmpty)
    #expect(try bench.progress("t", progressReport(4)).offset == 4)
    let position = EventPosition(epoch: snapshot.epoch, offset: 1)
    guard case .replay(let replay, _, _) = bench.desk.resume(task("t"), since: position, wait: false) else {
      Issue.record("expected the events since")
      return
    }
    #expect(replay.map(\.offset) == [2, 3, 4])
  }

  @Test func `after a crash an unfinished task begins a new numbering, a finished one keeps its own`() throws {
    let before = TaskBench()
    try before.progress("t")
    let running = try #require(before.snapshot("t"))
    try before.complete("t")
    let end = before.takeEvents()
    let finished = try #require(before.snapshot("t"))
    let bench = restored(running, wasStoppedCleanly: false)
    let epoch = try #require(bench.snapshot("t")?.epoch)
    #expect(epoch != running.epoch && bench.snapshot("t")?.offset == 0)
    #expect(bench.snapshot("t")?.progress == running.progress)
    #expect(persistedEpochs(bench) == [epoch])
    let kept = restored(finished, history: end, wasStoppedCleanly: false)
    #expect(kept.snapshot("t")?.epoch == finished.epoch && kept.snapshot("t")?.offset == 2)
    #expect(persistedEpochs(kept).isEmpty)
  }

  @Test func `a task whose first events were told and lost never comes back to their numbering`() throws {
    let before = TaskBench()
    var registration = TaskRegistration(identifier: task("t"))
    registration.title = "\"T\""
    try before.register(registration)
    // What the store had; the events 1 and 2 that followed were not written any more.
    let registered = try #require(before.snapshot("t"))
    #expect(registered.offset == 0)
    let crashed = restored(registered, wasStoppedCleanly: false)
    // The new numbering is written although no offset tells it from the old one: an orderly stop may come next.
    let epoch = try #require(crashed.snapshot("t")?.epoch)
    #expect(epoch != registered.epoch)
    #expect(persistedEpochs(crashed) == [epoch])
    let stopped = restored(try #require(crashed.snapshot("t")), wasStoppedCleanly: true)
    #expect(stopped.snapshot("t")?.epoch == epoch)
  }
}
