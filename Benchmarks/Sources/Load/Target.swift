/// What a server under measurement is told and answers. A peer is added by one more conformance here and its command
/// line in `harness/servers.py`.
protocol Target {
  /// Where a WebSocket for one topic's messages is opened.
  func subscriptionPath(topic: Int) -> String
  /// What the client sends after the handshake to subscribe, nil where the path says it all.
  func subscriptionMessage(topic: Int) -> String?
  /// What the one answer to that message contains.
  var subscriptionAnswer: StaticString { get }

  /// Where messages come back to their sender.
  var echoPath: String { get }

  /// What opens the connection that publishes; it is answered like a handshake. nil where nothing is needed.
  var publisherOpening: [UInt8]? { get }
  /// Whether each request is answered by HTTP, so that one stands open at a time.
  var answersPublishes: Bool { get }
  /// What a single request may hold; `publications` never are more.
  var publicationsPerRequestMax: Int { get }

  /// Fixes the messages' length; called before the first publication, and once more when the envelope is known.
  mutating func prepare(topicCount: Int, messageByteCount: Int)
  /// Appends one request that publishes one message.
  func appendPublication(_ publication: Publication, to output: inout [UInt8])
  /// Appends one request that publishes many.
  func appendPublications(_ publications: [Publication], to output: inout [UInt8])
}

struct Publication {
  var topic: Int
  /// Counted from 0 within the topic.
  var number: Int
}

enum Targets {
  static func named(_ name: String) -> any Target {
    switch name {
    case "signalbox": SignalboxTarget()
    case "ceiling": CeilingTarget()
    case "nchan": NchanTarget()
    case "peer": PeerTarget()
    default: fail("no target \(name): signalbox, ceiling, nchan or peer")
    }
  }
}

/// The C servers of `Sources/Ceiling`.
struct CeilingTarget: Target {
  private var template = MessageTemplate(byteCount: 0)

  func subscriptionPath(topic: Int) -> String { "/t/\(topic)" }
  func subscriptionMessage(topic: Int) -> String? { nil }
  var subscriptionAnswer: StaticString { "" }
  var echoPath: String { "/echo" }
  var publisherOpening: [UInt8]? { Frames.upgradeRequest(path: "/publish") }
  var answersPublishes: Bool { false }
  var publicationsPerRequestMax: Int { Int.max }

  mutating func prepare(topicCount: Int, messageByteCount: Int) {
    template = MessageTemplate(byteCount: messageByteCount)
  }

  func appendPublication(_ publication: Publication, to output: inout [UInt8]) {
    appendInteger(publication.topic, to: &output)
    appendInteger(template.bytes.count, to: &output)
    template.append(number: publication.number, to: &output)
  }

  func appendPublications(_ publications: [Publication], to output: inout [UInt8]) {
    for publication in publications { appendPublication(publication, to: &output) }
  }

  private func appendInteger(_ value: Int, to output: inout [UInt8]) {
    for shift in [0, 8, 16, 24] { output.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }
}

/// Signalbox: the action dialect, and publishes over HTTP.
struct SignalboxTarget: Target {
  private var template = MessageTemplate(byteCount: 0)
  private var heads: [[UInt8]] = []
  private var lines: [MessageTemplate] = []

  func subscriptionPath(topic: Int) -> String { "/ws" }
  func subscriptionMessage(topic: Int) -> String? {
    "{\"action\":\"subscribe\",\"task_id\":\"\(taskName(topic))\",\"wait\":true}"
  }
  var subscriptionAnswer: StaticString { "\"subscription_confirmed\"" }
  var echoPath: String { "/echo" }
  var publisherOpening: [UInt8]? { nil }
  var answersPublishes: Bool { true }
  /// An HTTP body of a megabyte at most (`--max-request-bytes`).
  var publicationsPerRequestMax: Int { 900_000 / (template.bytes.count + 64) }

  private func taskName(_ topic: Int) -> String { "bench-\(topic)" }

  mutating func prepare(topicCount: Int, messageByteCount: Int) {
    template = MessageTemplate(byteCount: messageByteCount)
    heads = (0..<topicCount).map { topic in
      head(path: "/api/v1/tasks/\(taskName(topic))/progress", type: "application/json", byteCount: template.bytes.count)
    }
    // The operation and the task stand beside the body's fields (wire contract §3.3) and are not delivered.
    lines = (0..<topicCount).map { topic in
      let opening = "\"op\":\"progress\",\"task_id\":\"\(taskName(topic))\","
      return MessageTemplate(opening: opening, byteCount: template.bytes.count + opening.utf8.count)
    }
  }

  private func head(path: String, type: String, byteCount: Int) -> [UInt8] {
    Array(
      """
      POST \(path) HTTP/1.1\r
      Host: 127.0.0.1\r
      Content-Type: \(type)\r
      Content-Length: \(byteCount)\r
      \r\n
      """.utf8)
  }

  func appendPublication(_ publication: Publication, to output: inout [UInt8]) {
    output += heads[publication.topic]
    template.append(number: publication.number, to: &output)
  }

  func appendPublications(_ publications: [Publication], to output: inout [UInt8]) {
    let byteCount = publications.reduce(0) { $0 + lines[$1.topic].bytes.count + 1 }
    output += head(path: "/api/v1/publish", type: "application/x-ndjson", byteCount: byteCount)
    for publication in publications {
      lines[publication.topic].append(number: publication.number, to: &output)
      output.append(UInt8(ascii: "\n"))
    }
  }
}
