import Glibc

/// The connection that publishes: what it has to send, and the answers it waits for.
final class Publisher {
  let socket: Socket
  private let poller: Poller
  private let token: Int
  private var output: [UInt8] = []
  private var outputOffset = 0
  private var input: [UInt8] = []
  private var awaitsWritable = true
  private(set) var requestsUnderWay = 0
  /// Whether the opening has been answered.
  private(set) var isOpen: Bool

  init(port: UInt16, target: any Target, poller: Poller, token: Int) {
    socket = Socket(port: port)
    self.poller = poller
    self.token = token
    isOpen = target.publisherOpening == nil
    if let opening = target.publisherOpening { output = opening }
    // Writable once it is connected; then what there is to send leaves.
    poller.watch(socket.descriptor, token: token, writable: true)
  }

  /// Sends a request, or keeps it until the kernel takes it.
  func send(answered: Bool, _ append: (inout [UInt8]) -> Void) {
    append(&output)
    if answered { requestsUnderWay += 1 }
    if !awaitsWritable { flush() }
  }

  private func flush() {
    if !output.isEmpty {
      let outcome = output.withUnsafeBytes { socket.send(UnsafeRawBufferPointer(rebasing: $0[outputOffset...])) }
      switch outcome {
      case .moved(let count): outputOffset += count
      case .wouldBlock: break
      case .ended: fail("the publisher's connection broke: errno \(errno)")
      }
    }
    if outputOffset == output.count {
      output.removeAll(keepingCapacity: true)
      outputOffset = 0
    }
    guard awaitsWritable == output.isEmpty else { return }
    awaitsWritable = !output.isEmpty
    poller.watch(socket.descriptor, token: token, writable: awaitsWritable)
  }

  /// Handles the connection's event; returns how many requests were answered.
  func handleEvent(_ buffer: ReadBuffer) -> Int {
    if awaitsWritable {
      flush()
      return 0
    }
    switch socket.receive(into: buffer.bytes) {
    case .moved(let count): input += UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    case .wouldBlock: return 0
    case .ended: fail("the server closed the publisher's connection: errno \(errno)")
    }
    if !isOpen {
      guard let count = input.withUnsafeBytes({ Frames.upgradeAnswerByteCount($0) }) else { return 0 }
      input.removeFirst(count)
      isOpen = true
    }
    var answered = 0
    while let count = input.withUnsafeBytes({ HTTPAnswer.byteCount($0) }) {
      input.removeFirst(count)
      answered += 1
    }
    requestsUnderWay -= answered
    return answered
  }
}

/// As much of HTTP/1.1 as the gateway's answers need.
enum HTTPAnswer {
  /// The count of bytes of the first answer, which must be a success without rejected lines; nil while it is incomplete.
  static func byteCount(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard let end = bytes.firstIndex(of: "\r\n\r\n") else { return nil }
    let head = UnsafeRawBufferPointer(rebasing: bytes[..<end])
    guard head.count > 12, head[9] == UInt8(ascii: "2"),
      let name = head.firstIndex(of: "Content-Length: ") ?? head.firstIndex(of: "content-length: ")
    else { fail("a publish was answered: \(String(decoding: bytes.prefix(2000), as: UTF8.self))") }
    var length = 0
    for byte in head[(name + 16)...] {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), length < 1 << 40 else { break }
      length = length * 10 + Int(byte - UInt8(ascii: "0"))
    }
    guard bytes.count >= end + 4 + length else { return nil }
    let body = UnsafeRawBufferPointer(rebasing: bytes[(end + 4)..<(end + 4 + length)])
    if body.firstIndex(of: "\"rejected\":") != nil, body.firstIndex(of: "\"rejected\":[]") == nil {
      fail("lines were rejected: \(String(decoding: body.prefix(2000), as: UTF8.self))")
    }
    return end + 4 + length
  }
}
