import CSQLite
import Glibc

/// The store in a file of SQLite's, with a write-ahead log: a commit is one append to the log and one sync.
///
/// Refuses to begin on what is another program's, a newer release's or broken, and leaves that as it is. Once it runs, every
/// failure is one that an operator can mend without a restart: `recover` opens the same file again.
final class SQLiteEngine: StoreEngine {
  /// What tests set otherwise.
  struct Settings {
    var migrations = SQLiteSchema.migrations
    var lockPatienceMilliseconds = StoreLock.patienceMilliseconds
    /// Milliseconds that a transaction waits for another program's lock, before it counts as failed.
    var busyMilliseconds: Int32 = 200
    var knownVersion: Int32 { migrations.last?.version ?? 0 }
  }

  /// KiB of pages that SQLite keeps in memory at most: most commits touch rows that an earlier one touched.
  private static let cacheKibibyteCount = 32_768
  /// Pages of 4 KiB in the log before a commit writes them back: more save writing pages that change again.
  private static let checkpointPageCount = 8000
  /// Bytes to which a log that grew in a burst is cut back.
  private static let logByteCountMax = 64 << 20
  /// Free pages that upkeep gives back to the file system in one step, and those that stay for the next rows.
  private static let vacuumPageCount: Int64 = 256
  private static let freePageCountKept: Int64 = 1024

  private let file: StoreFile
  private let settings: Settings
  /// Held from the check to the end of the process: let go of only after the file is closed.
  private var lock: StoreLock?
  private(set) var session: SQLiteSession?
  /// Which file it was, and what it was marked with, when this engine opened it.
  private var identity: StoreFile.Identity?
  private let mark: String
  private var isReopeningDue = false
  private let wasStoppedCleanly: Bool

  /// A test's hook: pages that the database may have, so that it is full.
  var pageCountMax: Int64? {
    didSet { if let pageCountMax { try? session?.connection.execute("PRAGMA max_page_count = \(pageCountMax)") } }
  }

  /// Opens, checks, locks, migrates and marks the store as not stopped in order. A failure is one line for the operator.
  init(path: String, settings: Settings = Settings()) throws(StoreFailure) {
    self.settings = settings
    file = try StoreFile(path: path)
    _ = try file.inspect(knownVersion: settings.knownVersion)
    lock = try StoreLock(file, patienceMilliseconds: settings.lockPatienceMilliseconds)
    // Once more: another gateway may have written until now.
    _ = try file.inspect(knownVersion: settings.knownVersion)
    try file.prepareForWriting()
    var random = SystemRandomNumberGenerator()
    mark = String(random.next() as UInt64, radix: 16)
    do throws(SQLiteError) {
      let connection = try Self.connect(file, settings)
      let version = try connection.integer("PRAGMA user_version")
      let tableCount = try connection.integer("SELECT count(*) FROM sqlite_schema")
      let applicationIdentifier = try connection.integer("PRAGMA application_id")
      guard applicationIdentifier == Int64(SQLiteSchema.applicationIdentifier) || tableCount == 0 else {
        throw SQLiteError(code: Self.foreignCode, systemErrorNumber: 0, message: "")
      }
      guard version <= Int64(settings.knownVersion) else {
        throw SQLiteError(code: Self.newerCode, systemErrorNumber: Int32(clamping: version), message: "")
      }
      // Before the first table, or it would take a copy of the whole file; it does nothing later.
      if tableCount == 0 { try connection.execute("PRAGMA auto_vacuum = INCREMENTAL") }
      try Self.tune(connection)
      try SQLiteSchema.migrate(connection, from: version, through: settings.migrations)
      wasStoppedCleanly =
        try connection.texts("SELECT value FROM meta WHERE name = 'stopped'").first ?? "clean" == "clean"
      try connection.execute(
        """
        BEGIN IMMEDIATE; INSERT OR REPLACE INTO meta VALUES ('stopped', 'unclean'), ('opened', '\(mark)'),
        ('release', '\(GatewayVersion.text)'); COMMIT
        """)
      session = try SQLiteSession(connection)
    } catch {
      switch error.code {
      case Self.foreignCode: throw .foreign(file.shownPath)
      case Self.newerCode:
        throw .newerSchema(
          file.shownPath, version: Int64(error.systemErrorNumber), known: settings.knownVersion)
      default: throw StoreFailure(error, path: file.shownPath)
      }
    }
    identity = file.identity
  }

  // Codes that SQLite does not have, so that one `do` is enough.
  private static let foreignCode: Int32 = -1
  private static let newerCode: Int32 = -2

  private static func connect(_ file: StoreFile, _ settings: Settings) throws(SQLiteError) -> SQLiteConnection {
    let connection = try SQLiteConnection(
      path: file.path, flags: SQLITE_OPEN_READWRITE, busyMilliseconds: settings.busyMilliseconds)
    // Where it must not write, SQLite opens for reading without a word.
    if connection.isReadOnly {
      throw SQLiteError(code: SQLITE_READONLY, systemErrorNumber: 0, message: "it opens for reading only")
    }
    return connection
  }

  private static func tune(_ connection: SQLiteConnection) throws(SQLiteError) {
    let mode = try connection.texts("PRAGMA journal_mode = WAL").first ?? ""
    guard mode == "wal" else {
      throw SQLiteError(
        code: SQLITE_ERROR, systemErrorNumber: 0, message: "its file system has no write-ahead log, only \(mode)")
    }
    try connection.execute(
      """
      PRAGMA synchronous = FULL; PRAGMA cache_size = -\(cacheKibibyteCount); PRAGMA temp_store = MEMORY;
      PRAGMA wal_autocheckpoint = \(checkpointPageCount); PRAGMA journal_size_limit = \(logByteCountMax)
      """)
  }

