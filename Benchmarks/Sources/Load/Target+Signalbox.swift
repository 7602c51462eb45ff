/// Signalbox: the action dialect, and publishes over HTTP.
struct SignalboxTarget: Target {
  /// What is published: a task's progress, of which a newer one supersedes an older one for whoever is slow, or messages
  /// of a channel, which are never left out.
  enum Publishes {
    case progress, toChannels
  }

  let publishes: Publishes
  private var template = MessageTemplate(byteCount: 0)
  private var heads: [[UInt8]] = []
  private var lines: [MessageTemplate] = []

  init(publishes: Publishes = .progress) { self.publishes = publishes }

  func subscriptionPath(topic: Int) -> String { "/ws" }
  func subscriptionMessage(topic: Int) -> String? {
    switch publishes {
    case .progress: "{\"action\":\"subscribe\",\"task_id\":\"\(topicName(topic))\",\"wait\":true}"
    case .toChannels: "{\"action\":\"subscribe\",\"channel\":\"\(topicName(topic))\"}"
    }
  }
  func resumption(topic: Int, behind message: UnsafeRawBufferPointer) -> Resumption? {
    guard publishes == .progress, let offset = MessageChecker.integer(behind: "\"offset\":", in: message),
      let name = message.firstIndex(of: "\"epoch\":\"")
    else { return nil }
    let epoch = String(decoding: message[(name + 9)...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    return Resumption(
      path: "/ws",
      message: """
        {"action":"subscribe","task_id":"\(topicName(topic))","since":{"epoch":"\(epoch)","offset":\(offset)}}
        """,
      answer: "\"recovered\":true")
  }
  var subscriptionAnswer: StaticString { "\"subscription_confirmed\"" }
  var echoPath: String { "/echo" }
  var pingPath: String { "/ws" }
  var publisherOpening: [UInt8]? { nil }
  var answersPublishes: Bool { true }
  /// An HTTP body of a megabyte at most (`--max-request-bytes`).
  var publicationsPerRequestMax: Int { 900_000 / (template.bytes.count + 64) }

  func topicName(_ topic: Int) -> String { "bench-\(topic)" }

  mutating func prepare(topicCount: Int, messageByteCount: Int) {
    template = MessageTemplate(byteCount: messageByteCount)
    heads = (0..<topicCount).map { topic in
      let path =
        switch publishes {
        case .progress: "/api/v1/tasks/\(topicName(topic))/progress"
        case .toChannels: "/api/v1/channels/\(topicName(topic))"
        }
      return head(path: path, type: "application/json", byteCount: template.bytes.count)
    }
    // The operation and the topic stand beside the body's fields (wire contract §3.3) and are not delivered.
    lines = (0..<topicCount).map { topic in
      let opening =
        switch publishes {
        case .progress: "\"op\":\"progress\",\"task_id\":\"\(topicName(topic))\","
        case .toChannels: "\"op\":\"channel\",\"channel\":\"\(topicName(topic))\","
        }
      return MessageTemplate(opening: opening, byteCount: template.bytes.count + opening.utf8.count)
    }
  }

  func head(path: String, type: String, byteCount: Int) -> [UInt8] {
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
