import CSQLite

/// What SQLite said.
struct SQLiteError: Error {
  /// The extended result code.
  let code: Int32
  /// The system's error number behind it, 0 for none.
  let systemErrorNumber: Int32
  let message: String

  /// The primary result code (`SQLITE_FULL`, …).
  var primaryCode: Int32 { code & 0xFF }
}

/// A connection to a database. One thread at a time; statements end before it does.
@safe final class SQLiteConnection {
  private let raw: OpaquePointer
  private var isClosed = false

  /// - Parameters:
  ///   - path: absolute, so that no name is special to SQLite; a URI where the flags say so.
  ///   - busyMilliseconds: how long to wait for another program's lock.
  init(path: String, flags: Int32, busyMilliseconds: Int32) throws(SQLiteError) {
    var opened: OpaquePointer?
    let code = unsafe sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
    guard let opened = unsafe opened else {
      throw SQLiteError(code: code, systemErrorNumber: 0, message: "out of memory")
    }
    unsafe raw = opened
    guard code == SQLITE_OK else {
      let error = self.error(code)
      close()
      throw error
    }
    unsafe sqlite3_extended_result_codes(raw, 1)
    unsafe sqlite3_busy_timeout(raw, busyMilliseconds)
  }

  deinit { close() }

  /// Ends the connection; the last one of a database writes its log back. Nothing is called afterwards.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    // SAFETY of `raw` here and below: set in init, ended once, here.
    unsafe sqlite3_close_v2(raw)
  }

  /// What went wrong last.
  func error(_ code: Int32) -> SQLiteError {
    // SAFETY: SQLite's message stays valid until its next call on this connection.
    let message = unsafe String(cString: sqlite3_errmsg(raw))
    let isInputOrOutput = code & 0xFF == SQLITE_IOERR
    return SQLiteError(code: code, systemErrorNumber: isInputOrOutput ? fileErrorNumber : 0, message: message)
  }

  /// The system's error number of the last call that failed on the log or else the database, or else of whatever SQLite called
  /// and failed in.
  private var fileErrorNumber: Int32 {
    for pointerKind in [SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER] {
      var file: UnsafeMutablePointer<sqlite3_file>?
      // SAFETY: of these kinds SQLite writes the address of one of its open files, which live as long as the connection.
      guard unsafe sqlite3_file_control(raw, "main", pointerKind, &file) == SQLITE_OK, let file = unsafe file,
        let control = unsafe file.pointee.pMethods?.pointee.xFileControl
      else { continue }
      var number: Int32 = 0
      if unsafe control(file, SQLITE_FCNTL_LAST_ERRNO, &number) == SQLITE_OK, number != 0 { return number }
    }
    // The file has been read since, to roll back. What was called since has mostly succeeded, which leaves the number.
    return unsafe sqlite3_system_errno(raw)
  }

  /// Whether a transaction is open.
  var isInTransaction: Bool { unsafe sqlite3_get_autocommit(raw) == 0 }

  /// Whether SQLite could open it for reading only.
  var isReadOnly: Bool { unsafe sqlite3_db_readonly(raw, "main") == 1 }

  /// Runs statements whose rows nobody needs.
  func execute(_ statements: String) throws(SQLiteError) {
    let code = unsafe sqlite3_exec(raw, statements, nil, nil, nil)
    guard code == SQLITE_OK else { throw error(code) }
  }

  func prepare(_ text: String) throws(SQLiteError) -> SQLiteStatement {
    var statement: OpaquePointer?
    let code = unsafe sqlite3_prepare_v3(raw, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
    guard code == SQLITE_OK, let statement = unsafe statement else { throw error(code) }
    return unsafe SQLiteStatement(statement)
  }

  /// The first column of the first row as an integer; 0 where there is none.
  func integer(_ query: String) throws(SQLiteError) -> Int64 {
    let statement = try prepare(query)
    return try statement.step(self) ? statement.integer(0) : 0
  }

  /// The first column of every row as text.
  func texts(_ query: String) throws(SQLiteError) -> [String] {
    let statement = try prepare(query)
    var texts: [String] = []
    while try statement.step(self) { texts.append(statement.text(0)) }
    return texts
  }

  /// Writes back what of the log it can without waiting for anybody; with `truncates` it waits, and empties the log.
  func checkpoint(truncates: Bool) {
    // A log that could not be written back is whole and stays where it is.
    _ = unsafe sqlite3_wal_checkpoint_v2(
      raw, nil, truncates ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, nil, nil)
  }
}

/// A prepared statement.
@safe final class SQLiteStatement {
  private let raw: OpaquePointer

  @unsafe fileprivate init(_ raw: OpaquePointer) { unsafe self.raw = raw }

  // SAFETY of `raw` here and below: prepared by the connection, finalised once, here.
  deinit { unsafe sqlite3_finalize(raw) }

  /// The next row; false at the end, when the statement is ready to begin anew.
  func step(_ connection: SQLiteConnection) throws(SQLiteError) -> Bool {
    let code = unsafe sqlite3_step(raw)
    if code == SQLITE_ROW { return true }
    guard code == SQLITE_DONE else {
      let error = connection.error(code)
      unsafe sqlite3_reset(raw)
      throw error
    }
    unsafe sqlite3_reset(raw)
    return false
  }

  /// A column of the row that `step` reached.
  func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(raw, column) }

  /// A copy of a column's bytes.
  func bytes(_ column: Int32) -> [UInt8] {
    guard let start = unsafe sqlite3_column_blob(raw, column) else { return [] }
    // SAFETY: SQLite gives that many bytes at the address, valid until the next call of this statement.
    return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(raw, column))))
  }

  /// A column as text.
  func text(_ column: Int32) -> String {
    guard let start = unsafe sqlite3_column_text(raw, column) else { return "" }
    // SAFETY: as above.
    return unsafe String(
      decoding: UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(raw, column))), as: UTF8.self)
  }

  /// Runs it with a row's number as its first parameter.
  func run(_ connection: SQLiteConnection, key: Int64) throws(SQLiteError) {
    unsafe sqlite3_bind_int64(raw, 1, key)
    _ = try step(connection)
  }

  /// Runs it with a row's number, name and record as its parameters.
  func run(_ connection: SQLiteConnection, key: Int64, name: String, record: [UInt8]) throws(SQLiteError) {
    unsafe sqlite3_bind_int64(raw, 1, key)
    let nameSpan = name.utf8.span
    let code = unsafe nameSpan.withUnsafeBytes { name in
      unsafe record.withUnsafeBytes { record in
        // SAFETY: SQLite reads both until the step has ended, without copying (a nil destructor says so).
        var code = unsafe bind(2, name)
        if code == SQLITE_OK { code = unsafe bind(3, record) }
        return code == SQLITE_OK ? unsafe sqlite3_step(raw) : code
      }
    }
    let error = code == SQLITE_DONE ? nil : connection.error(code)
    unsafe sqlite3_reset(raw)
    if let error { throw error }
  }

  private func bind(_ place: Int32, _ text: UnsafeRawBufferPointer) -> Int32 {
    guard let start = text.baseAddress, text.count > 0 else {
      // Without an address it would be NULL.
      return unsafe sqlite3_bind_text(raw, place, "", 0, unsafeBitCast(-1, to: sqlite3_destructor_type.self))
    }
    return unsafe sqlite3_bind_text64(
      raw, place, start.assumingMemoryBound(to: CChar.self), UInt64(text.count), nil, UInt8(SQLITE_UTF8))
  }
}
