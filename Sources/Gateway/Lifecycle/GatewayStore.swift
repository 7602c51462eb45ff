import Protocol

/// A database that was opened and read.
struct OpenedDatabase {
  let engine: SQLiteEngine
  let state: StoredState

  /// Opens what `--store` names; nil for memory.
  static func open(_ place: StorePlace) throws(StoreFailure) -> OpenedDatabase? {
    guard case .sqlite(let path) = place else { return nil }
    let engine = try SQLiteEngine(path: path)
    return OpenedDatabase(engine: engine, state: try engine.load())
  }
}

/// The store's thread as shards see it.
final class GatewayStore: StorePort {
  private let thread: StoreThread

  /// Starts the thread, whose notices go to the shards' mailboxes.
  init(
    _ database: OpenedDatabase, mailboxes: [Mailbox<ShardMessage>], pressure: MailPressure
  ) throws(SystemCallError) {
    let engine = SendableEngine(value: database.engine)
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
