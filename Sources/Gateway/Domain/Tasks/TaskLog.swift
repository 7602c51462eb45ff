package import Protocol

/// One line of a task's log.
package struct TaskLogLine: Sendable, Equatable {
  /// 1, 2, 3 … of its task: an order of its own beside the events' offsets.
  package let offset: Int
  /// A string.
  package let level: JSONText
  /// A string.
  package let message: JSONText
  /// Unix seconds as published, else when the line arrived.
  package let timestamp: JSONText

  package init(offset: Int, level: JSONText, message: JSONText, timestamp: JSONText) {
    self.offset = offset
    self.level = level
    self.message = message
    self.timestamp = timestamp
  }

  /// Roughly the memory that it holds.
  var byteCount: Int {
    MemoryLayout<TaskLogLine?>.stride + level.byteCount + message.byteCount + timestamp.byteCount
  }
}

/// A line as its worker wrote it.
package struct ReportedLogLine: Sendable {
  /// A string of 1 to `levelCharacterCountMax` characters.
  package var level: JSONText
  /// A string of at most `messageByteCountMax` bytes.
  package var message: JSONText
  /// A number.
  package var timestamp: JSONText?

  package init(level: JSONText, message: JSONText, timestamp: JSONText? = nil) {
    self.level = level
    self.message = message
    self.timestamp = timestamp
  }

  package static let levelCharacterCountMax = 32
  /// A quarter of what is kept for a task, and so little that one line never fills a reader's queue.
  package static let messageByteCountMax = 65_536
  /// Lines of one report.
  package static let countMax = 1000

  func validate() throws(Problem) {
    let characterCount = level.string?.unicodeScalars.count ?? 0
    guard characterCount >= 1, characterCount <= Self.levelCharacterCountMax else {
      throw Problem(
        .badRequest, "level has \(characterCount) characters, must have 1 to \(Self.levelCharacterCountMax)")
    }
    // The quotes are none of its own.
    guard message.byteCount - 2 <= Self.messageByteCountMax else {
      throw Problem(
        .badRequest, "message has \(message.byteCount - 2) bytes, must have at most \(Self.messageByteCountMax)")
    }
  }
}

/// What a worker is told of its lines.
package struct LogReceipt: Sendable, Equatable {
  /// Of the last line.
  package let logOffset: Int
  package let cancelRequested: Bool
}

/// The last lines of one task, gapless up to the newest, in a ring that grows by doubling to its bound.
package struct TaskLog {
  private var slots: [TaskLogLine?] = []
  private var firstSlot = 0
  package private(set) var count = 0
  private(set) var byteCount = 0

  private static let slotCountMin = 8

  mutating func append(_ line: TaskLogLine, lineCountMax: Int) {
    guard lineCountMax > 0 else { return }
    if count >= lineCountMax { dropFirst() }
    if count == slots.count { grow(to: min(max(slots.count * 2, Self.slotCountMin), lineCountMax)) }
    slots[(firstSlot + count) % slots.count] = line
    count += 1
    byteCount += line.byteCount
  }

  mutating func dropFirst() {
    guard count > 0 else { return }
    byteCount -= slots[firstSlot]?.byteCount ?? 0
    slots[firstSlot] = nil
    firstSlot = (firstSlot + 1) % slots.count
    count -= 1
  }

  /// The newest lines, `last` of them, at most `limit` from the oldest on, in order.
  package func lines(last: Int, limit: Int) -> [TaskLogLine] {
    let available = min(max(last, 0), count)
    let taken = min(available, max(limit, 0))
    var lines: [TaskLogLine] = []
    lines.reserveCapacity(taken)
    for index in (count - available)..<(count - available + taken) {
      if let line = slots[(firstSlot + index) % slots.count] { lines.append(line) }
    }
    return lines
  }

  private mutating func grow(to slotCount: Int) {
    var grown: [TaskLogLine?] = []
    grown.reserveCapacity(slotCount)
    for index in 0..<count { grown.append(slots[(firstSlot + index) % slots.count]) }
    while grown.count < slotCount { grown.append(nil) }
    slots = grown
    firstSlot = 0
  }
}
