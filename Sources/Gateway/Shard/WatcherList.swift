/// One connection among those that follow a topic.
struct Watcher {
  var slot: Int32
  /// The connection's subscription node that stands for this entry.
  var node: Int32
  var audience: Audience
  /// Tasks: a state event was held back because the connection does not keep up. How far it had come is in
  /// `ShardTopics.lagOffsets`.
  var isLagging = false
}

/// The watchers of one topic, densely and in no order: a fan-out walks memory from end to end.
///
/// Places are read and changed one by one, so that the list may change between two steps of a walk. One thread only.
@safe struct WatcherList: ~Copyable {
  private(set) var count = 0
  private var capacity = 0
  private var base: UnsafeMutablePointer<Watcher>?

  deinit { unsafe base?.deallocate() }

  mutating func append(_ watcher: Watcher) {
    if count == capacity { grow() }
    // SAFETY: the capacity is above the count.
    unsafe base.unsafelyUnwrapped[count] = watcher
    count += 1
  }

  /// Removes one by putting the last into its place.
  mutating func removeBySwapping(_ place: Int) {
    precondition(place >= 0 && place < count)
    count -= 1
    // SAFETY: both are places of the list, checked above.
    unsafe base.unsafelyUnwrapped[place] = base.unsafelyUnwrapped[count]
  }

  subscript(_ place: Int) -> Watcher {
    @inline(__always)
    unsafeAddress {
      // SAFETY: a place of the list, checked here.
      precondition(place >= 0 && place < count)
      return unsafe UnsafePointer(base.unsafelyUnwrapped + place)
    }
    @inline(__always)
    unsafeMutableAddress {
      // SAFETY: as above.
      precondition(place >= 0 && place < count)
      return unsafe base.unsafelyUnwrapped + place
    }
  }

  /// Half as much again, because a list with a thousand entries in a thousand topics should not waste as many.
  private mutating func grow() {
    let wanted = max(4, capacity + capacity / 2)
    let larger = UnsafeMutablePointer<Watcher>.allocate(capacity: wanted)
    if let smaller = unsafe base {
      // SAFETY: both have room for count entries.
      unsafe larger.moveInitialize(from: smaller, count: count)
      unsafe smaller.deallocate()
    }
    unsafe base = larger
    capacity = wanted
  }
}
