import CEpollShim
import GatewayDomain
import Glibc
import Protocol
import Synchronization

/// The composition root: the only place that builds things. Starts the shards, waits for a signal, drains, stops.
package final class GatewayServer {
  private let configuration: Configuration
  private let log: LogWriter
  private let shared: GatewayShared
  private let threads: [PosixThread]
  private let store: GatewayStore?
  /// A signal that came during the start, 0 for none: it is not to be lost.
  private let earlySignal: Int32

  /// Listens and starts one thread per shard.
  init(_ configuration: Configuration, log: LogWriter, database: OpenedDatabase?) throws(SystemCallError) {
    self.configuration = configuration
    self.log = log
    let mailPressure = MailPressure()
    let mailboxes = (0..<configuration.threadCount).map { _ in Mailbox<ShardMessage>(pressure: mailPressure) }
    let listeners = try Self.listeners(
      ListenAddress(host: configuration.host, port: UInt16(configuration.port)), count: mailboxes.count)
    let internalListeners = try configuration.internalPort.map { port throws(SystemCallError) in
      try Self.listeners(ListenAddress(host: "127.0.0.1", port: UInt16(port)), count: mailboxes.count)
    }
    let state = database?.state ?? .empty
    let store = try database.map { database throws(SystemCallError) in
      try GatewayStore(database, mailboxes: mailboxes, pressure: mailPressure)
    }
    self.store = store
    let shared = GatewayShared(
      configuration: configuration, mailPressure: mailPressure, mailboxes: mailboxes,
      metrics: mailboxes.map { _ in ShardMetrics() }, log: log,
      makeCredentials: { Credentials(apiKeys: configuration.apiKeys, verifier: Self.verifier(configuration)) },
      startedAtWall: Double(LogWriter.unixMilliseconds()) / 1000, listening: listeners[0].bound,
      store: store, firstStoreRow: state.nextKey)
    self.shared = shared
    var threads: [PosixThread] = []
    for index in mailboxes.indices {
      let listener = listeners[index].descriptor
      let internalListener = internalListeners?[index].descriptor ?? -1
      let wake = mailboxes[index].wakeDescriptor
      let environment = HandedOver(
        try LinuxEnvironment(listener: listener, internalListener: internalListener, wakeDescriptor: wake))
      let stored = Mutex<StoredState?>(state)
      threads.append(
        try PosixThread {
          let shard = Shard(index: index, shared: shared, environment: environment.value)
          // Taken, so that it is not kept for as long as the shard runs.
          if let state = stored.withLock({ $0.take() }) { shard.restore(state) }
          shard.run()
        })
    }
    self.threads = threads
    var earlySignal: Int32 = 0
    while shared.restoredShards.load(ordering: .acquiring) < threads.count {
      let signal = signalbox_wait_signal_for(StartLimits.restorePollMilliseconds)
      if signal != 0, signal != SIGHUP { earlySignal = signal }
    }
    self.earlySignal = earlySignal
    shared.isReady.store(true, ordering: .relaxed)
    announce(internalPort: internalListeners?[0].bound.port)
  }

  /// One listener per shard on one port: the kernel spreads the connections.
  private static func listeners(
    _ address: ListenAddress, count: Int
  ) throws(SystemCallError) -> [(descriptor: Int32, bound: ListenAddress)] {
    var opened = [try ListeningSocket.open(address, probes: true)]
    while opened.count < count { opened.append(try ListeningSocket.open(opened[0].bound, probes: false)) }
    return opened
  }

  private static func verifier(_ configuration: Configuration) -> TokenVerifier? {
    guard let text = configuration.jwtSecret, let secret = TokenSecret(bytes: Array(text.utf8)) else { return nil }
    return TokenVerifier(
      keys: [.secret(secret)], issuer: configuration.jwtIssuer, audience: configuration.jwtAudience,
      leeway: configuration.jwtLeeway.seconds)
  }

  private func announce(internalPort: UInt16?) {
    let host = shared.listening.host.contains(":") ? "[\(shared.listening.host)]" : shared.listening.host
    var fields: LogFields = [
      "url": .text("http://\(host):\(shared.listening.port)"), "threads": .integer(shared.shardCount),
      "max_connections": .integer(configuration.connectionCountMax),
      "auth": .text(configuration.isAuthenticationRequired ? "required" : "off"),
    ]
    if let internalPort { fields.append("internal_url", .text("http://127.0.0.1:\(internalPort)")) }
    log.log(.info, "listening", fields)
    log.flush()
  }

  /// Where it listens.
  package var port: UInt16 { shared.listening.port }

  /// Serves until SIGTERM or SIGINT, then drains. A second signal ends the drain.
  package func runUntilSignal() {
    var signal = earlySignal != 0 ? earlySignal : signalbox_wait_signal_for(StartLimits.settlingMilliseconds)
    if signal == 0 {
      // Reading the configuration, the libraries' own beginnings and the shards' took several times the code that serving
      // takes: it is not to be resident for as long as the gateway runs.
      if !HostFacts.isTraced { _ = signalbox_release_code() }
      signal = signalbox_wait_signal()
    }
    while signal == SIGHUP {
      defer { signal = signalbox_wait_signal() }
      log.log(.warning, "nothing to reload", ["reason": "keys are read at start in this release"])
    }
    log.log(.info, "draining", ["connections": .integer(shared.activeConnections.load(ordering: .relaxed))])
    drain()
    log.log(.info, "stopped", [:])
  }

  /// Tells every client to connect elsewhere, waits until they have gone, at most `--drain-timeout`, and stops.
  package func drain() {
    shared.isDraining.store(true, ordering: .relaxed)
    for mailbox in shared.mailboxes { mailbox.post([.drain]) }
    let patience = configuration.drainTimeout.milliseconds
    var waited: Int64 = 0
    // At least one look later: a shard must have seen the mail before its count means anything.
    while waited < patience, waited == 0 || shared.connectionCount > 0 {
      let signal = signalbox_wait_signal_for(DrainLimits.pollMilliseconds)
      if signal != 0, signal != SIGHUP {
        log.log(.warning, "drain cut short", ["reason": "a second signal"])
        break
      }
      waited += Int64(DrainLimits.pollMilliseconds)
    }
    for mailbox in shared.mailboxes { mailbox.post([.stop]) }
    for thread in threads { thread.join() }
    // Every shard has handed over all it has.
    store?.stop()
  }
}

enum StartLimits {
  /// Milliseconds between two looks at whether all shards have put back what the store had.
  static let restorePollMilliseconds: Int32 = 2
  /// Milliseconds after which every shard has begun to wait for work.
  static let settlingMilliseconds: Int32 = 200
}

enum DrainLimits {
  /// Milliseconds between two looks at whether everybody has gone.
  static let pollMilliseconds: Int32 = 10
}

/// A value that one thread made and another one owns from then on.
struct HandedOver<Value>: @unchecked Sendable {
  // SENDABLE: the maker gives the value up; only the new thread touches it.
  let value: Value
  init(_ value: Value) { self.value = value }
}
