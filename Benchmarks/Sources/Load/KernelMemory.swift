import Glibc

/// What the kernel of this machine has in use, in bytes. It keeps no account for each process, so growth is what counts,
/// on a machine where nothing else happens; on loopback both ends of a connection are in it.
struct KernelMemory {
  /// Of the slab allocator: sockets, their inodes and files, epoll's entries (`Slab` in /proc/meminfo).
  var slabByteCount = 0
  /// What TCP has for data that is sent or not yet read (`mem` in /proc/net/sockstat); 0 on idle connections.
  var tcpByteCount = 0
  /// What a new program could have, user memory of all processes taken off too (`MemAvailable`).
  var availableByteCount = 0

  static func now() -> KernelMemory {
    let memory = ServerProcess.contents(of: "/proc/meminfo").split(separator: "\n")
    func byteCount(_ name: String) -> Int {
      let fields = memory.first { $0.hasPrefix(name) }?.split(separator: " ") ?? []
      return fields.count > 1 ? (Int(fields[1]) ?? 0) * 1024 : 0
    }
    let sockets = ServerProcess.contents(of: "/proc/net/sockstat").split(separator: "\n")
    let pages = sockets.first { $0.hasPrefix("TCP:") }?.split(separator: " ").last.flatMap { Int($0) } ?? 0
    return KernelMemory(
      slabByteCount: byteCount("Slab:"), tcpByteCount: pages * sysconf(Int32(_SC_PAGESIZE)),
      availableByteCount: byteCount("MemAvailable:"))
  }

  static func - (left: KernelMemory, right: KernelMemory) -> KernelMemory {
    KernelMemory(
      slabByteCount: left.slabByteCount - right.slabByteCount, tcpByteCount: left.tcpByteCount - right.tcpByteCount,
      availableByteCount: left.availableByteCount - right.availableByteCount)
  }
}
