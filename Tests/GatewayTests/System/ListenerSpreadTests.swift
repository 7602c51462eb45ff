import CEpollShim
import Glibc
import Testing

@testable import Gateway

/// Decision 11: the kernel spreads connections over the shards' listeners by hash, and that is even enough.
@Suite("System: how the kernel spreads connections over listeners", .serialized)
struct ListenerSpreadTests {
  private static let connectionCount = 2_000
  /// Connections under way at once, so that the test needs few descriptors.
  private static let batchCount = 100

  /// A connected client of 127.0.0.1, from an address of its own where `source` is not 0 (the last byte of 127.0.0.x).
  private func connect(port: UInt16, source: UInt8) -> Int32 {
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    func address(_ last: UInt8, _ port: UInt16) -> sockaddr_in {
      sockaddr_in(
        sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
        sin_addr: in_addr(s_addr: (UInt32(0x7F00_0000) | UInt32(last)).bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    }
    // SAFETY: each address outlives its call, which is told its size.
    func with(_ value: sockaddr_in, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
      var value = value
      return unsafe withUnsafePointer(to: &value) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe call($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
    if source != 0 { #expect(unsafe with(address(source, 0)) { unsafe bind(client, $0, $1) } == 0) }
    #expect(unsafe with(address(1, port)) { unsafe Glibc.connect(client, $0, $1) } == 0)
    return client
  }

  /// What each listener got.
  private func spread(over listenerCount: Int, sources: UInt8) throws -> [Int] {
    let first = try ListeningSocket.open(ListenAddress(host: "127.0.0.1", port: 0), probes: true)
    var listeners = [OwnedListener(first.descriptor)]
    for _ in 1..<listenerCount {
      listeners.append(OwnedListener(try ListeningSocket.open(first.bound, probes: false).descriptor))
    }
    var counts = [Int](repeating: 0, count: listenerCount)
    for start in stride(from: 0, to: Self.connectionCount, by: Self.batchCount) {
      let clients = (start..<start + Self.batchCount).map {
        connect(port: first.bound.port, source: sources == 0 ? 0 : UInt8($0 % Int(sources)) + 1)
      }
      for (index, listener) in listeners.enumerated() {
        var high: UInt64 = 0
        var low: UInt64 = 0
        while true {
          let accepted = unsafe signalbox_accept(listener.number, &high, &low)
          guard accepted >= 0 else { break }
          counts[index] += 1
          _ = close(accepted)
        }
      }
      for client in clients { _ = close(client) }
    }
    return counts
  }

  /// One address as in this machine's own tests, four as behind proxies, two hundred as from everywhere.
  @Test(arguments: [2, 4, 8], [0, 4, 200] as [UInt8])
  func `every listener gets its share within five standard deviations`(listenerCount: Int, sources: UInt8) throws {
    let counts = try spread(over: listenerCount, sources: sources)
    #expect(counts.reduce(0, +) == Self.connectionCount)
    // Of a binomial distribution: outside of five, less than once in a hundred thousand runs of this test.
    let mean = Double(Self.connectionCount) / Double(listenerCount)
    let deviation = (mean * (1 - 1 / Double(listenerCount))).squareRoot()
    for count in counts { #expect(abs(Double(count) - mean) < 5 * deviation, "\(counts)") }
  }
}

/// A descriptor in an array.
private final class OwnedListener {
  let number: Int32
  init(_ number: Int32) { self.number = number }
  deinit { _ = close(number) }
}
