/// What `receive` and `send` came to.
package enum StreamOutcome: Sendable, Equatable {
  /// So many bytes, at least one.
  case moved(Int)
  /// The kernel has no bytes, or no room, now.
  case wouldBlock
  /// The peer ended its half of the stream (`receive` only).
  case ended
  /// The stream is dead.
  case failed(Int32)
}

/// What `accept` came to.
package enum AcceptOutcome: Sendable {
  case accepted(descriptor: Int32, peer: InternetAddress)
  case wouldBlock
  /// `EMFILE` or `ENFILE`: a reserve descriptor must be given up to get rid of the peer.
  case descriptorsExhausted
  case failed(Int32)
}

/// One ready descriptor.
package struct ReadyEvent: Sendable {
  package var token: UInt64
  package var isReadable: Bool
  package var isWritable: Bool
  /// The kernel reports an error or that both halves are closed.
  package var isBroken: Bool
}

/// The four effects of the outside world as a shard sees them: poller, byte stream, clock and randomness.
///
/// They enter as one generic parameter of `Shard`, so that whole gateways run in one thread on a virtual clock
/// with seeded faults. Every function is called on the shard's thread only.
package protocol GatewayEnvironment: AnyObject {
  /// Nanoseconds since an arbitrary start; never goes back.
  func monotonicNanoseconds() -> UInt64
  /// Unix seconds; may jump, so it is only shown and stored.
  func wallSeconds() -> Double
  func randomBits() -> UInt64

  /// Waits at most so long (0: not at all; −1: until something is ready) and fills `ready`.
  func wait(milliseconds: Int32, into ready: inout [ReadyEvent])
  /// Starts to watch for readability, and for writability too where asked. Level-triggered.
  func watch(_ descriptor: Int32, token: UInt64, readable: Bool, writable: Bool) -> Bool
  func rewatch(_ descriptor: Int32, token: UInt64, readable: Bool, writable: Bool)

  func accept(isInternal: Bool) -> AcceptOutcome
  /// Gives up the reserve descriptor, accepts one peer, closes it, and takes the reserve back. False where nobody waited.
  func acceptAndDiscard(isInternal: Bool) -> Bool
  /// Stops or restarts accepting.
  func setAccepting(_ accepting: Bool)
  func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> StreamOutcome
  func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> StreamOutcome
  /// Tells the peer that no more bytes follow.
  func shutdownSending(_ descriptor: Int32)
  func close(_ descriptor: Int32)
}

extension GatewayEnvironment {
  /// The token of the listening socket.
  package static var listenerToken: UInt64 { UInt64.max }
  /// The token of the internal listening socket.
  package static var internalListenerToken: UInt64 { UInt64.max - 2 }
  /// The token of the mailbox's wake descriptor.
  package static var wakeToken: UInt64 { UInt64.max - 1 }
}
