import GatewayDomain
import Protocol

/// What a connection is doing.
enum ConnectionPhase: UInt8 {
  case free
  /// Speaks HTTP; `exchange` is set.
  case http
  /// An open WebSocket, or an event stream that has begun.
  case open
  /// Our close frame is on its way; only the peer's close frame is still of interest.
  case closing
  /// Nothing more is read; what is queued leaves, then the descriptor is closed.
  case flushing
}

/// Which endpoint a WebSocket speaks to.
package enum SocketEndpoint: UInt8, Sendable, CaseIterable {
  case task
  case execution
  case action
  case echo
  /// An event stream: no WebSocket, but open, counted and subscribed as one.
  case sse
  case worker

  package var label: StaticString {
    switch self {
    case .task: "task"
    case .execution: "execution"
    case .action: "action"
    case .echo: "echo"
    case .sse: "sse"
    case .worker: "worker"
    }
  }
}

/// One connection: descriptor, phase, and what is queued. It sits in a slab, so an idle one costs its own bytes only.
///
/// It knows no topic, task or confirmation beyond the head of its list of subscriptions.
struct Connection: ~Copyable {
  var descriptor: Int32 = -1
  /// Rises with every use of the slot.
  var generation: UInt32 = 0
  var phase = ConnectionPhase.free
  var endpoint = SocketEndpoint.action
  /// Waits for the flush, in this turn's list or among those left by earlier turns.
  var isMarked = false
  /// Marked, and left by an earlier turn.
  var isLeftOver = false
  /// The kernel refused bytes: wait for writability.
  var awaitsWritable = false
  var isReadPaused = false
  /// Counts towards `max-connections`.
  var isCounted = false
  /// Counted by the census of addresses and users.
  var isInCensus = false
  /// Came through the internal listener.
  var isInternal = false
  /// Parked for a close with 1013 beyond the cap.
  var isParked = false
  var readsCompressed = false
  /// In the action dialect: `signalbox.v1` was selected, so messages beyond the seed's are understood.
  var speaksNative = false
  /// In the execution dialect: asked for with `?nodes=1` and `?logs=1`.
  var wantsNodes = false
  var wantsLogs = false
  var pingIsOut = false
  /// State events wait for it in the rings of some of its tasks: see `readOn`.
  var lags = false
  /// On the list of connections that go at the end of the turn.
  var isCondemned = false
  /// In phase `flushing`: tell the peer that nothing follows once the queue is empty, then wait for its end.
  var endsStream = false
  /// In phase `flushing`: we have said that nothing follows, and read on until the peer ends too.
  var lingers = false
  /// We closed, rather than the peer.
  var closedByUs = false
  var closeCode: UInt16 = 1006

  /// The queue of frames: indices into the shard's `OutboundNode` slab, −1 for none.
  var outboundHead: Int32 = -1
  var outboundTail: Int32 = -1
  /// Bytes of the head frame that have left.
  var headByteOffset: Int32 = 0
  var pendingByteCount: Int32 = 0

  /// The list of subscriptions: index into the shard's slab, −1 for none.
  var subscriptionHead: Int32 = -1
  /// The last fan-out that reached this connection, so that one that goes to several of its topics arrives once.
  var fanOutStamp: UInt32 = 0

  /// Milliseconds of the shard's clock.
  var lastReceivedAt: Int64 = 0
  var deadline: Int64 = .max
  /// When the server closes a finished task's socket (`--terminal-grace`).
  var closeAt: Int64 = .max
  /// The earliest wheel entry filed for this connection; entries that come up earlier than wanted are filed again.
  var filedAt: Int64 = .max

  var session = WebSocketSession(messageByteCountMax: 0, deflate: nil)
  var exchange: HTTPExchange?
  var identity: ConnectionIdentity?
  /// Subscriptions of the action dialect to tasks and channels; bounded by `SubscriptionLimits`.
  var subscriptionCount: Int32 = 0
  /// Commands of this connection that are at their homes.
  var unansweredCount: Int32 = 0
  /// Users it has named, with authentication off; bounded by `SubscriptionLimits`.
  var namedUserCount: Int32 = 0
  var peer = InternetAddress(high: 0, low: 0)

  /// Whether frames may still be queued for it.
  @inline(__always)
  var takesFrames: Bool { (phase == .open || phase == .http || phase == .closing) && !isCondemned }

  /// Whether something waits for the queue to leave.
  @inline(__always)
  var hasMoreToDo: Bool { phase != .open || lags || endpoint == .echo || endpoint == .sse }
}

/// Who is on a connection and what it waits for: made where there is anything to say, given up where there no longer is.
final class ConnectionIdentity {
  var principal: Principal
  /// Unix seconds; infinite where the credentials do not expire.
  var expiresAt: Double
  /// The user whose connection this is: the token's subject, or the name it gave itself.
  var user: UserIdentifier?
  /// The pending confirmations that this connection has been asked.
  var asked: Set<CallbackIdentifier> = []
  /// What later messages come to, which waits for those: a client is answered in the order in which it asked.
  var deferredSteps: [DeferredStep] = []
  /// Subscribes to tasks whose homes have not answered yet.
  var pendingWatches: [TaskIdentifier: PendingWatch] = [:]
  /// The worker whose socket this is.
  var worker: WorkerIdentifier?
  /// When the connection became its user's; set where a newer one replaces it.
  var arrival: UserArrival?
  /// `token_expiring` was sent for the present credentials.
  var expiryIsAnnounced = false

  init(principal: Principal = .anonymous, expiresAt: Double = .infinity) {
    self.principal = principal
    self.expiresAt = expiresAt
  }

  /// Says nothing that its absence would not say: a connection that is idle need not carry it.
  var isBlank: Bool {
    principal == .anonymous && expiresAt == .infinity && user == nil && arrival == nil && asked.isEmpty
      && deferredSteps.isEmpty && pendingWatches.isEmpty && worker == nil
  }
}

/// What a message of a client comes to: an answer that is known, or a command to a home.
enum DeferredStep {
  case answer(SharedFrame)
  case command(ShardMessage, home: Int)
}

/// Subscribes of one connection to one task that are on their way.
struct PendingWatch {
  /// Answers that will come.
  var count = 0
  /// The first so many of them are to be ignored: the client has unsubscribed since.
  var withdrawnCount = 0
}

/// When a connection became a user's: orders connections over all shards, so that of two that come at once one is older.
struct UserArrival: Sendable {
  /// Nanoseconds of the shards' common clock, read when the connection entered.
  let nanoseconds: UInt64
  let shard: Int
  let slot: Int32

  func isBefore(_ other: UserArrival) -> Bool {
    (nanoseconds, shard, slot) < (other.nanoseconds, other.shard, other.slot)
  }
}

/// One queued frame of one connection.
struct OutboundNode {
  var frame: Int32 = -1
  var next: Int32 = -1
  /// Queued before the connection became a WebSocket.
  var isHTTP = false
}
