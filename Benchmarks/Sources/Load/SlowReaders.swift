import Glibc

/// Subscribers that never read, until they are asked at the end what they have got.
final class SlowReaders {
  /// What the kernel keeps for each; it doubles this for its own use.
  private static let receiveByteCount: Int32 = 4096
  /// Silence after which nothing more is expected.
  private static let silenceMilliseconds: Int32 = 1500

  /// What became of them.
  struct Outcome {
    /// Read what had waited and then have the newest message.
    var caughtUpCount = 0
    /// Closed with 1013, another code, or without one.
    var closedAsSlowCount = 0
    var closedOtherwiseCount = 0
    var closedSilentlyCount = 0
    var messageCount = 0
    /// Left out, as the messages behind them say.
    var skippedCount = 0
  }

  private struct Reader {
    var unread: [UInt8] = []
    /// Of the last message; nil before the first.
    var number: Int?
    var closeCode: Int?
    var isEnded = false
  }

  private let poller = Poller()
  private let buffer: ReadBuffer
  private let sockets: [Socket]
  private let checker: MessageChecker
  private var readers: [Reader]
  private var outcome = Outcome()

  init(options: Options, buffer: ReadBuffer) {
    self.buffer = buffer
    checker = MessageChecker(byteCountMax: options.messageByteCount)
    let plan = Fleet.Plan(count: options.slowCount, receiveByteCount: SlowReaders.receiveByteCount)
    sockets = Fleet(plan, options: options, buffer: buffer).sockets
    readers = [Reader](repeating: Reader(), count: sockets.count)
  }

  /// Reads what is there: numbers must rise by one and by what the message says was skipped, and whoever was not closed
  /// must end with the newest.
  func drain(lastNumber: Int) -> Outcome {
    for (index, socket) in sockets.enumerated() { poller.watch(socket.descriptor, token: index) }
    while readers.contains(where: { !$0.isEnded }),
      poller.wait(milliseconds: SlowReaders.silenceMilliseconds, { read($0) })
    {}
    for (index, reader) in readers.enumerated() {
      switch reader.closeCode {
      case 1013: outcome.closedAsSlowCount += 1
      case .some: outcome.closedOtherwiseCount += 1
      case nil where reader.isEnded: outcome.closedSilentlyCount += 1
      case nil:
        guard reader.number == lastNumber, reader.unread.isEmpty else {
          fail("slow reader \(index) ends at message \(reader.number ?? -1) instead of \(lastNumber)")
        }
        outcome.caughtUpCount += 1
      }
    }
    return outcome
  }

  private func read(_ index: Int) {
    guard !readers[index].isEnded else { return }
    switch sockets[index].receive(into: buffer.bytes) {
    case .moved(let count): readers[index].unread += UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    case .wouldBlock: return
    case .ended:
      readers[index].isEnded = true
      close(sockets[index].descriptor)
      return
    }
    var position = 0
    let bytes = readers[index].unread
    bytes.withUnsafeBytes { bytes in
      while let header = Frames.header(available: bytes.count - position, at: { bytes[position + $0] }) {
        let start = position + header.headerByteCount
        let end = start + header.payloadByteCount
        guard end <= bytes.count else { break }
        take(header.first, UnsafeRawBufferPointer(rebasing: bytes[start..<end]), index)
        position = end
      }
    }
    readers[index].unread.removeFirst(position)
  }

  private func take(_ first: UInt8, _ payload: UnsafeRawBufferPointer, _ index: Int) {
    if first == 0x88 {
      readers[index].closeCode = payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : 1005
      return
    }
    guard first == 0x81, readers[index].closeCode == nil else { fail("slow reader \(index) got a frame \(first)") }
    let number = checker.number(of: payload)
    let skipped = MessageChecker.integer(behind: "\"skipped\":", in: payload) ?? 0
    if let previous = readers[index].number, number != previous + 1 + skipped {
      fail("slow reader \(index) got message \(number) after \(previous), said to have skipped \(skipped)")
    }
    readers[index].number = number
    outcome.messageCount += 1
    outcome.skippedCount += skipped
  }
}
