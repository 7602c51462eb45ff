import Glibc
import Testing

@testable import Gateway

@Suite("signalbox check-store")
struct StoreCheckTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let counts = [
    "ok", "tasks: 2 rows", "histories: 0 rows", "confirmations: 0 rows", "messages: 1 rows", "idempotency: 0 rows",
  ]
  private static let changes = [StoreFixture.put(1, "a"), StoreFixture.put(2, "b"), StoreFixture.put(.message, 1, "c")]

  @Test(arguments: ["/signalbox.db", "/a b?c#d%20.db", "/数据.db"]) func `a whole store is ok, running or not`(
    _ name: String
  ) throws {
    let path = folder.path + name
    try StoreFixture.withEngine(path) { engine in
      try engine.commit(Self.changes)
      #expect(StoreCheck.run(path: path) == .init(lines: Self.counts))
      try engine.commit([.remove(.message, key: 1), StoreFixture.put(.message, 5, "c")])
    }
    let names = folder.names
    #expect(StoreCheck.run(path: path) == .init(lines: Self.counts))
    #expect(folder.names == names)
  }

  @Test func `an empty file is a store without rows`() throws {
    try TestFile.write(folder.store, [])
    #expect(StoreCheck.run(path: folder.store) == .init(lines: ["ok", "it is empty"]))
  }

  @Test func `damage is listed`() throws {
    try StoreFixture.withEngine(folder.store) { try $0.commit(StoreFixture.many(1...500)) }
    let size = try TestFile.bytes(folder.store).count
    try TestFile.patch(folder.store, at: size / 2, [UInt8](repeating: 0xFF, count: 8192))
    let report = StoreCheck.run(path: folder.store)
    #expect(report.exitStatus == 1 && report.failure == nil && !report.lines.isEmpty && report.lines != ["ok"])
    try TestFile.write(folder.store, Array(try TestFile.bytes(folder.store).prefix(size - 1)))
    #expect(StoreCheck.run(path: folder.store).exitStatus == 1)
  }

  @Test func `what cannot be looked at is one line`() throws {
    for (path, content, words) in [
      (folder.path + "/absent.db", nil, "there is no store"), (folder.path, nil, "a folder"),
      (folder.path + "/none/a.db", nil, "folder of the store"),
      (folder.store, Array("text".utf8), "not an SQLite database"),
    ] as [(String, [UInt8]?, String)] {
      if let content { try TestFile.write(path, content) }
      let report = StoreCheck.run(path: path)
      #expect(report.exitStatus == 66 && report.lines.isEmpty)
      #expect(report.failure?.contains(words) == true, "\(report)")
    }
    unsafe unlink(folder.store)
    try StoreFixture.makeDatabase(folder.store, "CREATE TABLE a (b)")
    #expect(StoreCheck.run(path: folder.store).failure?.contains("another program's") == true)
  }
}
