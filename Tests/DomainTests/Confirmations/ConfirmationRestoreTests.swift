import GatewayDomain
import Protocol
import Testing

@Suite("contract §4.4: questions survive restarts, and may be asked of more than one")
struct ConfirmationRestoreTests {
  private func restart(_ confirmations: [Confirmation], wall: Double, monotonic: Double = 5) -> ConfirmationBench {
    let bench = ConfirmationBench()
    bench.now = Moment(wall: wall, monotonic: monotonic)
    for confirmation in confirmations { bench.desk.restore(confirmation, at: bench.now) }
    return bench
  }

  @Test func `an open question keeps its deadline`() throws {
    let bench = ConfirmationBench()
    let asked = try bench.ask(timeout: 100, defaultProceed: false)
    let next = restart([asked], wall: bench.now.wall + 40)
    #expect(next.desk.pending(for: user("ann")).map(\.identifier) == [asked.identifier])
    #expect(next.desk.find(asked.identifier)?.deadline == asked.deadline)
    next.advance(59.9)
    next.expire()
    #expect(next.takeOutcomes().isEmpty)
    next.advance(0.1)
    next.expire()
    #expect(next.takeOutcomes().map(\.status) == [.timedOut])
  }

  @Test func `a deadline that passed meanwhile has passed, whoever answers first`() throws {
    let bench = ConfirmationBench()
    let asked = try bench.ask(timeout: 10, defaultProceed: false)
    let next = restart([asked], wall: bench.now.wall + 11)
    #expect(next.answer(asked, proceed: true).word == "expired")
    #expect(next.desk.find(asked.identifier)?.proceed == false)
  }

  @Test func `a wall clock that was set back does not lengthen the deadline`() throws {
    let bench = ConfirmationBench()
    let asked = try bench.ask(timeout: 10)
    let next = restart([asked], wall: bench.now.wall - 3600)
    #expect(next.desk.nextDeadline == 15)
  }

  @Test func `an outcome stands, and is found for the rest of its day`() throws {
    let bench = ConfirmationBench()
    let asked = try bench.ask()
    let resolved = try #require(bench.answer(asked, proceed: false, feedback: "\"no\"").confirmation)
    let next = restart([resolved], wall: bench.now.wall + 86_000)
    let again = next.answer(asked, proceed: true)
    #expect(again.word == "already_resolved" && again.confirmation?.proceed == false)
    #expect(again.confirmation?.feedback?.text == "\"no\"")
    #expect(next.desk.pendingCount == 0 && next.desk.resolvedCount == 1)
    next.advance(400)
    next.expire()
    #expect(next.desk.find(asked.identifier) == nil)
  }

  @Test func `what could not be stored is taken back without a trace`() throws {
    let bench = ConfirmationBench()
    let asked = try bench.ask()
    bench.effects = []
    bench.desk.discard(asked.identifier, into: &bench.effects)
    #expect(bench.desk.find(asked.identifier) == nil && bench.desk.pendingCount == 0)
    #expect(bench.desk.pending(for: user("ann")).isEmpty)
    guard case .persist(.removed) = bench.effects.first, bench.effects.count == 1 else {
      Issue.record("expected only the row to go, got \(bench.effects)")
      return
    }
  }

  @Test func `viewers may answer where they are the audience, and nobody else`() throws {
    let bench = ConfirmationBench()
    var request = ConfirmationRequest(
      task: task("t"), user: user("ann"), step: json("1"), timeout: 60, defaultProceed: true)
    request.isForViewers = true
    request.viewers = [user("bob")]
    let asked = try bench.desk.open(request, at: bench.now, random: &bench.random, into: &bench.effects)
    #expect(bench.desk.pending(for: user("bob")).count == 1 && bench.desk.sharedPendingCount == 1)
    #expect(bench.answer(asked, by: .user(user("eve"), watchableTasks: [])).word == "forbidden")
    #expect(bench.answer(asked, by: .user(user("bob"), watchableTasks: [])).word == "accepted")
    #expect(bench.answer(asked, by: .user(user("ann"), watchableTasks: [])).word == "already_resolved")
    #expect(bench.desk.pending(for: user("ann")).isEmpty && bench.desk.sharedPendingCount == 0)
  }
}
