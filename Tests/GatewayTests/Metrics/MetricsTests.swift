import Glibc
import Testing

@testable import Gateway

@Suite("the catalogue of metrics")
struct MetricCatalogueTests {
  @Test(arguments: MetricFamily.allCases)
  func `a family fits its words and is named as Prometheus asks`(family: MetricFamily) {
    let description = family.description
    #expect(description.wordCount <= MetricFamily.wordCount)
    #expect(description.seriesCount >= 1)
    #expect(!description.name.hasSuffix("_total") && !description.name.hasPrefix("signalbox"))
    #expect(description.name.allSatisfy { $0.isLowercase || $0 == "_" })
    #expect(description.help.hasSuffix("."))
    for label in description.labels { #expect(Set(label.values).count == label.values.count) }
  }

  @Test func `names are unique`() {
    #expect(Set(MetricFamily.allCases.map(\.description.name)).count == MetricFamily.allCases.count)
  }

  @Test(arguments: MetricHistogram.allCases)
  func `a histogram's bounds ascend and are the family's`(histogram: MetricHistogram) {
    #expect(zip(histogram.bounds, histogram.bounds.dropFirst()).allSatisfy { $0 < $1 })
    #expect(histogram.family.description.kind == .histogram(bounds: histogram.bounds))
  }

  @Test func `labels speak the words of their protocols`() {
    #expect(CloseCodeLabel.allCases.map(\.text).prefix(3) == ["none", "1000", "1001"])
    #expect(CloseCodeLabel(code: 1013).text == "1013")
    #expect(CloseCodeLabel(code: 1006).text == "none")
    #expect(CloseCodeLabel(code: nil).text == "none")
    #expect(CloseCodeLabel(code: 4999).text == "other")
    #expect(StatusLabel(status: 426).text == "426")
    #expect(StatusLabel(status: 299).text == "other")
    #expect(HandshakeRejectionLabel.notFound.text == "not_found")
    #expect(ProtocolErrorLabel.utf8.text == "utf8")
    #expect(AcceptErrorLabel.processDescriptors.text == "EMFILE")
    #expect(OpcodeLabel(code: 10) == .pong)
    #expect(OpcodeLabel(code: 11) == .other)
    #expect(OutcomeLabel(status: 202) == .accepted)
    #expect(OutcomeLabel(status: 403) == .denied)
    #expect(OutcomeLabel(status: 409) == .rejected)
    #expect(OutcomeLabel(status: 503) == .failed)
  }

  @Test func `every number of a code maps to the label that shows it`() {
    for label in CloseCodeLabel.allCases {
      if let code = UInt16(label.text) { #expect(CloseCodeLabel(code: code) == label) }
    }
    for label in StatusLabel.allCases { if let code = Int(label.text) { #expect(StatusLabel(status: code) == label) } }
  }
}

@Suite("a shard's metrics")
struct ShardMetricsTests {
  static let facts = GatewayFacts(connectionLimit: 7, isDraining: true, droppedLogLineCount: 3, repeatedLogLineCount: 4)
  static let process = ProcessSample(
    cpuSeconds: 1.5, residentByteCount: 4096, virtualByteCount: 8192, startTime: 1_700_000_000.25, threadCount: 3,
    openDescriptorCount: 9, descriptorLimit: 1024)

  static func exposition(_ shards: [ShardMetrics], openMetrics: Bool = false) throws -> Exposition {
    let page = PrometheusText.render(
      shards: shards, process: process, facts: facts,
      accept: openMetrics ? "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" : nil)
    return try Exposition(String(decoding: page.body, as: UTF8.self), isOpenMetrics: openMetrics)
  }

  @Test func `counters add up over shards`() throws {
    let shards = [ShardMetrics(), ShardMetrics()]
    shards[0].add(.deliveries, 3)
    shards[1].add(.messagesSent)
    shards[0].add(.connectionsClosed(.code1013, .server), 5)
    shards[1].add(.publishRequests(.progress, .accepted), 2)
    let page = try Self.exposition(shards)
    #expect(page.value("signalbox_messages_sent_total") == 4)
    #expect(page.value("signalbox_connections_closed_total", ["code": "1013", "initiator": "server"]) == 5)
    #expect(page.value("signalbox_connections_closed_total", ["code": "1013", "initiator": "client"]) == 0)
    #expect(page.value("signalbox_publish_requests_total", ["operation": "progress", "outcome": "accepted"]) == 2)
  }

  @Test func `a gauge goes down, and a shard's share of it below zero`() throws {
    let shards = [ShardMetrics(), ShardMetrics()]
    shards[0].set(.subscriptions, 5)
    shards[1].subtract(.subscriptions, 2)
    shards[0].add(.connections(.task), 2)
    shards[0].subtract(.connections(.task))
    #expect(shards[1].value(.subscriptions) == -2)
    let page = try Self.exposition(shards)
    #expect(page.value("signalbox_subscriptions") == 3)
    #expect(page.value("signalbox_connections", ["endpoint": "task"]) == 1)
  }

  @Test func `every series is written where its label says`() throws {
    let metrics = ShardMetrics()
    for (place, code) in CloseCodeLabel.allCases.enumerated() {
      for (side, initiator) in InitiatorLabel.allCases.enumerated() {
        metrics.add(.connectionsClosed(code, initiator), place * 10 + side + 1)
      }
    }
    for (place, opcode) in OpcodeLabel.allCases.enumerated() {
      for (side, direction) in DirectionLabel.allCases.enumerated() {
        metrics.add(.frames(opcode, direction), place * 10 + side + 1)
      }
    }
    for (place, operation) in OperationLabel.allCases.enumerated() {
      for (end, outcome) in OutcomeLabel.allCases.enumerated() {
        metrics.add(.publishRequests(operation, outcome), place * 10 + end + 1)
      }
    }
    for (place, direction) in DirectionLabel.allCases.enumerated() {
      for (side, stage) in CompressionStageLabel.allCases.enumerated() {
        metrics.add(.compressedBytes(direction, stage), place * 10 + side + 1)
      }
    }
    let page = try Self.exposition([metrics])
    for (place, code) in CloseCodeLabel.allCases.enumerated() {
      #expect(
        page.value("signalbox_connections_closed_total", ["code": code.text, "initiator": "server"])
          == Double(place * 10 + 2))
    }
    for (place, opcode) in OpcodeLabel.allCases.enumerated() {
      #expect(
        page.value("signalbox_frames_total", ["opcode": opcode.text, "direction": "received"]) == Double(place * 10 + 1)
      )
    }
    for (place, operation) in OperationLabel.allCases.enumerated() {
      #expect(
        page.value("signalbox_publish_requests_total", ["operation": operation.text, "outcome": "failed"])
          == Double(place * 10 + 4))
    }
    #expect(page.value("signalbox_compressed_bytes_total", ["direction": "sent", "stage": "raw"]) == 11)
  }

  @Test func `series of different families share no word`() {
    let series: [MetricSeries] = [
      .connections(.sse), .connectionsOpened(.sse), .connectionsClosed(.other, .server), .handshakesRejected(.timeout),
      .authenticationFailures(.ticket), .users, .subscriptions, .channels, .tasks(.cancelled), .messagesReceived(.sse),
      .messagesSent, .receivedBytes, .sentBytes, .compressedBytes(.sent, .compressed), .frames(.other, .sent),
      .messagesDropped(.tooLarge), .eventsConflated, .slowConsumers(.closed), .sendQueueBytes, .protocolErrors(.json),
      .publishRequests(.read, .failed), .httpRequests(.other), .confirmationsPending, .confirmations(.withdrawn),
      .acknowledgementsPending, .cancels, .resumes(.epoch), .mailboxBatches, .mailboxMessages, .acceptErrors(.other),
    ]
    #expect(Set(series.map(\.index)).count == series.count)
    #expect(series.allSatisfy { $0.index < ShardMetrics.wordCount })
    // The highest label of each is the last series of its description.
    for one in series {
      let family = MetricFamily.allCases[one.index / MetricFamily.wordCount]
      #expect(one.index % MetricFamily.wordCount == family.description.seriesCount - 1, "\(family)")
    }
  }

  @Test func `a value is counted in the bucket whose bound it does not exceed`() throws {
    let metrics = ShardMetrics()
    metrics.observe(.deliveryLatency, 0.0001)
    metrics.observe(.deliveryLatency, nanoseconds: 100_001)
    metrics.observe(.deliveryLatency, 10.0)
    metrics.observe(.deliveryLatency, 10.5, times: 2)
    let page = try Self.exposition([metrics, ShardMetrics()])
    let bucket = "signalbox_delivery_latency_seconds_bucket"
    #expect(page.value(bucket, ["le": "0.0001"]) == 1)
    #expect(page.value(bucket, ["le": "0.00025"]) == 2)
    #expect(page.value(bucket, ["le": "10.0"]) == 3)
    #expect(page.value(bucket, ["le": "+Inf"]) == 5)
    #expect(page.value("signalbox_delivery_latency_seconds_count") == 5)
    let sum = try #require(page.value("signalbox_delivery_latency_seconds_sum"))
    #expect(abs(sum - 31.000200001) < 1e-6)
  }

  @Test func `what is no duration does not spoil the sum`() throws {
    let metrics = ShardMetrics()
    for value in [-1.0, .nan, .infinity] { metrics.observe(.publishDuration, value) }
    metrics.observe(.publishDuration, 1, times: 0)
    let page = try Self.exposition([metrics])
    #expect(page.value("signalbox_publish_duration_seconds_sum") == 0)
    #expect(page.value("signalbox_publish_duration_seconds_count") == 3)
  }

  @Test func `loops are told apart`() throws {
    let shards = [ShardMetrics(), ShardMetrics()]
    shards[1].set(.eventLoopLag, seconds: 0.5)
    shards[1].observe(.eventLoopIteration, 0.001)
    let page = try Self.exposition(shards)
    #expect(page.value("signalbox_event_loop_lag_seconds", ["worker": "0"]) == 0)
    #expect(page.value("signalbox_event_loop_lag_seconds", ["worker": "1"]) == 0.5)
    #expect(page.value("signalbox_event_loop_iteration_seconds_count", ["worker": "1"]) == 1)
    #expect(page.value("signalbox_event_loop_iteration_seconds_bucket", ["worker": "0", "le": "+Inf"]) == 0)
  }

  @Test func `one writer and a scraper at once lose nothing`() throws {
    let metrics = ShardMetrics()
    let roundCount = 20_000
    let writer = try TestThread {
      for _ in 0..<roundCount {
        metrics.add(.messagesSent)
        metrics.observe(.publishDuration, 0.001)
      }
    }
    var last = 0.0
    for _ in 0..<10 {
      let seen = try #require(try Self.exposition([metrics]).value("signalbox_messages_sent_total"))
      #expect(seen >= last)
      last = seen
    }
    writer.join()
    #expect(metrics.value(.messagesSent) == roundCount)
    #expect(try Self.exposition([metrics]).value("signalbox_publish_duration_seconds_count") == Double(roundCount))
  }
}

@Suite("the exposition")
struct PrometheusTextTests {
  @Test(arguments: [false, true])
  func `both formats parse strictly, with every series at 0 from the start`(isOpenMetrics: Bool) throws {
    let page = try ShardMetricsTests.exposition([ShardMetrics()], openMetrics: isOpenMetrics)
    for family in MetricFamily.allCases {
      let description = family.description
      var name = "signalbox_" + description.name
      if description.kind == .counter, !isOpenMetrics { name += "_total" }
      let written = try #require(page.families.first { $0.name == name }, "\(name)")
      if case .histogram = description.kind { continue }
      #expect(written.samples.count == description.seriesCount)
      #expect(written.samples.allSatisfy { $0.value == 0 })
    }
    #expect(page.value("signalbox_build_info", ["version": GatewayVersion.text]) == 1)
    #expect(page.value("signalbox_connections_limit") == 7)
    #expect(page.value("signalbox_draining") == 1)
    #expect(page.value("signalbox_config_last_reload_success") == 1)
    #expect(page.value("signalbox_log_lines_dropped_total") == 3)
    #expect(page.value("signalbox_log_lines_repeated_total") == 4)
    #expect(page.value("process_cpu_seconds_total") == 1.5)
    #expect(page.value("process_open_fds") == 9)
    #expect(page.value("process_start_time_seconds") == 1_700_000_000.25)
  }

