import Glibc
import Testing

@testable import Gateway

@Suite("The store in a file: what was committed is there")
struct SQLiteEngineTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func `a new store is empty, ours and private`() throws {
    try StoreFixture.withEngine(folder.store) { engine in
      let state = try engine.load()
      #expect(state.wasStoppedCleanly && state.nextKey == 1 && state.tables.allSatisfy(\.isEmpty))
      #expect(state.tables.count == StoreTable.allCases.count)
    }
    let header = try TestFile.bytes(folder.store)
    #expect(header[68..<72].elementsEqual(Array("SgBx".utf8)))
    #expect(header[60..<64].elementsEqual([0, 0, 0, 1]))
    var status = stat()
    // SAFETY: the structure outlives the call.
    _ = unsafe stat(folder.store, &status)
    #expect(status.st_mode & 0o007 == 0)
  }

  @Test func `puts, overwrites and removals are there after reopening, in the order of keys`() throws {
    try StoreFixture.withEngine(folder.store) { engine in
      try engine.commit([
        StoreFixture.put(5, "five"), StoreFixture.put(2, "two"), StoreFixture.put(9, "nine"),
        StoreFixture.put(.message, 40, "{\"text\":\"你好\"}"),
      ])
      try engine.commit([StoreFixture.put(2, "two again"), .remove(.task, key: 9), .remove(.history, key: 1)])
    }
    try StoreFixture.withEngine(folder.store) { engine in
      let state = try engine.load()
      #expect(state.rows(of: .task) == [StoreFixture.row(2, "two again"), StoreFixture.row(5, "five")])
      #expect(state.rows(of: .message) == [StoreFixture.row(.message, 40, "{\"text\":\"你好\"}")])
      #expect(state.rows(of: .history).isEmpty)
      #expect(state.nextKey == 41)
    }
  }

  @Test(arguments: StoreTable.allCases) func `every table keeps the same key for itself`(_ table: StoreTable) throws {
    try StoreFixture.withEngine(folder.store) { engine in
      try engine.commit(StoreTable.allCases.map { StoreFixture.put($0, 1, "\($0)") })
      try engine.commit([.remove(table, key: 1)])
      for other in StoreTable.allCases {
        #expect(try engine.load().rows(of: other) == (other == table ? [] : [StoreFixture.row(other, 1, "\(other)")]))
      }
    }
  }

  @Test func `records and names may be empty, long or hold any byte`() throws {
    let records: [[UInt8]] = [[], [0], [0x61, 0, 0x62], Array(repeating: 0x7A, count: 3_000_000), [0xFF, 0xFE]]
    try StoreFixture.withEngine(folder.store) { engine in
      try engine.commit(
        records.enumerated().map {
          .put(.task, key: Int64($0.offset), name: $0.offset == 0 ? "" : "a\0b", record: $0.element)
        })
    }
    #expect(try StoreFixture.stored(folder.store).rows(of: .task).map(\.record) == records)
  }

  @Test(arguments: [Int64.min, -1, 0, Int64.max - 1] as [Int64]) func `a key may be any number`(_ key: Int64) throws {
    try StoreFixture.withEngine(folder.store) { engine in
      try engine.commit([StoreFixture.put(key, "a")])
      let state = try engine.load()
      #expect(state.rows(of: .task).map(\.key) == [key])
      #expect(state.nextKey == max(1, key + 1))
    }
  }

  @Test func `a key above which there is none stops the start`() throws {
    try StoreFixture.withEngine(folder.store) { engine in
      try engine.commit([StoreFixture.put(.max, "a")])
      #expect(StoreFixture.failure { _ = try engine.load() }?.kind == .corrupt)
    }
  }

  @Test(arguments: [true, false]) func `the next start knows how the last one stopped`(_ isClean: Bool) throws {
    try StoreFixture.withEngine(folder.store, isClean: isClean) { try $0.commit([StoreFixture.put(1, "a")]) }
    try StoreFixture.withEngine(folder.store) { engine in
      let state = try engine.load()
      #expect(state.wasStoppedCleanly == isClean)
      #expect(state.rows(of: .task).count == 1)
    }
    #expect(try StoreFixture.stored(folder.store).wasStoppedCleanly)
  }

  @Test func `an engine that is given up without a word is no stop in order`() throws {
    do { _ = try SQLiteEngine(path: folder.store) }
    #expect(try !StoreFixture.stored(folder.store).wasStoppedCleanly)
  }

  @Test func `what a crash left in the log is there`() throws {
    let copy = folder.path + "/copy.db"
    try StoreFixture.withEngine(folder.store) { engine in
      try engine.commit([StoreFixture.put(1, "a")])
      // As the disk is at this moment.
      for suffix in ["", "-wal"] { try TestFile.write(copy + suffix, try TestFile.bytes(folder.store + suffix)) }
    }
    try StoreFixture.withEngine(copy) { engine in
      let state = try engine.load()
      #expect(!state.wasStoppedCleanly && state.rows(of: .task) == [StoreFixture.row(1, "a")])
    }
  }

  @Test func `after a stop in order the file is all there is`() throws {
    try StoreFixture.withEngine(folder.store) { try $0.commit([StoreFixture.put(1, "a")]) }
    #expect(folder.names == ["signalbox.db", "signalbox.db-lock"])
  }

  @Test func `people may read while it writes`() throws {
    try StoreFixture.withEngine(folder.store) { engine in
      try engine.commit([StoreFixture.put(1, "{}", name: "scan-7")])
      let reader = try SQLiteConnection(path: folder.store, flags: 1, busyMilliseconds: 0)
      #expect(
        try reader.texts("SELECT name || ' ' || typeof(record) || ' ' || record FROM tasks") == ["scan-7 text {}"])
      try reader.execute("BEGIN")
      #expect(try reader.integer("SELECT count(*) FROM tasks") == 1)
      try engine.commit([StoreFixture.put(2, "{}")])
      #expect(try reader.integer("SELECT count(*) FROM tasks") == 1)
      try reader.execute("COMMIT")
      #expect(try reader.integer("SELECT count(*) FROM tasks") == 2)
    }
  }

  @Test func `upkeep gives back what removed rows took, step by step, and ends`() throws {
    var before = 0
    try StoreFixture.withEngine(folder.store) { engine in
      try engine.commit(StoreFixture.many(1...20_000))
      try engine.commit((1...20_000).map { .remove(.task, key: $0) })
      _ = engine.tidy()
      before = try TestFile.bytes(folder.store).count
      var steps = 1
      while engine.tidy(), steps < 1000 { steps += 1 }
      #expect(steps > 2 && steps < 1000)
    }
    #expect(before > 16 << 20)
    #expect(try TestFile.bytes(folder.store).count < 8 << 20)
  }

  @Test func `a file of version 1 is led through the steps that came later, with its rows`() throws {
    try StoreFixture.makeDatabase(
      folder.store,
      SQLiteSchema.migrations[0].statements
        + """
        INSERT INTO tasks VALUES (3, 'scan', '{}'); INSERT INTO meta VALUES ('stopped', 'clean');
        PRAGMA application_id = \(SQLiteSchema.applicationIdentifier); PRAGMA user_version = 1
        """)
    var settings = SQLiteEngine.Settings()
    settings.migrations.append(.init(version: 2, statements: "ALTER TABLE tasks ADD COLUMN note TEXT;"))
    try StoreFixture.withEngine(folder.store, settings: settings) { engine in
      #expect(
        try engine.load().rows(of: .task) == [StoredRow(table: .task, key: 3, name: "scan", record: Array("{}".utf8))])
      try engine.commit([StoreFixture.put(4, "new")])
      #expect(try engine.session?.connection.integer("PRAGMA user_version") == 2)
    }
    // Once is enough, and the former release leaves it alone.
    #expect(try StoreFixture.stored(folder.store, settings: settings).rows(of: .task).count == 2)
    #expect(StoreFixture.failure { _ = try SQLiteEngine(path: folder.store) }?.kind == .newerSchema)
  }

  @Test func `a step that fails leaves the version before it`() throws {
    try StoreFixture.withEngine(folder.store) { try $0.commit([StoreFixture.put(1, "a")]) }
    var settings = SQLiteEngine.Settings()
    settings.migrations.append(.init(version: 2, statements: "CREATE TABLE extra (a); CREATE TABLE tasks (a);"))
    #expect(StoreFixture.failure { _ = try SQLiteEngine(path: folder.store, settings: settings) }?.kind == .other)
    try StoreFixture.withEngine(folder.store) { engine in
      let state = try engine.load()
      #expect(state.rows(of: .task).count == 1)
      #expect(try engine.session?.connection.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'") == 0)
    }
  }

  @Test func `migrations have every version from 1`() {
    #expect(SQLiteSchema.migrations.map(\.version) == Array(1...Int32(SQLiteSchema.migrations.count)))
  }
}
