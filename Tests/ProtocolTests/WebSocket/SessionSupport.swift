import Protocol
import Testing

/// What a session made of some bytes, comparable.
enum Observation: Equatable, CustomStringConvertible {
  case text([UInt8])
  case binary([UInt8])
  case ping([UInt8])
  case pong([UInt8])
  case close(UInt16?, [UInt8])
  case violation(UInt16)

  static func text(_ string: String) -> Observation { .text(Array(string.utf8)) }

  /// Long payloads are shown by their length.
  var description: String {
    switch self {
    case .text(let bytes): "text(\(Self.brief(bytes)))"
    case .binary(let bytes): "binary(\(Self.brief(bytes)))"
    case .ping(let bytes): "ping(\(Self.brief(bytes)))"
    case .pong(let bytes): "pong(\(Self.brief(bytes)))"
    case .close(let code, let reason): "close(\(code.map(String.init) ?? "nil"), \(Self.brief(reason)))"
    case .violation(let code): "violation(\(code))"
    }
  }

  private static func brief(_ bytes: [UInt8]) -> String {
    bytes.count <= 40 ? "\(bytes)" : "\(bytes.count) bytes from \(bytes.prefix(8))"
  }
}

extension NegotiatedDeflate {
  static let forTests = NegotiatedDeflate(serverMaxWindowBits: 15, response: "permessage-deflate")
}

/// One session together with what it said.
struct Conversation: ~Copyable {
  private var session: WebSocketSession
  private var inflaters = InflaterPool()
  private(set) var observations: [Observation] = []
  private(set) var inPlaceCount = 0
  /// Messages that were echoed rather than handed out by `next`; they are observed alike.
  private(set) var echoedCount = 0
  /// Whole frames are echoed into a room of so many bytes; nil: everything goes through `next`.
  private let echoRoomByteCount: Int?
  private let echoedPayloadByteCountMax: Int

  init(
    messageByteCountMax: Int = 65_536, deflate: NegotiatedDeflate? = nil, echoRoomByteCount: Int? = nil,
    echoedPayloadByteCountMax: Int = .max
  ) {
    session = WebSocketSession(messageByteCountMax: messageByteCountMax, deflate: deflate)
    self.echoRoomByteCount = echoRoomByteCount
    self.echoedPayloadByteCountMax = echoedPayloadByteCountMax
  }

  /// Lets the session echo what is whole, and reads the echoes back.
  private mutating func echo(_ bytes: [UInt8], _ position: inout Int) {
    guard let echoRoomByteCount else { return }
    // What stands behind the room must not be touched.
    var room = [UInt8](repeating: 0xee, count: echoRoomByteCount + 32)
    let echoed = unsafe room.withUnsafeMutableBytes { buffer in
      unsafe session.echo(
        bytes.span, position: &position, payloadByteCountMax: echoedPayloadByteCountMax,
        to: UnsafeMutableRawBufferPointer(rebasing: buffer[..<echoRoomByteCount]))
    }
    #expect(room[echoRoomByteCount...].allSatisfy { $0 == 0xee })
    var rest = room[..<echoed.byteCount]
    for _ in 0..<echoed.messageCount { observations.append(serverMessage(&rest)) }
    #expect(rest.isEmpty)
    echoedCount += echoed.messageCount
  }

  /// Reads a server's data frame, its length in the shortest form.
  private func serverMessage(_ bytes: inout ArraySlice<UInt8>) -> Observation {
    let head = Array(bytes.prefix(4))
    var byteCount = Int(head[1])
    var headerByteCount = 2
    if byteCount == 126 {
      byteCount = Int(head[2]) << 8 | Int(head[3])
      headerByteCount = 4
      #expect(byteCount > 125)
    }
    #expect(head[1] <= 126 && (head[0] == 0x81 || head[0] == 0x82))
    bytes = bytes.dropFirst(headerByteCount)
    let payload = Array(bytes.prefix(byteCount))
    #expect(payload.count == byteCount)
    bytes = bytes.dropFirst(byteCount)
    return head[0] == 0x81 ? .text(payload) : .binary(payload)
  }

