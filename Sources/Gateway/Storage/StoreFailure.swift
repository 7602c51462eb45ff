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