  @Test(
    arguments: [
      (nil, false), ("", false), ("*/*", false), ("text/plain", false), ("application/openmetrics-text", true),
      ("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5", true),
      ("text/plain, Application/OpenMetrics-Text; version=1.0.0", true), ("application/openmetrics-text;q=0", false),
    ] as [(String?, Bool)])
  func `the format follows Accept`(accept: String?, isOpenMetrics: Bool) {
    let page = PrometheusText.render(shards: [], process: nil, facts: ShardMetricsTests.facts, accept: accept)
    let isMarked = String(decoding: page.body, as: UTF8.self).hasSuffix("# EOF\n")
    #expect(isMarked == isOpenMetrics)
    #expect(
      page.contentType.description.hasPrefix(
        isOpenMetrics ? "application/openmetrics-text; version=1.0.0" : "text/plain; version=0.0.4"))
  }

  @Test func `the strict reader refuses what is wrong`() {
    let head = "# HELP a b\n# TYPE a gauge\n"
    for text in [
      "a 1\n", head, head + "a 1", head + "a 1\na 1\n", head + "a{x=1} 1\n", head + "a x\n", head + "b 1\n",
      head + "\n",
      head + "a 1\n" + head + "a{y=\"2\"} 1\n",
    ] { #expect(throws: Exposition.Mistake.self) { try Exposition(text, isOpenMetrics: false) } }
    #expect(throws: Exposition.Mistake.self) { try Exposition(head + "a 1\n", isOpenMetrics: true) }
    #expect(throws: Never.self) { try Exposition(head + "a 1\n", isOpenMetrics: false) }
  }
}

@Suite("facts of the process and the machine")
struct ProcessSampleTests {
  @Test func `a sample of this process is plausible`() throws {
    let sample = try #require(ProcessSample.current())
    #expect(sample.residentByteCount > 1 << 20)
    #expect(sample.virtualByteCount >= sample.residentByteCount)
    #expect(sample.openDescriptorCount >= 3)
    #expect(sample.descriptorLimit >= UInt64(sample.openDescriptorCount))
    #expect(sample.threadCount >= 1)
    let now = Double(LogWriter.unixMilliseconds()) / 1000
    #expect(sample.startTime <= now + 1)
    #expect(sample.startTime > now - 86_400)
  }

