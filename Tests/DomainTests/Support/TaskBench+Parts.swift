import GatewayDomain
import Protocol

/// Nodes, children, logs and leases.
extension TaskBench {
  @discardableResult
  func node(
    _ name: String, _ node: String, _ progress: Double? = nil, status: String = "running", weight: Double? = nil,
    message: ReportedField = .absent
  ) throws(Problem) -> PublishReceipt {
    var report = NodeReport(node: task(node), status: status)
    report.progress = progress.map { JSONText(double: $0) }
    report.progressValue = progress
    report.weight = weight.map { JSONText(double: $0) }
    report.weightValue = weight
    report.message = message
    report.given = Array("\"status\":\"\(status)\"".utf8)
    return try desk.node(task(name), report, at: now, random: &random, into: &effects)
  }

  @discardableResult
  func log(_ name: String, _ messages: String..., level: String = "info") throws(Problem) -> LogReceipt {
    try log(
      name, lines: messages.map { ReportedLogLine(level: JSONText(string: level), message: JSONText(string: $0)) })
  }

  @discardableResult
  func log(_ name: String, lines: [ReportedLogLine]) throws(Problem) -> LogReceipt {
    try desk.log(task(name), lines, at: now, random: &random, into: &effects)
  }

  @discardableResult
  func register(
    _ name: String, parent: String? = nil, weight: Double? = nil, lease: Double? = nil
  ) throws(Problem) -> TaskSnapshot {
    var registration = TaskRegistration(identifier: task(name))
    registration.parent = parent.map { task($0) }
    registration.weight = weight.map { JSONText(double: $0) }
    registration.leaseSeconds = lease
    return try register(registration).0
  }

  /// Tells the parents, all at home in this desk, until nothing is left to tell; how many rounds that took.
  @discardableResult
  func tellParents() -> Int {
    var rounds = 0
    while desk.hasChangedChildren {
      desk.takeChildren(desk.takeChangedChildren(), at: now, into: &effects)
      rounds += 1
      precondition(rounds < 1000, "the parents do not come to rest")
    }
    return rounds
  }

  /// Asks the children named by the effects so far to stop, and theirs; the tasks asked, in order.
  func askChildren() -> [String] {
    var asked: [String] = []
    while case let cancels = takeEffects().compactMap({ effect -> ChildrenCancel? in
      if case .cancelChildren(let cancel) = effect { cancel } else { nil }
    }), !cancels.isEmpty {
      for cancel in cancels {
        for child in cancel.children {
          asked.append(child.text)
          desk.requestCancelByParent(child, user: cancel.user, reason: cancel.reason, at: now, into: &effects)
        }
      }
    }
    return asked
  }

  func progressText(_ name: String) -> String? { snapshot(name)?.progress.text }

  func given(_ event: TaskEvent) -> String { String(decoding: event.given, as: UTF8.self) }
}
