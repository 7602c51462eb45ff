import Glibc

/// Opens many WebSocket connections at once and subscribes them, a bounded number under way at a time.
final class Fleet {
  /// Small enough for any listen backlog.
  static let underWayMax = 128

  private enum Phase: UInt8 {
    case unopened, connecting, upgrading, subscribing, open
  }

  let sockets: [Socket]
  /// From the connect call to the handshake's answer.
  private(set) var handshakes = Histogram()

  /// Opens `count` connections; connection i's topic is i modulo `topicCount`.
  ///
  /// - Parameter path: where, for connections without a subscription; nil subscribes as the target says.
  init(count: Int, topicCount: Int, options: Options, path: String? = nil, buffer: ReadBuffer) {
    let target = Targets.named(options.target)
    let port = options.port
    let poller = Poller()
    var sockets: [Socket] = []
    var phases = [Phase](repeating: .unopened, count: count)
    var startedAt = [UInt64](repeating: 0, count: count)
    var partial: [Int: [UInt8]] = [:]
    var openCount = 0
    var handshakes = Histogram()
    sockets.reserveCapacity(count)
    let requests = (0..<topicCount).map { Frames.upgradeRequest(path: path ?? target.subscriptionPath(topic: $0)) }
    let subscriptions = (0..<topicCount).map { topic in
      (path == nil ? target.subscriptionMessage(topic: topic) : nil).map {
        Frames.clientText(Array($0.utf8), key: 0x9A3C_51E7)
      }
    }
    let answer = target.subscriptionAnswer

    while openCount < count {
      while sockets.count < count, sockets.count - openCount < Fleet.underWayMax {
        let index = sockets.count
        startedAt[index] = monotonicNanoseconds()
        sockets.append(Socket(port: port))
        phases[index] = .connecting
        poller.watch(sockets[index].descriptor, token: index, writable: true)
      }
      let isAlive = poller.wait(milliseconds: 10_000) { index in
        if phases[index] == .connecting {
          phases[index] = .upgrading
          sockets[index].sendWhole(requests[index % topicCount])
          poller.watch(sockets[index].descriptor, token: index)
          return
        }
        guard case .moved(let count) = sockets[index].receive(into: buffer.bytes) else {
          fail("connection \(index) was closed while it opened (\(openCount) are open)")
        }
        var bytes = partial.removeValue(forKey: index) ?? []
        bytes += UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
        if phases[index] == .upgrading, let head = bytes.withUnsafeBytes({ Frames.upgradeAnswerByteCount($0) }) {
          handshakes.record(monotonicNanoseconds() - startedAt[index])
          bytes.removeFirst(head)
          if let subscription = subscriptions[index % topicCount] {
            sockets[index].sendWhole(subscription)
            phases[index] = .subscribing
          } else {
            phases[index] = .open
            openCount += 1
          }
        }
        if phases[index] == .subscribing, let header = Frames.header(available: bytes.count, at: { bytes[$0] }),
          bytes.count >= header.headerByteCount + header.payloadByteCount
        {
          let end = header.headerByteCount + header.payloadByteCount
          let payload = bytes[header.headerByteCount..<end]
          guard payload.withUnsafeBytes({ $0.firstIndex(of: answer) }) != nil else {
            fail("a subscription was answered: \(String(decoding: payload, as: UTF8.self))")
          }
          bytes.removeFirst(end)
          phases[index] = .open
          openCount += 1
        }
        if phases[index] == .open {
          guard bytes.isEmpty else { fail("unasked: \(String(decoding: bytes, as: UTF8.self))") }
        } else if !bytes.isEmpty {
          partial[index] = bytes
        }
      }
      if !isAlive { fail("no answer for ten seconds while connections open (\(openCount) of \(count) are open)") }
    }
    self.sockets = sockets
    self.handshakes = handshakes
  }
}
