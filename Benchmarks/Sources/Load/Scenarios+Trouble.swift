import Glibc

/// What goes wrong for clients, and what others notice of it.
extension Scenarios {
  /// All clients lose their connections, miss messages and come back at once; an operation is a client that has caught up.
  func resume() {
    let topicCount = options.topicCount
    var plan = Fleet.Plan(count: options.clientCount, topicCount: topicCount)
    var fleet = Fleet(plan, options: options, buffer: buffer)
    let fanOut = FanOut(
      fleet: fleet, topicCount: topicCount, underWayMax: topicCount * (options.missedCount + 1), options: options,
      buffer: buffer)
    // Everybody has a message to come back behind.
    fanOut.runStream(messageCount: topicCount * options.warmUpCount, underWayMax: topicCount)
    plan.underWayMax = options.underWayMax
    var measurement = Measurement()
    // The first storm is not measured.
    for storm in 0...options.operationCount {
      if storm <= 1 { fanOut.resetCounts() }
      fanOut.lose(fleet, missedMessageCount: options.missedCount)
      plan.resumptions = fanOut.resumptions()
      usleep(500_000)
      let stretch = Measurement.of(server) { fleet = fanOut.resume(plan: plan, options: options) }
      if storm > 0 { measurement.add(stretch) }
      // What comes from now on comes live.
      fanOut.runStream(messageCount: topicCount, underWayMax: topicCount)
    }
    fanOut.verifyEnd()

    var report = Report(options)
    report.add("clients", options.clientCount)
    report.add("topics", topicCount)
    report.add("missed_messages", options.missedCount)
    report.add("under_way", options.underWayMax)
    report.add(measurement, operationCount: options.clientCount * options.operationCount)
    report.add("latency_us", fanOut.catchUps)
    report.add("verified", true)
    report.write()
  }

  /// The same, but the server is started anew meanwhile by who runs this: told by a line on standard output, it answers with
  /// the new process's identifier on standard input.
  func restart() {
    let topicCount = options.topicCount
    var plan = Fleet.Plan(count: options.clientCount, topicCount: topicCount)
    var fleet = Fleet(plan, options: options, buffer: buffer)
    let fanOut = FanOut(
      fleet: fleet, topicCount: topicCount, underWayMax: topicCount * (options.missedCount + 1), options: options,
      buffer: buffer)
    fanOut.runStream(messageCount: topicCount * options.warmUpCount, underWayMax: topicCount)
    fanOut.resetCounts()
    plan.underWayMax = options.underWayMax
    var measurement = Measurement()
    var storms = Histogram()
    for _ in 0..<options.operationCount {
      fanOut.lose(fleet, missedMessageCount: options.missedCount)
      plan.resumptions = fanOut.resumptions()
      fanOut.closePublisher()
      print("restart")
      fflush(nil)
      guard let identifier = readLine().flatMap({ Int32($0) }) else { fail("nobody started the server anew") }
      let stretch = Measurement.of(ServerProcess(identifier: identifier)) {
        fleet = fanOut.resume(plan: plan, options: options)
      }
      measurement.add(stretch)
      storms.record(stretch.wallNanoseconds)
      fanOut.openPublisher(options)
      fanOut.runStream(messageCount: topicCount, underWayMax: topicCount)
    }
    fanOut.verifyEnd()

    var report = Report(options)
    report.add("clients", options.clientCount)
    report.add("topics", topicCount)
    report.add("missed_messages", options.missedCount)
    report.add("under_way", options.underWayMax)
    report.add(measurement, operationCount: options.clientCount * options.operationCount)
    // From each client's connect call to its last missed message, and from the first's to everybody's.
    report.add("latency_us", fanOut.catchUps)
    report.add("storm_us", storms)
    report.add("verified", true)
    report.write()
  }

