/// Numbers for the rows in which the store keeps what a desk has. Rising numbers append to a table, which is what the
/// store does fastest; desks of several shards take turns, so that no two of them ever give the same one.
package struct RowSequence: Sendable {
  private var next: Int64
  private let step: Int64

  /// - Parameters:
  ///   - first: above every number that the store has already.
  ///   - step: how many desks take turns.
  package init(first: Int64 = 1, step: Int = 1) {
    next = first
    self.step = Int64(max(step, 1))
  }

  /// A number that was never given before.
  package mutating func take() -> Int64 {
    // Does not come round: a million rows a second would last for 290,000 years.
    defer { next &+= step }
    return next
  }
}
