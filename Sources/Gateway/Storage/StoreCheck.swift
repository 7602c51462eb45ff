import CSQLite
import Glibc

/// `signalbox check-store`: whether a store is whole, also while a gateway runs on it. Reads only.
package enum StoreCheck {
  /// Problems that are listed; one is enough to restore a backup.
  private static let problemCountMax = 100
  /// Milliseconds that it waits for a lock.
  private static let busyMilliseconds: Int32 = 5000
  /// What was found to be wrong, and what could not be looked at.
  private static let problemStatus: Int32 = 1
  private static let unreadableStatus: Int32 = 66

  /// What it has to say.
  package struct Report: Equatable {
    /// For standard output.
    package var lines: [String] = []
    /// For standard error; nil where the store could be read.
    package var failure: String?
    package var exitStatus: Int32 = 0
  }

  package static func run(path: String) -> Report {
    do throws(StoreFailure) {
      let file = try StoreFile(path: path)
      guard file.identity != nil else {
        throw StoreFailure(kind: .unreadable, detail: "there is no store \(path): name it with --store sqlite:PATH")
      }
      let knownVersion = SQLiteSchema.migrations.last?.version ?? 0
      if try file.inspect(knownVersion: knownVersion) == .nothing, !hasLog(file) {
        return Report(lines: ["ok", "it is empty"])
      }
      return try examine(file)
    } catch {
      // A damage is what was asked for; all else kept it from looking.
      if error.kind == .corrupt { return Report(lines: [error.detail], exitStatus: problemStatus) }
      return Report(failure: error.detail, exitStatus: unreadableStatus)
    }
  }

  private static func hasLog(_ file: StoreFile) -> Bool { unsafe access(file.path + "-wal", F_OK) == 0 }

  private static func examine(_ file: StoreFile) throws(StoreFailure) -> Report {
    do throws(SQLiteError) {
      // Without a log nobody has it open; then nothing is made beside it, which might be another user's than the gateway's.
      let isAlone = !hasLog(file)
      let connection = try SQLiteConnection(
        path: "file:" + escaped(file.path) + (isAlone ? "?immutable=1" : ""),
        flags: SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, busyMilliseconds: busyMilliseconds)
      // One state for everything: the gateway may be writing.
      try connection.execute("BEGIN")
      let problems = try connection.texts("PRAGMA integrity_check(\(problemCountMax))")
      guard problems == ["ok"] else { return Report(lines: problems, exitStatus: problemStatus) }
      var lines = problems
      for table in StoreTable.allCases {
        lines.append("\(table.name): \(try connection.integer("SELECT count(*) FROM \(table.name)")) rows")
      }
      return Report(lines: lines)
    } catch {
      throw StoreFailure(error, path: file.shownPath)
    }
  }

  /// The path within a URI.
  static func escaped(_ path: String) -> String {
    var text = ""
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        text.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        text += (digits.count < 2 ? "%0" : "%") + digits
      }
    }
    return text
  }
}
