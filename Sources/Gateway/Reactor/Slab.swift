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

  /// The bound: more elements are refused.
  package let countMax: Int
  /// Elements in use.
  package private(set) var count = 0
  private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
  private var chunkTotal = 0
  private let chunkTotalMax: Int
  private var free: [Int32] = []
  private let makeElement: () -> Element

  /// `makeElement` makes what stands in a free place.
  package init(countMax: Int, makeElement: @escaping () -> Element) {
    self.countMax = countMax
    self.makeElement = makeElement
    chunkTotalMax = (countMax + Self.chunkCount - 1) >> Self.chunkCountLog2
    unsafe chunks = .allocate(capacity: max(1, chunkTotalMax))
  }

  deinit {
    for index in 0..<chunkTotal {
      unsafe chunks[index].deinitialize(count: Self.chunkCount)
      unsafe chunks[index].deallocate()
    }
    unsafe chunks.deallocate()
  }

  /// Places that exist, used or free: valid indices are below it.
  package var placeCount: Int { chunkTotal << Self.chunkCountLog2 }

  /// The index of a free place, now in use; nil at the bound. The element keeps what its last user left.
  package func take() -> Int32? {
    guard count < countMax else { return nil }
    if free.isEmpty { grow() }
    guard let index = free.popLast() else { return nil }
    count += 1
    return index
  }

  /// Gives a place back.
  package func give(_ index: Int32) {
    count -= 1
    free.append(index)
  }

  private func grow() {
    guard chunkTotal < chunkTotalMax else { return }
    let chunk = UnsafeMutablePointer<Element>.allocate(capacity: Self.chunkCount)
    for index in 0..<Self.chunkCount {
      unsafe (chunk + index).initialize(to: makeElement())
    }
    unsafe (chunks + chunkTotal).initialize(to: chunk)
    let base = Int32(chunkTotal << Self.chunkCountLog2)
    chunkTotal += 1
    for index in (0..<Int32(Self.chunkCount)).reversed() { free.append(base + index) }
  }

  /// The element in place.
  package subscript(_ index: Int32) -> Element {
    @inline(__always)
    unsafeAddress {
      // SAFETY: the chunk exists, checked here; the offset is masked to the chunk.
      precondition(Int(index) >> Self.chunkCountLog2 < chunkTotal && index >= 0)
      return unsafe UnsafePointer(chunks[Int(index) >> Self.chunkCountLog2] + (Int(index) & Self.chunkMask))
    }
    @inline(__always)
    unsafeMutableAddress {
      // SAFETY: as above.
      precondition(Int(index) >> Self.chunkCountLog2 < chunkTotal && index >= 0)
      return unsafe chunks[Int(index) >> Self.chunkCountLog2] + (Int(index) & Self.chunkMask)
    }
  }
}
