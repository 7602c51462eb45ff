import Glibc

/// Every client sends messages, waits until they are all back, compares them, and sends the next ones.
final class Echo {
  private let poller = Poller()
  private let fleet: Fleet
  private let buffer: ReadBuffer
  /// What each client sends in a round, and what must come back: the clients' differ, and each message within a round.
  private var requests: [[UInt8]] = []
  private var answers: [[UInt8]] = []
  private var receivedByteCounts: [Int]
  private var sentAt: [UInt64]
  private var roundsLeft: [Int]
  private var clientsLeft = 0
  /// From a round's sending until its last byte.
  var latencies = Histogram()

  init(fleet: Fleet, messageByteCount: Int, underWay: Int, buffer: ReadBuffer) {
    self.fleet = fleet
    self.buffer = buffer
    let count = fleet.sockets.count
    receivedByteCounts = [Int](repeating: 0, count: count)
    sentAt = [UInt64](repeating: 0, count: count)
    roundsLeft = [Int](repeating: 0, count: count)
    let template = MessageTemplate(byteCount: messageByteCount)
    for client in 0..<count {
      var request: [UInt8] = []
      var answer: [UInt8] = []
      for message in 0..<underWay {
        var payload: [UInt8] = []
        template.append(number: client * underWay + message, to: &payload)
        request += Frames.clientText(payload, key: 0x9E37_79B9 &* UInt32(client * underWay + message + 1))
        answer += Frames.serverTextHeader(byteCount: payload.count) + payload
      }
      requests.append(request)
      answers.append(answer)
      poller.watch(fleet.sockets[client].descriptor, token: client)
    }
  }

  func run(roundCount: Int) {
    clientsLeft = fleet.sockets.count
    for client in fleet.sockets.indices {
      roundsLeft[client] = roundCount
      startRound(client)
    }
    while clientsLeft > 0 {
      let isAlive = poller.wait(milliseconds: 10_000) { read($0) }
      if !isAlive { fail("no echo for ten seconds, \(clientsLeft) clients wait") }
    }
  }

  private func startRound(_ client: Int) {
    receivedByteCounts[client] = 0
    sentAt[client] = monotonicNanoseconds()
    fleet.sockets[client].sendWhole(requests[client])
  }

  private func read(_ client: Int) {
    guard case .moved(let count) = fleet.sockets[client].receive(into: buffer.bytes) else {
      fail("client \(client) was closed with \(roundsLeft[client]) rounds left")
    }
    let received = receivedByteCounts[client]
    let isSame = answers[client].withUnsafeBytes { answer in
      guard received + count <= answer.count else { return false }
      return UnsafeRawBufferPointer(rebasing: answer[received..<(received + count)])
        .hasSameBytes(as: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
    }
    guard isSame else {
      fail("client \(client) got back: \(String(decoding: buffer.bytes.prefix(min(count, 300)), as: UTF8.self))")
    }
    receivedByteCounts[client] = received + count
    guard received + count == answers[client].count else { return }
    latencies.record(monotonicNanoseconds() - sentAt[client])
    roundsLeft[client] -= 1
    if roundsLeft[client] > 0 { startRound(client) } else { clientsLeft -= 1 }
  }
}
