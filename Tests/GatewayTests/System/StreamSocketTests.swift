import CEpollShim
import Glibc
import Testing

@testable import Gateway

/// What the shim's calls, which go past the C library's, make of the kernel's answers.
@Suite("System: accepted sockets", .serialized)
struct StreamSocketTests {
  /// A client of a listener of the gateway's kind, and what was accepted of it.
  private func withConnection(_ body: (_ client: Int32, _ accepted: Int32) throws -> Void) throws {
    let listener = try ListeningSocket.open(ListenAddress(host: "127.0.0.1", port: 0), probes: true)
    defer { close(listener.descriptor) }
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(client) }
    var address = sockaddr_in(
      sin_family: sa_family_t(AF_INET), sin_port: listener.bound.port.bigEndian,
      sin_addr: in_addr(s_addr: UInt32(0x7F00_0001).bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    // SAFETY: the address outlives the call, which is told its size.
    let connected = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(connected == 0)
    var high: UInt64 = 0
    var low: UInt64 = 0
    let accepted = unsafe signalbox_accept(listener.descriptor, &high, &low)
    try #require(accepted >= 0)
    #expect(high == 0 && low == 0xffff_7f00_0001)
    #expect(unsafe signalbox_accept(listener.descriptor, &high, &low) == -1)
    #expect(errno == EAGAIN)
    try body(client, accepted)
    signalbox_close(accepted)
    // The client sees that it is closed. (Its number may be another suite's by now.)
    var byte: UInt8 = 0
    #expect(unsafe recv(client, &byte, 1, 0) <= 0)
  }

  @Test func `an accepted socket has no Nagle's delay, does not block and is not inherited`() throws {
    try withConnection { _, accepted in
      var value: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      // SAFETY: the value outlives the call, which is told its size.
      #expect(unsafe getsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &value, &size) == 0)
      #expect(value == 1)
      #expect(fcntl(accepted, F_GETFL) & O_NONBLOCK != 0)
      #expect(fcntl(accepted, F_GETFD) & FD_CLOEXEC != 0)
    }
  }

  @Test func `bytes move, and what the kernel refuses is the negative code`() throws {
    try withConnection { client, accepted in
      var bytes = [UInt8](repeating: 0, count: 8)
      // SAFETY: each call is told how many bytes there are.
      #expect(unsafe signalbox_receive(accepted, &bytes, 8) == -Int64(EAGAIN))
      #expect(unsafe signalbox_send(accepted, [1, 2, 3] as [UInt8], 3) == 3)
      #expect(unsafe signalbox_receive(client, &bytes, 8) == 3)
      #expect(bytes[..<3] == [1, 2, 3])
      shutdown(client, Int32(SHUT_WR))
      var attempts = 0
      var count = unsafe signalbox_receive(accepted, &bytes, 8)
      while count == -Int64(EAGAIN), attempts < 1_000 {
        attempts += 1
        usleep(1_000)
        count = unsafe signalbox_receive(accepted, &bytes, 8)
      }
      #expect(count == 0)
      // Our own half has ended: EPIPE, without the signal.
      shutdown(accepted, Int32(SHUT_WR))
      #expect(unsafe signalbox_send(accepted, [1] as [UInt8], 1) == -Int64(EPIPE))
      #expect(unsafe signalbox_receive(-1, &bytes, 8) == -Int64(EBADF))
    }
  }
}
