import CEpollShim

/// Where the gateway listens, resolved.
package struct ListenAddress: Sendable, Equatable {
  package let host: String
  package let port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }
}

/// A bound, listening TCP socket that shares its port with the other shards' (`SO_REUSEPORT`).
package enum ListeningSocket {
  /// Finished handshakes that the kernel keeps per listener until they are accepted.
  static let backlog: Int32 = 4096

  /// Binds and listens. Port 0 takes any free port, which the returned address names.
  ///
  /// With `probes`, a port that another process holds is found out although `SO_REUSEPORT` would hide it.
  package static func open(
    _ address: ListenAddress, probes: Bool
  ) throws(SystemCallError) -> (descriptor: Int32, bound: ListenAddress) {
    var port: UInt16 = 0
    let descriptor = unsafe signalbox_listen(address.host, address.port, backlog, probes ? 1 : 0, &port)
    if descriptor == -2 {
      throw SystemCallError("cannot resolve the host \(address.host)", reason: "no such host")
    }
    guard descriptor >= 0 else { throw SystemCallError("cannot listen on \(address.host):\(address.port)") }
    return (descriptor, ListenAddress(host: address.host, port: port))
  }
}
