/// A growing list of plain values without the reference counting, uniqueness and exclusivity checks of an array: for the
/// few lists that are walked or appended to for every delivery.
///
/// Places are read and changed one by one, so that the list may change between two steps of a walk. One thread only.
@safe struct PackedList<Element: BitwiseCopyable>: ~Copyable {
  private(set) var count = 0
  private(set) var capacity = 0
  private var base: UnsafeMutablePointer<Element>?

  init() {}

  deinit { unsafe base?.deallocate() }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == capacity { grow() }
    // SAFETY: the capacity is above the count.
    unsafe base.unsafelyUnwrapped[count] = element
    count += 1
  }

  /// Removes one by putting the last into its place.
  mutating func removeBySwapping(_ place: Int) {
    precondition(place >= 0 && place < count)
    count -= 1
    // SAFETY: both are places of the list, checked above.
    unsafe base.unsafelyUnwrapped[place] = base.unsafelyUnwrapped[count]
  }

  /// Removes so many from the front; the others move up.
  mutating func removeFirst(_ removedCount: Int) {
    precondition(removedCount >= 0 && removedCount <= count)
    guard removedCount > 0, let base = unsafe base else { return }
    count -= removedCount
    // SAFETY: removedCount + count is the former count; the places may overlap, which `update` allows.
    unsafe base.update(from: base + removedCount, count: count)
  }

  /// Empties the list. It keeps storage for at most so many elements.
  mutating func removeAll(keepingCapacity capacityMax: Int) {
    count = 0
    guard capacity > capacityMax else { return }
    unsafe base?.deallocate()
    unsafe base = nil
    capacity = 0
  }

  subscript(_ place: Int) -> Element {
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

  /// Half as much again: twice would waste more where there are many small lists.
  private mutating func grow() {
    let wanted = max(4, capacity + capacity / 2)
    let larger = UnsafeMutablePointer<Element>.allocate(capacity: wanted)
    if let smaller = unsafe base {
      // SAFETY: both have room for count entries.
      unsafe larger.moveInitialize(from: smaller, count: count)
      unsafe smaller.deallocate()
    }
    unsafe base = larger
    capacity = wanted
  }
}
