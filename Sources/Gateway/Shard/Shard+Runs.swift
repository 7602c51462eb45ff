import GatewayDomain
import Protocol

/// A task's event on its way to this shard's watchers, linked with the same task's later ones of the same turn.
struct OpenEvent {
  let delivery: TaskDelivery
  /// Index of the task's next event; −1 for none.
  var next: Int32 = -1
}

/// The frames of one run in the shard's pool, one for each dialect.
private struct RunFrames {
  /// Nobody follows in this dialect, or the run has nothing in it.
  static let none: Int32 = -1
  /// The pool had no room.
  static let noRoom: Int32 = -2

  var indices = InlineArray<4, Int32>(repeating: RunFrames.none)
}

/// The events of a turn, by task: collected while mail and requests are read, and queued as one piece for each watcher
/// before the flush. So an event costs a watcher nothing by itself, and what one turn brings leaves in one system call.
///
/// Whatever else is queued for a subscriber closes the runs first, and so does a new subscription: the order in which a
/// connection is told of things is the order in which they came.
extension Shard {
  func receiveDelivery(_ delivery: TaskDelivery) {
    guard let topic = topics.topic(.task(delivery.task)) else { return }
    if delivery.isTerminal || delivery.isRepeat {
      // A terminal event is never held back, and a repeated status is no event: neither joins a run.
      closeRuns()
      deliver(CollectionOfOne(delivery), to: topic, frames: RunFrames.admit(delivery, pool: frames))
      if delivery.isTerminal { endDialects(of: topic) }
      return
    }
    let index = Int32(openEvents.count)
    openEvents.append(OpenEvent(delivery: delivery))
    if topic.runTail >= 0 {
      openEvents[Int(topic.runTail)].next = index
    } else {
      topic.runHead = index
      openTopics.append(topic)
    }
    topic.runTail = index
    topic.runByteCount += delivery.byteCount
    if topic.runByteCount >= runByteCountMax || openEvents.count >= ShardLimits.openEventCountMax {
      closeRuns()
    }
  }

  /// Queues what the turn has brought so far, in the order in which the tasks had their first event.
  @inline(__always)
  func closeRuns() {
    if !openTopics.isEmpty { closeOpenRuns() }
  }

  private func closeOpenRuns() {
    // Queueing may write, and what is written may end in more being queued: the lists are taken first, and their storage
    // goes back.
    var topics: [LocalTopic] = []
    var events: [OpenEvent] = []
    swap(&topics, &openTopics)
    swap(&events, &openEvents)
    for topic in topics { closeRun(of: topic, events) }
    topics.removeAll(keepingCapacity: topics.count <= ShardLimits.openEventCountMax)
    events.removeAll(keepingCapacity: events.count <= ShardLimits.openEventCountMax)
    swap(&topics, &openTopics)
    swap(&events, &openEvents)
  }

  private func closeRun(of topic: LocalTopic, _ events: [OpenEvent]) {
    let head = Int(topic.runHead)
    let tail = Int(topic.runTail)
    topic.runHead = -1
    topic.runTail = -1
    topic.runByteCount = 0
    // Everybody may have left since.
    guard topic.watchers.count > 0 else { return }
    if head == tail {
      let delivery = events[head].delivery
      return deliver(CollectionOfOne(delivery), to: topic, frames: RunFrames.admit(delivery, pool: frames))
    }
    var run: [TaskDelivery] = []
    var index = head
    while index >= 0 {
      run.append(events[index].delivery)
      index = Int(events[index].next)
    }
    deliver(run, to: topic, frames: RunFrames.admit(run, for: topic, pool: frames))
  }

