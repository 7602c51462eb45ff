/// What a frame is (RFC 6455 §5.2, §11.8). The other ten values are reserved.
package enum Opcode: UInt8, Sendable {
  case continuation = 0
  case text = 1
  case binary = 2
  case close = 8
  case ping = 9
  case pong = 10

  /// Control frames are never fragmented and carry at most 125 bytes (RFC 6455 §5.5).
  @inlinable
  package var isControl: Bool { rawValue & 0x8 != 0 }
}
