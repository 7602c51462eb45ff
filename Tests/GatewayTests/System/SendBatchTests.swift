import Glibc
import Testing

@testable import Gateway

@Suite("System: sends that go to the kernel together")
struct SendBatchTests {
  /// Two connected stream sockets.
  private final class Pair {
    let ours: Int32
    private(set) var theirs: Int32

    init() {
      var descriptors: [Int32] = [-1, -1]
      let result = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &descriptors)
      #expect(result == 0)
      (ours, theirs) = (descriptors[0], descriptors[1])
    }

    deinit {
      _ = Glibc.close(ours)
      closeTheirs()
    }

    func closeTheirs() {
      if theirs >= 0 { _ = Glibc.close(theirs) }
      theirs = -1
    }

    /// Everything that has arrived.
    func received() -> [UInt8] {
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = unsafe recv(theirs, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return bytes }
        bytes += buffer[..<count]
      }
    }
  }

  private func environment(usesRing: Bool) throws -> LinuxEnvironment {
    // What is watched does not matter here: any descriptor that epoll takes will do.
    let mailbox = Mailbox<Int>()
    return try LinuxEnvironment(
      listener: dup(mailbox.wakeDescriptor), internalListener: -1, wakeDescriptor: mailbox.wakeDescriptor,
      usesRing: usesRing)
  }

  @Test(arguments: [true, false], [1, 3, 4, 5, 255, 256])
  func `every send arrives at its own peer`(usesRing: Bool, count: Int) throws {
    let environment = try environment(usesRing: usesRing)
    let batch = SendBatch()
    for round in 0..<3 {
      let pairs = (0..<count).map { _ in Pair() }
      let payloads = pairs.indices.map { Array("round \(round), message \($0)".utf8) }
      unsafe withBuffers(payloads) { buffers in
        for index in pairs.indices { unsafe batch.append(pairs[index].ours, buffers[index]) }
        environment.send(batch)
      }
      for index in 0..<count {
        #expect(batch.outcome(index) == .moved(payloads[index].count))
        #expect(pairs[index].received() == payloads[index])
      }
      batch.removeAll()
    }
  }

  @Test(arguments: [true, false])
  func `a full, a broken and a nearly full peer are told apart, and the others are served`(usesRing: Bool) throws {
    let environment = try environment(usesRing: usesRing)
    let batch = SendBatch()
    let pairs = (0..<8).map { _ in Pair() }
    let large = [UInt8](repeating: 7, count: 4 << 20)
    let small = Array("hello".utf8)
    // Peer 1 takes nothing more, peer 2 is gone, and peer 3 cannot take so much at once.
    unsafe large.withUnsafeBytes { bytes in
      while case .moved = unsafe environment.send(pairs[1].ours, bytes) {}
    }
    pairs[2].closeTheirs()
    unsafe withBuffers(pairs.indices.map { $0 == 3 ? large : small }) { buffers in
      for index in pairs.indices { unsafe batch.append(pairs[index].ours, buffers[index]) }
      environment.send(batch)
    }
    #expect(batch.outcome(1) == .wouldBlock)
    #expect(batch.outcome(2) == .failed(EPIPE))
    guard case .moved(let count) = batch.outcome(3) else {
      Issue.record("peer 3: \(batch.outcome(3))")
      return
    }
    #expect(count > 0 && count < large.count)
    #expect(pairs[3].received().count == count)
    for index in [0, 4, 5, 6, 7] {
      #expect(batch.outcome(index) == .moved(small.count))
      #expect(pairs[index].received() == small)
    }
  }

  @Test func `a batch is full at its bound`() {
    let batch = SendBatch()
    for index in 0..<SendBatch.countMax {
      #expect(!batch.isFull)
      unsafe batch.append(Int32(index), UnsafeRawBufferPointer(start: nil, count: 0))
    }
    #expect(batch.isFull && batch.count == SendBatch.countMax)
    batch.removeAll()
    #expect(batch.count == 0 && !batch.isFull)
  }

  /// The arrays' memory, all at once.
  private func withBuffers(_ arrays: [[UInt8]], _ body: ([UnsafeRawBufferPointer]) -> Void) {
    let copies = unsafe arrays.map { (array: [UInt8]) -> UnsafeRawBufferPointer in
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: array.count, alignment: 1)
      unsafe copy.copyBytes(from: array)
      return UnsafeRawBufferPointer(copy)
    }
    unsafe body(copies)
    for index in arrays.indices { unsafe copies[index].deallocate() }
  }
}
