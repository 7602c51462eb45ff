import Protocol

/// A database that was opened and read.
final class OpenedDatabase {
  private let engine: SQLiteEngine
  let state: StoredState
  private var isHandedOver = false

  private init(engine: SQLiteEngine, state: StoredState) {
    self.engine = engine
    self.state = state
  }

  /// Opens what `--store` names; nil for memory.
  static func open(_ place: StorePlace) throws(StoreFailure) -> OpenedDatabase? {
    guard case .sqlite(let path) = place else { return nil }
    let engine = try SQLiteEngine(path: path)
    return OpenedDatabase(engine: engine, state: try engine.load())
  }

  /// For the store's thread, which closes it.
  fileprivate func handOver() -> HandedOver<any StoreEngine> {
    isHandedOver = true
    return HandedOver(engine)
  }

  /// The start has failed. Where nothing can have been served from it, it is as it was.
  func closeUnused() {
    if !isHandedOver { engine.close(isClean: state.wasStoppedCleanly) }
  }
}

/// The store's thread as shards see it.
final class GatewayStore: StorePort {
  private let thread: StoreThread

  /// Starts the thread, whose notices go to the shards' mailboxes.
  init(
    _ database: OpenedDatabase, mailboxes: [Mailbox<ShardMessage>], pressure: MailPressure
  ) throws(SystemCallError) {
    let engine = database.handOver()
    thread = try StoreThread(engine: engine.value, shardCount: mailboxes.count, pressure: pressure) { notice in
      switch notice {
      case .committed(let shard, let sequence): mailboxes[shard].post([.stored(through: sequence)])
      case .failed(let shard, let sequence, let failure):
        mailboxes[shard].post([.notStored(through: sequence, failure)])
      }
    }
  }

  var health: StoreHealth { thread.health }

  func post(_ batch: StoreBatch) { thread.post(batch) }

  /// Commits what is left, marks the store as stopped in order where nothing is missing, and closes it.
  func stop() { thread.stop(isClean: true) }
}
