/// The server programs of `Peers`, whatever library carries them: the path says the topic, and publications arrive on
/// a WebSocket, a text message each: the topic, a space, and what is delivered.
struct PeerTarget: Target {
  /// Of the frames' masks. A client draws a fresh one for each frame; a server is not to notice the difference.
  private static let maskingKey: UInt32 = 0x5A17_C3E9

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
    var payload = Array("\(publication.topic) ".utf8)
    template.append(number: publication.number, to: &payload)
    output += Frames.clientText(payload, key: PeerTarget.maskingKey)
  }

  func appendPublications(_ publications: [Publication], to output: inout [UInt8]) {
    for publication in publications { appendPublication(publication, to: &output) }
  }
}
