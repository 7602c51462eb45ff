import GatewayDomain
import Protocol

/// The state of one event-loop thread: its connections, their subscriptions, and the tasks, confirmations and
/// messages that have their home here. It carries; what is decided is decided in the domain and the dialects.
///
/// One thread only. The outside world enters as `Environment`.
@safe final class Shard<Environment: GatewayEnvironment> {
  let index: Int
  let shared: GatewayShared
  let environment: Environment
  let metrics: ShardMetrics
  let credentials: Credentials

  // Connections.
  let connections: Slab<Connection>
  let outboundNodes = Slab<OutboundNode>(countMax: ShardLimits.outboundNodeCountMax) { OutboundNode() }
  let frames = FramePool(countMax: ShardLimits.frameCountMax)
  let topics = ShardTopics()
  /// Who has been asked what: each pending confirmation goes to a connection once.
  var asked: [CallbackIdentifier: Set<ConnectionToken>] = [:]
  /// This turn's events by task, and their tasks: see `closeRuns`.
  var openEvents: [OpenEvent] = []
  var openTopics: [LocalTopic] = []
  /// Bytes of a run before it is closed.
  let runByteCountMax: Int
  var flushList = PackedList<Int32>()
  /// Connections that earlier turns have left to be flushed, oldest first from `leftOverPosition` on.
  var leftOver = PackedList<Int32>()
  var leftOverPosition = 0
  var condemned: [Condemned] = []
  /// Connections whose answer has come and that have more requests in their buffer.
  var resumable: [ConnectionToken] = []
  var fanOutStamp: UInt32 = 0
  var wheel: TimerWheel
  var due: [TimerWheel.Entry] = []

  // Homes.
  var taskDesk: TaskDesk
  var confirmationDesk: ConfirmationDesk
  var messageDesk: MessageDesk
  var idempotencyDesk: IdempotencyDesk
  /// Requests whose key is in use by one that is under way.
  var idempotencyWaiters: [IdempotencyToken: [(address: ReplyAddress, bodyDigest: IdempotencyToken)]] = [:]
  var interests: [TaskIdentifier: TaskInterest] = [:]
  var taskEffects: [TaskEffect] = []
  var confirmationEffects: [ConfirmationEffect] = []
  var waiters = AnswerWaiters()
  /// Questions that nobody has been asked, because the store does not have them yet.
  var unstoredQuestions: Set<CallbackIdentifier> = []
  /// This shard's part of `GatewayShared.sharedQuestions`.
  var sharedQuestionCount = 0
  var openings = OpeningCache()
  /// The frames of pending questions, encoded once however often they are asked.
  var questions: [CallbackIdentifier: SharedFrame] = [:]
  var gatherings: [UInt64: Gathering] = [:]
  var gatheringNumber: UInt64 = 0
  /// Executions of this home that nobody has reported on.
  var unclaimedExecutions: Set<TaskIdentifier> = []
  /// Whom commands about this home's tasks go to.
  var workerDirectory = WorkerDirectory()
  /// The worker whose command is being carried out.
  var reporter: WorkerIdentifier?
  /// Of use on one shard only, `dispatcherIndex`.
  var dispatcher = ExecutionDispatcher()

  // Workers whose sockets are here.
  var workers: [WorkerIdentifier: ConnectionToken] = [:]
  /// All that ever were.
  var workerCount: UInt64 = 0

  /// Nil where everything is in memory only.
  let store: StoreLink?

  // Mail.
  var localMail: [ShardMessage] = []
  let mailbox: Mailbox<ShardMessage>
  let outboxes: [MailSender<ShardMessage>]
  let mailBlocks = MailBlockPool<ShardMessage>()

  // Scratch.
  var ready: [ReadyEvent] = []
  let receiveBuffer: UnsafeMutableRawBufferPointer
  let sendBuffer: UnsafeMutableRawBufferPointer
  /// The head of a handshake that is answered while it is read.
  let opening = OpeningScratch()
  var inflaters = InflaterPool()
  var deflaters = DeflaterPool()
  var dateCache = HTTPDateCache()

  // The turn's clock.
  let clock: TurnClock
  var nowMilliseconds: Int64
  var nowWall: Double
  var monotonicSeconds: Double { Double(nowMilliseconds) / 1000 }
  var moment: Moment { Moment(wall: nowWall, monotonic: monotonicSeconds) }

