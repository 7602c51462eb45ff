import GatewayDomain
import Protocol
import Testing

/// A confirmation desk with its clock, its generator and what it asked for.
final class ConfirmationBench {
  var desk: ConfirmationDesk
  var random = SeededGenerator(seed: 2)
  var now = Moment(wall: 1_700_000_000, monotonic: 100)
  var effects: [ConfirmationEffect] = []

  init(_ change: (inout ConfirmationDeskSettings) -> Void = { _ in }) {
    var settings = ConfirmationDeskSettings()
    change(&settings)
    desk = ConfirmationDesk(settings: settings)
  }

  func advance(_ seconds: Double) {
    now.wall += seconds
    now.monotonic += seconds
  }

  func ask(
    _ name: String = "ann", timeout: Double = 300, defaultProceed: Bool = true, step: String = "1"
  ) throws -> Confirmation {
    let request = ConfirmationRequest(
      task: task("t"), user: user(name), step: json(step), timeout: timeout, defaultProceed: defaultProceed)
    return try desk.open(request, at: now, random: &random, into: &effects)
  }

  func answer(
    _ confirmation: Confirmation, proceed: Bool = true, feedback: String? = nil,
    by principal: Principal = .user(user("ann"), watchableTasks: []), authenticationIsOn: Bool = true
  ) -> AnswerResult {
    desk.answer(
      confirmation.identifier, proceed: proceed, feedback: feedback.map(json), by: principal,
      authenticationIsOn: authenticationIsOn, at: now, into: &effects)
  }

  func withdraw(_ confirmation: Confirmation) throws -> Confirmation {
    try desk.withdraw(confirmation.identifier, at: now, into: &effects)
  }

  func expire() { desk.expire(at: now, into: &effects) }

  /// The outcomes told since the last look.
  func takeOutcomes() -> [Confirmation] {
    defer { effects = [] }
    return effects.compactMap { if case .resolved(let confirmation) = $0 { confirmation } else { nil } }
  }
}

extension AnswerResult {
  /// The word of the action dialect (contract §2.3).
  var word: String {
    switch self {
    case .accepted: "accepted"
    case .alreadyResolved: "already_resolved"
    case .expired: "expired"
    case .unknown: "unknown"
    case .forbidden: "forbidden"
    }
  }

  var confirmation: Confirmation? {
    switch self {
    case .accepted(let confirmation), .alreadyResolved(let confirmation), .expired(let confirmation): confirmation
    case .unknown, .forbidden: nil
    }
  }
}

@Suite("contract §1, §3.2 and §4.4: a confirmation is resolved exactly once")
struct ConfirmationDeskTests {
  @Test func `a question is asked with a deadline and found pending`() throws {
    let bench = ConfirmationBench()
    let confirmation = try bench.ask(timeout: 20)
    #expect(confirmation.status == .pending && confirmation.proceed == nil && confirmation.resolvedBy == nil)
    #expect(confirmation.deadline == bench.now.wall + 20)
    #expect(bench.desk.nextDeadline == bench.now.monotonic + 20)
    #expect(bench.desk.pendingCount == 1)
    guard case .persist(.opened) = bench.effects[0], case .asked = bench.effects[1], bench.effects.count == 2 else {
      Issue.record("expected opened, then asked, got \(bench.effects)")
      return
    }
  }

  @Test(arguments: [(true, Confirmation.Status.confirmed), (false, .rejected)])
  func `an answer is the outcome, and the same answer again finds it`(
    _ proceed: Bool, _ status: Confirmation.Status
  ) throws {
    let bench = ConfirmationBench()
    let confirmation = try bench.ask()
    let first = bench.answer(confirmation, proceed: proceed, feedback: "\"why\"")
    #expect(first.word == "accepted")
    #expect(bench.takeOutcomes().map(\.status) == [status])
    for later in [proceed, !proceed] {
      let again = bench.answer(confirmation, proceed: later)
      #expect(again.word == "already_resolved")
      #expect(again.confirmation?.proceed == proceed)
      #expect(again.confirmation?.feedback?.text == "\"why\"")
      #expect(again.confirmation?.resolvedBy == .user)
    }
    #expect(bench.takeOutcomes().isEmpty)
    #expect(bench.desk.pendingCount == 0 && bench.desk.resolvedCount == 1)
  }

