import Glibc

/// What each scenario does with the options.
struct Scenarios {
  let options: Options
  let server: ServerProcess
  let buffer = ReadBuffer()

  func run() {
    switch options.scenario {
    case .closed, .paced, .stream, .topics, .deflate: fanOut()
    case .echo: echo()
    case .handshake: handshake()
    case .idle: idle()
    case .httpPublish, .linePublish: publish()
    case .resume: resume()
    case .restart: restart()
    case .slow: slow()
    case .spare: spare()
    }
  }

  /// One message goes to many; an operation is a delivery.
  private func fanOut() {
    let topicCount = options.scenario == .topics ? options.topicCount : 1
    let underWayMax = [.closed, .deflate].contains(options.scenario) ? 1 : options.underWayMax
    let plan = Fleet.Plan(
      count: options.clientCount, topicCount: topicCount, offersDeflate: options.scenario == .deflate)
    let fleet = Fleet(plan, options: options, buffer: buffer)
    let fanOut = FanOut(
      fleet: fleet, topicCount: topicCount, underWayMax: underWayMax, options: options, buffer: buffer)
    func publish(_ count: Int) {
      switch options.scenario {
      case .closed, .deflate: fanOut.runClosedLoop(messageCount: count)
      case .paced: fanOut.runPaced(messageCount: count, perSecond: options.perSecond)
      default: fanOut.runStream(messageCount: count, underWayMax: underWayMax)
      }
    }
    publish(options.warmUpCount)
    fanOut.resetCounts()
    let measurement = Measurement.of(server) { publish(options.operationCount) }
    fanOut.verifyEnd()

    var report = Report(options)
    report.add("clients", options.clientCount)
    report.add("topics", topicCount)
    report.add("messages", fanOut.publishedCount)
    report.add("messages_per_request", Double(fanOut.publishedCount) / Double(fanOut.requestCount))
    report.add(measurement, operationCount: fanOut.deliveryCount)
    report.add("bytes_per_delivery", Double(fanOut.receivedByteCount) / Double(fanOut.deliveryCount))
    report.add("deliveries_per_read", Double(fanOut.deliveryCount) / Double(fanOut.readCount))
    report.add("compressed", fleet.isCompressed)
    report.add("latency_us", fanOut.latencies)
    report.add(lateness: fanOut.lateness, of: fanOut.latencies)
    report.add("verified", true)
    report.write()
  }

  private func echo() {
    let path = Targets.named(options.target).echoPath
    let fleet = Fleet(.init(count: options.clientCount, path: path), options: options, buffer: buffer)
    let echo = Echo(
      fleet: fleet, messageByteCount: options.messageByteCount, underWay: options.underWayMax, buffer: buffer)
    echo.run(roundCount: options.warmUpCount)
    echo.latencies.removeAll()
    let measurement = Measurement.of(server) { echo.run(roundCount: options.operationCount) }
    var report = Report(options)
    report.add("clients", options.clientCount)
    report.add("under_way", options.underWayMax)
    report.add(measurement, operationCount: options.operationCount * options.clientCount * options.underWayMax)
    report.add("latency_us", echo.latencies)
    report.add("verified", true)
    report.write()
  }

  /// Connections are opened as fast as the server answers, so many under way at once, without a subscription.
  private func handshake() {
    let path = Targets.named(options.target).subscriptionPath(topic: 0)
    var plan = Fleet.Plan(count: options.warmUpCount, path: path, underWayMax: options.underWayMax)
    var fleets = [Fleet(plan, options: options, buffer: buffer)]
    plan.count = options.clientCount
    let measurement = Measurement.of(server) {
      fleets.append(Fleet(plan, options: options, buffer: buffer))
    }
    var report = Report(options)
    report.add("under_way", options.underWayMax)
    report.add(measurement, operationCount: options.clientCount)
    report.add("latency_us", fleets[1].handshakes)
    report.add("verified", true)
    report.write()
  }

  /// Connections with one subscription each, then silence.
  private func idle() {
    var fleet: Fleet?
    let opening = Measurement.of(server) {
      let plan = Fleet.Plan(count: options.clientCount, topicCount: options.topicCount)
      fleet = Fleet(plan, options: options, buffer: buffer)
      usleep(500_000)
    }
    let silence = Measurement.of(server) { usleep(UInt32(options.operationCount) * 1000) }
    guard let fleet else { return }
    let count = Double(fleet.sockets.count)
    var report = Report(options)
    report.add("clients", fleet.sockets.count)
    report.add("topics", options.topicCount)
    report.add("resident_bytes_without_clients", opening.residentBefore)
    report.add("resident_bytes", silence.residentAfter)
    report.add("bytes_per_connection", Double(silence.privateAfter - opening.privateBefore) / count)
    // Of both ends; see KernelMemory.
    let kernel = opening.kernelMemoryGrowth
    report.add("kernel_slab_bytes_per_connection", Double(kernel.slabByteCount) / count)
    report.add("kernel_tcp_bytes_per_connection", Double(kernel.tcpByteCount) / count)
    report.add("machine_bytes_per_connection", -Double(kernel.availableByteCount) / count)
    report.add("idle_cpu_permille", Double(silence.cpuNanoseconds) / Double(silence.wallNanoseconds) * 1000)
    report.write()
  }

  /// Publishes that nobody has subscribed to; an operation is a message.
  private func publish() {
    let storm = PublishStorm(options: options, buffer: buffer)
    storm.run(messageCount: options.warmUpCount)
    storm.latencies.removeAll()
    let measurement = Measurement.of(server) { storm.run(messageCount: options.operationCount) }
    var report = Report(options)
    report.add("clients", options.clientCount)
    report.add("topics", options.topicCount)
    report.add(measurement, operationCount: storm.messageCount)
    report.add("latency_us", storm.latencies)
    report.write()
  }
}
