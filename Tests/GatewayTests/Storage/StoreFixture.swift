import Glibc
import Synchronization
import Testing

@testable import Gateway

/// A folder of a test's own, gone with the object.
final class TemporaryFolder: Sendable {
  struct Failure: Error {}
  let path: String

  init() throws {
    var template = Array("/tmp/signalbox-store-XXXXXX\0".utf8CString.dropLast())
    // SAFETY: mkdtemp writes into the template, which ends with a zero.
    guard
      let made = unsafe template.withUnsafeMutableBufferPointer({ unsafe $0.baseAddress.flatMap { unsafe mkdtemp($0) } }
      )
    else { throw Failure() }
    path = unsafe String(cString: made)
  }

  deinit {
    for name in names { unsafe unlink(path + "/" + name) }
    unsafe rmdir(path)
  }

  /// A store's path in it.
  var store: String { path + "/signalbox.db" }

  /// What is in it, in order.
  var names: [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      // SAFETY: d_name ends with a zero, and lives until the next readdir.
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

/// Files as bytes.
enum TestFile {
  static func bytes(_ path: String) throws -> [UInt8] { try FileReading.bytes(ofFileAt: path, byteCountMax: 1 << 30) }

  /// Overwrites in place: the same file, other content.
  static func write(_ path: String, _ bytes: [UInt8]) throws {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    try #require(descriptor >= 0)
    // SAFETY: as many bytes as the array has.
    let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
    _ = close(descriptor)
    try #require(count == bytes.count)
  }

  static func patch(_ path: String, at offset: Int, _ bytes: [UInt8]) throws {
    var content = try self.bytes(path)
    content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    try write(path, content)
  }
}

enum StoreFixture {
  /// Opens, runs, closes in order.
  static func withEngine(
    _ path: String, settings: SQLiteEngine.Settings = .init(), isClean: Bool = true,
    _ body: (SQLiteEngine) throws -> Void = { _ in }
  ) throws {
    let engine = try SQLiteEngine(path: path, settings: settings)
    defer { engine.close(isClean: isClean) }
    try body(engine)
  }

  /// What a start finds; it stops in order.
  static func stored(_ path: String, settings: SQLiteEngine.Settings = .init()) throws -> StoredState {
    let engine = try SQLiteEngine(path: path, settings: settings)
    defer { engine.close(isClean: true) }
    return try engine.load()
  }

  static func put(_ key: Int64, _ record: String, name: String = "scan-1") -> StoreChange {
    put(.task, key, record, name: name)
  }

  static func put(_ table: StoreTable, _ key: Int64, _ record: String, name: String = "scan-1") -> StoreChange {
    .put(table, key: key, name: name, record: Array(record.utf8))
  }

  static func row(_ key: Int64, _ record: String) -> StoredRow { row(.task, key, record) }

  static func row(_ table: StoreTable, _ key: Int64, _ record: String) -> StoredRow {
    StoredRow(table: table, key: key, name: "scan-1", record: Array(record.utf8))
  }

  /// Rows of 1 KiB each.
  static func many(_ keys: ClosedRange<Int64>, filledWith letter: Character = "x") -> [StoreChange] {
    keys.map { put($0, String(repeating: letter, count: 1024)) }
  }

  /// A database as another program made it.
  static func makeDatabase(_ path: String, _ statements: String) throws {
    try TestFile.write(path, [])
    let connection = try SQLiteConnection(path: path, flags: 2, busyMilliseconds: 0)
    try connection.execute(statements)
    connection.close()
  }

  /// What a throwing call failed with.
  static func failure(_ body: () throws -> Void) -> StoreFailure? {
    do { try body() } catch { return error as? StoreFailure }
    return nil
  }
}

/// An engine that does as it is told, and remembers what it was asked.
final class ScriptedEngine: StoreEngine, Sendable {
  struct State {
    var commits: [[StoreChange]] = []
    /// Failures of the next commits, in order.
    var failures: [StoreFailure] = []
    var recoveryFailures: [StoreFailure] = []
    var recoveryCount = 0
    var tidyCount = 0
    /// Steps of upkeep that are left.
    var tidyLeft = 0
    var closed: Bool?
    /// While set, commits wait.
    var isHeld = false
    var isWaiting = false
  }

  let state = Mutex(State())

  func commit(_ changes: [StoreChange]) throws(StoreFailure) {
    while state.withLock({ state in
      state.isWaiting = state.isHeld
      return state.isHeld
    }) { usleep(1000) }
    let failure = state.withLock { state in
      if !state.failures.isEmpty { return state.failures.removeFirst() as StoreFailure? }
      state.commits.append(changes)
      return nil
    }
    if let failure { throw failure }
  }

  func recover() throws(StoreFailure) {
    let failure = state.withLock { state in
      state.recoveryCount += 1
      return state.recoveryFailures.isEmpty ? nil : state.recoveryFailures.removeFirst() as StoreFailure?
    }
    if let failure { throw failure }
  }

  func tidy() -> Bool {
    state.withLock { state in
      state.tidyCount += 1
      state.tidyLeft -= 1
      return state.tidyLeft > 0
    }
  }

  func close(isClean: Bool) { state.withLock { $0.closed = isClean } }
}

/// Waits for a condition, ten seconds at most.
func eventually(_ condition: () -> Bool) -> Bool {
  for _ in 0..<10_000 {
    if condition() { return true }
    usleep(1000)
  }
  return false
}
