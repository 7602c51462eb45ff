import Testing

@testable import Gateway

@Suite("Reactor: the packed list")
struct PackedListTests {
  @Test(arguments: 0..<40 as Range<UInt64>)
  func `agrees with an array`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var list = PackedList<Int32>()
    var model: [Int32] = []
    for step in 0..<400 as Range<Int32> {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<6:
        list.append(step)
        model.append(step)
      case 6:
        guard !model.isEmpty else { continue }
        let place = Int.random(in: 0..<model.count, using: &random)
        list.removeBySwapping(place)
        model.swapAt(place, model.count - 1)
        model.removeLast()
      case 7:
        let count = Int.random(in: 0...model.count, using: &random)
        list.removeFirst(count)
        model.removeFirst(count)
      case 8:
        guard !model.isEmpty else { continue }
        let place = Int.random(in: 0..<model.count, using: &random)
        list[place] += 1000
        model[place] += 1000
      default:
        guard random.once(in: 20) else { continue }
        list.removeAll(keepingCapacity: 8)
        model.removeAll()
        #expect(list.capacity <= 8, "seed \(seed)")
      }
      #expect((0..<list.count).map { list[$0] } == model, "seed \(seed)")
    }
  }

  @Test func `keeps its storage up to the bound and gives it up beyond`() {
    var list = PackedList<Int32>()
    for value in 0..<100 as Range<Int32> { list.append(value) }
    let capacity = list.capacity
    list.removeAll(keepingCapacity: capacity)
    #expect(list.capacity == capacity && list.count == 0)
    list.removeAll(keepingCapacity: capacity - 1)
    #expect(list.capacity == 0 && list.count == 0)
    list.append(7)
    #expect(list[0] == 7)
  }
}
