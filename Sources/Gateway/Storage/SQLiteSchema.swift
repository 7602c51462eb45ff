/// What a store's file looks like inside.
enum SQLiteSchema {
  /// "SgBx" in the header, so that `file` and other programs tell whose it is.
  static let applicationIdentifier: Int32 = 0x5367_4278

  /// One step from a version to the next, in one transaction with the version's number.
  struct Migration: Sendable {
    /// The version that it leads to; the list has every one from 1.
    let version: Int32
    let statements: String
  }

  /// Every step there ever was: a file of any release is led through those that it has not seen. Steps are only added.
  static let migrations = [
    Migration(
      version: 1,
      statements: StoreTable.allCases.map {
        "CREATE TABLE \($0.name) (key INTEGER PRIMARY KEY, name TEXT NOT NULL, record TEXT NOT NULL);"
      }.joined() + "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;")
  ]

  /// Led through the steps that the file has not seen.
  static func migrate(
    _ connection: SQLiteConnection, from version: Int64, through migrations: [Migration]
  ) throws(SQLiteError) {
    for migration in migrations where Int64(migration.version) > version {
      try connection.execute(
        """
        BEGIN IMMEDIATE; \(migration.statements)
        PRAGMA application_id = \(applicationIdentifier); PRAGMA user_version = \(migration.version); COMMIT
        """)
    }
  }
}
