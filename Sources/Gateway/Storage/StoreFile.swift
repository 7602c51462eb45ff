import CSQLite
import Glibc

/// The store's file, looked at before SQLite opens it: what this release must not use is left untouched, its log and all.
struct StoreFile {
  /// As it was configured, for messages.
  let shownPath: String
  /// Absolute and without links, so that two gateways that reach it by different names meet at one lock.
  let path: String

  var lockPath: String { path + "-lock" }

  /// What a file is, by its header.
  enum Content: Equatable {
    /// None, or one without a table.
    case nothing
    /// A store of this schema version.
    case store(version: Int32)
  }

  /// Which file it is, whatever its name.
  struct Identity: Equatable {
    let device: UInt
    let number: UInt
  }

  init(path: String) throws(StoreFailure) {
    shownPath = path
    if let real = Self.realPath(path) {
      self.path = real
      return
    }
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "./"
    guard let realFolder = Self.realPath(String(folder)) else {
      throw errno == ENOENT ? .noFolder(path) : .system(errno, opening: path)
    }
    let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
    guard !name.isEmpty else { throw .noFile(path, what: "a folder") }
    self.path = (realFolder == "/" ? "" : realFolder) + "/" + name
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    // SAFETY: realpath gave an allocated C string, which is ours to free.
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// Nil where there is no file.
  var identity: Identity? {
    var status = stat()
    // SAFETY: the structure outlives the call.
    guard unsafe stat(path, &status) == 0 else { return nil }
    return Identity(device: UInt(status.st_dev), number: UInt(status.st_ino))
  }

  private static func byteCount(ofFileAt path: String) -> Int {
    var status = stat()
    // SAFETY: the structure outlives the call.
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Bytes of the database's header, and of the head of its first page behind it.
  private static let headByteCount = 108

  /// Judges the file by its header (https://sqlite.org/fileformat.html §1.3), reading only.
  ///
  /// No connection of this process may be open: closing a descriptor lets go of the locks that it has on the file.
  func inspect(knownVersion: Int32) throws(StoreFailure) -> Content {
    guard let (head, byteCount) = try read(), byteCount > 0 else { return .nothing }
    let magic = Array("SQLite format 3\0".utf8)
    guard head.count >= magic.count, head[..<magic.count].elementsEqual(magic) else { throw .notADatabase(shownPath) }
    guard head.count == Self.headByteCount else { throw .damaged(shownPath, "it is cut off within its header") }
    func word(_ offset: Int) -> Int64 { head[offset..<offset + 4].reduce(0) { $0 << 8 | Int64($1) } }
    let pageByteCount = head[16] == 0 && head[17] == 1 ? 65_536 : Int(head[16]) << 8 | Int(head[17])
    guard pageByteCount >= 512, pageByteCount & (pageByteCount - 1) == 0, (1...2).contains(head[18]),
      (1...2).contains(head[19]), head[21...23].elementsEqual([64, 32, 32])
    else { throw .damaged(shownPath, "its header makes no sense") }
    // Both as SQLite shows them: signed.
    let version = Int32(truncatingIfNeeded: word(60))
    let applicationIdentifier = Int32(truncatingIfNeeded: word(68))
    if applicationIdentifier != SQLiteSchema.applicationIdentifier {
      // A leaf page without a cell: the schema is empty. So is that of a new store whose first tables are in its log yet.
      let isEmpty = head[100] == 0x0D && head[103] == 0 && head[104] == 0
      guard applicationIdentifier == 0, version == 0, isEmpty else { throw .foreign(shownPath) }
      return .nothing
    }
    guard version >= 1 else { throw .damaged(shownPath, "its schema version is \(version)") }
    guard version <= knownVersion else {
      throw .newerSchema(shownPath, version: Int64(version), known: knownVersion)
    }
    // The count of pages holds where the last writer knew of it; with a log beside it pages may be there.
    let pageCount = Int(word(28))
    if word(24) == word(92), byteCount / pageByteCount < pageCount, Self.byteCount(ofFileAt: path + "-wal") == 0 {
      throw .damaged(shownPath, "it has \(byteCount / pageByteCount) of its \(pageCount) pages")
    }
    return .store(version: version)
  }

  /// The first bytes and the size; nil where there is no file.
  private func read() throws(StoreFailure) -> (head: [UInt8], byteCount: Int)? {
    // Non-blocking, or a named pipe would hold up the start.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw .system(errno, opening: shownPath)
    }
    defer { _ = Glibc.close(descriptor) }
    var status = stat()
    // SAFETY: the structure outlives the call.
    guard unsafe fstat(descriptor, &status) == 0 else { throw .system(errno, opening: shownPath) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw .noFile(shownPath, what: "a folder") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .noFile(shownPath, what: "no regular file") }
    var head = [UInt8](repeating: 0, count: Self.headByteCount)
    // SAFETY: pread writes at most `count` bytes into the array, whose size it is.
    let count = unsafe head.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
    guard count >= 0 else { throw .system(errno, opening: shownPath) }
    head.removeSubrange(count...)
    return (head, Int(status.st_size))
  }

  /// Makes sure that there is a file that can be written. A new one is for the gateway's user and group: it holds what users
  /// are told.
  func prepareForWriting() throws(StoreFailure) {
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else {
      if errno == EACCES {
        throw StoreFailure(
          kind: .readOnly,
          detail: "the store \(shownPath) cannot be written (permission denied): let the gateway's user write it")
      }
      throw .system(errno, opening: shownPath)
    }
    _ = Glibc.close(descriptor)
  }
}

/// What keeps a second gateway from the same store: a lock on a file of its own beside it, so that SQLite's own locks stay free
/// for people who look into the database. The file stays: taking it away would let two gateways lock two files.
struct StoreLock: ~Copyable {
  /// Milliseconds that a new gateway waits for one that is stopping.
  static let patienceMilliseconds = 5000
  private static let pauseMilliseconds = 20

  private let descriptor: OwnedDescriptor

  init(_ file: StoreFile, patienceMilliseconds: Int = patienceMilliseconds) throws(StoreFailure) {
    let number = unsafe open(file.lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
    guard number >= 0 else { throw .system(errno, opening: file.shownPath + "-lock") }
    let descriptor = OwnedDescriptor(number)
    var waited = 0
    while flock(number, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw .system(errno, opening: file.shownPath + "-lock") }
      guard waited < patienceMilliseconds else { throw .inUse(file.shownPath, by: Self.holder(number)) }
      _ = usleep(UInt32(Self.pauseMilliseconds) * 1000)
      waited += Self.pauseMilliseconds
    }
    // For the message of the one that comes in vain, and for people.
    let text = Array("\(getpid())\n".utf8)
    _ = ftruncate(number, 0)
    _ = unsafe text.withUnsafeBytes { unsafe pwrite(number, $0.baseAddress, $0.count, 0) }
    self.descriptor = descriptor
  }

  private static func holder(_ descriptor: Int32) -> String {
    var text = [UInt8](repeating: 0, count: 20)
    // SAFETY: pread writes at most `count` bytes into the array, whose size it is.
    let count = unsafe text.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
    let digits = text.prefix(max(0, count)).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return String(decoding: digits, as: UTF8.self)
  }
}