  /// Queues one frame for each watcher: the run's in its dialect.
  private func deliver(
    _ run: some RandomAccessCollection<TaskDelivery>, to topic: LocalTopic, frames indices: RunFrames
  ) {
    guard let newest = run.last else { return }
    // The frame for the dialect of the watcher before: those of a topic nearly always follow in one.
    var dialect = -1
    var frame = RunFrames.none
    var known: UnsafeMutablePointer<FramePool.Entry>?
    for place in 0..<topic.watchers.count {
      let watcher = topic.watchers[place]
      if watcher.audience.dialect != dialect {
        dialect = watcher.audience.dialect
        frame = indices.indices[dialect]
        unsafe known = frame >= 0 ? frames.place(frame) : nil
      }
      guard let entry = unsafe known else {
        // Where the pool had no room for the event the connection goes: nobody would notice the gap.
        if frame == RunFrames.noRoom, newest.isTerminal || !watcher.isLagging {
          condemn(watcher.slot, .slowConsumer)
        }
        continue
      }
      let connection = unsafe connections.place(watcher.slot)
      if unsafe watcher.isLagging || connection.pointee.pendingByteCount > 0,
        unsafe !queues(
          run, of: topic, place,
          byteCount: entry.pointee.bytes(compressed: connection.pointee.readsCompressed).count)
      {
        continue
      }
      unsafe enqueue(connection, watcher.slot, frame, entry)
    }
    if topic.laggardCount > 0, !newest.isRepeat { topics.keep(run, of: topic) }
    metrics.observe(.broadcastFanout, Double(topic.watchers.count), times: run.count)
    for dialect in 0..<(Audience.count / 2) where indices.indices[dialect] >= 0 {
      frames.settle(indices.indices[dialect])
    }
  }

  /// After a terminal event the execution dialect and event streams close at once, the task dialect after `--terminal-grace`.
  private func endDialects(of topic: LocalTopic) {
    var finished: [Int32] = []
    for place in 0..<topic.watchers.count {
      let slot = topic.watchers[place].slot
      switch topic.watchers[place].audience {
      case .native, .nativeCompressed: break
      case .task, .taskCompressed: closeAfterGrace(slot)
      case .execution, .executionCompressed, .sse, .sseCompressed: finished.append(slot)
      }
    }
    for slot in finished { close(slot, .normal, "finished") }
  }

  func closeAfterGrace(_ slot: Int32) {
    connections[slot].closeAt = nowMilliseconds + shared.configuration.terminalGrace.milliseconds
    file(slot)
  }
}

extension RunFrames {
  /// One event's frames.
  static func admit(_ delivery: TaskDelivery, pool: FramePool) -> RunFrames {
    var frames = RunFrames()
    for dialect in 0..<(Audience.count / 2) {
      guard let frame = delivery.frame(dialect) else { continue }
      frames.indices[dialect] = pool.admit(frame) ?? noRoom
    }
    return frames
  }

  /// Several events' frames, joined for those who are there.
  static func admit(_ run: [TaskDelivery], for topic: LocalTopic, pool: FramePool) -> RunFrames {
    var frames = RunFrames()
    for dialect in 0..<(Audience.count / 2) {
      let isReadPlainly = topic.has(Audience.allCases[dialect * 2])
      let isReadCompressed = topic.has(Audience.allCases[dialect * 2 + 1])
      guard isReadPlainly || isReadCompressed else { continue }
      let parts = run.compactMap { $0.frame(dialect) }
      guard !parts.isEmpty else { continue }
      let joined = SharedFrame(joining: parts, plainly: isReadPlainly, compressedly: isReadCompressed)
      frames.indices[dialect] = pool.admit(joined) ?? noRoom
    }
    return frames
  }
}

extension TaskDelivery {
  /// The frame of a dialect, as `Audience.dialect` numbers them.
  func frame(_ dialect: Int) -> SharedFrame? {
    switch dialect {
    case 0: native
    case 1: taskDialect
    case 2: execution
    default: sse
    }
  }

  /// Bytes of the longest of its frames.
  fileprivate var byteCount: Int {
    unsafe max(
      native?.plain.count ?? 0, taskDialect?.plain.count ?? 0, execution?.plain.count ?? 0,
      sse?.plain.count ?? 0)
  }
}