  var isStopped = false
  /// Shards that have heard of the drain.
  var drainHeardCount = 0
  /// Milliseconds at which a listener that ran out of descriptors is tried again.
  var acceptAgainAt: Int64 = .max
  var statusRepeatAt: Int64 = .max
  /// The tick of which `openings` is.
  var openingsTick: Int64 = 0

  init(index: Int, shared: GatewayShared, environment: Environment) {
    self.index = index
    self.shared = shared
    self.environment = environment
    metrics = shared.metrics[index]
    credentials = shared.makeCredentials()
    connections = Slab(countMax: ShardLimits.connectionCountMax) { Connection() }
    nowMilliseconds = Int64(environment.monotonicNanoseconds() / 1_000_000)
    nowWall = environment.wallSeconds()
    wheel = TimerWheel(nowMilliseconds: nowMilliseconds)
    mailbox = shared.mailboxes[index]
    clock = shared.lastTurns[index]
    let mailBlocks = mailBlocks
    outboxes = shared.mailboxes.map { MailSender(to: $0, pool: mailBlocks) }
    unsafe receiveBuffer = .allocate(byteCount: ShardLimits.receiveByteCount, alignment: 16)
    unsafe sendBuffer = .allocate(byteCount: ShardLimits.sendByteCount, alignment: 16)
    let configuration = shared.configuration
    runByteCountMax = min(
      ShardLimits.runByteCountMax, configuration.sendBufferByteCount / ShardLimits.unflushedShare)
    var settings = TaskDeskSettings()
    settings.historyEventCountMax = configuration.historyEventCount
    settings.historySecondsMax = configuration.historyTimeToLive.seconds
    settings.cancelTimeout = configuration.cancelTimeout.seconds
    settings.leaseGrace = configuration.leaseGrace.seconds
    settings.registersOnPublish = configuration.isRegisteringOnPublish
    let rows = RowSequence(first: shared.firstStoreRow + Int64(index), step: shared.shardCount)
    taskDesk = TaskDesk(settings: settings, rows: rows)
    confirmationDesk = ConfirmationDesk(rows: rows)
    messageDesk = MessageDesk(rows: rows)
    idempotencyDesk = IdempotencyDesk(rows: rows)
    store = shared.store.map { StoreLink(port: $0, shard: index) }
    if let interval = configuration.statusInterval { statusRepeatAt = nowMilliseconds + interval.milliseconds }
  }

  deinit {
    unsafe receiveBuffer.deallocate()
    unsafe sendBuffer.deallocate()
  }

  /// Sends mail; to itself too, so that everything that reaches a shard reaches it in one order.
  func post(_ message: ShardMessage, to shard: Int) {
    if shard == index { localMail.append(message) } else { outboxes[shard].append(message) }
  }

  func postToAll(_ message: ShardMessage) {
    for shard in 0..<shared.shardCount { post(shard == index ? message : message.handedOver(), to: shard) }
  }

  /// The connection in a slot, if it is still the one that the token names.
  @inline(__always)
  func isCurrent(_ token: ConnectionToken) -> Bool {
    guard token.slot >= 0, Int(token.slot) < connections.placeCount else { return false }
    return unsafe isCurrent(connections.place(token.slot), token)
  }

  /// The same for who knows the place already.
  @inline(__always)
  func isCurrent(_ connection: UnsafeMutablePointer<Connection>, _ token: ConnectionToken) -> Bool {
    unsafe connection.pointee.generation == token.generation && connection.pointee.phase != .free
  }

  func token(of slot: Int32) -> ConnectionToken {
    ConnectionToken(slot: slot, generation: connections[slot].generation)
  }
}

/// A connection that must go at the end of the turn, and how.
struct Condemned {
  enum Sentence {
    /// The stream is dead.
    case drop
    /// Drop what is queued, say so (1013), close.
    case slowConsumer
    case tooManySubscriptions
  }
  let token: ConnectionToken
  let sentence: Sentence
}

extension Condemned.Sentence {
  /// The reason of the close frame.
  var reason: String {
    switch self {
    case .drop: ""
    case .slowConsumer: "Slow consumer"
    case .tooManySubscriptions: "Too many subscriptions"
    }
  }
}

