import CSQLite
import Glibc

/// The sentences: what, the path, the remedy.
extension StoreFailure {
  /// What SQLite said, as an operator can use it.
  init(_ error: SQLiteError, path: String) {
    let said = "\(error.message), SQLite's code \(error.code)"
    // SQLite knows a full disk by ENOSPC alone.
    let isLimit = error.primaryCode == SQLITE_IOERR && [EFBIG, EDQUOT, ENOSPC].contains(error.systemErrorNumber)
    switch isLimit ? SQLITE_FULL : error.primaryCode {
    case SQLITE_FULL:
      self.init(
        kind: .full,
        detail: "the store \(path) has no room to grow (\(said)): make room on its disk, or raise its quota")
    case SQLITE_READONLY:
      self.init(
        kind: .readOnly,
        detail: "the store \(path) cannot be written (\(said)): let the gateway's user write the file and its folder")
    case SQLITE_BUSY, SQLITE_LOCKED:
      self.init(
        kind: .locked, detail: "the store \(path) is locked by another program (\(said)): end its transaction there")
    case SQLITE_CORRUPT:
      self = .damaged(path, said)
    case SQLITE_NOTADB:
      self = .notADatabase(path)
    case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH:
      self.init(
        kind: .unreadable,
        detail:
          "the store \(path) cannot be opened (\(said)): let the gateway's user read and write the file and its folder")
    default:
      self.init(
        kind: .other, detail: "the store \(path) does not work (\(said)): look at the disk and the system's log")
    }
  }

  /// A system call on one of the store's files failed.
  static func system(_ errorNumber: Int32, opening path: String) -> StoreFailure {
    let reason = "\(FileReadingError.system(errorNumber: errorNumber))"
    switch errorNumber {
    case EROFS, ETXTBSY:
      return StoreFailure(
        kind: .readOnly, detail: "the store's \(path) cannot be written (\(reason)): choose another place with --store")
    case ENOSPC, EDQUOT:
      return StoreFailure(
        kind: .full, detail: "the store's \(path) cannot be made (\(reason)): make room on its disk, or raise its quota"
      )
    default:
      return StoreFailure(
        kind: .unreadable,
        detail:
          "the store's \(path) cannot be opened (\(reason)): let the gateway's user read and write it and its folder")
    }
  }

  static func noFolder(_ path: String) -> StoreFailure {
    StoreFailure(
      kind: .unreadable,
      detail: "the folder of the store \(path) does not exist: make it, or choose another place with --store")
  }

  static func noFile(_ path: String, what: String) -> StoreFailure {
    StoreFailure(kind: .unreadable, detail: "the store \(path) is \(what): choose another path with --store")
  }

  static func notADatabase(_ path: String) -> StoreFailure {
    noFile(path, what: "not an SQLite database")
  }

  static func damaged(_ path: String, _ what: String) -> StoreFailure {
    StoreFailure(
      kind: .corrupt,
      detail: "the store \(path) is damaged (\(what)): restore a backup, or move the file away to begin with none")
  }

  static func newerSchema(_ path: String, version: Int64, known: Int32) -> StoreFailure {
    StoreFailure(
      kind: .newerSchema,
      detail: "the store \(path) has schema version \(version), this release knows 1 to \(known): run the newer release"
    )
  }

  static func foreign(_ path: String) -> StoreFailure {
    StoreFailure(
      kind: .foreign,
      detail: "the store \(path) is another program's database: choose another path with --store")
  }

  static func inUse(_ path: String, by process: String) -> StoreFailure {
    let who = process.isEmpty ? "another gateway" : "another gateway, process \(process)"
    return StoreFailure(
      kind: .inUse, detail: "the store \(path) is used by \(who): stop that one, or choose another path with --store")
  }

  static func replaced(_ path: String) -> StoreFailure {
    StoreFailure(
      kind: .other,
      detail:
        "the store \(path) was moved or replaced under the running gateway: put the same file back, or restart the gateway"
    )
  }
}
