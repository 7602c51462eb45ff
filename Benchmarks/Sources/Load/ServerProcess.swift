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
    /// The resident memory that is no file's: without pages of code and constants, which come when they are first used
    /// and have nothing to do with how many clients there are.
    var privateByteCount = 0
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
    // `man 5 proc_pid_statm`: size, resident, shared (of files and of shared memory), in pages.
    let pages = ServerProcess.contents(of: "/proc/\(identifier)/statm").split(separator: " ")
    guard pages.count > 2, let resident = Int(pages[1]), let shared = Int(pages[2]) else {
      fail("no process \(identifier)")
    }
    let pageByteCount = sysconf(Int32(_SC_PAGESIZE))
    usage.residentByteCount = resident * pageByteCount
    usage.privateByteCount = (resident - shared) * pageByteCount
    return usage
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
