/// Why the store could not be opened or did not take changes.
struct StoreFailure: Error, Sendable, Equatable {
  /// What is the matter, as metrics label it.
  enum Kind: Int, MetricLabel {
    /// No room on the disk, or a limit of the file's size.
    case full
    /// The file, its folder or its file system takes no writes.
    case readOnly
    /// Another program holds the database's lock.
    case locked
    /// The file is an SQLite database, but a broken one.
    case corrupt
    /// The file cannot be opened or read, or is none of SQLite's.
    case unreadable
    /// A newer release wrote it.
    case newerSchema
    /// Another program's database.
    case foreign
    /// Another gateway has it.
    case inUse
    /// A failure to read or write, and whatever else SQLite says.
    case other
  }

  let kind: Kind
  /// One lower-case sentence: what, the path, the remedy.
  let detail: String
}

extension StoreFailure.Kind {
  /// For everybody: what an operator is told besides names paths.
  var cause: StaticString {
    switch self {
    case .full: "the disk is full"
    case .readOnly: "the store takes no writes"
    case .locked: "another program holds the store"
    case .corrupt: "the store is damaged"
    case .unreadable: "the store cannot be read"
    case .newerSchema: "a newer release wrote the store"
    case .foreign: "the store is another program's"
    case .inUse: "another gateway has the store"
    case .other: "the store cannot be written"
    }
  }
}