  @Test(arguments: [true, false])
  func `the deadline brings the default`(_ defaultProceed: Bool) throws {
    let bench = ConfirmationBench()
    let confirmation = try bench.ask(timeout: 20, defaultProceed: defaultProceed)
    bench.advance(19.5)
    bench.expire()
    #expect(bench.takeOutcomes().isEmpty)
    bench.advance(0.5)
    bench.expire()
    let outcome = try #require(bench.takeOutcomes().first)
    #expect(outcome.status == .timedOut && outcome.resolvedBy == .timeout && outcome.proceed == defaultProceed)
    #expect(bench.answer(confirmation, proceed: !defaultProceed).word == "expired")
    #expect(bench.desk.find(confirmation.identifier)?.proceed == defaultProceed)
  }

  @Test func `an answer at the deadline is too late though no timer has run`() throws {
    let bench = ConfirmationBench()
    let confirmation = try bench.ask(timeout: 20)
    bench.advance(20)
    #expect(bench.answer(confirmation, proceed: false).word == "expired")
    #expect(bench.takeOutcomes().map(\.status) == [.timedOut])
    bench.expire()
    #expect(bench.takeOutcomes().isEmpty)
  }

  @Test func `a withdrawn one proceeds neither way`() throws {
    let bench = ConfirmationBench()
    let confirmation = try bench.ask()
    let withdrawn = try bench.withdraw(confirmation)
    #expect(withdrawn.status == .withdrawn && withdrawn.proceed == nil && withdrawn.resolvedBy == .withdrawn)
    #expect(code { try bench.withdraw(confirmation) } == .alreadyResolved)
    #expect(bench.answer(confirmation).word == "already_resolved")
    let unknown = CallbackIdentifier(text: "unheard")
    #expect(code { try bench.desk.withdraw(unknown, at: bench.now, into: &bench.effects) } == .notFound)
  }

  enum Step: Sendable, CaseIterable {
    case proceed
    case reject
    case withdraw
    case expire
    case deadlinePasses
  }

  /// Every order of every selection of four steps, repetitions included.
  static let interleavings: [[Step]] = Step.allCases.flatMap { first in
    Step.allCases.flatMap { second in
      Step.allCases.flatMap { third in Step.allCases.map { [first, second, third, $0] } }
    }
  }

  @Test(arguments: interleavings)
  func `any interleaving of answer, timeout and withdrawal has one outcome`(_ steps: [Step]) throws {
    let bench = ConfirmationBench()
    let confirmation = try bench.ask(timeout: 20, defaultProceed: false)
    bench.effects = []
    var accepted = 0
    var isPast = false
    var expected: Confirmation.Status?
    for step in steps {
      switch step {
      case .proceed, .reject:
        let result = bench.answer(confirmation, proceed: step == .proceed)
        if result.word == "accepted" { accepted += 1 }
        expected = expected ?? (isPast ? .timedOut : step == .proceed ? .confirmed : .rejected)
      case .withdraw:
        if (try? bench.withdraw(confirmation)) != nil { accepted += 1 }
        expected = expected ?? (isPast ? .timedOut : .withdrawn)
      case .expire:
        bench.expire()
        if isPast { expected = expected ?? .timedOut }
      case .deadlinePasses:
        bench.advance(20)
        isPast = true
      }
      #expect(bench.desk.find(confirmation.identifier)?.status == (expected ?? .pending))
    }
    let outcomes = bench.takeOutcomes()
    #expect(outcomes.map(\.status) == (expected.map { [$0] } ?? []))
    #expect(accepted == (expected == nil || expected == .timedOut ? 0 : 1))
    #expect(bench.desk.pendingCount == (expected == nil ? 1 : 0))
    #expect(bench.desk.pending(for: user("ann")).count == bench.desk.pendingCount)
  }

