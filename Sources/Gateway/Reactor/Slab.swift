/// Elements at fixed places, named by index, with a free list: no element ever moves, so an index stays good until
/// it is given back, and growth never copies what sits in an idle connection.
///
/// It is a class so that an element can be changed in place while its owner's other state is used: the slab itself
/// is never under mutation. One thread only.
@safe package final class Slab<Element: ~Copyable> {
  /// Elements are allocated by chunks of this many, so that memory follows use.
  private static var chunkCountLog2: Int { 8 }
  private static var chunkCount: Int { 1 << chunkCountLog2 }
  private static var chunkMask: Int { chunkCount - 1 }
  /// A chunk begins on a cache line.
  private static var chunkAlignment: Int { 64 }

  /// The bound: more elements are refused.
  package let countMax: Int
  /// Elements in use.
  package private(set) var count = 0
  private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
  private var chunkTotal = 0
  private let chunkTotalMax: Int
  /// The free places, the next one to be taken on top.
  private var free: UnsafeMutablePointer<Int32>
  private var freeCount = 0
  private let makeElement: () -> Element

  /// `makeElement` makes what stands in a free place.
  package init(countMax: Int, makeElement: @escaping () -> Element) {
    self.countMax = countMax
    self.makeElement = makeElement
    chunkTotalMax = (countMax + Self.chunkCount - 1) >> Self.chunkCountLog2
    unsafe chunks = .allocate(capacity: max(1, chunkTotalMax))
    unsafe free = .allocate(capacity: 1)
  }

  deinit {
    for index in 0..<chunkTotal {
      unsafe chunks[index].deinitialize(count: Self.chunkCount)
      unsafe UnsafeMutableRawPointer(chunks[index]).deallocate()
    }
    unsafe chunks.deallocate()
    unsafe free.deallocate()
  }

  /// Places that exist, used or free: valid indices are below it.
  package var placeCount: Int { chunkTotal << Self.chunkCountLog2 }

  /// The index of a free place, now in use; nil at the bound. The element keeps what its last user left.
  @inline(__always)
  package func take() -> Int32? {
    if freeCount == 0 { grow() }
    guard freeCount > 0, count < countMax else { return nil }
    count += 1
    freeCount -= 1
    // SAFETY: freeCount was above zero, and the stack has room for every place.
    return unsafe free[freeCount]
  }

  /// Gives a place back, once for each `take`.
  @inline(__always)
  package func give(_ index: Int32) {
    precondition(freeCount < placeCount)
    count -= 1
    // SAFETY: the stack has room for every place, checked here.
    unsafe free[freeCount] = index
    freeCount += 1
  }

  private func grow() {
    guard chunkTotal < chunkTotalMax else { return }
    let byteCount = Self.chunkCount * MemoryLayout<Element>.stride
    let chunk = unsafe UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: Self.chunkAlignment)
      .bindMemory(to: Element.self, capacity: Self.chunkCount)
    for index in 0..<Self.chunkCount {
      unsafe (chunk + index).initialize(to: makeElement())
    }
    unsafe (chunks + chunkTotal).initialize(to: chunk)
    let base = Int32(chunkTotal << Self.chunkCountLog2)
    chunkTotal += 1
    let larger = UnsafeMutablePointer<Int32>.allocate(capacity: placeCount)
    // SAFETY: both hold at least freeCount places.
    unsafe larger.initialize(from: free, count: freeCount)
    unsafe free.deallocate()
    unsafe free = larger
    for index in (0..<Int32(Self.chunkCount)).reversed() {
      unsafe free[freeCount] = base + index
      freeCount += 1
    }
  }

  /// The place of an element, for work that touches it more than once. It never moves; whoever holds it must not give
  /// the index back meanwhile.
  @inline(__always)
  package func place(_ index: Int32) -> UnsafeMutablePointer<Element> {
    // A negative index counts as one beyond every chunk.
    let chunk = Int(UInt32(bitPattern: index) >> UInt32(Self.chunkCountLog2))
    // SAFETY: the chunk exists, checked here; the offset is masked to the chunk.
    precondition(chunk < chunkTotal)
    return unsafe chunks[chunk] + (Int(index) & Self.chunkMask)
  }

  /// The element in place.
  package subscript(_ index: Int32) -> Element {
    @inline(__always)
    unsafeAddress { unsafe UnsafePointer(place(index)) }
    @inline(__always)
    unsafeMutableAddress { unsafe place(index) }
  }
}