  mutating func receive(_ input: [UInt8]) {
    var bytes = input
    var position = 0
    var eventCount = 0
    while true {
      echo(bytes, &position)
      let before = position
      var span = bytes.mutableSpan
      let event = session.next(&span, position: &position, inflaters: &inflaters)
      #expect(position >= before && position <= input.count)
      eventCount += 1
      guard eventCount <= input.count + 2 else {
        Issue.record("the session does not come to an end")
        return
      }
      switch event {
      case .needMoreBytes:
        #expect(position == input.count, "needMoreBytes means that all is consumed")
        return
      case .message(let kind, let payload):
        let content: [UInt8]
        switch payload {
        case .owned(let owned): content = owned
        case .inPlace(let range):
          inPlaceCount += 1
          #expect(range.lowerBound >= before && range.upperBound == position)
          content = Array(bytes[range])
        }
        observations.append(kind == .text ? .text(content) : .binary(content))
      case .ping(let payload): observations.append(.ping(payload))
      case .pong(let payload): observations.append(.pong(payload))
      case .close(let code, let reason): observations.append(.close(code?.rawValue, reason))
      case .violation(let code, _): observations.append(.violation(code.rawValue))
      }
    }
  }
}

/// Feeds the bytes whole, byte by byte and at every split (of long ones: at 200 spread splits), expects the same
/// observations of each, and returns them.
func observe(
  _ bytes: [UInt8], messageByteCountMax: Int = 65_536, deflate: NegotiatedDeflate? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) -> [Observation] {
  func fed(_ pieces: [ArraySlice<UInt8>]) -> [Observation] {
    var conversation = Conversation(messageByteCountMax: messageByteCountMax, deflate: deflate)
    for piece in pieces { conversation.receive(Array(piece)) }
    return conversation.observations
  }
  let whole = fed([bytes[...]])
  let byByte = fed(bytes.indices.map { bytes[$0...$0] })
  #expect(byByte == whole, "byte by byte", sourceLocation: sourceLocation)
  for split in stride(from: 0, through: bytes.count, by: max(1, bytes.count / 200)) {
    let inTwo = fed([bytes[..<split], bytes[split...]])
    #expect(inTwo == whole, "split at \(split)", sourceLocation: sourceLocation)
  }
  return whole
}

/// A client's frame, built without the code under test.
func frame(
  _ opcode: UInt8, _ payload: [UInt8], final: Bool = true, reserved: UInt8 = 0,
  key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
) -> [UInt8] {
  var bytes: [UInt8] = [(final ? 0x80 : 0) | reserved << 4 | opcode]
  if payload.count < 126 {
    bytes.append(0x80 | UInt8(payload.count))
  } else if payload.count < 65_536 {
    bytes += [0xfe, UInt8(payload.count / 256), UInt8(payload.count % 256)]
  } else {
    bytes.append(0xff)
    for power in (0..<8).reversed() { bytes.append(UInt8(payload.count >> (8 * power) & 0xff)) }
  }
  bytes += key
  for (index, byte) in payload.enumerated() { bytes.append(byte ^ key[index % 4]) }
  return bytes
}

func frame(_ opcode: UInt8, _ text: String, final: Bool = true, reserved: UInt8 = 0) -> [UInt8] {
  frame(opcode, Array(text.utf8), final: final, reserved: reserved)
}

func closeFrame(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] {
  frame(8, [UInt8(code >> 8), UInt8(code & 0xff)] + reason)
}

/// zlib made no context, or a payload did not compress.
struct NoContext: Error {}

// `#require` takes no values that cannot be copied.
func makeInflater() throws -> Inflater {
  guard let inflater = Inflater() else { throw NoContext() }
  return inflater
}

func makeDeflater(windowBits: Int) throws -> Deflater {
  guard let deflater = Deflater(windowBits: windowBits) else { throw NoContext() }
  return deflater
}

/// Compresses by our deflater, which another suite tests against the inflater and against known bytes.
func compressed(_ payload: [UInt8], windowBits: Int = 15) throws -> [UInt8] {
  var deflater = try makeDeflater(windowBits: windowBits)
  var output: [UInt8] = []
  guard deflater.compress(payload.span, into: &output) else { throw NoContext() }
  return output
}

/// xorshift64*: the same numbers for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed == 0 ? 1 : seed }

  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) }
  }
}
