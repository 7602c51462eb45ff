import CEpollShim
import Glibc
import Testing

@testable import Gateway

@Suite("A store that fails goes on without a restart")
struct StoreRecoveryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A commit fails as it should, and what it brought is nowhere.
  private func expectFailure(
    _ kind: StoreFailure.Kind, _ engine: SQLiteEngine, _ changes: [StoreChange] = [StoreFixture.put(1, "later")]
  ) throws {
    let failure = try #require(StoreFixture.failure { try engine.commit(changes) })
    #expect(failure.kind == kind, "\(failure.detail)")
    #expect(failure.detail.contains(folder.store) && !failure.detail.contains("\n"))
  }

  /// A store with one row, and some that were written before: nothing of them is in this engine's memory.
  private func withStore(settings: SQLiteEngine.Settings = .init(), _ body: (SQLiteEngine) throws -> Void) throws {
    try StoreFixture.withEngine(folder.store) { try $0.commit(StoreFixture.many(1...2000)) }
    try StoreFixture.withEngine(folder.store, settings: settings, body)
    try StoreFixture.withEngine(folder.store) { engine in
      let state = try engine.load()
      #expect(state.wasStoppedCleanly)
      #expect(state.rows(of: .task).count == 2000 && state.rows(of: .task).first == StoreFixture.row(1, "later"))
    }
  }

  @Test func `locked by another program`() throws {
    var settings = SQLiteEngine.Settings()
    settings.busyMilliseconds = 1
    try withStore(settings: settings) { engine in
      let other = try SQLiteConnection(path: folder.store, flags: 2, busyMilliseconds: 0)
      try other.execute("BEGIN IMMEDIATE")
      try expectFailure(.locked, engine)
      try engine.recover()
      try expectFailure(.locked, engine)
      try other.execute("ROLLBACK")
      try engine.recover()
      try engine.commit([StoreFixture.put(1, "later")])
    }
  }

  @Test func `full, up to the last page`() throws {
    try withStore { engine in
      let pageCount = try #require(try engine.session?.connection.integer("PRAGMA page_count"))
      engine.pageCountMax = pageCount
      try expectFailure(.full, engine, StoreFixture.many(3000...3999) + [StoreFixture.put(1, "too early")])
      // Nothing of it is left, and it stays full.
      #expect(try engine.load().rows(of: .task).count == 2000)
      #expect(try engine.load().rows(of: .task)[0].record.count == 1024)
      try engine.recover()
      try expectFailure(.full, engine, StoreFixture.many(3000...3999))
      // What needs no new page is taken also then.
      try engine.recover()
      try engine.commit([StoreFixture.put(1, "later")])
      engine.pageCountMax = pageCount + 2000
      try engine.commit(StoreFixture.many(3000...3999))
      try engine.commit((3000...3999).map { .remove(.task, key: $0) })
    }
  }

  @Test func `not to be written any more`() throws {
    try withStore { engine in
      try engine.session?.connection.execute("PRAGMA query_only = 1")
      try expectFailure(.readOnly, engine)
      try engine.recover()
      try engine.commit([StoreFixture.put(1, "later")])
    }
  }

  @Test func `damaged, and mended`() throws {
    try withStore { engine in
      let whole = try TestFile.bytes(folder.store)
      // Pages of rows; the schema and the roots of tables are before them.
      let start = 16 * 4096
      try TestFile.write(
        folder.store, whole.prefix(start) + [UInt8](repeating: 0xFF, count: whole.count - start))
      try expectFailure(.corrupt, engine, StoreFixture.many(500...1500, filledWith: "y"))
      try? engine.recover()
      try TestFile.write(folder.store, whole)
      try engine.recover()
      try engine.commit([StoreFixture.put(1, "later")])
    }
  }

  @Test func `no database any more, and mended`() throws {
    try withStore { engine in
      engine.session?.connection.checkpoint(truncates: true)
      let whole = try TestFile.bytes(folder.store)
      try engine.session?.connection.execute("PRAGMA query_only = 1")
      try expectFailure(.readOnly, engine)
      try TestFile.write(folder.store, Array("garbage".utf8))
      // Closing the connection writes nothing back: the log is empty.
      #expect(StoreFixture.failure { try engine.recover() }?.kind == .unreadable)
      #expect(StoreFixture.failure { try engine.commit([StoreFixture.put(1, "later")]) } != nil)
      try TestFile.write(folder.store, whole)
      try engine.recover()
      try engine.commit([StoreFixture.put(1, "later")])
    }
  }

  @Test func `moved away, and back`() throws {
    try withStore { engine in
      let elsewhere = folder.path + "/elsewhere.db"
      unsafe rename(folder.store, elsewhere)
      try expectFailure(.other, engine)
      #expect(StoreFixture.failure { try engine.recover() }?.detail.contains("moved or replaced") == true)
      #expect(!folder.names.contains("signalbox.db"))
      // Another file in its place is not the one that has the rows.
      try TestFile.write(folder.store, try TestFile.bytes(elsewhere))
      try expectFailure(.other, engine)
      unsafe rename(elsewhere, folder.store)
      try engine.recover()
      try engine.commit([StoreFixture.put(1, "later")])
    }
  }

  @Test func `an older copy in its place is not taken for it`() throws {
    try StoreFixture.withEngine(folder.store) { try $0.commit([StoreFixture.put(1, "a")]) }
    let older = try TestFile.bytes(folder.store)
    try StoreFixture.withEngine(folder.store, isClean: false) { engine in
      try engine.commit([StoreFixture.put(2, "b")])
      engine.session?.connection.checkpoint(truncates: true)
      try engine.session?.connection.execute("PRAGMA query_only = 1")
      try expectFailure(.readOnly, engine)
      try TestFile.write(folder.store, older)
      #expect(StoreFixture.failure { try engine.recover() }?.detail.contains("moved or replaced") == true)
    }
    #expect(try StoreFixture.stored(folder.store).rows(of: .task).count == 1)
  }

  @Test func `a limit of the file's size is a full disk`() async {
    await #expect(processExitsWith: .success) {
      // As the gateway's start does.
      signalbox_block_signals()
      let folder = try TemporaryFolder()
      let engine = try SQLiteEngine(path: folder.store)
      try engine.commit([StoreFixture.put(1, "a")])
      var limit = rlimit(rlim_cur: 256 << 10, rlim_max: .max)
      // SAFETY: the structure outlives the call, here and below.
      try #require(unsafe setrlimit(__rlimit_resource_t(1), &limit) == 0)
      let failure = StoreFixture.failure { try engine.commit(StoreFixture.many(2...2000)) }
      try #require(failure?.kind == .full, "\(String(describing: failure))")
      try engine.recover()
      try #require(StoreFixture.failure { try engine.commit(StoreFixture.many(2...2000)) }?.kind == .full)
      limit.rlim_cur = .max
      try #require(unsafe setrlimit(__rlimit_resource_t(1), &limit) == 0)
      try engine.recover()
      try engine.commit(StoreFixture.many(2...2000))
      engine.close(isClean: true)
      try StoreFixture.withEngine(folder.store) { engine in
        try #require(try engine.load().rows(of: .task).count == 2000)
      }
    }
  }
}