  /// Everything that is stored.
  func load() throws(StoreFailure) -> StoredState {
    guard let session else { throw .replaced(file.shownPath) }
    var state = StoredState.empty
    state.wasStoppedCleanly = wasStoppedCleanly
    do throws(SQLiteError) {
      for table in StoreTable.allCases {
        let rows = try session.rows(of: table)
        if let last = rows.last?.key {
          let (next, isOverflow) = last.addingReportingOverflow(1)
          guard !isOverflow else {
            throw SQLiteError(code: SQLITE_CORRUPT, systemErrorNumber: 0, message: "a key is too large")
          }
          state.nextKey = max(state.nextKey, next)
        }
        state.tables[Int(table.rawValue)] = rows
      }
    } catch {
      throw StoreFailure(error, path: file.shownPath)
    }
    return state
  }

  func commit(_ changes: [StoreChange]) throws(StoreFailure) {
    // A file that was moved away would take commits that no start ever finds.
    guard let session, file.identity == identity else {
      isReopeningDue = true
      throw .replaced(file.shownPath)
    }
    do throws(SQLiteError) {
      try session.commit(changes)
    } catch {
      let failure = StoreFailure(error, path: file.shownPath)
      isReopeningDue = failure.kind != .locked
      throw failure
    }
  }

  func recover() throws(StoreFailure) {
    guard isReopeningDue else { return }
    // Statements before their connection, and the connection before the file is looked at.
    session = nil
    guard file.identity == identity else { throw .replaced(file.shownPath) }
    guard try file.inspect(knownVersion: settings.knownVersion) != .nothing else { throw .replaced(file.shownPath) }
    do throws(SQLiteError) {
      let connection = try Self.connect(file, settings)
      try Self.tune(connection)
      if let pageCountMax { try connection.execute("PRAGMA max_page_count = \(pageCountMax)") }
      // An older copy in its place would lack rows that were reported as durable.
      let found = try connection.texts("SELECT value FROM meta WHERE name = 'opened'").first
      guard found == mark else { throw SQLiteError(code: Self.foreignCode, systemErrorNumber: 0, message: "") }
      session = try SQLiteSession(connection)
    } catch {
      throw error.code == Self.foreignCode ? .replaced(file.shownPath) : StoreFailure(error, path: file.shownPath)
    }
    isReopeningDue = false
  }

  func tidy() -> Bool {
    guard let session else { return false }
    do throws(SQLiteError) {
      let free = try session.connection.integer("PRAGMA freelist_count")
      if free >= Self.freePageCountKept + Self.vacuumPageCount {
        try session.connection.execute("PRAGMA incremental_vacuum(\(Self.vacuumPageCount))")
        // A file that an older SQLite made cannot shrink.
        let left = try session.connection.integer("PRAGMA freelist_count")
        if left < free, left >= Self.freePageCountKept + Self.vacuumPageCount { return true }
      }
      session.connection.checkpoint(truncates: false)
    } catch {
      // Upkeep has time; what is really wrong the next commit says.
    }
    return false
  }

  func close(isClean: Bool) {
    if let session, isClean {
      try? session.connection.execute("UPDATE meta SET value = 'clean' WHERE name = 'stopped'")
      session.connection.checkpoint(truncates: true)
    }
    session = nil
    lock = nil
  }
}

/// An open store with its statements.
final class SQLiteSession {
  let connection: SQLiteConnection
  private let begin: SQLiteStatement
  private let end: SQLiteStatement
  /// By table's raw value.
  private var puts: [SQLiteStatement] = []
  private var removals: [SQLiteStatement] = []

  init(_ connection: SQLiteConnection) throws(SQLiteError) {
    self.connection = connection
    begin = try connection.prepare("BEGIN IMMEDIATE")
    end = try connection.prepare("COMMIT")
    for table in StoreTable.allCases {
      puts.append(
        try connection.prepare("INSERT OR REPLACE INTO \(table.name) (key, name, record) VALUES (?1, ?2, ?3)"))
      removals.append(try connection.prepare("DELETE FROM \(table.name) WHERE key = ?1"))
    }
  }

  func rows(of table: StoreTable) throws(SQLiteError) -> [StoredRow] {
    let statement = try connection.prepare("SELECT key, name, record FROM \(table.name) ORDER BY key")
    var rows: [StoredRow] = []
    while try statement.step(connection) {
      rows.append(
        StoredRow(table: table, key: statement.integer(0), name: statement.text(1), record: statement.bytes(2)))
    }
    return rows
  }

  /// One transaction; what fails is rolled back.
  func commit(_ changes: [StoreChange]) throws(SQLiteError) {
    _ = try begin.step(connection)
    do throws(SQLiteError) {
      for change in changes {
        switch change {
        case .put(let table, let key, let name, let record):
          try puts[Int(table.rawValue)].run(connection, key: key, name: name, record: record)
        case .remove(let table, let key): try removals[Int(table.rawValue)].run(connection, key: key)
        }
      }
      _ = try end.step(connection)
    } catch {
      // Some failures have rolled back by themselves.
      if connection.isInTransaction { try? connection.execute("ROLLBACK") }
      throw error
    }
  }
}