  /// Subscribers that never read beside others that do: what those notice, and what it costs the server.
  func slow() {
    let fleet = Fleet(.init(count: options.clientCount), options: options, buffer: buffer)
    let fanOut = FanOut(
      fleet: fleet, topicCount: 1, underWayMax: options.underWayMax, options: options, buffer: buffer)
    fanOut.runClosedLoop(messageCount: options.warmUpCount)
    fanOut.resetCounts()
    let alone = Measurement.of(server) {
      fanOut.runPaced(messageCount: options.operationCount, perSecond: options.perSecond)
    }
    let latenciesAlone = fanOut.latencies
    let deliveryCountAlone = fanOut.deliveryCount

    let slowReaders = SlowReaders(options: options, buffer: buffer)
    fanOut.runStream(messageCount: options.fillCount, underWayMax: min(16, options.underWayMax))
    fanOut.resetCounts()
    let measurement = Measurement.of(server) {
      fanOut.runPaced(messageCount: options.operationCount, perSecond: options.perSecond)
    }
    fanOut.verifyEnd()
    let outcome = slowReaders.drain(lastNumber: fanOut.lastNumber)

    var report = Report(options)
    report.add("clients", options.clientCount)
    report.add("slow_readers", options.slowCount)
    report.add(measurement, operationCount: fanOut.deliveryCount)
    report.add("cpu_us_per_operation_alone", Double(alone.cpuNanoseconds) / 1000 / Double(deliveryCountAlone))
    report.add("resident_bytes_alone", alone.residentAfter)
    report.add("resident_bytes_when_full", measurement.residentBefore)
    let growth = measurement.residentAfter - alone.residentAfter
    report.add("resident_growth_bytes", growth)
    report.add("resident_bytes_per_slow_reader", Double(growth) / Double(max(1, options.slowCount)))
    report.add("slow_readers_that_caught_up", outcome.caughtUpCount)
    report.add("slow_readers_closed_with_1013", outcome.closedAsSlowCount)
    report.add("slow_readers_closed_with_another_code", outcome.closedOtherwiseCount)
    report.add("slow_readers_closed_without_a_code", outcome.closedSilentlyCount)
    report.add("messages_to_slow_readers", outcome.messageCount)
    report.add("messages_skipped", outcome.skippedCount)
    report.add("latency_us", fanOut.latencies)
    report.add("latency_alone_us", latenciesAlone)
    report.add(lateness: fanOut.lateness, of: fanOut.latencies)
    let p99Alone = Double(max(1, latenciesAlone.value(atQuantile: 0.99)))
    report.add("p99_ratio", Double(fanOut.latencies.value(atQuantile: 0.99)) / p99Alone)
    report.add("verified", true)
    report.write()
  }

  /// Large fan-outs, and what another connection of the same loop and another topic notice of them.
  func spare() {
    let fleet = Fleet(.init(count: options.clientCount), options: options, buffer: buffer)
    let fanOut = FanOut(fleet: fleet, topicCount: 1, underWayMax: 8, options: options, buffer: buffer)
    fanOut.runClosedLoop(messageCount: options.warmUpCount)
    fanOut.resetCounts()
    let probe = LoopProbe(options: options, buffer: buffer)
    fanOut.probe = probe
    probe.start()
    let measurement = Measurement.of(server) {
      fanOut.runPaced(messageCount: options.operationCount, perSecond: options.perSecond)
    }
    fanOut.settleProbe()
    fanOut.verifyEnd()

    var report = Report(options)
    report.add("clients", options.clientCount)
    report.add(measurement, operationCount: fanOut.deliveryCount)
    report.add("latency_us", fanOut.latencies)
    report.add("ping_during_us", probe.pingLatencies.during)
    report.add("ping_quiet_us", probe.pingLatencies.quiet)
    report.add("other_topic_during_us", probe.messageLatencies.during)
    report.add("other_topic_quiet_us", probe.messageLatencies.quiet)
    report.add(lateness: probe.lateness, of: probe.pingLatencies.during)
    report.add("verified", true)
    report.write()
  }
}
