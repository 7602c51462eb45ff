import GatewayDomain
import Protocol

/// A task desk with its clock, its generator and what it asked for.
final class TaskBench {
  var desk: TaskDesk
  var random = SeededGenerator(seed: 1)
  var now = Moment(wall: 1_700_000_000, monotonic: 100)
  var effects: [TaskEffect] = []

  init(_ change: (inout TaskDeskSettings) -> Void = { _ in }) {
    var settings = TaskDeskSettings()
    change(&settings)
    desk = TaskDesk(settings: settings)
  }

  func advance(_ seconds: Double) {
    now.wall += seconds
    now.monotonic += seconds
  }

  /// What was asked for since the last look.
  func takeEffects() -> [TaskEffect] {
    defer { effects = [] }
    return effects
  }

  func takeEvents() -> [TaskEvent] {
    takeEffects().compactMap { if case .deliver(let event, _) = $0 { event } else { nil } }
  }

  @discardableResult
  func register(_ registration: TaskRegistration) throws(Problem) -> (TaskSnapshot, created: Bool) {
    try desk.register(registration, at: now, random: &random, into: &effects)
  }

  @discardableResult
  func progress(_ name: String, _ report: ProgressReport = progressReport(10)) throws(Problem) -> PublishReceipt {
    try desk.progress(task(name), report, at: now, random: &random, into: &effects)
  }

  @discardableResult
  func complete(
    _ name: String, success: Bool = true, message: String? = nil, result: String? = nil
  ) throws(Problem) -> PublishReceipt {
    var report = CompletionReport()
    report.success = success
    report.message = message.map(json)
    report.result = result.map(json)
    return try desk.complete(task(name), report, at: now, random: &random, into: &effects)
  }

  @discardableResult
  func fail(_ name: String, error: String = "\"boom\"", code: String? = nil) throws(Problem) -> PublishReceipt {
    var report = FailureReport(error: json(error))
    report.errorCode = code.map(json)
    report.given = Array("\"error\":\(error)".utf8)
    return try desk.fail(task(name), report, at: now, random: &random, into: &effects)
  }

  @discardableResult
  func requestCancel(_ name: String, relaysUnknown: Bool = false) throws(Problem) -> Bool {
    try desk.requestCancel(
      task(name), user: user("ann"), reason: json("\"late\""), relaysUnknown: relaysUnknown, at: now, into: &effects)
  }

  @discardableResult
  func acknowledgeCancel(_ name: String) throws(Problem) -> PublishReceipt {
    try desk.acknowledgeCancel(task(name), at: now, into: &effects)
  }

  @discardableResult
  func heartbeat(_ name: String, user: UserIdentifier? = nil) throws(Problem) -> Bool {
    try desk.heartbeat(task(name), user: user, message: nil, at: now, random: &random, into: &effects)
  }

  func expire() { desk.expire(at: now, into: &effects) }

  func snapshot(_ name: String) -> TaskSnapshot? { desk.snapshot(of: task(name)) }
}
