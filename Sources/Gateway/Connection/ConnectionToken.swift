/// A connection as other shards and the poller name it: slot and generation, so that a name outlives its connection
/// without ever meaning another one.
package struct ConnectionToken: Hashable, Sendable {
  package let slot: Int32
  package let generation: UInt32

  /// The 64-bit epoll datum.
  var pollerToken: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: slot)) }

  init(slot: Int32, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }

  init(pollerToken: UInt64) {
    slot = Int32(bitPattern: UInt32(truncatingIfNeeded: pollerToken))
    generation = UInt32(truncatingIfNeeded: pollerToken >> 32)
  }
}
