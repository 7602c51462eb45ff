import Protocol

@testable import Gateway

/// What survives a crash: rows that were committed, and nothing else.
final class SimulatedDisk {
  private(set) var rows: [StoreRow: (name: String, record: [UInt8])] = [:]
  private(set) var isClean = true
  /// Commits fail with this as long as it is set.
  var failure: StoreFailure?
  /// What a broken store would do: for tests that show that a simulation notices.
  var flaw: Flaw?
  private(set) var commitCount = 0

  enum Flaw {
    /// Says that a batch is durable before it is.
    case acknowledgesEarly
    /// An answer to a question never reaches the disk.
    case forgetsOutcomes
  }

  /// What a gateway reads at its start; from then on the store is unclean.
  func open() -> StoredState {
    var state = StoredState.empty
    state.wasStoppedCleanly = isClean
    isClean = false
    for (row, value) in rows.sorted(by: { $0.key.key < $1.key.key }) {
      state.tables[Int(row.table.rawValue)].append(
        StoredRow(table: row.table, key: row.key, name: value.name, record: value.record))
      state.nextKey = max(state.nextKey, row.key + 1)
    }
    return state
  }

  fileprivate func apply(_ changes: [StoreChange]) {
    commitCount += 1
    for change in changes {
      switch change {
      case .put(let table, let key, let name, let record):
        let row = StoreRow(table: table, key: key)
        if flaw == .forgetsOutcomes, table == .confirmation, rows[row] != nil { continue }
        rows[row] = (name, record)
      case .remove(let table, let key): rows[StoreRow(table: table, key: key)] = nil
      }
    }
  }

  fileprivate func markClean() { isClean = true }
}

/// The store's thread in one's own hands: it commits when the simulation says, and fails when the disk does.
final class SimulatedStore: StorePort, @unchecked Sendable {
  // SENDABLE: a simulation has one thread.
  private final class Engine: StoreEngine {
    let disk: SimulatedDisk
    init(_ disk: SimulatedDisk) { self.disk = disk }

    func commit(_ changes: [StoreChange]) throws(StoreFailure) {
      if let failure = disk.failure { throw failure }
      disk.apply(changes)
    }

    func recover() throws(StoreFailure) { if let failure = disk.failure { throw failure } }
    func tidy() -> Bool { false }
    func close(isClean: Bool) { if isClean { disk.markClean() } }
  }

  let health = StoreHealth()
  private let disk: SimulatedDisk
  private let engine: Engine
  private let mailboxes: [Mailbox<ShardMessage>]
  private var writer: StoreWriter
  private var hasBatches = false
  /// Nothing is committed as long as it is set, and nobody waits for it.
  var isHeld = false

  init(_ disk: SimulatedDisk, mailboxes: [Mailbox<ShardMessage>]) {
    self.disk = disk
    self.mailboxes = mailboxes
    engine = Engine(disk)
    writer = StoreWriter(engine: engine, shardCount: mailboxes.count, health: health)
  }

  var nextRetryMilliseconds: Int64? { isHeld ? nil : writer.nextRetryMilliseconds }

  func hasWork(at milliseconds: Int64) -> Bool {
    if isHeld { return false }
    return hasDueWork(at: milliseconds)
  }

  private func hasDueWork(at milliseconds: Int64) -> Bool {
    hasBatches || writer.nextRetryMilliseconds.map { $0 <= milliseconds } ?? false
  }

  func post(_ batch: StoreBatch) {
    writer.take(batch)
    hasBatches = true
    if disk.flaw == .acknowledgesEarly { mailboxes[batch.shard].post([.stored(through: batch.sequence)]) }
  }

  func commit(at milliseconds: Int64) {
    guard !isHeld else { return }
    hasBatches = false
    for notice in writer.commit(nowMilliseconds: milliseconds) {
      switch notice {
      case .committed(let shard, let sequence): mailboxes[shard].post([.stored(through: sequence)])
      case .failed(let shard, let sequence, let failure):
        mailboxes[shard].post([.notStored(through: sequence, failure)])
      }
    }
  }

  func stop(at milliseconds: Int64) {
    _ = writer.commit(nowMilliseconds: milliseconds, isLastAttempt: true)
    engine.close(isClean: writer.waitingRowCount == 0)
  }
}
