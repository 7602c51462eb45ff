import GatewayDomain
import Protocol

/// Whose a task is, for shards with watchers that came before this was known.
struct TaskOwnership: Sendable {
  let task: TaskIdentifier
  let owner: UserIdentifier?
  let viewers: [UserIdentifier]
}

/// Who waited for a task, or watched one that a report had registered, was let in before anybody had said whose it is: with
/// its registration that is asked again, before they are told of anything that comes after.
extension Shard {
  /// At the home.
  func askPermissionAgain(_ record: TaskRecord) {
    let snapshot = record.snapshot
    guard shared.isAuthenticationRequired, snapshot.owner != nil || !snapshot.viewers.isEmpty,
      let interest = interests[snapshot.identifier], interest.total > 0
    else { return }
    let ownership = TaskOwnership(task: snapshot.identifier, owner: snapshot.owner, viewers: snapshot.viewers)
    for shard in 0..<shared.shardCount where Audience.allCases.contains(where: { interest.has($0, shard: shard) }) {
      post(.owned(ownership), to: shard)
    }
  }

  /// At the watchers.
  func receiveOwnership(_ ownership: TaskOwnership) {
    closeRuns()
    guard let topic = topics.topic(.task(ownership.task)) else { return }
    var snapshot = TaskSnapshot(identifier: ownership.task, epoch: Epoch(text: ""), createdAt: nowWall)
    snapshot.owner = ownership.owner
    snapshot.viewers = ownership.viewers
    var slots: [Int32] = []
    for place in 0..<topic.watchers.count {
      let slot = topic.watchers[place].slot
      if !Authorizer.mayWatch(snapshot, principal(of: slot)) { slots.append(slot) }
    }
    for slot in slots {
      guard connections[slot].endpoint == .action else {
        close(slot, .policyViolation, "Permission denied")
        continue
      }
      drop(slot, .task(ownership.task))
      sendError(slot, "forbidden", .task(ownership.task.text))
    }
  }
}
