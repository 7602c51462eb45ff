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

  /// Nothing was served from it: it is as it was.
  func closeUnused() { engine.close(isClean: state.wasStoppedCleanly) }
}

/// The engine on its way from the thread that opened it to the store's own.
private struct HandedOver: @unchecked Sendable {
  // SENDABLE: the maker gives the engine up; only the store's thread touches it.
  let value: any StoreEngine
  init(_ value: any StoreEngine) { self.value = value }
}

/// The store's thread as shards see it.
final class GatewayStore: StorePort {
  private let thread: StoreThread

  /// Starts the thread, whose notices go to the shards' mailboxes.
  init(
    _ database: OpenedDatabase, mailboxes: [Mailbox<ShardMessage>], pressure: MailPressure
  ) throws(SystemCallError) {
    let engine = HandedOver(database.engine)
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
