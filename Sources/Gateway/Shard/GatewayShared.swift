import GatewayDomain
import Protocol
import Synchronization

/// What the shards share: immutable values, mailboxes, and a few counters that are touched per connection, never per message.
///
/// What is written lies on lines of its own: otherwise each connection that comes would take from all cores the line on
/// which they read, for every message, where the rest is.
final class GatewayShared: Sendable {
  let configuration: Configuration
  /// `Configuration.isAuthenticationRequired`, here because asking it there copies the whole configuration.
  let isAuthenticationRequired: Bool
  let mailboxes: [Mailbox<ShardMessage>]
  let metrics: [ShardMetrics]
  let log: LogWriter
  /// Makes the configured keys. Each shard has its own: every request's look at them counts references up and down, which
  /// on common memory would be a line that all cores write.
  let makeCredentials: @Sendable () -> Credentials
  let tickets: TicketOffice
  let census: ConnectionCensus
  let startedAtWall: Double
  let listening: ListenAddress
  let shardCount: Int
  /// Whether publishers are to come back later.
  let mailPressure: MailPressure
  /// Nil where everything is in memory only.
  let store: (any StorePort)?
  /// The first row number that the store has not given away.
  let firstStoreRow: Int64
  /// Each shard's last turn, for `/livez`.
  let lastTurns: [TurnClock]
  private let padding = CacheLine.Padding(repeating: 0)
  /// WebSocket connections and event streams: what counts towards `max-connections`.
  let activeConnections = Atomic<Int>(0)
  /// Connections beyond the cap that are being told so.
  let parkedConnections = Atomic<Int>(0)
  /// WebSocket connections that agreed on compression: where there are none, nothing is compressed for them.
  let compressedReaders = Atomic<Int>(0)
  /// Worker sockets: where there are none, nobody is told what workers are told.
  let workerConnections = Atomic<Int>(0)
  /// Executions that no worker has been offered, as of the dispatcher's last change.
  let waitingExecutions = Atomic<Int>(0)
  let isDraining = Atomic<Bool>(false)
  let isReady = Atomic<Bool>(false)
  /// Shards that have put back what the store had.
  let restoredShards = Atomic<Int>(0)
  /// Questions that more than one user may answer: who comes is asked from every shard while there are any.
  let sharedQuestions = Atomic<Int>(0)
  private let paddingBehind = CacheLine.Padding(repeating: 0)

  init(
    configuration: Configuration, mailPressure: MailPressure, mailboxes: [Mailbox<ShardMessage>],
    metrics: [ShardMetrics], log: LogWriter,
    makeCredentials: @escaping @Sendable () -> Credentials, startedAtWall: Double, listening: ListenAddress,
    store: (any StorePort)? = nil, firstStoreRow: Int64 = 1
  ) {
    self.store = store
    self.firstStoreRow = firstStoreRow
    self.configuration = configuration
    isAuthenticationRequired = configuration.isAuthenticationRequired
    self.mailPressure = mailPressure
    self.mailboxes = mailboxes
    shardCount = mailboxes.count
    self.metrics = metrics
    self.log = log
    self.makeCredentials = makeCredentials
    tickets = TicketOffice()
    census = ConnectionCensus(
      addressCountMax: configuration.connectionCountMaxPerAddress,
      userCountMax: configuration.connectionCountMaxPerUser)
    self.startedAtWall = startedAtWall
    self.listening = listening
    lastTurns = mailboxes.map { _ in TurnClock() }
  }

  /// Connections of every kind, as of each shard's last turn.
  var connectionCount: Int { lastTurns.reduce(0) { $0 + $1.connectionCount.load(ordering: .relaxed) } }

  func home(of task: TaskIdentifier) -> Int { home(ofTaskNamed: task.text) }

  func home(ofTaskNamed name: String) -> Int {
    // With one shard the name need not be hashed.
    shardCount == 1 ? 0 : Int(TopicHash.of(name) % UInt64(shardCount))
  }

  /// Where a worker's socket is, which its number says.
  func shard(of worker: WorkerIdentifier) -> Int { Int(worker.number % UInt64(shardCount)) }

  /// A user's home, by the 16 bits of its hash that callback and message identifiers carry too.
  func home(ofUserHash hash: UInt16) -> Int {
    Int(hash) % shardCount
  }

  /// An idempotency key's home, by its digest.
  func home(of token: IdempotencyToken) -> Int { Int(token.low % UInt64(shardCount)) }

  func home(of user: UserIdentifier) -> Int {
    home(ofUserHash: TopicHash.short(user.text))
  }
}

/// When a shard last turned: written by its thread in every turn, read by whoever asks for `/livez`.
final class TurnClock: Sendable {
  private let padding = CacheLine.Padding(repeating: 0)
  /// Milliseconds of the shard's clock.
  let value = Atomic<Int64>(.max / 2)
  /// Connections of every kind that the shard holds.
  let connectionCount = Atomic<Int>(0)
  private let paddingBehind = CacheLine.Padding(repeating: 0)
}
