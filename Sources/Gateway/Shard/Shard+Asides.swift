import GatewayDomain
import Protocol

/// What is told of a task beside its numbered events: lines of its log, and for executions its nodes. In order with the
/// events of the same publisher, and never at a reader's expense: who does not keep up misses them.
extension Shard {
  // MARK: At the home

  func deliverLog(_ lines: [TaskLogLine], of task: TaskIdentifier) {
    guard let interest = interests[task], interest.total > 0 else { return }
    let isNative = interest.has(.native) || interest.has(.nativeCompressed)
    let isExecution = interest.has(.execution) || interest.has(.executionCompressed)
    let isStream = interest.has(.sse)
    guard isNative || isExecution || isStream else { return }
    // In pieces, of which a reader takes as many as it has room for: a share of the limit holds two of them.
    let pieceByteCountMax = min(
      ShardLimits.asideByteCountMax, shared.configuration.sendBufferByteCount / (2 * ShardLimits.lagShare))
    var start = 0
    while start < lines.count {
      var end = start
      var byteCount = 0
      while end < lines.count, end == start || byteCount + lines[end].message.byteCount <= pieceByteCountMax {
        byteCount += lines[end].message.byteCount + ShardLimits.logLineByteCount
        end += 1
      }
      let piece = lines[start..<end]
      start = end
      post(
        TaskAside(
          task: task, subject: .log,
          native: isNative
            ? joined(piece.map { ActionDialect.log($0, of: task) }, compresses: interest.has(.nativeCompressed)) : nil,
          execution: isExecution
            ? joined(piece.map { ExecutionDialect.log($0, of: task) }, compresses: interest.has(.executionCompressed))
            : nil,
          sse: isStream
            ? SharedFrame(
              joining: piece.map { .raw(StreamDialect.notice("log", ActionDialect.log($0, of: task))) }, plainly: true,
              compressedly: false) : nil), interest)
    }
  }

  /// A node's event has gone to everybody, to executions as a status; those that ask for nodes get it as it is too.
  func deliverNode(_ event: TaskEvent) {
    guard let interest = interests[event.task], interest.has(.execution) || interest.has(.executionCompressed) else {
      return
    }
    let frame = makeFrame(ExecutionDialect.nodeStatus(event), compresses: interest.has(.executionCompressed))
    post(TaskAside(task: event.task, subject: .nodes, native: nil, execution: frame, sse: nil), interest)
  }

  private func joined(_ messages: [[UInt8]], compresses: Bool) -> SharedFrame {
    if messages.count == 1 { return makeFrame(messages[0], compresses: compresses) }
    return SharedFrame(
      joining: messages.map { makeFrame($0, compresses: compresses) }, plainly: true, compressedly: compresses)
  }

  private func post(_ aside: TaskAside, _ interest: TaskInterest) {
    for shard in 0..<shared.shardCount {
      let isNative = interest.has(.native, shard: shard) || interest.has(.nativeCompressed, shard: shard)
      let isExecution = interest.has(.execution, shard: shard) || interest.has(.executionCompressed, shard: shard)
      let native = isNative ? aside.native : nil
      let execution = isExecution ? aside.execution : nil
      let stream = interest.has(.sse, shard: shard) ? aside.sse : nil
      guard native != nil || execution != nil || stream != nil else { continue }
      post(
        .aside(
          TaskAside(
            task: aside.task, subject: aside.subject, native: shard == index ? native : native?.handedOver(),
            execution: shard == index ? execution : execution?.handedOver(),
            sse: shard == index ? stream : stream?.handedOver())), to: shard)
    }
  }

  // MARK: At the watchers

  func receiveAside(_ aside: TaskAside) {
    guard let topic = topics.topic(.task(aside.task)) else { return }
    closeRuns()
    // Where the pool has no room nobody is told: it is the same as being behind.
    let native = aside.native.flatMap { frames.admit($0) }
    let execution = aside.execution.flatMap { frames.admit($0) }
    let stream = aside.sse.flatMap { frames.admit($0) }
    for place in 0..<topic.watchers.count {
      let watcher = topic.watchers[place]
      if let stream, watcher.audience == .sse { tell(watcher, stream) }
      if let native, watcher.audience.isNative { tell(watcher, native) }
      if let execution, watcher.audience.isExecution, wants(watcher, aside.subject) { tell(watcher, execution) }
    }
    if let native { frames.settle(native) }
    if let execution { frames.settle(execution) }
    if let stream { frames.settle(stream) }
  }

  private func wants(_ watcher: Watcher, _ subject: TaskAside.Subject) -> Bool {
    switch subject {
    case .log: connections[watcher.slot].wantsLogs
    case .nodes: connections[watcher.slot].wantsNodes
    }
  }

  private func tell(_ watcher: Watcher, _ frame: Int32) {
    let connection = unsafe connections.place(watcher.slot)
    let entry = unsafe frames.place(frame)
    guard !watcher.isLagging, unsafe hasRoomForAside(connection, watcher.slot, entry) else {
      metrics.add(.eventsConflated, unsafe Int(entry.pointee.messageCount))
      return
    }
    unsafe enqueue(connection, watcher.slot, frame, entry)
  }

  /// Whether the rest of the limit stays free for what must arrive.
  private func hasRoomForAside(
    _ connection: UnsafeMutablePointer<Connection>, _ slot: Int32, _ entry: UnsafeMutablePointer<FramePool.Entry>
  ) -> Bool {
    let byteCount = unsafe entry.pointee.bytes(compressed: connection.pointee.readsCompressed).count
    let limit = shared.configuration.sendBufferByteCount
    func hasRoom() -> Bool {
      let pending = unsafe Int(connection.pointee.pendingByteCount)
      // An empty queue takes more: a reader with a small limit that keeps up misses no long line.
      return pending == 0 ? byteCount <= limit / 2 : pending + byteCount <= limit / ShardLimits.lagShare
    }
    if hasRoom() { return true }
    // What a turn queues leaves at its end: only a peer whose kernel refuses is slow.
    guard unsafe !connection.pointee.awaitsWritable, unsafe connection.pointee.pendingByteCount > 0 else {
      return false
    }
    flush(slot)
    return unsafe !connection.pointee.isCondemned && hasRoom()
  }
}
