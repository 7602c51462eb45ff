import GatewayDomain
import Protocol
import Synchronization

/// What the store had at the start, put back: each shard takes what has its home there. Before the first turn.
extension Shard {
  /// - Parameter state: the whole store's.
  func restore(_ state: StoredState) {
    restoreTasks(state)
    for row in state.rows(of: .confirmation) {
      guard let confirmation = ConfirmationCodec.decode(row.record, row: row.key) else { note(row); continue }
      if shared.home(of: confirmation.request.user) == index { confirmationDesk.restore(confirmation, at: moment) }
    }
    for row in state.rows(of: .message) {
      guard let message = MessageCodec.decode(row.record, row: row.key) else { note(row); continue }
      if shared.home(of: message.user) == index { messageDesk.restore(message, at: moment) }
    }
    for row in state.rows(of: .idempotency) {
      guard let record = IdempotencyCodec.decode(row.record, row: row.key) else { note(row); continue }
      if shared.home(of: record.token) == index { idempotencyDesk.restore(record, at: moment) }
    }
    carryTaskEffects()
    carryConfirmationEffects()
    shared.restoredShards.add(1, ordering: .releasing)
  }

  private func restoreTasks(_ state: StoredState) {
    var histories: [Int64: [UInt8]] = [:]
    for row in state.rows(of: .history) where isHome(row) { histories[row.key] = row.record }
    var random = EnvironmentRandom(environment: environment)
    for row in state.rows(of: .task) where isHome(row) {
      guard var stored = TaskCodec.decode(row.record, row: row.key) else { note(row); continue }
      if let record = histories[row.key] {
        stored.history = HistoryCodec.decode(record, of: stored.snapshot) ?? []
        // A log is no part of the numbering; what is missing of it is left out.
        if state.wasStoppedCleanly || stored.snapshot.status.isTerminal { stored.log = HistoryCodec.decodeLog(record) }
      }
      taskDesk.restore(
        stored, wasStoppedCleanly: state.wasStoppedCleanly, at: moment, random: &random, into: &taskEffects)
      offerExecution(stored.snapshot)
    }
  }

  /// Told without reading the record: its row is named after the task.
  private func isHome(_ row: StoredRow) -> Bool {
    shared.shardCount == 1 || Int(TopicHash.of(row.name) % UInt64(shared.shardCount)) == index
  }

  /// A row that cannot be read is left as it is: an older or a newer release may know better.
  private func note(_ row: StoredRow) {
    guard index == 0 || row.table == .task else { return }
    shared.log.log(
      .warning, "a stored record cannot be read", ["table": .text("\(row.table.name)"), "row": .integer(Int(row.key))])
  }
}
