import GatewayDomain
import Protocol

/// Parents and children at different homes, and cancels of many tasks: one mail to each home.
extension Shard {
  // Asked in every turn. `inout` has the desk looked at where it lies, see `nextDeadline`.
  private static func hasChangedChildren(_ desk: inout TaskDesk) -> Bool { desk.hasChangedChildren }

  /// Whether parents have not been told yet of what their children have come to.
  var hasNewsForParents: Bool { Self.hasChangedChildren(&taskDesk) }

  /// Tells the homes of parents what this round has made of their children.
  func announceChildren() {
    guard hasNewsForParents else { return }
    var changes = [[ChildChange]](repeating: [], count: shared.shardCount)
    for change in taskDesk.takeChangedChildren() { changes[shared.home(of: change.parent)].append(change) }
    for home in changes.indices where !changes[home].isEmpty { post(.children(changes[home]), to: home) }
  }

  func receiveChildren(_ changes: [ChildChange]) {
    taskDesk.takeChildren(changes, at: moment, into: &taskEffects)
    carryTaskEffects()
  }

  // MARK: Cancels

  func requestCancel(
    _ task: TaskIdentifier, user: UserIdentifier?, reason: JSONText?, _ principal: Principal, relaysAlways: Bool
  ) throws(Problem) {
    if let snapshot = taskDesk.snapshot(of: task),
      !Authorizer.mayCancel(snapshot, principal, authenticationIsOn: isAuthenticationOn)
    {
      throw Problem(.forbidden, "only the owner of \(task.text) may cancel it")
    }
    try taskDesk.requestCancel(
      task, user: user, reason: reason, relaysUnknown: relaysAlways, at: moment, into: &taskEffects)
  }

  /// Those of `tasks/cancel` that live here, each judged by itself.
  func requestCancels(_ tasks: [(place: Int, task: TaskIdentifier)], _ principal: Principal) -> [CancelOutcome] {
    var outcomes: [CancelOutcome] = []
    outcomes.reserveCapacity(tasks.count)
    for (place, task) in tasks {
      var problem: Problem?
      do throws(Problem) {
        try requestCancel(task, user: nil, reason: nil, principal, relaysAlways: false)
      } catch {
        problem = error
      }
      outcomes.append(CancelOutcome(place: place, task: task, problem: problem))
    }
    return outcomes
  }

  /// `POST /api/v1/tasks/cancel`: every home is asked for its own.
  func cancelMany(_ tasks: [TaskIdentifier], _ principal: Principal, answering address: ReplyAddress) {
    var byHome = [[(place: Int, task: TaskIdentifier)]](repeating: [], count: shared.shardCount)
    for (place, task) in tasks.enumerated() { byHome[shared.home(of: task)].append((place, task)) }
    let homes = byHome.indices.filter { !byHome[$0].isEmpty }
    let parts = gather(.cancelMany, answering: address, partCount: homes.count)
    for home in homes { post(.task(.cancelMany(byHome[home], principal: principal), from: parts), to: home) }
  }

  /// A parent's cancel was requested: its children's homes are asked.
  func requestCancels(_ cancel: ChildrenCancel) {
    for child in cancel.children {
      post(
        .task(.cancelByParent(child, user: cancel.user, reason: cancel.reason), from: .none),
        to: shared.home(of: child))
    }
  }
}

extension [CancelOutcome] {
  /// The answer to `tasks/cancel`.
  var body: [UInt8] {
    ResponseBodies.cancelledMany(
      compactMap { $0.problem == nil ? $0.task : nil },
      rejected: compactMap { outcome in outcome.problem.map { (task: outcome.task, problem: $0) } })
  }
}
