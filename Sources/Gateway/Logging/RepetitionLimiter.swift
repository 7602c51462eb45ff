/// Decides which of many equal lines are written: at most a burst per second, the rest counted and told with the next
/// one that is. A fixed table of slots, so that no flood of different lines can make it grow; of two lines in one
/// slot the newer takes it over.
struct RepetitionLimiter {
  /// Lines of one second that are remembered at once.
  static let slotCount = 256
  /// The time in which lines are counted together.
  static let windowMilliseconds = 1000

  /// What to do with a line.
  enum Verdict: Equatable {
    case leaveOut
    /// Write it, and say how many like it were left out before.
    case write(leftOutCount: Int)
  }

  private struct Slot {
    var identity: UInt64 = 0
    var windowStart = Int.min
    var count = 0
    var leftOutCount = 0
  }

  /// Equal lines that a window writes.
  let burstCount: Int
  private var slots = [Slot](repeating: Slot(), count: slotCount)

  init(burstCount: Int) { self.burstCount = burstCount }

  /// - Parameters:
  ///   - identity: a hash of what makes lines equal.
  ///   - now: Unix milliseconds; a clock that was set back begins a new window.
  mutating func admit(_ identity: UInt64, now: Int) -> Verdict {
    let index = Int(truncatingIfNeeded: identity % UInt64(Self.slotCount))
    var slot = slots[index]
    defer { slots[index] = slot }
    if slot.identity != identity || slot.windowStart == Int.min {
      slot = Slot(identity: identity, windowStart: now, count: 1)
      return .write(leftOutCount: 0)
    }
    if now < slot.windowStart || now - slot.windowStart >= Self.windowMilliseconds {
      let leftOutCount = slot.leftOutCount
      slot = Slot(identity: identity, windowStart: now, count: 1)
      return .write(leftOutCount: leftOutCount)
    }
    guard slot.count < burstCount else {
      slot.leftOutCount += 1
      return .leaveOut
    }
    slot.count += 1
    return .write(leftOutCount: 0)
  }
}
