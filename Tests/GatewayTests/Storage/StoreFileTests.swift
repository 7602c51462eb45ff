import Glibc
import Synchronization
import Testing

@testable import Gateway

@Suite("What a store must not begin on is left as it is")
struct StoreFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A store with rows, stopped in order, its lock taken away.
  private func makeStore() throws {
    try StoreFixture.withEngine(folder.store) { try $0.commit(StoreFixture.many(1...50)) }
    unsafe unlink(folder.store + "-lock")
  }

  /// Checks that the start is refused with one line, and nothing is touched.
  private func expectRefusal(_ kind: StoreFailure.Kind, says words: [String]) throws {
    let before = try TestFile.bytes(folder.store)
    let failure = try #require(StoreFixture.failure { _ = try SQLiteEngine(path: folder.store) })
    #expect(failure.kind == kind)
    #expect(!failure.detail.contains("\n"))
    for word in [folder.store] + words { #expect(failure.detail.contains(word), "\(failure.detail)") }
    #expect(try TestFile.bytes(folder.store) == before)
    #expect(folder.names == ["signalbox.db"])
  }

  @Test(arguments: [1, 2, 15, 16, 100, 5000]) func `a text is no database`(_ byteCount: Int) throws {
    try TestFile.write(folder.store, Array(repeating: UInt8(ascii: "t"), count: byteCount))
    try expectRefusal(.unreadable, says: ["not an SQLite database", "--store"])
  }

  @Test(arguments: [16, 99, 100, 107]) func `a file cut off within its head is damaged`(_ byteCount: Int) throws {
    try makeStore()
    try TestFile.write(folder.store, Array(try TestFile.bytes(folder.store).prefix(byteCount)))
    try expectRefusal(.corrupt, says: ["cut off", "backup"])
  }

  @Test(arguments: [108, 4095, 4096, 4097, 20_000]) func `a file without its last pages is damaged`(_ byteCount: Int)
    throws
  {
    try makeStore()
    try TestFile.write(folder.store, Array(try TestFile.bytes(folder.store).prefix(byteCount)))
    try expectRefusal(.corrupt, says: ["of its", "pages"])
  }

  @Test func `one byte less than whole is damaged, whole is not`() throws {
    try makeStore()
    let whole = try TestFile.bytes(folder.store)
    try TestFile.write(folder.store, whole.dropLast())
    try expectRefusal(.corrupt, says: ["pages"])
    try TestFile.write(folder.store, whole)
    #expect(try StoreFixture.stored(folder.store).rows(of: .task).count == 50)
  }

  @Test(
    arguments: [
      (16, [0, 0]), (16, [1, 0]), (16, [0x10, 0x01]), (18, [3]), (19, [0]), (21, [0]), (60, [0, 0, 0, 0]),
    ]
      as [(Int, [UInt8])])
  func `a header that makes no sense is damage`(_ offset: Int, _ bytes: [UInt8]) throws {
    try makeStore()
    try TestFile.patch(folder.store, at: offset, bytes)
    try expectRefusal(.corrupt, says: ["damaged"])
  }

  @Test func `a newer release's store is left to it`() throws {
    try makeStore()
    let known = UInt8(SQLiteSchema.migrations.count)
    try TestFile.patch(folder.store, at: 60, [0, 0, 0, known + 1])
    try expectRefusal(.newerSchema, says: ["schema version \(known + 1)", "1 to \(known)", "newer release"])
    try TestFile.patch(folder.store, at: 60, [0, 0, 0, known])
    try StoreFixture.withEngine(folder.store)
  }

  @Test(arguments: [
    "PRAGMA application_id = 77; CREATE TABLE a (b)", "CREATE TABLE a (b)", "PRAGMA application_id = 77",
  ])
  func `another program's database is left to it`(_ statements: String) throws {
    try StoreFixture.makeDatabase(folder.store, statements)
    try expectRefusal(.foreign, says: ["another program's", "--store"])
  }

  @Test func `another program's tables are recognised while they are in its log alone`() throws {
    try StoreFixture.makeDatabase(folder.store, "PRAGMA journal_mode = WAL")
    let other = try SQLiteConnection(path: folder.store, flags: 2, busyMilliseconds: 0)
    try other.execute("CREATE TABLE a (b); INSERT INTO a VALUES (1)")
    #expect(StoreFixture.failure { _ = try SQLiteEngine(path: folder.store) }?.kind == .foreign)
    #expect(try other.integer("SELECT count(*) FROM a") == 1)
  }

  @Test(arguments: ["", "PRAGMA journal_mode = WAL", "CREATE TABLE a (b); DROP TABLE a"])
  func `a database without a table is begun`(_ statements: String) throws {
    try StoreFixture.makeDatabase(folder.store, statements)
    try StoreFixture.withEngine(folder.store) { try $0.commit([StoreFixture.put(1, "a")]) }
    #expect(try StoreFixture.stored(folder.store).rows(of: .task).count == 1)
  }

  @Test func `a folder or a pipe is no store`() throws {
    let failure = try #require(StoreFixture.failure { _ = try SQLiteEngine(path: folder.path) })
    #expect(failure.kind == .unreadable && failure.detail.contains("a folder"))
    unsafe mkfifo(folder.store, 0o600)
    let other = try #require(StoreFixture.failure { _ = try SQLiteEngine(path: folder.store) })
    #expect(other.kind == .unreadable && other.detail.contains("no regular file"))
    #expect(folder.names == ["signalbox.db"])
  }

  @Test func `a folder that does not exist is named with the remedy`() throws {
    let path = folder.path + "/absent/signalbox.db"
    let failure = try #require(StoreFixture.failure { _ = try SQLiteEngine(path: path) })
    #expect(failure.kind == .unreadable)
    #expect(
      failure.detail == "the folder of the store \(path) does not exist: make it, or choose another place with --store")
    #expect(folder.names.isEmpty)
  }

  private typealias SetUser = @convention(c) (UInt32) -> Int32

  /// As a user without rights, on this thread alone: root may read everything.
  private func withoutRights(_ body: () throws -> Void) throws {
    // Of a header that Swift's module of the C library leaves out.
    guard let symbol = unsafe dlsym(nil, "setfsuid") else { throw TemporaryFolder.Failure() }
    // SAFETY: the C library's function has this type.
    let setUser = unsafe unsafeBitCast(symbol, to: SetUser.self)
    let before = setUser(65_534)
    defer { _ = setUser(UInt32(bitPattern: before)) }
    try body()
  }

  @Test(.enabled(if: geteuid() == 0)) func `a store that may not be read is refused`() throws {
    unsafe chmod(folder.path, 0o755)
    try makeStore()
    unsafe chmod(folder.store, 0o600)
    try withoutRights {
      let failure = try #require(StoreFixture.failure { _ = try SQLiteEngine(path: folder.store) })
      #expect(failure.kind == .unreadable && failure.detail.contains("permission denied"))
    }
    #expect(folder.names == ["signalbox.db"])
  }

  @Test(.enabled(if: geteuid() == 0)) func `a store that may only be read is refused`() throws {
    unsafe chmod(folder.path, 0o777)
    try makeStore()
    unsafe chmod(folder.store, 0o644)
    let before = try TestFile.bytes(folder.store)
    try withoutRights {
      let failure = try #require(StoreFixture.failure { _ = try SQLiteEngine(path: folder.store) })
      #expect(failure.kind == .readOnly && failure.detail.contains("permission denied"))
    }
    #expect(try TestFile.bytes(folder.store) == before)
  }

  @Test(.enabled(if: geteuid() == 0)) func `a folder in which nothing may be made is named`() throws {
    unsafe chmod(folder.path, 0o755)
    try makeStore()
    unsafe chmod(folder.store, 0o666)
    try withoutRights {
      let failure = try #require(StoreFixture.failure { _ = try SQLiteEngine(path: folder.store) })
      #expect(failure.detail.contains("signalbox.db-lock") && failure.detail.contains("permission denied"))
    }
    #expect(folder.names == ["signalbox.db"])
  }

  @Test func `names that are special to SQLite are plain files here`() throws {
    for name in [":memory:", "file:a?mode=ro", "a%20b#c"] {
      let path = folder.path + "/" + name
      try StoreFixture.withEngine(path) { try $0.commit([StoreFixture.put(1, "a")]) }
      #expect(folder.names.contains(name))
      #expect(try StoreFixture.stored(path).rows(of: .task).count == 1)
    }
  }

  @Test func `a second gateway is told who has the store, by whatever name it comes`() throws {
    let link = folder.path + "/link.db"
    unsafe symlink(folder.store, link)
    var settings = SQLiteEngine.Settings()
    settings.lockPatienceMilliseconds = 0
    try StoreFixture.withEngine(folder.store) { _ in
      for path in [
        folder.store, link, folder.path + "/../" + (folder.path.split(separator: "/").last ?? "") + "/signalbox.db",
      ] {
        let failure = try #require(StoreFixture.failure { _ = try SQLiteEngine(path: path, settings: settings) })
        #expect(failure.kind == .inUse)
        #expect(failure.detail.contains("process \(getpid())"), "\(failure.detail)")
      }
    }
    try StoreFixture.withEngine(folder.store, settings: settings)
  }

  @Test func `a gateway waits for one that is stopping`() throws {
    let store = folder.store
    let first = try SQLiteEngine(path: store)
    let isOpen = Mutex(false)
    let waiting = try TestThread {
      try? StoreFixture.withEngine(store) { _ in isOpen.withLock { $0 = true } }
    }
    usleep(100_000)
    #expect(!isOpen.withLock { $0 })
    first.close(isClean: true)
    waiting.join()
    #expect(isOpen.withLock { $0 })
  }
}
