import GatewayDomain
import Protocol

/// Watchers that do not keep up: when a state event is left out of their queue, and how they read on.
///
/// A connection lags while the kernel refuses its bytes, while something is queued for it, or while it is marked: so its
/// turn comes without anybody looking for it.
extension Shard {
  /// Whether a task's events go into the queue of a watcher that lags, or for which something waits already. State events
  /// never fill a queue so far that its connection would have to go.
  ///
  /// - Parameter byteCount: of the frame that would be queued.
  func queues(
    _ run: some RandomAccessCollection<TaskDelivery>, of topic: LocalTopic, _ place: Int, byteCount: Int
  ) -> Bool {
    guard let oldest = run.first, let newest = run.last else { return false }
    let watcher = topic.watchers[place]
    let connection = unsafe connections.place(watcher.slot)
    if watcher.isLagging {
      // What supersedes what it has not got yet waits in the ring; what ends the task is queued, whatever it has not got.
      if newest.isTerminal { endLag(topic, place, newest) }
      return false
    }
    if newest.isTerminal { return true }
    let shareByteCount = shared.configuration.sendBufferByteCount / ShardLimits.unflushedShare
    if unsafe !connection.pointee.awaitsWritable,
      unsafe Int(connection.pointee.pendingByteCount) + byteCount > shareByteCount
    {
      // Much has come for it in one turn. Only a peer whose kernel refuses does not keep up.
      flush(watcher.slot)
    }
    let pending = unsafe connection.pointee.pendingByteCount
    guard unsafe connection.pointee.awaitsWritable, pending > 0, Int(pending) + byteCount > lagByteCount else {
      return true
    }
    // A status that is repeated is no event: who does not get it has missed nothing.
    if !newest.isRepeat {
      topics.fallBehind(topic, place, after: oldest.offset - 1)
      unsafe connection.pointee.lags = true
    }
    return false
  }

  /// Bytes up to which state events are queued for a connection whose kernel refuses them, and for one that reads on.
  var lagByteCount: Int {
    min(ShardLimits.lagByteCountMax, shared.configuration.sendBufferByteCount / ShardLimits.lagShare)
  }

  /// The task ends: a watcher that lags is told so at once, behind what is queued for it, and how much it missed.
  private func endLag(_ topic: LocalTopic, _ place: Int, _ ending: TaskDelivery) {
    let watcher = topic.watchers[place]
    let ring = topic.ring
    let skippedCount = ending.offset - topics.catchUp(topic, place) - 1
    guard let frame = ending.frame(watcher.audience.dialect) else { return }
    noteLeftOut(skippedCount)
    if watcher.audience == .sse { return queue(frame.skippingInStream(skippedCount), for: watcher.slot) }
    guard watcher.audience.isNative, skippedCount > 0 else { return queue(frame, for: watcher.slot) }
    queue(ring?.ending(frame, skipping: skippedCount) ?? frame.skipping(skippedCount), for: watcher.slot)
  }

  /// The queue of a connection that lags has left: it reads on in the rings of its tasks, as much as may wait for it.
  /// What leaves then makes room for more.
  func readOn(_ slot: Int32) {
    let connection = unsafe connections.place(slot)
    guard unsafe connection.pointee.phase == .open, unsafe !connection.pointee.isCondemned else {
      unsafe connection.pointee.lags = false
      return
    }
    var listHead = unsafe connection.pointee.subscriptionHead
    let hasCaughtUp = topics.readOn(listHead: &listHead) { topic, place in readOn(slot, topic, place) }
    unsafe connection.pointee.subscriptionHead = listHead
    unsafe connection.pointee.lags = !hasCaughtUp
  }

  private func readOn(_ slot: Int32, _ topic: LocalTopic, _ place: Int) -> ReadingOn {
    let audience = topic.watchers[place].audience
    let connection = unsafe connections.place(slot)
    var result = ReadingOn.notAtAll
    if let ring = topic.ring, let first = ring.place(after: topics.cursor(topic, place), in: audience.dialect) {
      for position in first..<ring.count {
        let event = ring[position]
        guard let frame = event.frame(audience.dialect) else { continue }
        let byteCount =
          unsafe connection.pointee.readsCompressed && !frame.compressed.isEmpty
          ? frame.compressed.count : frame.plain.count
        let pending = unsafe connection.pointee.pendingByteCount
        // An empty queue takes a frame of any size.
        if pending > 0, Int(pending) + byteCount > lagByteCount { return result }
        let skippedCount = event.offset - topics.cursor(topic, place) - 1
        noteLeftOut(skippedCount)
        let shown =
          audience.isNative
          ? frame.skipping(skippedCount) : audience == .sse ? frame.skippingInStream(skippedCount) : frame
        queue(shown, for: slot)
        if unsafe connection.pointee.isCondemned { return result }
        topics.moveCursor(topic, place, to: event.offset)
        result = .inPart
      }
    }
    _ = topics.catchUp(topic, place)
    return .caughtUp
  }

  /// Queues one frame for one connection, in the order in which things are handled: open runs stay open.
  private func queue(_ frame: SharedFrame, for slot: Int32) {
    guard let index = frames.admit(frame) else { return condemn(slot, .slowConsumer) }
    enqueue(slot, index)
    frames.settle(index)
  }

  private func noteLeftOut(_ eventCount: Int) {
    guard eventCount > 0 else { return }
    metrics.add(.eventsConflated, eventCount)
    metrics.add(.slowConsumers(.conflated))
  }
}
