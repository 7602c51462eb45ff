import GatewayDomain
import Protocol
import Synchronization
import Testing

@testable import Gateway

/// A whole gateway in one thread: real shards and real mailboxes over a simulated network and a virtual clock.
///
/// Nothing runs by itself. `settle` turns every shard until nothing is left to do at this instant; `advance` moves the
/// clock to the next moment at which a shard wants to wake and settles there, again and again. The mailboxes' wake
/// descriptors are not watched: every shard turns anyway.
final class SimulatedGateway {
  static let publisherKey = "publisher-key"
  /// Long enough for HS256.
  static let tokenSecret = "0123456789abcdef0123456789abcdef"
  /// Rounds after which a gateway that never comes to rest is taken to spin.
  private static let roundCountMax = 100_000
  private static let log = LogWriter(level: .error, format: .json)

  let world: SimulatedWorld
  let shared: GatewayShared
  let environments: [SimulatedEnvironment]
  let shards: [Shard<SimulatedEnvironment>]
  /// Nil where everything is in memory only.
  let store: SimulatedStore?
  private(set) var clients: [SimulatedClient] = []
  private var nextPeer: UInt32 = 0x0A00_0001

  init(
    shardCount: Int = 1, seed: UInt64 = 1, faults: SimulatedFaults = .none, world known: SimulatedWorld? = nil,
    disk: SimulatedDisk? = nil, configure: (inout Configuration) -> Void = { _ in }
  ) {
    var configuration = Configuration(
      host: HostFacts(coreCount: shardCount, descriptorLimit: 65_536, standardErrorIsTerminal: false))
    configuration.authentication = .off
    configuration.apiKeys = [Self.publisherKey]
    configuration.isCompressionOn = false
    configure(&configuration)
    let mailPressure = MailPressure()
    let mailboxes = (0..<shardCount).map { _ in Mailbox<ShardMessage>(pressure: mailPressure) }
    let world = known ?? SimulatedWorld(seed: seed, faults: faults)
    let store = disk.map { SimulatedStore($0, mailboxes: mailboxes) }
    let state = disk?.open() ?? .empty
    let keys = configuration
    let makeCredentials: @Sendable () -> Credentials = {
      let verifier = keys.jwtSecret.flatMap { TokenSecret(bytes: Array($0.utf8)) }.map {
        TokenVerifier(keys: [.secret($0)], issuer: nil, audience: nil, leeway: 0)
      }
      return Credentials(apiKeys: keys.apiKeys, verifier: verifier)
    }
    let shared = GatewayShared(
      configuration: configuration, mailPressure: mailPressure, mailboxes: mailboxes,
      metrics: mailboxes.map { _ in ShardMetrics() }, log: Self.log,
      makeCredentials: makeCredentials, startedAtWall: world.wallSeconds,
      listening: ListenAddress(host: "gateway", port: 80), store: store, firstStoreRow: state.nextKey)
    let environments = mailboxes.map { _ in SimulatedEnvironment(world: world) }
    self.store = store
    self.world = world
    self.shared = shared
    self.environments = environments
    shards = environments.indices.map { Shard(index: $0, shared: shared, environment: environments[$0]) }
    for shard in shards { shard.restore(state) }
    shared.isReady.store(true, ordering: .relaxed)
  }

  /// A token of the gateway's own kind, good for an hour unless told otherwise.
  func token(_ subject: String, role: TokenClaims.Role = .user, secondsLeft: Double = 3600) -> String {
    guard let secret = TokenSecret(bytes: Array(Self.tokenSecret.utf8)) else { return "" }
    return TokenIssuer.mint(
      TokenClaims(subject: subject, expiresAt: world.wallSeconds + secondsLeft, role: role), secret: secret)
  }

  /// A new client on the shard's listener; every one comes from an address of its own unless told otherwise.
  func connect(
    to shard: Int = 0, roomByteCount: Int = 1 << 20, peer: InternetAddress? = nil, isInternal: Bool = false
  ) -> SimulatedClient {
    nextPeer += 1
    let stream = SimulatedStream(
      roomByteCount: roomByteCount, peer: peer ?? InternetAddress(version4: nextPeer), isInternal: isInternal)
    environments[shard].connect(stream)
    let client = SimulatedClient(stream: stream)
    clients.append(client)
    return client
  }

  // MARK: Running

