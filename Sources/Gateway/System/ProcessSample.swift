import CEpollShim
import Glibc

/// The `process_*` metrics of one moment, from `/proc`, as every Prometheus client exports them.
package struct ProcessSample: Sendable, Equatable {
  /// Processor time used since the start, user and system, in seconds.
  package var cpuSeconds: Double
  /// Resident memory in bytes.
  package var residentByteCount: Int
  /// Virtual memory in bytes.
  package var virtualByteCount: Int
  /// Start of the process in Unix seconds.
  package var startTime: Double
  /// Operating system threads.
  package var threadCount: Int
  /// Open descriptors.
  package var openDescriptorCount: Int
  /// Descriptors allowed.
  package var descriptorLimit: UInt64

  /// A sample as given.
  package init(
    cpuSeconds: Double, residentByteCount: Int, virtualByteCount: Int, startTime: Double, threadCount: Int,
    openDescriptorCount: Int, descriptorLimit: UInt64
  ) {
    self.cpuSeconds = cpuSeconds
    self.residentByteCount = residentByteCount
    self.virtualByteCount = virtualByteCount
    self.startTime = startTime
    self.threadCount = threadCount
    self.openDescriptorCount = openDescriptorCount
    self.descriptorLimit = descriptorLimit
  }

  /// A sample of this process; nil where `/proc` is not readable.
  package static func current() -> ProcessSample? {
    guard let stat = try? FileReading.bytes(ofFileAt: "/proc/self/stat"),
      let fields = StatFields(parsing: stat)
    else { return nil }
    let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    var soft: UInt64 = 0
    var hard: UInt64 = 0
    // SAFETY: both pointers are of locals that outlive the call.
    _ = unsafe signalbox_descriptor_limit(&soft, &hard)
    return ProcessSample(
      cpuSeconds: Double(fields.userTicks + fields.systemTicks) / ticksPerSecond,
      residentByteCount: fields.residentPageCount * max(1, sysconf(Int32(_SC_PAGESIZE))),
      virtualByteCount: fields.virtualByteCount,
      startTime: bootTime + Double(fields.startTicks) / ticksPerSecond,
      threadCount: fields.threadCount,
      openDescriptorCount: countOpenDescriptors(),
      descriptorLimit: soft)
  }

  /// The fields of `/proc/self/stat` that are exported (`man 5 proc`, numbered from 1).
  struct StatFields: Equatable {
    var userTicks: Int
    var systemTicks: Int
    var threadCount: Int
    var startTicks: Int
    var virtualByteCount: Int
    var residentPageCount: Int

    /// Nil where the text has too few fields or one that is no number. The second field, the command in
    /// parentheses, may hold spaces and parentheses, so counting starts after the last closing one.
    init?(parsing text: [UInt8]) {
      guard let commandEnd = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
      let fields = text[text.index(after: commandEnd)...]
        .split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") })
      func number(_ fieldNumber: Int) -> Int? {
        // The first field after the command is number 3.
        let index = fieldNumber - 3
        guard index < fields.count else { return nil }
        return Int(String(decoding: fields[index], as: UTF8.self))
      }
      guard let userTicks = number(14), let systemTicks = number(15), let threadCount = number(20),
        let startTicks = number(22), let virtualByteCount = number(23), let residentPageCount = number(24)
      else { return nil }
      self.userTicks = userTicks
      self.systemTicks = systemTicks
      self.threadCount = threadCount
      self.startTicks = startTicks
      self.virtualByteCount = virtualByteCount
      self.residentPageCount = residentPageCount
    }
  }

  /// Unix seconds of the machine's start, the `btime` line of `/proc/stat`. Read once: the file is long on large
  /// machines and the line does not change.
  private static let bootTime: Double = {
    guard let text = try? FileReading.bytes(ofFileAt: "/proc/stat", byteCountMax: 8 << 20) else { return 0 }
    for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "btime ".utf8) {
      return Double(String(decoding: line.dropFirst(6), as: UTF8.self)) ?? 0
    }
    return 0
  }()

  /// Open descriptors. Since Linux 6.2 the size of `/proc/self/fd` is their number; before, the entries are
  /// counted, which takes about a millisecond for ten thousand.
  private static func countOpenDescriptors() -> Int {
    var status = stat()
    // SAFETY: the structure outlives the call.
    if unsafe stat("/proc/self/fd", &status) == 0, status.st_size > 0 { return Int(status.st_size) }
    // SAFETY: the directory stream is closed below, and each entry is looked at before the next is read.
    guard let directory = unsafe opendir("/proc/self/fd") else { return 0 }
    defer { _ = unsafe closedir(directory) }
    // `.`, `..` and the descriptor of the listing itself are not counted.
    var count = -3
    while unsafe readdir(directory) != nil { count += 1 }
    return max(0, count)
  }
}
