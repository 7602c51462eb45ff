import GatewayDomain

/// HTTP requests that are held at a home until a confirmation is resolved or a message acknowledged (`wait`).
struct AnswerWaiters {
  struct Waiter {
    let address: ReplyAddress
    /// Monotonic seconds.
    let deadline: Double
    let isNew: Bool
  }

  private var waiters: [String: [Waiter]] = [:]
  private var deadlines = DeadlineQueue<String>()
  /// Entries of `deadlines`, those among them whose answer has come.
  private var deadlineCount = 0

  /// False where too many wait for this answer already: the caller answers at once.
  mutating func add(_ waiter: Waiter, for name: String) -> Bool {
    guard waiters[name, default: []].count < ShardLimits.waitersPerAnswerMax else { return false }
    waiters[name, default: []].append(waiter)
    deadlines.add(name, deadline: waiter.deadline)
    deadlineCount += 1
    return true
  }

  /// All that wait for this answer, which has come.
  mutating func take(_ name: String) -> [Waiter] {
    waiters.removeValue(forKey: name) ?? []
  }

  /// Everybody who waits, with what they wait for: the node goes down.
  mutating func takeAll() -> [(name: String, waiters: [Waiter])] {
    defer { waiters.removeAll() }
    return waiters.map { (name: $0.key, waiters: $0.value) }
  }

  /// Whether no deadline is to come. A loop asks this in every turn, before it asks for the deadlines, which the queue,
  /// a generic one of another module, takes a hundred instructions to say.
  var isEmpty: Bool { deadlineCount == 0 }

  /// Monotonic seconds at which `takeDue` may have something; nil where nobody waits.
  var nextDeadline: Double? { deadlines.nextDeadline }

  /// Those whose time is over, with what they wait for.
  mutating func takeDue(at monotonic: Double) -> (name: String, waiters: [Waiter])? {
    while let entry = deadlines.takeDue(at: monotonic) {
      deadlineCount -= 1
      guard let all = waiters[entry.key] else { continue }
      let over = all.filter { $0.deadline <= monotonic }
      guard !over.isEmpty else { continue }
      let rest = all.filter { $0.deadline > monotonic }
      waiters[entry.key] = rest.isEmpty ? nil : rest
      return (entry.key, over)
    }
    return nil
  }
}
