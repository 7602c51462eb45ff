import Protocol

/// What a scrape says beyond the shards' counters and the process.
package struct GatewayFacts: Sendable, Equatable {
  /// The cap of connections.
  package var connectionLimit: Int
  /// Whether the gateway is sending its clients elsewhere.
  package var isDraining: Bool
  /// Whether the newest reload of the configuration was taken over; true before the first.
  package var isLastReloadGood: Bool
  /// Log lines lost because the writer fell behind.
  package var droppedLogLineCount: Int
  /// Log lines left out because they repeated.
  package var repeatedLogLineCount: Int
  /// How the store is.
  package var store: StoreFacts

  /// Facts as given.
  package init(
    connectionLimit: Int, isDraining: Bool, isLastReloadGood: Bool = true, droppedLogLineCount: Int = 0,
    repeatedLogLineCount: Int = 0, store: StoreFacts = StoreFacts()
  ) {
    self.connectionLimit = connectionLimit
    self.isDraining = isDraining
    self.isLastReloadGood = isLastReloadGood
    self.droppedLogLineCount = droppedLogLineCount
    self.repeatedLogLineCount = repeatedLogLineCount
    self.store = store
  }
}

/// The answer of `GET /metrics`.
package struct MetricsPage: Sendable {
  /// Value of `Content-Type`.
  package var contentType: StaticString
  /// The exposition.
  package var body: [UInt8]
}

