import Protocol
import Testing

@testable import Gateway

/// A peer of the simulated network that sends and reads bytes; HTTP and WebSocket are spoken by extensions.
final class SimulatedClient {
  let stream: SimulatedStream
  /// Takes what has arrived after every turn; a client that does not fills the kernel's buffer, then its queue.
  var isReading = true
  /// Bytes read and not yet understood.
  var received: [UInt8] = []
  /// Everything but the pieces that `frames` and `answer` took.
  var maskingKey: UInt32 = 0x1234_5678

  init(stream: SimulatedStream) { self.stream = stream }

  func send(_ bytes: [UInt8]) {
    guard !stream.isReset, !stream.clientEnded else { return }
    stream.toServer.append(contentsOf: bytes)
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  func read() {
    received.append(contentsOf: stream.toClient)
    stream.toClient.removeAll()
  }

  /// Ends the client's half; it still reads.
  func endSending() { stream.clientEnded = true }

  /// The descriptor is closed: in order where everything was read, by a reset later where bytes still come.
  func close() {
    stream.clientEnded = true
    stream.clientClosed = true
    isReading = true
  }

  /// The connection is cut.
  func reset() { stream.isReset = true }

  /// The server has said that nothing follows, and everything was read.
  var isEnded: Bool { stream.serverEnded && stream.toClient.isEmpty || stream.isReset }

  // MARK: HTTP

  struct Answer {
    var status: Int
    var fields: [(name: String, value: String)]
    var body: [UInt8]

    func field(_ name: String) -> String? { fields.first { $0.name.lowercased() == name.lowercased() }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  /// The bytes of a request; a body carries its length and says that it is JSON.
  static func request(
    _ method: String, _ path: String, _ fields: [(String, String)] = [], body: String? = nil,
    contentType: String = "application/json", isAuthorised: Bool = true
  ) -> String {
    var text = "\(method) \(path) HTTP/1.1\r\nHost: gateway\r\n"
    if isAuthorised, !fields.contains(where: { $0.0 == "Authorization" }) {
      text += "Authorization: Bearer \(SimulatedGateway.publisherKey)\r\n"
    }
    for (name, value) in fields { text += "\(name): \(value)\r\n" }
    if let body {
      text += "Content-Type: \(contentType)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    } else {
      text += "\r\n"
    }
    return text
  }

  func request(
    _ method: String, _ path: String, _ fields: [(String, String)] = [], body: String? = nil,
    contentType: String = "application/json", isAuthorised: Bool = true
  ) {
    send(Self.request(method, path, fields, body: body, contentType: contentType, isAuthorised: isAuthorised))
  }

  /// Takes the next whole answer off the received bytes. `toHead`: it has no body whatever its length says.
  func answer(toHead: Bool = false) -> Answer? {
    guard let headEnd = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
    let lines = String(decoding: received[..<headEnd.lowerBound], as: UTF8.self).split(separator: "\r\n")
    let words = lines[0].split(separator: " ", maxSplits: 2)
    guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
      Issue.record("not an answer: \(lines[0])")
      return nil
    }
    var fields: [(name: String, value: String)] = []
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else {
        Issue.record("not a field: \(line)")
        continue
      }
      fields.append(
        (String(line[..<colon]), String(line[line.index(after: colon)...].drop { $0 == " " })))
    }
    var answer = Answer(status: status, fields: fields, body: [])
    let hasBody = !toHead && status >= 200 && status != 204 && status != 304
    let length = hasBody ? answer.field("Content-Length").flatMap { Int($0) } ?? 0 : 0
    guard received.count - headEnd.upperBound >= length else { return nil }
    answer.body = Array(received[headEnd.upperBound..<(headEnd.upperBound + length)])
    received.removeFirst(headEnd.upperBound + length)
    return answer
  }

  /// All whole answers.
  func answers() -> [Answer] {
    var list: [Answer] = []
    while let next = answer() { list.append(next) }
    return list
  }

  // MARK: WebSocket

  /// A server's frame.
  struct Frame: Equatable {
    var opcode: Opcode
    var payload: [UInt8]
    var isCompressed = false

    var text: String { String(decoding: payload, as: UTF8.self) }
    var closeCode: UInt16? {
      opcode == .close && payload.count >= 2 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : nil
    }
    var closeReason: String { String(decoding: payload.dropFirst(2), as: UTF8.self) }
  }

  static func handshake(_ path: String, _ fields: [(String, String)] = []) -> String {
    var text = "GET \(path) HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    text += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    for (name, value) in fields { text += "\(name): \(value)\r\n" }
    return text + "\r\n"
  }

  func upgrade(_ path: String, _ fields: [(String, String)] = []) {
    send(Self.handshake(path, fields))
  }

  /// The bytes of a client's frame, masked.
  func frame(_ opcode: Opcode, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
    var bytes: [UInt8] = []
    FrameWriter.appendHeader(opcode: opcode, payloadByteCount: payload.count, into: &bytes)
    if !isFinal { bytes[0] &= 0x7f }
    bytes[1] |= 0x80
    maskingKey = maskingKey &* 1_664_525 &+ 1_013_904_223
    let key = (0..<4).map { UInt8(truncatingIfNeeded: maskingKey >> ($0 * 8)) }
    bytes.append(contentsOf: key)
    for (index, byte) in payload.enumerated() { bytes.append(byte ^ key[index & 3]) }
    return bytes
  }

  func sendText(_ text: String) { send(frame(.text, Array(text.utf8))) }

  func sendClose(_ code: UInt16 = 1000) {
    send(frame(.close, [UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)]))
  }

