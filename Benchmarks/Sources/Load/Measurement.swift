import Glibc

/// One measured stretch of a run: what the server used, what the load generator used, how long it took.
struct Measurement {
  /// The load generator's share of its core above which the server may have waited for it.
  static let loadShareMax = 0.95
  /// How late the load generator may send, as a share of the latencies that count from when it was due.
  static let latenessShareMax = 0.25

  private(set) var cpuNanoseconds: UInt64 = 0
  private(set) var cpuTicks: UInt64 = 0
  private(set) var wallNanoseconds: UInt64 = 0
  private(set) var loadNanoseconds: UInt64 = 0
  private(set) var residentBefore = 0
  private(set) var residentAfter = 0
  private(set) var privateBefore = 0
  private(set) var privateAfter = 0
  private(set) var kernelMemoryGrowth = KernelMemory()

  /// Measures `body`. The pauses let the server come to rest, where the kernel has its time up to date.
  static func of(_ server: ServerProcess, _ body: () -> Void) -> Measurement {
    var measurement = Measurement()
    usleep(50_000)
    let before = server.usage()
    let kernelMemory = KernelMemory.now()
    let loadCPUBefore = ownCPUNanoseconds()
    let idleBefore = Poller.idleNanoseconds
    let start = monotonicNanoseconds()
    body()
    measurement.wallNanoseconds = monotonicNanoseconds() - start
    // On a machine with other guests it may idle for longer than it has the CPU.
    let loadCPU = ownCPUNanoseconds() - loadCPUBefore
    measurement.loadNanoseconds = loadCPU - min(loadCPU, Poller.idleNanoseconds - idleBefore)
    usleep(50_000)
    let after = server.usage()
    measurement.cpuNanoseconds = after.cpuNanoseconds - before.cpuNanoseconds
    measurement.cpuTicks = after.cpuTicks - before.cpuTicks
    measurement.residentBefore = before.residentByteCount
    measurement.residentAfter = after.residentByteCount
    measurement.privateBefore = before.privateByteCount
    measurement.privateAfter = after.privateByteCount
    measurement.kernelMemoryGrowth = KernelMemory.now() - kernelMemory
    return measurement
  }

  /// Another stretch of the same work.
  mutating func add(_ other: Measurement) {
    cpuNanoseconds += other.cpuNanoseconds
    cpuTicks += other.cpuTicks
    wallNanoseconds += other.wallNanoseconds
    loadNanoseconds += other.loadNanoseconds
    residentAfter = other.residentAfter
    privateAfter = other.privateAfter
    kernelMemoryGrowth = other.kernelMemoryGrowth
  }

  var loadShare: Double { Double(loadNanoseconds) / Double(max(1, wallNanoseconds)) }
}

/// One line of JSON on standard output.
struct Report {
  private var members: [String] = []

  init(_ options: Options) {
    add("scenario", text: options.scenario.rawValue)
    add("target", text: options.target)
  }

  mutating func add(_ name: String, text: String) { members.append("\"\(name)\":\"\(text)\"") }
  mutating func add(_ name: String, _ value: Int) { members.append("\"\(name)\":\(value)") }
  mutating func add(_ name: String, _ value: Bool) { members.append("\"\(name)\":\(value)") }

  /// Three digits after the point.
  mutating func add(_ name: String, _ value: Double) {
    members.append("\"\(name)\":\((value * 1000).rounded() / 1000)")
  }

  mutating func add(_ name: String, _ histogram: Histogram) {
    guard histogram.count > 0 else { return }
    let values = histogram.summary.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
    members.append("\"\(name)\":{\(values)}")
  }

  /// The figures every scenario has. `operationCount` are deliveries, echoes, handshakes, publishes.
  mutating func add(_ measurement: Measurement, operationCount: Int) {
    let wallSeconds = Double(measurement.wallNanoseconds) / 1e9
    add("operations", operationCount)
    add("cpu_us_per_operation", Double(measurement.cpuNanoseconds) / 1000 / Double(max(1, operationCount)))
    add("cpu_ms", Double(measurement.cpuNanoseconds) / 1e6)
    add("cpu_ms_by_ticks", Int(measurement.cpuTicks) * 1000 / sysconf(Int32(_SC_CLK_TCK)))
    add("wall_seconds", wallSeconds)
    add("operations_per_second", Double(operationCount) / wallSeconds)
    add("resident_bytes", measurement.residentAfter)
    add("load_share", measurement.loadShare)
    add("load_saturated", measurement.loadShare > Measurement.loadShareMax)
  }

  /// How late the load generator was with what was due at a fixed time, and whether that is a part of the latencies that
  /// cannot be neglected.
  mutating func add(lateness: Histogram, of latencies: Histogram) {
    guard lateness.count > 0, latencies.count > 0 else { return }
    add("sent_late_us", lateness)
    let late = Double(lateness.value(atQuantile: 0.99))
    add("load_late", late > Measurement.latenessShareMax * Double(latencies.value(atQuantile: 0.99)))
  }

  func write() { print("{\(members.joined(separator: ","))}") }
}