/// Bounds of one shard, each with its reason.
enum ShardLimits {
  /// Slots; the descriptor limit bites long before.
  static let connectionCountMax = 1_048_576
  /// Frames queued for all connections: 12 bytes each, and 4 for the list of free ones.
  static let outboundNodeCountMax = 8_388_608
  static let frameCountMax = 1_048_576
  /// One read: large enough that a burst of small frames takes one system call.
  static let receiveByteCount = 65_536
  /// Small frames are copied together up to this and leave in one call.
  static let sendByteCount = 65_536
  /// A frame from this size on is sent from where it lies.
  static let directSendByteCountMin = 16_384
  /// Bytes of one task's events of one turn that are joined: more leave in pieces. An empty queue takes a run of any size, so
  /// a run is at most a quarter of the hard limit too (`unflushedShare`): the rest is for what may not be left out.
  static let runByteCountMax = 65_536
  /// Events of a turn that wait to be queued: more are queued at once.
  static let openEventCountMax = 8_192
  /// Connections written in one turn, at about 7 µs each, before the loop looks again at who else wants something.
  static let flushesPerTurnMax = 256
  /// Of these, connections that earlier turns have left, whatever the present turn brings.
  static let leftOverFlushesPerTurnMin = 64
  /// Entries for which the lists of connections to be flushed keep their storage.
  static let flushListCapacityMax = 4_096
  /// Bytes written in one turn.
  static let flushByteCountPerTurnMax = 4_194_304
  /// Reads of one connection in one turn, so that one that floods does not starve the others.
  static let readsPerTurnMax = 4
  /// Requests of one connection that are answered while it is read, where they stand behind each other.
  static let requestsAtOnceMax: UInt32 = 64
  /// Peers accepted in one turn.
  static let acceptsPerTurnMax = 256
  /// Rounds in which a turn settles mail to itself; the rest waits for the next turn.
  static let roundsPerTurnMax = 16
  /// Milliseconds a request may take to arrive, from its first byte (the handshake's time limit too).
  static let requestMilliseconds: Int64 = 10_000
  /// Milliseconds an idle keep-alive connection is kept.
  static let keepAliveMilliseconds: Int64 = 75_000
  /// Milliseconds that a peer has to answer our close frame, or to take what we still have for it.
  static let closingMilliseconds: Int64 = 5_000
  /// Milliseconds that an HTTP peer has to end its half after our last word.
  static let lingerMilliseconds: Int64 = 1_000
  /// Milliseconds in which a home must have answered: beyond the longest `wait`.
  static let answerMilliseconds: Int64 = 330_000
  /// Milliseconds without a turn after which a loop counts as stuck (`/livez`).
  static let livenessMilliseconds: Int64 = 5_000
  /// Milliseconds that a turn waits at most: a fifth of `livenessMilliseconds`, so that a loop with nothing to do never
  /// counts as stuck, and that what it says in metrics is a second old at most.
  static let idleMilliseconds: Int64 = 1_000
  /// Milliseconds until a listener without descriptors is tried again.
  static let acceptPauseMilliseconds: Int64 = 50
  /// Bytes of further requests that are kept while one is being answered.
  static let pipelinedByteCountMax = 65_536
  /// Connections parked at once for a close with 1013, over all shards (contract §2).
  static let parkedCountMax = 256
  /// Bytes up to which state events are queued for a connection whose kernel refuses more: further ones wait in their task's
  /// ring. At most 1/4 of the hard limit, whose rest is for what may not be left out. One that reads on queues as many at once.
  static let lagByteCountMax = 16_384
  static let lagShare = 4
  /// State events of one turn are written before its end where 1/4 of the hard limit has come together: then it shows
  /// whether the kernel refuses.
  static let unflushedShare = 4
  /// Payload bytes from which compression pays: 163 bytes cost 12 µs to save 42.
  static let compressedByteCountMin = 256
  /// Bytes of log lines that are joined to one frame.
  static let asideByteCountMax = 65_536
  /// What a line of a log comes to beside its message, about.
  static let logLineByteCount = 128
  /// Requests that wait for the answer to one confirmation or message.
  static let waitersPerAnswerMax = 64
}
