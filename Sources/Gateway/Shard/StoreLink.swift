import GatewayDomain
import Protocol

/// Where a shard's changes go: the store's thread, or a simulated one.
protocol StorePort: AnyObject, Sendable {
  var health: StoreHealth { get }
  /// Takes a batch; the shard is told by mail when it is durable, or that it is not yet. Any thread; in order for a shard.
  func post(_ batch: StoreBatch)
}

/// What leaves a shard only when the store has what it says, and what becomes of it where the store fails.
enum HeldOutput {
  /// The answer to who asked for something durable. Where the store fails it is 503, and the ends of tasks that it stands for
  /// are taken back.
  case reply(Answer, to: ReplyAddress, ends: [FormerTask])
  /// Mail that shows what is being stored. It leaves where the store fails too.
  case mail(ShardMessage, shard: Int)
  /// A terminal event to the task's watchers: not told where it was taken back.
  case event(TaskEvent, TaskRecord)
  /// Tasks that time has ended. Where the store fails they are as they were before.
  case ended([FormerTask])
  /// A new execution, to those who accept them: not offered where it was taken back.
  case created(TaskRecord)
  /// What met an end that is being stored: it is carried out then, or when the end has been taken back.
  case command(TaskCommand, from: ReplyAddress)
  case watch(WatchRequest)
  /// A new question. Where the store fails nobody is asked, and it is taken back.
  case opened(Confirmation, to: ReplyAddress, waitSeconds: Double)
  /// An outcome: told to nobody before it is durable, however long that takes. Not even a deadline's: the wall clock, by which
  /// a restart goes, may have been set back.
  case resolved(Confirmation)
  /// A new message that wants an acknowledgement. Where the store fails it is not sent, and taken back.
  case messageOpened(UserMessage, to: ReplyAddress, waitSeconds: Double)
  /// The end of one: to the publisher that waits.
  case messageSettled(UserMessage)
}

/// A shard's side of the store: changes are gathered during a turn and handed over at its end as one batch, and what may only
/// be told once they are durable waits here, in order. One thread only.
final class StoreLink {
  private struct Entry {
    let sequence: UInt64
    let output: HeldOutput
  }

  private let port: any StorePort
  private let shard: Int
  private var changes: [StoreChange] = []
  /// The last batch that was handed over.
  private(set) var issued: UInt64 = 0
  /// The last batch, the open one included, that has a change for which somebody waits.
  private var durable: UInt64 = 0
  private var committed: UInt64 = 0
  /// The last batch that is known not to have become durable with the attempt after it.
  private(set) var failedThrough: UInt64 = 0
  private var failure: StoreFailure?
  private var held: [Entry] = []
  private var heldPosition = 0

  /// Tasks whose newest state is to be written at the next tick.
  var dirty: [TaskRecord] = []
  /// Milliseconds of the shard's clock; `.max` while nothing is dirty.
  var nextTickAt: Int64 = .max
  /// The batch of the last tick; the next one waits for it, so that a slow disk is asked less often rather than for more.
  private var tickSequence: UInt64 = 0

  init(port: any StorePort, shard: Int) {
    self.port = port
    self.shard = shard
  }

  var health: StoreHealth { port.health }

  /// Whether something that somebody waits for is not durable yet.
  var isWaiting: Bool { durable > committed }

  var heldCount: Int { held.count - heldPosition }

  /// Whether a tick may write: the last one has been written.
  var mayTick: Bool { tickSequence <= committed }

  /// - Parameter isAwaited: whether somebody is only told once it is durable.
  func add(_ change: StoreChange, isAwaited: Bool) {
    changes.append(change)
    if isAwaited { durable = issued + 1 }
  }

  func noteTick() { tickSequence = issued + 1 }

  /// Hands the turn's changes over.
  func flush() {
    guard !changes.isEmpty else { return }
    issued += 1
    var batch: [StoreChange] = []
    swap(&batch, &changes)
    port.post(StoreBatch(shard: shard, sequence: issued, changes: batch))
  }

  /// Keeps an output until all that was added so far is durable.
  func hold(_ output: HeldOutput) { held.append(Entry(sequence: durable, output: output)) }

  /// Everything up to this batch is durable.
  func commit(through sequence: UInt64) { committed = max(committed, sequence) }

  func noteFailed(through sequence: UInt64, _ failure: StoreFailure) {
    failedThrough = max(failedThrough, sequence)
    self.failure = failure
  }

  /// Why all that somebody waits for is not durable, where the store has said so.
  var standingFailure: StoreFailure? { durable > committed && durable <= failedThrough ? failure : nil }

  /// The next output whose time has come.
  func takeReleased() -> HeldOutput? {
    guard heldPosition < held.count, held[heldPosition].sequence <= committed else { return nil }
    let output = held[heldPosition].output
    heldPosition += 1
    if heldPosition == held.count {
      held.removeAll(keepingCapacity: held.count <= Self.keptCountMax)
      heldPosition = 0
    } else if heldPosition > Self.keptCountMax, heldPosition * 2 > held.count {
      held.removeFirst(heldPosition)
      heldPosition = 0
    }
    return output
  }

  /// The outputs that waited for a batch which did not become durable.
  /// - Parameter staying: tells which of them wait on.
  func takeFailed(through sequence: UInt64, staying: (HeldOutput) -> Bool) -> [HeldOutput] {
    var kept: [Entry] = []
    var failed: [HeldOutput] = []
    for entry in held[heldPosition...] {
      if entry.sequence <= sequence, !staying(entry.output) { failed.append(entry.output) } else { kept.append(entry) }
    }
    held = kept
    heldPosition = 0
    return failed
  }

  /// Entries for which the list keeps its storage.
  private static let keptCountMax = 4096
}

/// Bounds of what a shard asks of the store.
enum StoreLimits {
  /// Milliseconds from a task's first unwritten report to the write: with the commit behind it less than the second of progress
  /// that a crash may cost (contract §4.3).
  static let tickMilliseconds: Int64 = 500
  /// Outputs that wait for the store; what would be one more is refused. A disk that hangs holds so many, and no more.
  static let heldCountMax = 131_072
  /// Tasks written in one turn, at about 3 µs each.
  static let dirtyPerTurnMax = 1024
}
