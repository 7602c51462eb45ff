import Testing

@testable import GatewayDomain

@Suite("deadlines come up in order")
struct DeadlineQueueTests {
  @Test(arguments: [UInt64(1), 2, 3, 4, 5])
  func `as a sorted list would give them`(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var queue = DeadlineQueue<Int>()
    var reference: [(deadline: Double, key: Int)] = []
    for key in 0..<2000 {
      if Int.random(in: 0..<3, using: &random) > 0 {
        let deadline = Double(Int.random(in: 0..<50, using: &random))
        queue.add(key, deadline: deadline)
        let place = reference.firstIndex { $0.deadline > deadline } ?? reference.count
        reference.insert((deadline, key), at: place)
      } else {
        let now = Double(Int.random(in: 0..<50, using: &random))
        let isDue = reference.first.map { $0.deadline <= now } ?? false
        let expected = isDue ? reference.removeFirst().key : nil
        #expect(queue.takeDue(at: now)?.key == expected, "seed \(seed)")
      }
      #expect(queue.nextDeadline == reference.first?.deadline, "seed \(seed)")
    }
  }

  @Test func `stale entries are swept before they outnumber the live ones`() {
    var queue = DeadlineQueue<Int>()
    for key in 0..<5000 {
      queue.add(key, deadline: Double(5000 - key))
      queue.compact(liveCount: 10) { $0.key < 10 }
      #expect(queue.count <= 2 * 10 + DeadlineQueue<Int>.staleCountSlack + 1)
    }
    queue.compact(liveCount: 0) { _ in true }
    var last = 0.0
    while let entry = queue.takeFirst() {
      #expect(entry.deadline > last)
      last = entry.deadline
    }
  }
}