  /// Turns the shards, in an order that the seed chooses, until nothing is left to do now.
  func settle(sourceLocation: SourceLocation = #_sourceLocation) {
    var rounds = 0
    repeat {
      turnOnce()
      rounds += 1
      if rounds > Self.roundCountMax {
        Issue.record("the gateway does not come to rest", sourceLocation: sourceLocation)
        return
      }
    } while !isQuiet
  }

  /// One turn of every shard; clients that read do so in between.
  func turnOnce() {
    for shard in shards.shuffled(using: &world.generator) {
      shard.turn()
      for client in clients where client.isReading { client.read() }
      // The store's thread runs when it runs.
      if world.generator.once(in: 2) { store?.commit(at: world.milliseconds) }
    }
  }

  /// SIGTERM: what the gateway has is written, and the store is marked.
  func stop() {
    for mailbox in shared.mailboxes { mailbox.post([.stop]) }
    while shards.contains(where: { !$0.isStopped }) { turnOnce() }
    store?.stop(at: world.milliseconds)
  }

  private var isQuiet: Bool {
    if store?.hasWork(at: world.milliseconds) == true { return false }
    for (shard, environment) in zip(shards, environments) {
      if environment.isAnythingReady || !shared.mailboxes[shard.index].isEmpty || shard.hasWorkNow { return false }
    }
    return clients.allSatisfy { !$0.isReading || $0.stream.toClient.isEmpty }
  }

  /// Lets so much time pass. As with the kernel's poller every shard sleeps for as long as it said: one that asks for
  /// too long a sleep misses its deadlines here as it would out there.
  func advance(milliseconds: Int64, sourceLocation: SourceLocation = #_sourceLocation) {
    // What has happened outside since wakes them at once.
    settle(sourceLocation: sourceLocation)
    var left = milliseconds
    while left > 0 {
      var sleep = shards.reduce(left) { min($0, Int64($1.waitMilliseconds())) }
      if let retry = store?.nextRetryMilliseconds { sleep = min(sleep, max(1, retry - world.milliseconds)) }
      guard sleep > 0 else {
        Issue.record("the gateway has work and is asked to sleep", sourceLocation: sourceLocation)
        return
      }
      world.nanoseconds += UInt64(sleep) * 1_000_000
      left -= sleep
      settle(sourceLocation: sourceLocation)
    }
  }

  func advance(seconds: Int64, sourceLocation: SourceLocation = #_sourceLocation) {
    advance(milliseconds: seconds * 1000, sourceLocation: sourceLocation)
  }

  // MARK: Reading the gateway

  func metric(_ series: MetricSeries) -> Int { shared.metrics.reduce(0) { $0 + $1.value(series) } }

  /// What is held for clients that are gone; empty where nothing leaks.
  var leftovers: [String] {
    var found: [String] = world.misuses
    func note(_ what: String, _ count: Int, _ shard: Int) {
      if count != 0 { found.append("shard \(shard): \(count) \(what)") }
    }
    for shard in shards {
      note("connections", shard.connections.count, shard.index)
      note("outbound nodes", shard.outboundNodes.count, shard.index)
      note("frames", shard.frames.count, shard.index)
      note("subscriptions", shard.topics.subscriptionCount, shard.index)
      note("topics", shard.topics.topicCount, shard.index)
      note("laggards", shard.topics.laggardCount, shard.index)
      note("bytes of rings", shard.topics.ringByteCount, shard.index)
      note("interests", shard.interests.count, shard.index)
      note("asked connections", shard.asked.values.reduce(0) { $0 + $1.count }, shard.index)
      note("gatherings", shard.gatherings.count, shard.index)
      note("messages to itself", shard.localMail.count, shard.index)
      note("condemned", shard.condemned.count, shard.index)
      note("open descriptors", environments[shard.index].openDescriptorCount, shard.index)
    }
    for endpoint in SocketEndpoint.allCases {
      note("in the gauge of \(endpoint)", metric(.connections(EndpointLabel(endpoint))), -1)
    }
    note("active", shared.activeConnections.load(ordering: .relaxed), -1)
    note("parked", shared.parkedConnections.load(ordering: .relaxed), -1)
    return found
  }

  /// Every client goes, and with it everything that was kept for it.
  func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) {
    for client in clients { client.close() }
    settle(sourceLocation: sourceLocation)
    // Held requests and half-closed peers are noticed when their time is over.
    advance(seconds: 1, sourceLocation: sourceLocation)
    if !leftovers.isEmpty { advance(seconds: 400, sourceLocation: sourceLocation) }
    #expect(leftovers == [], sourceLocation: sourceLocation)
  }
}
