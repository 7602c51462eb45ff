/// A shard's view of the frames that its connections wait for: one strong reference per frame, plain counts inside.
@safe final class FramePool {
  @safe struct Entry {
    /// Retained while `waiterCount` is above zero.
    var frame: SharedFrame?
    var waiterCount: Int32 = 0
    var messageCount: Int32 = 1
    var plain = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var compressed = unsafe UnsafeRawBufferPointer(start: nil, count: 0)

    /// The frame's bytes for one who reads compressed ones, or plain; they live while a waiter is counted.
    @inline(__always)
    func bytes(compressed isWanted: Bool) -> UnsafeRawBufferPointer {
      if isWanted, unsafe compressed.count > 0 { return unsafe compressed }
      return unsafe plain
    }
  }

  private let entries: Slab<Entry>

  init(countMax: Int) {
    entries = Slab(countMax: countMax) { Entry() }
  }

  /// Frames somebody waits for.
  var count: Int { entries.count }

  /// Takes a frame in with no waiter yet: the caller adds waiters, then calls `settle`. Nil at the bound.
  func admit(_ frame: SharedFrame) -> Int32? {
    guard let index = entries.take() else { return nil }
    let entry = unsafe entries.place(index)
    unsafe entry.pointee.frame = frame
    unsafe entry.pointee.waiterCount = 0
    unsafe entry.pointee.messageCount = frame.messageCount
    unsafe entry.pointee.plain = frame.plain
    unsafe entry.pointee.compressed = frame.compressed
    return index
  }

  /// Gives the entry back if nobody came to wait for it.
  func settle(_ index: Int32) {
    if entries[index].waiterCount == 0 { free(index) }
  }

  @inline(__always)
  func addWaiter(_ index: Int32) {
    entries[index].waiterCount += 1
  }

  @inline(__always)
  func removeWaiter(_ index: Int32) {
    unsafe removeWaiter(index, at: entries.place(index))
  }

  private func free(_ index: Int32) {
    entries[index].frame = nil
    entries.give(index)
  }

  @inline(__always)
  func bytes(_ index: Int32, compressed: Bool) -> UnsafeRawBufferPointer {
    unsafe entries[index].bytes(compressed: compressed)
  }

  /// An entry's place, which is good until the last waiter has gone.
  @inline(__always)
  func place(_ index: Int32) -> UnsafeMutablePointer<Entry> { unsafe entries.place(index) }

  /// One waiter of an entry has gone.
  @inline(__always)
  func removeWaiter(_ index: Int32, at entry: UnsafeMutablePointer<Entry>) {
    unsafe entry.pointee.waiterCount -= 1
    if unsafe entry.pointee.waiterCount == 0 { free(index) }
  }
}
