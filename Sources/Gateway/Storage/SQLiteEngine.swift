/// A file of SQLite's.
final class SQLiteEngine: StoreEngine {
  init(path: String) throws(StoreFailure) {
    throw StoreFailure(kind: .other, detail: "not written yet")
  }
  func load() throws(StoreFailure) -> StoredState { .empty }
  func commit(_ changes: [StoreChange]) throws(StoreFailure) {}
  func recover() throws(StoreFailure) {}
  func tidy() -> Bool { false }
  func close(isClean: Bool) {}
}
