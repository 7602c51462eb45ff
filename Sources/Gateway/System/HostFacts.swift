import CEpollShim
import Glibc

/// What the machine offers and the defaults depend on: read once at start-up, given in tests.
package struct HostFacts: Sendable, Equatable {
  /// Processors this process may run on.
  package var coreCount: Int
  /// Descriptors this process may open (`RLIMIT_NOFILE`).
  package var descriptorLimit: UInt64
  /// Whether standard error is a terminal, where people rather than programs read the log.
  package var standardErrorIsTerminal: Bool

  /// Facts as given.
  package init(coreCount: Int, descriptorLimit: UInt64, standardErrorIsTerminal: Bool) {
    self.coreCount = coreCount
    self.descriptorLimit = descriptorLimit
    self.standardErrorIsTerminal = standardErrorIsTerminal
  }

  /// The facts of this process.
  /// - Parameter raisingDescriptorLimit: lifts the soft limit to the hard one first, as a server that holds
  ///   one descriptor per connection wants; a refusal leaves the limit as it is.
  package static func current(raisingDescriptorLimit: Bool) -> HostFacts {
    var soft: UInt64 = 0
    var hard: UInt64 = 0
    // SAFETY: both pointers are of locals that outlive the call.
    let isKnown = unsafe signalbox_descriptor_limit(&soft, &hard) == 0
    if isKnown, raisingDescriptorLimit, soft < hard, signalbox_set_descriptor_limit(hard, hard) == 0 { soft = hard }
    return HostFacts(
      coreCount: schedulableCoreCount(),
      descriptorLimit: isKnown ? soft : 1024,
      standardErrorIsTerminal: isatty(STDERR_FILENO) == 1)
  }

  /// Cores in this process's affinity mask, which container limits and `taskset` narrow: the bits of
  /// `Cpus_allowed` in `/proc/self/status`.
  private static func schedulableCoreCount() -> Int {
    let configured = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    guard let status = try? FileReading.bytes(ofFileAt: "/proc/self/status") else { return configured }
    return coreCount(processStatus: status) ?? configured
  }

  /// Whether a debugger is attached to this process.
  package static var isTraced: Bool {
    guard let status = try? FileReading.bytes(ofFileAt: "/proc/self/status") else { return false }
    return isTraced(processStatus: status)
  }

  /// Whether the `TracerPid` line names a process.
  static func isTraced(processStatus: [UInt8]) -> Bool {
    for line in processStatus.split(separator: UInt8(ascii: "\n")) where line.starts(with: "TracerPid:".utf8) {
      return line.contains { $0 >= UInt8(ascii: "1") && $0 <= UInt8(ascii: "9") }
    }
    return false
  }

  /// The number of bits in the `Cpus_allowed` line; nil without one.
  static func coreCount(processStatus: [UInt8]) -> Int? {
    for line in processStatus.split(separator: UInt8(ascii: "\n")) where line.starts(with: "Cpus_allowed:".utf8) {
      var count = 0
      for digit in line.dropFirst("Cpus_allowed:".utf8.count) {
        count += Character(UnicodeScalar(digit)).hexDigitValue?.nonzeroBitCount ?? 0
      }
      return count > 0 ? count : nil
    }
    return nil
  }
}
