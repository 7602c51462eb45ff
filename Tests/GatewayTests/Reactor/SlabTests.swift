import Testing

@testable import Gateway

@Suite("Reactor: the slab")
struct SlabTests {
  private struct Element {
    var value = -1
  }

  private func slab(_ countMax: Int) -> Slab<Element> { Slab(countMax: countMax) { Element() } }

  @Test(arguments: [1, 255, 256, 257, 1000])
  func `takes as many as its bound and refuses one more`(countMax: Int) {
    let slab = slab(countMax)
    var taken: Set<Int32> = []
    for _ in 0..<countMax {
      let index = slab.take()
      #expect(index.map { taken.insert($0).inserted } == true)
    }
    #expect(slab.count == countMax)
    #expect(slab.take() == nil)
    #expect(slab.count == countMax)
    slab.give(taken.removeFirst())
    #expect(slab.take() != nil)
    #expect(slab.take() == nil)
  }

  @Test func `a bound of zero gives nothing`() {
    #expect(slab(0).take() == nil)
  }

  @Test func `no element moves while others come and go`() throws {
    let slab = slab(10_000)
    let first = try #require(slab.take())
    slab[first].value = 42
    let address = unsafe withUnsafePointer(to: &slab[first].value) { UInt(bitPattern: $0) }
    var others: [Int32] = []
    for value in 0..<5000 {
      let index = try #require(slab.take())
      slab[index].value = value
      others.append(index)
    }
    for (value, index) in others.enumerated() { #expect(slab[index].value == value) }
    for index in others { slab.give(index) }
    #expect(slab[first].value == 42)
    #expect(unsafe withUnsafePointer(to: &slab[first].value) { UInt(bitPattern: $0) } == address)
    #expect(slab.count == 1)
  }

  @Test func `a place keeps what its last user left`() throws {
    let slab = slab(4)
    let index = try #require(slab.take())
    slab[index].value = 7
    slab.give(index)
    #expect(try #require(slab.take()) == index)
    #expect(slab[index].value == 7)
  }

  @Test func `memory follows use by chunks`() {
    let slab = slab(1_000_000)
    #expect(slab.placeCount == 0)
    _ = slab.take()
    #expect(slab.placeCount == 256)
  }

  @Test func `elements end with the slab`() {
    final class Counted {
      nonisolated(unsafe) static var count = 0
      init() { unsafe Counted.count += 1 }
      deinit { unsafe Counted.count -= 1 }
    }
    do {
      let slab = Slab<Counted>(countMax: 300) { Counted() }
      for _ in 0..<300 { _ = slab.take() }
      #expect(unsafe Counted.count == 512)
    }
    #expect(unsafe Counted.count == 0)
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `agrees with a set, whatever comes and goes`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let slab = slab(700)
    var used: [Int32: Int] = [:]
    for step in 0..<5000 {
      if Bool.random(using: &random) {
        if let index = slab.take() {
          #expect(used.updateValue(step, forKey: index) == nil, "seed \(seed)")
          slab[index].value = step
        } else {
          #expect(used.count == 700, "seed \(seed)")
        }
      } else if let index = used.keys.sorted().randomElement(using: &random) {
        #expect(slab[index].value == used.removeValue(forKey: index), "seed \(seed)")
        slab.give(index)
      }
      #expect(slab.count == used.count, "seed \(seed)")
    }
  }
}
