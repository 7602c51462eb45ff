import GatewayDomain
import Protocol
import Synchronization

/// What the store had at the start, put back: each shard takes what has its home there. Before the first turn.
extension Shard {
  /// - Parameter state: the whole store's.
  func restore(_ state: StoredState) {
    restoreTasks(state)
    for row in state.rows(of: .confirmation) where isHome(row) {
      guard let confirmation = ConfirmationCodec.decode(row.record, row: row.key) else { note(row); continue }
      confirmationDesk.restore(confirmation, at: moment)
    }
    for row in state.rows(of: .message) where isHome(row) {
      guard let message = MessageCodec.decode(row.record, row: row.key) else { note(row); continue }
      messageDesk.restore(message, at: moment)
    }
    for row in state.rows(of: .idempotency) where isHome(row) {
      guard let record = IdempotencyCodec.decode(row.record, row: row.key) else { note(row); continue }
      idempotencyDesk.restore(record, at: moment)
    }
    carryTaskEffects()
    carryConfirmationEffects()
    shared.restoredShards.add(1, ordering: .releasing)
  }

  private func restoreTasks(_ state: StoredState) {
    // Both in the order of their keys, which are the same.
    let histories = state.rows(of: .history)
    var place = 0
    var random = EnvironmentRandom(environment: environment)
    taskDesk.reserve(taskCount: state.rows(of: .task).count / shared.shardCount)
    for row in state.rows(of: .task) {
      while place < histories.count, histories[place].key < row.key { place += 1 }
      guard isHome(row) else { continue }
      guard var stored = TaskCodec.decode(row.record, row: row.key) else { note(row); continue }
      if place < histories.count, histories[place].key == row.key {
        let record = histories[place].record
        stored.history = HistoryCodec.seal(record, of: stored.snapshot)
        // A log is no part of the numbering; what is missing of it is left out.
        if stored.snapshot.logOffset > 0, state.wasStoppedCleanly || stored.snapshot.status.isTerminal {
          stored.log = HistoryCodec.decodeLog(record)
        }
      }
      taskDesk.restore(
        stored, wasStoppedCleanly: state.wasStoppedCleanly, at: moment, random: &random, into: &taskEffects)
      offerExecution(stored.snapshot)
    }
  }

  /// Told without reading the record: the name of its row says where it belongs, so that each is read once.
  private func isHome(_ row: StoredRow) -> Bool {
    if shared.shardCount == 1 { return true }
    let home: Int?
    switch row.table {
    case .task, .history: home = shared.home(ofTaskNamed: row.name)
    case .confirmation:
      home = CallbackIdentifier.userHash(of: CallbackIdentifier(text: row.name)).map { shared.home(ofUserHash: $0) }
    case .message:
      home = MessageIdentifier.userHash(of: MessageIdentifier(text: row.name)).map { shared.home(ofUserHash: $0) }
    case .idempotency: home = IdempotencyToken(text: row.name).map { shared.home(of: $0) }
    }
    // A name that is none of ours: somebody has to say so.
    return home ?? 0 == index
  }

  /// A row that cannot be read is left as it is: an older or a newer release may know better.
  private func note(_ row: StoredRow) {
    shared.log.log(
      .warning, "a stored record cannot be read", ["table": .text("\(row.table.name)"), "row": .integer(Int(row.key))])
  }
}