  @Test func `a command's name may hold spaces and parentheses`() throws {
    let numbers = (3...52).map { String($0) }.joined(separator: " ")
    let fields = try #require(ProcessSample.StatFields(parsing: Array("1 (a) b) (c) \(numbers)\n".utf8)))
    #expect(fields.userTicks == 14 && fields.systemTicks == 15 && fields.threadCount == 20)
    #expect(fields.startTicks == 22 && fields.virtualByteCount == 23 && fields.residentPageCount == 24)
  }

  @Test(arguments: ["", "1", "1 (a", "1 (a) R 1 2", "1 (a) " + String(repeating: "x ", count: 30)])
  func `what is no stat line is nil`(text: String) {
    #expect(ProcessSample.StatFields(parsing: Array(text.utf8)) == nil)
  }

  @Test func `cores are the bits of the mask`() {
    #expect(
      HostFacts.coreCount(processStatus: Array("Name:\tx\nCpus_allowed:\tff,0000000f\nCpus_allowed_list:\t0-3\n".utf8))
        == 12)
    #expect(HostFacts.coreCount(processStatus: Array("Name:\tx\n".utf8)) == nil)
    #expect(HostFacts.current(raisingDescriptorLimit: false).coreCount >= 1)
    #expect(HostFacts.current(raisingDescriptorLimit: false).descriptorLimit > 3)
  }

