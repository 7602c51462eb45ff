import Protocol

/// A task's last events as the store has them, which are not read before somebody asks.
package struct SealedEvents: Sendable {
  /// At least 1. The last of them has the task's offset.
  package let count: Int
  /// Of the record.
  package let byteCount: Int
  /// Oldest first; others than `count` where the record turns out to be broken.
  package let open: @Sendable () -> [TaskEvent]

  package init(count: Int, byteCount: Int, open: @escaping @Sendable () -> [TaskEvent]) {
    self.count = count
    self.byteCount = byteCount
    self.open = open
  }
}

/// The bytes of all histories of a desk.
final class HistoryAccount {
  var byteCount = 0
}

/// The last events of one task, gapless up to its head, in a ring that grows by doubling to its bound.
package struct TaskHistory {
  private var slots: [TaskEvent?] = []
  private var firstSlot = 0
  package private(set) var count = 0
  /// What the store had is all there is so far.
  private var sealed: SealedEvents?
  /// Of the events held, as `TaskEvent.byteCount` counts; of their record while they are sealed.
  package private(set) var byteCount = 0

  /// The first ring: most tasks of a busy system report a handful of times.
  private static let slotCountMin = 4

  init() {}

  init(_ sealed: SealedEvents) {
    self.sealed = sealed
    count = sealed.count
    byteCount = sealed.byteCount
  }

  var isSealed: Bool { sealed != nil }

  /// Reads what is sealed, and counts anew. Events of a record that is broken are gone.
  mutating func open() {
    guard let sealed else { return }
    let events = sealed.open()
    self.sealed = nil
    slots = events.count == sealed.count ? events.map { $0 } : []
    count = slots.count
    byteCount = slots.reduce(0) { $0 + ($1?.byteCount ?? 0) }
  }

  /// Appends the task's newest event; the oldest makes room at `eventCountMax`.
  mutating func append(_ event: TaskEvent, eventCountMax: Int) {
    guard eventCountMax > 0 else { return }
    open()
    if count >= eventCountMax { dropFirst() }
    if count == slots.count { grow(to: min(max(slots.count * 2, Self.slotCountMin), eventCountMax)) }
    byteCount += event.byteCount
    var slot = firstSlot + count
    if slot >= slots.count { slot -= slots.count }
    slots[slot] = event
    count += 1
  }

  /// The newest event, which nobody was told of, is taken back.
  mutating func dropLast() {
    open()
    guard count > 0 else { return }
    var slot = firstSlot + count - 1
    if slot >= slots.count { slot -= slots.count }
    byteCount -= slots[slot]?.byteCount ?? 0
    slots[slot] = nil
    count -= 1
  }

  mutating func dropFirst() {
    open()
    guard count > 0 else { return }
    byteCount -= slots[firstSlot]?.byteCount ?? 0
    slots[firstSlot] = nil
    firstSlot += 1
    if firstSlot == slots.count { firstSlot = 0 }
    count -= 1
  }

  /// The newest events (sealed ones are read for this call only), `last` of them at most `limit` from the oldest on, in order.
  package func events(last: Int, limit: Int) -> [TaskEvent] {
    let available = min(max(last, 0), count)
    let taken = min(available, max(limit, 0))
    if let sealed {
      let all = sealed.open()
      guard all.count == count else { return [] }
      return Array(all[(count - available)..<(count - available + taken)])
    }
    var events: [TaskEvent] = []
    events.reserveCapacity(taken)
    for index in (count - available)..<(count - available + taken) {
      var slot = firstSlot + index
      if slot >= slots.count { slot -= slots.count }
      if let event = slots[slot] { events.append(event) }
    }
    return events
  }

  private mutating func grow(to slotCount: Int) {
    if firstSlot == 0 {
      slots.append(contentsOf: repeatElement(nil, count: slotCount - slots.count))
      return
    }
    var grown: [TaskEvent?] = []
    grown.reserveCapacity(slotCount)
    for index in 0..<count {
      grown.append(slots[(firstSlot + index) % slots.count])
    }
    while grown.count < slotCount { grown.append(nil) }
    slots = grown
    firstSlot = 0
  }
}

extension TaskEvent {
  /// What an event costs beside its JSON: the structure and its array headers.
  static let byteCountFixed = 512

  /// Roughly the memory it holds.
  var byteCount: Int {
    var count = Self.byteCountFixed + given.count
    count += (message?.byteCount ?? 0) + (details?.byteCount ?? 0) + (result?.byteCount ?? 0)
    count += (error?.byteCount ?? 0) + (current?.byteCount ?? 0) + (total?.byteCount ?? 0)
    return count + (errorCode?.byteCount ?? 0)
  }
}