  /// Takes the whole frames off the received bytes; what is wrong with one is an issue.
  func frames() -> [Frame] {
    var list: [Frame] = []
    while received.count >= 2 {
      var start = 2
      var count = Int(received[1] & 0x7f)
      if count == 126 {
        guard received.count >= 4 else { break }
        count = Int(received[2]) << 8 | Int(received[3])
        start = 4
      } else if count == 127 {
        guard received.count >= 10 else { break }
        count = received[2..<10].reduce(0) { $0 << 8 | Int($1) }
        start = 10
      }
      guard let opcode = Opcode(rawValue: received[0] & 0x0f), received[0] & 0xb0 == 0x80, received[1] & 0x80 == 0
      else {
        Issue.record("not a server's frame: \(received.prefix(16))")
        received.removeAll()
        break
      }
      guard received.count - start >= count else { break }
      list.append(
        Frame(
          opcode: opcode, payload: Array(received[start..<(start + count)]), isCompressed: received[0] & 0x40 != 0))
      received.removeFirst(start + count)
    }
    return list
  }

  /// The text messages that have come since the last look.
  func messages() -> [Message] {
    frames().filter { $0.opcode == .text }.map { Message($0.payload) }
  }
}

/// A JSON object that the server sent.
struct Message: CustomStringConvertible {
  let bytes: [UInt8]
  private let object: JSONObject

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    var object = JSONObject()
    do { try object.scan(bytes.span) } catch {
      Issue.record("not a JSON object: \(String(decoding: bytes, as: UTF8.self))")
    }
    self.object = object
  }

  var description: String { String(decoding: bytes, as: UTF8.self) }
  var type: String { string("type") ?? "" }

  func has(_ name: StaticString) -> Bool { object.member(name, in: bytes.span) != nil }

  /// The member's value as it was written; empty where there is none.
  func raw(_ name: StaticString) -> String {
    guard let member = object.member(name, in: bytes.span) else { return "" }
    return String(decoding: bytes[member.value], as: UTF8.self)
  }

  func string(_ name: StaticString) -> String? {
    object.member(name, in: bytes.span).flatMap { JSONDecode.string($0, in: bytes.span) }
  }

  func int(_ name: StaticString) -> Int? {
    object.member(name, in: bytes.span).flatMap { JSONDecode.int($0, in: bytes.span) }
  }
}
