import GatewayDomain

/// The contract told as naively as possible: every event of every task is kept and nothing is fast.
struct ReferenceTasks {
  struct Known {
    var status = TaskStatus.pending
    var progress = 0.0
    var message: String?
    var cancelRequested = false
    /// The wall and monotonic seconds coincide in this model.
    var cancelDeadline: Double?
    var finishedAt: Double?
    var eventProgress: [Double?] = []
    var eventIsTerminal: [Bool] = []
    /// Which ending of all it was.
    var endOrder = 0
  }

  let settings: TaskDeskSettings
  var tasks: [String: Known] = [:]
  private var endCount = 0

  init(settings: TaskDeskSettings) { self.settings = settings }

  enum Ending {
    case success
    case failure
    case cancelled
  }

  private mutating func open(_ name: String) throws(Problem) -> Known {
    if let known = tasks[name] {
      if known.finishedAt != nil { throw Problem(.taskFinished, "") }
      return known
    }
    if tasks.count == settings.taskCountMax {
      let finished = tasks.filter { $0.value.finishedAt != nil }
      guard let first = finished.min(by: { $0.value.endOrder < $1.value.endOrder }) else {
        throw Problem(.overCapacity, "")
      }
      tasks[first.key] = nil
    }
    return Known()
  }

  mutating func register(_ name: String) throws(Problem) {
    if tasks[name] != nil { return }
    tasks[name] = try open(name)
  }

  mutating func progress(
    _ name: String, _ value: Double?, word: String?, message: String?, at now: Double
  ) throws(Problem) {
    var known = try open(name)
    if let value, value >= 0 { known.progress = value }
    if let message { known.message = message }
    switch word {
    case "completed": end(&known, .success, value, at: now)
    case "failed": end(&known, .failure, value, at: now)
    case "cancelled": end(&known, .cancelled, value, at: now)
    default:
      if word != "pending" { known.status = .running }
      known.eventProgress.append(value)
      known.eventIsTerminal.append(false)
    }
    tasks[name] = known
  }

  mutating func end(_ name: String, _ ending: Ending, at now: Double) throws(Problem) {
    if ending == .cancelled, tasks[name] == nil { throw Problem(.taskNotFound, "") }
    var known = try open(name)
    end(&known, ending, nil, at: now)
    tasks[name] = known
  }

  private mutating func end(_ known: inout Known, _ ending: Ending, _ value: Double?, at now: Double) {
    switch ending {
    case .success:
      known.status = .completed
      known.progress = 100
    case .failure: known.status = .failed
    case .cancelled: known.status = .cancelled
    }
    endCount += 1
    known.endOrder = endCount
    known.cancelDeadline = nil
    known.finishedAt = now
    known.eventProgress.append(value)
    known.eventIsTerminal.append(true)
  }

  mutating func requestCancel(_ name: String, at now: Double) throws(Problem) {
    guard var known = tasks[name] else { throw Problem(.taskNotFound, "") }
    if known.finishedAt != nil { throw Problem(.taskFinished, "") }
    if !known.cancelRequested {
      known.cancelRequested = true
      known.cancelDeadline = now + settings.cancelTimeout
    }
    tasks[name] = known
  }

  mutating func heartbeat(_ name: String) throws(Problem) {
    tasks[name] = try open(name)
  }

  mutating func expire(at now: Double) {
    let due = tasks.filter { ($0.value.cancelDeadline ?? .infinity) <= now }
    for (name, found) in due.sorted(by: { ($0.value.cancelDeadline ?? 0) < ($1.value.cancelDeadline ?? 0) }) {
      var known = found
      end(&known, .cancelled, nil, at: now)
      tasks[name] = known
    }
    tasks = tasks.filter { ($0.value.finishedAt ?? .infinity) + settings.historySecondsMax > now }
  }
}