  @Test func `a process is traced where its status names a tracer`() {
    #expect(HostFacts.isTraced(processStatus: Array("Name:\tx\nTracerPid:\t4107\nUid:\t1\n".utf8)))
    #expect(!HostFacts.isTraced(processStatus: Array("Name:\tx\nTracerPid:\t0\nUid:\t1\n".utf8)))
    #expect(!HostFacts.isTraced(processStatus: Array("Name:\tx\nUid:\t1\n".utf8)))
  }

  @Test func `files are read whole up to the bound`() throws {
    #expect(try FileReading.bytes(ofFileAt: "/dev/null") == [])
    #expect(throws: FileReadingError.system(errorNumber: 2)) { try FileReading.bytes(ofFileAt: "/none/such") }
    #expect(throws: FileReadingError.tooLarge(byteCountMax: 10)) {
      try FileReading.bytes(ofFileAt: "/dev/zero", byteCountMax: 10)
    }
    let own = try FileReading.bytes(ofFileAt: "/proc/self/cmdline")
    #expect(try FileReading.bytes(ofFileAt: "/proc/self/cmdline", byteCountMax: own.count) == own)
    #expect(throws: FileReadingError.self) {
      try FileReading.bytes(ofFileAt: "/proc/self/cmdline", byteCountMax: own.count - 1)
    }
  }

  @Test func `the environment is a block of entries`() {
    let block = Array("A=1\0B=x=y\0A=2\0C\0D=\0".utf8)
    #expect(FileReading.environment(block: block) == ["A": "1", "B": "x=y", "D": ""])
    #expect(FileReading.environment()["PATH"] != nil)
  }
}