/// The exposition for Prometheus: text 0.0.4, or OpenMetrics 1.0 for a scraper that asks for it. Every label set is
/// written from the start, 0 included, so that `rate()` sees the first increment.
package struct PrometheusText {
  /// The two formats.
  package enum Format: Sendable, Equatable {
    case text
    case openMetrics

    /// By the `Accept` header: OpenMetrics where it is named with a quality above 0.
    package init(accept: String?) {
      self = .text
      for range in (accept ?? "").split(separator: ",") {
        let parts = range.split(separator: ";").map { ValueText.trimmed($0).lowercased() }
        guard parts.first == "application/openmetrics-text" else { continue }
        let quality = parts.first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
        if quality > 0 { self = .openMetrics }
      }
    }

    var contentType: StaticString {
      switch self {
      case .text: "text/plain; version=0.0.4; charset=utf-8"
      case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
      }
    }
  }

  private let format: Format
  private var body: [UInt8] = []

  private init(_ format: Format) {
    self.format = format
    body.reserveCapacity(48 << 10)
  }

  /// The whole page. Any thread.
  package static func render(
    shards: [ShardMetrics], process: ProcessSample?, facts: GatewayFacts, accept: String?
  ) -> MetricsPage {
    let format = Format(accept: accept)
    var text = PrometheusText(format)
    text.writeBuild()
    text.writeFacts(facts)
    text.writeStore(facts.store)
    for family in MetricFamily.allCases { text.write(family, shards) }
    if let process { text.writeProcess(process) }
    if format == .openMetrics { text.body.append("# EOF\n") }
    return MetricsPage(contentType: format.contentType, body: text.body)
  }

  private mutating func writeBuild() {
    let labels = "version=\"\(GatewayVersion.text)\""
    // OpenMetrics has a type of its own for constants, whose suffix is not part of the family's name.
    switch format {
    case .text: writeHead("signalbox_build_info", "gauge", "The running version; always 1.")
    case .openMetrics: writeHead("signalbox_build", "info", "The running version; always 1.")
    }
    writeSample("signalbox_build_info", labels, "1")
  }

  private mutating func writeFacts(_ facts: GatewayFacts) {
    writeGauge("connections_limit", "Connections allowed at once.", facts.connectionLimit)
    writeGauge("draining", "1 while clients are sent elsewhere.", facts.isDraining ? 1 : 0)
    writeGauge(
      "config_last_reload_success", "1 where the newest reload was taken over.", facts.isLastReloadGood ? 1 : 0)
    writeCounter("log_lines_dropped", "Log lines lost because the writer fell behind.", facts.droppedLogLineCount)
    writeCounter("log_lines_repeated", "Log lines left out because they repeated.", facts.repeatedLogLineCount)
  }

  private mutating func writeStore(_ store: StoreFacts) {
    writeGauge(
      "store_up", "1 while the store takes what is to be kept; the memory store always does.", store.isUp ? 1 : 0)
    writeCounter("store_commits", "Transactions of the store that became durable.", store.commitCount)
    writeCounter("store_changes", "Rows that they wrote or removed.", store.changeCount)
    let failures = "signalbox_store_failures"
    writeCounterHead(failures, "Transactions of the store that failed, by kind.")
    for kind in StoreFailure.Kind.allCases {
      writeSample(failures + "_total", "kind=\"\(kind.text)\"", String(store.failureCounts[kind.rawValue]))
    }
    let durations = "signalbox_store_commit_duration_seconds"
    writeHead(durations, "histogram", "How long transactions of the store took until they were durable.")
    writeHistogram(
      durations, HistogramBounds.latency, "", sum: store.durationSum,
      counts: store.durationCounts.map { UInt64(clamping: $0) })
    writeGauge("store_waiting_rows", "Rows whose newest state is not durable yet.", store.waitingRowCount)
    writeGauge("store_waiting_bytes", "Bytes of those rows.", store.waitingByteCount)
  }

  private mutating func writeGauge(_ name: String, _ help: String, _ value: Int) {
    writeHead("signalbox_" + name, "gauge", help)
    writeSample("signalbox_" + name, "", String(value))
  }

  private mutating func writeCounter(_ name: String, _ help: String, _ value: Int) {
    writeCounterHead("signalbox_" + name, help)
    writeSample("signalbox_" + name + "_total", "", String(value))
  }

  private mutating func write(_ family: MetricFamily, _ shards: [ShardMetrics]) {
    let description = family.description
    let name = "signalbox_" + description.name
    switch description.kind {
    case .counter: writeCounterHead(name, description.help)
    case .gauge, .secondsGauge: writeHead(name, "gauge", description.help)
    case .histogram: writeHead(name, "histogram", description.help)
    }
    if description.isPerShard {
      for (number, shard) in shards.enumerated() {
        writeSeries(family, description, name, [shard], "worker=\"\(number)\"")
      }
    } else {
      writeSeries(family, description, name, shards, "")
    }
  }

  private mutating func writeSeries(
    _ family: MetricFamily, _ description: MetricDescription, _ name: String, _ shards: [ShardMetrics],
    _ commonLabels: String
  ) {
    switch description.kind {
    case .histogram(let bounds):
      writeHistogram(family, name, bounds, shards, commonLabels)
    case .secondsGauge:
      let seconds = shards.reduce(0.0) { $0 + Double(bitPattern: $1.word(family, 0)) }
      writeSample(name, commonLabels, String(seconds))
    case .counter:
      for place in 0..<description.seriesCount {
        let value = shards.reduce(UInt64(0)) { $0 &+ $1.word(family, place) }
        writeSample(name + "_total", joined(commonLabels, Self.labels(description, place)), String(value))
      }
    case .gauge:
      for place in 0..<description.seriesCount {
        let value = shards.reduce(Int64(0)) { $0 &+ Int64(bitPattern: $1.word(family, place)) }
        writeSample(name, joined(commonLabels, Self.labels(description, place)), String(value))
      }
    }
  }

  private mutating func writeHistogram(
    _ family: MetricFamily, _ name: String, _ bounds: [Double], _ shards: [ShardMetrics], _ commonLabels: String
  ) {
    let counts = (0...bounds.count).map { place in shards.reduce(UInt64(0)) { $0 &+ $1.word(family, place) } }
    let sum = shards.reduce(0.0) { $0 + Double(bitPattern: $1.word(family, HistogramLayout.sumIndex(bounds))) }
    writeHistogram(name, bounds, commonLabels, sum: sum, counts: counts)
  }

  /// - Parameter counts: of each bucket alone, the one above the last bound included.
  private mutating func writeHistogram(
    _ name: String, _ bounds: [Double], _ commonLabels: String, sum: Double, counts: [UInt64]
  ) {
    // Each bucket is read once, and the count is their sum, so that a page never contradicts itself.
    var cumulative: UInt64 = 0
    for place in 0...bounds.count {
      cumulative &+= counts[place]
      let bound = place < bounds.count ? String(bounds[place]) : "+Inf"
      writeSample(name + "_bucket", joined(commonLabels, "le=\"\(bound)\""), String(cumulative))
    }
    writeSample(name + "_sum", commonLabels, String(sum))
    writeSample(name + "_count", commonLabels, String(cumulative))
  }

  private mutating func writeProcess(_ process: ProcessSample) {
    writeCounterHead("process_cpu_seconds", "Processor time used, user and system.")
    writeSample("process_cpu_seconds_total", "", String(process.cpuSeconds))
    let gauges: [(name: String, help: String, value: String)] = [
      ("resident_memory_bytes", "Resident memory.", String(process.residentByteCount)),
      ("virtual_memory_bytes", "Virtual memory.", String(process.virtualByteCount)),
      ("start_time_seconds", "Start of the process in Unix seconds.", String(process.startTime)),
      ("open_fds", "Open descriptors.", String(process.openDescriptorCount)),
      ("max_fds", "Descriptors allowed.", String(process.descriptorLimit)),
      ("threads", "Operating system threads.", String(process.threadCount)),
    ]
    for gauge in gauges {
      writeHead("process_" + gauge.name, "gauge", gauge.help)
      writeSample("process_" + gauge.name, "", gauge.value)
    }
  }

  /// A counter's family is named with `_total` in text 0.0.4 and without it in OpenMetrics.
  private mutating func writeCounterHead(_ name: String, _ help: String) {
    writeHead(format == .openMetrics ? name : name + "_total", "counter", help)
  }

  private mutating func writeHead(_ name: String, _ type: String, _ help: String) {
    body.append(contentsOf: "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n".utf8)
  }

  private mutating func writeSample(_ name: String, _ labels: String, _ value: String) {
    body.append(contentsOf: name.utf8)
    if !labels.isEmpty {
      body.append("{")
      body.append(contentsOf: labels.utf8)
      body.append("}")
    }
    body.append(" ")
    body.append(contentsOf: value.utf8)
    body.append("\n")
  }

  private func joined(_ left: String, _ right: String) -> String {
    left.isEmpty ? right : right.isEmpty ? left : "\(left),\(right)"
  }

  /// The labels of a place: the last one varies fastest. The values are words of this program, so nothing is escaped.
  static func labels(_ description: MetricDescription, _ place: Int) -> String {
    var rest = place
    var parts: [String] = []
    for label in description.labels.reversed() {
      parts.append("\(label.name)=\"\(label.values[rest % label.values.count])\"")
      rest /= label.values.count
    }
    return parts.reversed().joined(separator: ",")
  }
}
