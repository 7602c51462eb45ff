import Testing

@testable import Gateway

@Suite("Connection: the pool of frames")
struct FramePoolTests {
  @Test func `a frame nobody waits for is given back when it is settled`() throws {
    let pool = FramePool(countMax: 2)
    weak var observed: SharedFrame?
    do {
      let frame = SharedFrame.text(Array("hello".utf8))
      observed = frame
      let index = try #require(pool.admit(frame))
      #expect(pool.count == 1)
      pool.settle(index)
    }
    #expect(pool.count == 0)
    #expect(observed == nil)
  }

  @Test func `a frame lives until its last waiter has gone`() throws {
    let pool = FramePool(countMax: 2)
    weak var observed: SharedFrame?
    let index: Int32
    do {
      let frame = SharedFrame.text(Array("hello".utf8))
      observed = frame
      index = try #require(pool.admit(frame))
    }
    for _ in 0..<3 { pool.addWaiter(index) }
    pool.settle(index)
    pool.removeWaiter(index)
    pool.removeWaiter(index)
    #expect(observed != nil)
    #expect(unsafe Array(pool.bytes(index, compressed: false)) == [0x81, 5] + Array("hello".utf8))
    pool.removeWaiter(index)
    #expect(observed == nil)
    #expect(pool.count == 0)
  }

  @Test func `at its bound it admits no more, and again once one is gone`() throws {
    let pool = FramePool(countMax: 2)
    let frame = SharedFrame.text([1])
    let first = try #require(pool.admit(frame))
    _ = try #require(pool.admit(frame))
    #expect(pool.admit(frame) == nil)
    pool.settle(first)
    #expect(pool.admit(frame) != nil)
  }

  @Test func `compressed bytes go to those who read them, plain ones where there are no others`() throws {
    let pool = FramePool(countMax: 2)
    let both = try #require(pool.admit(SharedFrame(plain: [1, 2, 3].span, compressed: [9].span)))
    let plain = try #require(pool.admit(SharedFrame(plain: [1, 2, 3].span, compressed: [UInt8]().span)))
    #expect(unsafe Array(pool.bytes(both, compressed: true)) == [9])
    #expect(unsafe Array(pool.bytes(both, compressed: false)) == [1, 2, 3])
    #expect(unsafe Array(pool.bytes(plain, compressed: true)) == [1, 2, 3])
  }
}
