import Glibc

/// What the server has used, as the kernel counts it.
struct ServerProcess {
  let identifier: Int32

  struct Usage {
    /// Of all its threads, to the nanosecond, as of when each last left the CPU.
    var cpuNanoseconds: UInt64 = 0
    /// The same in the kernel's ticks of 10 ms, for comparison: utime + stime of /proc/PID/stat.
    var cpuTicks: UInt64 = 0
    var residentByteCount = 0
  }

  /// To be called while the server waits: a thread's time is brought up to date when it leaves the CPU.
  func usage() -> Usage {
    var usage = Usage()
    usage.cpuNanoseconds = threads().reduce(0) { sum, thread in
      let text = ServerProcess.contents(of: "/proc/\(identifier)/task/\(thread)/schedstat")
      return sum + (text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0)
    }
    let status = ServerProcess.contents(of: "/proc/\(identifier)/stat")
    // The name in parentheses may hold anything; after it comes the state, and eleven fields later utime and stime.
    if let end = status.lastIndex(of: ")") {
      let fields = status[end...].split(separator: " ")
      if fields.count > 13 { usage.cpuTicks = (UInt64(fields[12]) ?? 0) + (UInt64(fields[13]) ?? 0) }
    }
    usage.residentByteCount = residentByteCount()
    return usage
  }

  private func residentByteCount() -> Int {
    let fields = ServerProcess.contents(of: "/proc/\(identifier)/statm").split(separator: " ")
    guard fields.count > 1, let pages = Int(fields[1]) else { fail("no process \(identifier)") }
    return pages * sysconf(Int32(_SC_PAGESIZE))
  }

  private func threads() -> [String] {
    guard let directory = opendir("/proc/\(identifier)/task") else { fail("no process \(identifier)") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.first != "." { names.append(name) }
    }
    return names
  }

  static func contents(of path: String) -> String {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}

/// The load generator's own time, to know whether it was the bottleneck.
func ownCPUNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