  @Test func `others may not answer, and learn nothing of the outcome`() throws {
    let bench = ConfirmationBench()
    let confirmation = try bench.ask()
    let bob = Principal.user(user("bob"), watchableTasks: [TaskPattern("*")])
    #expect(bench.answer(confirmation, by: bob).word == "forbidden")
    #expect(bench.desk.find(confirmation.identifier)?.status == .pending)
    #expect(bench.answer(confirmation, by: bob, authenticationIsOn: false).word == "accepted")
    #expect(bench.answer(confirmation, by: bob).word == "forbidden")
  }

  @Test func `pending questions come in the order they were asked, resolved ones never`() throws {
    let bench = ConfirmationBench()
    let first = try bench.ask()
    bench.advance(1)
    let others = try bench.ask("bob")
    bench.advance(1)
    let last = try bench.ask()
    #expect(bench.desk.pending(for: user("ann")).map(\.identifier) == [first.identifier, last.identifier])
    #expect(bench.desk.allPending.map(\.identifier) == [first.identifier, others.identifier, last.identifier])
    _ = bench.answer(first)
    #expect(bench.desk.pending(for: user("ann")).map(\.identifier) == [last.identifier])
    #expect(bench.desk.allPending.map(\.identifier) == [others.identifier, last.identifier])
  }

  @Test(arguments: [(0.0, false), (-1, false), (0.5, true), (604_800, true), (604_801, false), (.nan, false)])
  func `a timeout is positive and bounded`(_ timeout: Double, _ isTaken: Bool) {
    let bench = ConfirmationBench()
    #expect(code { try bench.ask(timeout: timeout) } == (isTaken ? nil : .badRequest))
  }

  @Test func `open questions are bounded per user, per desk and in bytes`() throws {
    let bench = ConfirmationBench {
      $0.pendingCountPerUserMax = 2
      $0.pendingCountMax = 3
      $0.pendingByteCountMax = 10
    }
    let first = try bench.ask(step: "12345678")
    _ = try bench.ask()
    #expect(code { try bench.ask() } == .overCapacity)
    #expect(code { try bench.ask("bob", step: "12") } == .overCapacity)
    _ = try bench.ask("bob")
    #expect(code { try bench.ask("carl") } == .overCapacity)
    _ = bench.answer(first)
    _ = try bench.ask(step: "12345678")
  }

  @Test func `resolved ones stay findable for their time, count and bytes, without the question`() throws {
    let bench = ConfirmationBench {
      $0.resolvedSecondsMax = 50
      $0.resolvedCountMax = 2
      $0.resolvedByteCountMax = 10
    }
    var confirmations: [Confirmation] = []
    for _ in 0..<5 { confirmations.append(try bench.ask(step: "\"long step\"")) }
    func isFound(_ index: Int) -> Bool { bench.desk.find(confirmations[index].identifier) != nil }
    _ = bench.answer(confirmations[0])
    _ = bench.answer(confirmations[1], feedback: "12345678")
    #expect(bench.desk.find(confirmations[0].identifier)?.request.step == .null)
    #expect(bench.takeOutcomes().map { $0.request.step.text } == ["\"long step\"", "\"long step\""])
    #expect(isFound(0) && isFound(1))
    bench.advance(1)
    _ = bench.answer(confirmations[2], feedback: "12")
    #expect(!isFound(0) && isFound(1) && isFound(2))
    _ = bench.answer(confirmations[3], feedback: "123456789")
    #expect(!isFound(1) && !isFound(2) && isFound(3) && isFound(4))
    #expect(bench.answer(confirmations[0]).word == "unknown")
    bench.advance(49.5)
    bench.expire()
    #expect(isFound(3))
    bench.advance(0.5)
    bench.expire()
    #expect(!isFound(3) && isFound(4))
    #expect(bench.desk.pendingCount == 1 && bench.desk.resolvedCount == 0)
  }

  @Test func `one call works off a bounded number of deadlines`() throws {
    let bench = ConfirmationBench { $0.pendingCountPerUserMax = 2000 }
    for _ in 0...ConfirmationDeskSettings.expireCountMax { _ = try bench.ask(timeout: 1) }
    bench.advance(1)
    bench.expire()
    #expect(bench.desk.pendingCount == 1)
    bench.expire()
    #expect(bench.desk.pendingCount == 0)
  }
}
