@testable import Gateway

/// One TCP connection of the simulated network: two queues of bytes, each with its end, and the ways to break.
final class SimulatedStream {
  /// Bytes of the client that the server has not received.
  var toServer: [UInt8] = []
  /// The client has ended its half.
  var clientEnded = false
  /// The client has closed its descriptor: bytes sent to it provoke a reset.
  var clientClosed = false
  /// Bytes of the server that the client has not read.
  var toClient: [UInt8] = []
  var serverEnded = false
  var serverClosed = false
  /// Either side has reset the connection: nothing moves any more.
  var isReset = false
  /// Calls of the server that sent something.
  var sendCount = 0
  /// Bytes that the kernel buffers towards the client.
  var roomByteCount: Int
  let peer: InternetAddress
  let isInternal: Bool

  init(roomByteCount: Int, peer: InternetAddress, isInternal: Bool) {
    self.roomByteCount = roomByteCount
    self.peer = peer
    self.isInternal = isInternal
  }

  /// As `epoll(7)` has it for a level-triggered descriptor.
  var isReadable: Bool { isReset || !toServer.isEmpty || clientEnded }
  var isWritable: Bool { isReset || toClient.count < roomByteCount }
  /// `EPOLLERR` or `EPOLLHUP`: a reset, or both halves ended.
  var isBroken: Bool { isReset || clientEnded && serverEnded }
}

/// How often the simulated kernel does what kernels may do: once in so many calls, 0 for never.
struct SimulatedFaults {
  /// A read or write moves only some of the bytes that it could.
  var partialMoveOnceIn = 0
  /// A read or write that could move bytes moves none now.
  var refusalOnceIn = 0
  /// A connection breaks when it is read or written.
  var resetOnceIn = 0

  static let none = SimulatedFaults()
  /// The stream survives; only its pieces vary.
  static let pieces = SimulatedFaults(partialMoveOnceIn: 2, refusalOnceIn: 8)
  static let pieceAndResets = SimulatedFaults(partialMoveOnceIn: 3, refusalOnceIn: 8, resetOnceIn: 400)
}

/// What all shards of a simulated gateway share: one clock and one source of chance.
final class SimulatedWorld {
  /// Starts well above zero, as a machine's clock does.
  var nanoseconds: UInt64 = 1_000_000_000_000
  /// Unix seconds at the clock's start.
  let wallStart = 1_800_000_000.0
  var generator: SeededGenerator
  var faults: SimulatedFaults
  /// What a shard did to a descriptor that is not open: each entry is a bug.
  var misuses: [String] = []
  /// Open descriptors over all shards, and how many there may be.
  var descriptorCount = 0
  var descriptorCountMax = Int.max

  init(seed: UInt64, faults: SimulatedFaults) {
    generator = SeededGenerator(seed: seed)
    self.faults = faults
  }

  var milliseconds: Int64 { Int64(nanoseconds / 1_000_000) }
  /// Seconds by which somebody has set the wall clock.
  var wallShift = 0.0
  var wallSeconds: Double { wallShift + wallStart + Double(nanoseconds - 1_000_000_000_000) / 1e9 }
}
