/// What makes changes durable. One thread at a time: made and loaded by the main thread, then the store thread's.
protocol StoreEngine: AnyObject {
  /// All or nothing, durable when it returns. No row twice.
  func commit(_ changes: [StoreChange]) throws(StoreFailure)

  /// Called where a commit failed and the retry is due: reopens what has to be.
  func recover() throws(StoreFailure)

  /// A small step of upkeep while nothing waits; true where more is left.
  func tidy() -> Bool

  /// Writes whether it was stopped in order, and closes. Nothing is called afterwards.
  func close(isClean: Bool)
}
