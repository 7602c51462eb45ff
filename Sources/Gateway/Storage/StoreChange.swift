/// What the store keeps: the closed list of tables. The raw value is the table's place in `StoredState`.
enum StoreTable: UInt8, CaseIterable, Sendable {
  case task, history, confirmation, message, idempotency

  /// The table's name in the database.
  var name: StaticString {
    switch self {
    case .task: "tasks"
    case .history: "histories"
    case .confirmation: "confirmations"
    case .message: "messages"
    case .idempotency: "idempotency"
    }
  }
}

/// One change to one row. `key` is the row's number, unique within its table, chosen by the owner.
enum StoreChange: Sendable, Equatable {
  /// The whole row as it is from now on. `name` is for people who look into the file (a task's id, a callback's id); `record`
  /// is JSON text, so that they can read it.
  case put(StoreTable, key: Int64, name: String, record: [UInt8])
  case remove(StoreTable, key: Int64)

  /// Which row it is about.
  var row: StoreRow {
    switch self {
    case .put(let table, let key, _, _), .remove(let table, let key): StoreRow(table: table, key: key)
    }
  }

  /// Bytes of what is kept, 0 for a removal.
  var byteCount: Int {
    switch self {
    case .put(_, _, let name, let record): name.utf8.count + record.count
    case .remove: 0
    }
  }
}

/// The identity of a row.
struct StoreRow: Hashable, Sendable {
  let table: StoreTable
  let key: Int64
}

/// A shard's changes of one turn, in order. `sequence` rises by one for each batch of a shard, from 1.
///
/// A batch without changes is answered when everything before it is durable.
struct StoreBatch: Sendable {
  let shard: Int
  let sequence: UInt64
  let changes: [StoreChange]
}

/// A row as the store had it at the start.
struct StoredRow: Sendable, Equatable {
  let table: StoreTable
  let key: Int64
  let name: String
  let record: [UInt8]
}

/// What a store holds at the start.
struct StoredState: Sendable {
  /// Whether the gateway that wrote last stopped in order; true for a new store.
  var wasStoppedCleanly: Bool
  /// Above every key of every table, at least 1.
  var nextKey: Int64
  /// By table's raw value, each in the order of keys.
  var tables: [[StoredRow]]

  /// The rows of a table in the order of keys.
  func rows(of table: StoreTable) -> [StoredRow] { tables[Int(table.rawValue)] }

  /// Nothing.
  static var empty: StoredState {
    StoredState(wasStoppedCleanly: true, nextKey: 1, tables: StoreTable.allCases.map { _ in [] })
  }
}
