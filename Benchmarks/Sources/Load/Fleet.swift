import Glibc

/// Opens many WebSocket connections at once and subscribes them, a bounded number under way at a time.
final class Fleet {
  struct Plan {
    /// Small enough for any listen backlog.
    static let underWayMax = 128

    var count: Int
    /// Connection i's topic is i modulo this.
    var topicCount = 1
    /// Where, for connections without a subscription; nil subscribes as the target says.
    var path: String?
    /// How each topic is subscribed to again, behind which missed messages come.
    var resumptions: [Resumption]?
    var underWayMax = Plan.underWayMax
    var offersDeflate = false
    /// What the kernel may keep unread of each; 0 leaves that to it.
    var receiveByteCount: Int32 = 0
  }

  /// Takes what comes behind a subscription's answer: whose it is, when that one began to connect, the bytes.
  typealias OnMessages = (Int, UInt64, UnsafeRawBufferPointer) -> Void

  private enum Phase: UInt8 {
    case connecting, upgrading, subscribing, open
  }

  private let plan: Plan
  private let port: UInt16
  private let buffer: ReadBuffer
  private let poller = Poller()
  private let requests: [[UInt8]]
  private let subscriptions: [[UInt8]?]
  private let subscriptionAnswer: StaticString
  private var phases: [Phase] = []
  private var partial: [Int: [UInt8]] = [:]
  private var openCount = 0
  private var compressedCount = 0
  private let onMessages: OnMessages?

  private(set) var sockets: [Socket] = []
  /// When each one's connect call was.
  private(set) var startedAt: [UInt64] = []
  /// From the connect call to the handshake's answer.
  private(set) var handshakes = Histogram()
  /// Whether all agreed to permessage-deflate.
  var isCompressed: Bool { compressedCount > 0 && compressedCount == plan.count }

  /// - Parameter onMessages: takes what a connection receives behind its subscription's answer; nil where that must be
  ///   nothing.
  init(_ plan: Plan, options: Options, buffer: ReadBuffer, onMessages: OnMessages? = nil) {
    let target = Targets.named(options.target)
    self.plan = plan
    self.buffer = buffer
    self.onMessages = onMessages
    port = options.port
    requests = (0..<plan.topicCount).map { topic in
      let path = plan.resumptions?[topic].path ?? plan.path ?? target.subscriptionPath(topic: topic)
      return Frames.upgradeRequest(path: path, extensions: plan.offersDeflate ? Frames.deflateOffer : nil)
    }
    let messages = (0..<plan.topicCount).map { topic -> String? in
      if let resumptions = plan.resumptions { return resumptions[topic].message }
      return plan.path == nil ? target.subscriptionMessage(topic: topic) : nil
    }
    subscriptions = messages.map { $0.map { Frames.clientText(Array($0.utf8), key: 0x9A3C_51E7) } }
    subscriptionAnswer = plan.resumptions?.first?.answer ?? target.subscriptionAnswer
    sockets.reserveCapacity(plan.count)
    startedAt.reserveCapacity(plan.count)
    open()
    guard compressedCount == 0 || isCompressed else {
      fail("only \(compressedCount) of \(plan.count) agreed to permessage-deflate")
    }
  }

  private func open() {
    while openCount < plan.count {
      while sockets.count < plan.count, sockets.count - openCount < plan.underWayMax { connect() }
      let isAlive = poller.wait(milliseconds: 10_000) { handleEvent($0) }
      if !isAlive { fail("no answer for ten seconds while connections open (\(openCount) of \(plan.count) are open)") }
    }
  }

  private func connect() {
    let index = sockets.count
    startedAt.append(monotonicNanoseconds())
    sockets.append(Socket(port: port, receiveByteCount: plan.receiveByteCount))
    phases.append(.connecting)
    poller.watch(sockets[index].descriptor, token: index, writable: true)
  }

  private func handleEvent(_ index: Int) {
    if phases[index] == .connecting {
      phases[index] = .upgrading
      sockets[index].sendWhole(requests[index % plan.topicCount])
      poller.watch(sockets[index].descriptor, token: index)
      return
    }
    guard case .moved(let count) = sockets[index].receive(into: buffer.bytes) else {
      fail("connection \(index) was closed while it opened (\(openCount) are open)")
    }
    let received = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    if phases[index] == .open { return take(received, index) }
    var bytes = partial.removeValue(forKey: index) ?? []
    bytes += received
    if phases[index] == .upgrading { readUpgrade(&bytes, index) }
    if phases[index] == .subscribing { readSubscription(&bytes, index) }
    if phases[index] == .open {
      bytes.withUnsafeBytes { take($0, index) }
    } else if !bytes.isEmpty {
      partial[index] = bytes
    }
  }

  private func readUpgrade(_ bytes: inout [UInt8], _ index: Int) {
    guard let answer = bytes.withUnsafeBytes({ Frames.upgradeAnswer($0) }) else { return }
    handshakes.record(monotonicNanoseconds() - startedAt[index])
    if answer.isCompressed { compressedCount += 1 }
    bytes.removeFirst(answer.byteCount)
    if let subscription = subscriptions[index % plan.topicCount] {
      sockets[index].sendWhole(subscription)
      phases[index] = .subscribing
    } else {
      phases[index] = .open
      openCount += 1
    }
  }

  private func readSubscription(_ bytes: inout [UInt8], _ index: Int) {
    guard let header = Frames.header(available: bytes.count, at: { bytes[$0] }),
      bytes.count >= header.headerByteCount + header.payloadByteCount
    else { return }
    let end = header.headerByteCount + header.payloadByteCount
    let isAsExpected = bytes[header.headerByteCount..<end].withUnsafeBytes { payload in
      // A compressed answer says by its coming what there is to know.
      header.first & 0x40 != 0 || payload.firstIndex(of: subscriptionAnswer) != nil
    }
    guard isAsExpected else { fail("a subscription was answered: \(String(decoding: bytes[..<end], as: UTF8.self))") }
    bytes.removeFirst(end)
    phases[index] = .open
    openCount += 1
  }

  private func take(_ bytes: UnsafeRawBufferPointer, _ index: Int) {
    if bytes.isEmpty { return }
    guard let onMessages else { fail("unasked: \(String(decoding: bytes, as: UTF8.self))") }
    onMessages(index, startedAt[index], bytes)
  }

  /// Closes all connections at once, without a closing handshake, as a lost network does.
  func drop() {
    for socket in sockets { close(socket.descriptor) }
    sockets = []
  }
}
