/// nginx with Nchan (`Peers/nchan`): a location to subscribe, a location to publish by HTTP POST.
struct NchanTarget: Target {
  private var template = MessageTemplate(byteCount: 0)
  private var heads: [[UInt8]] = []

  func subscriptionPath(topic: Int) -> String { "/t/\(topic)" }
  func subscriptionMessage(topic: Int) -> String? { nil }
  var subscriptionAnswer: StaticString { "" }
  /// It relays and does not echo; what is asked here is answered 404.
  var echoPath: String { "/echo" }
  var publisherOpening: [UInt8]? { nil }
  var answersPublishes: Bool { true }
  /// One request is one message; those of a batch are sent one behind the other without waiting for answers.
  var publicationsPerRequestMax: Int { 1 }

  mutating func prepare(topicCount: Int, messageByteCount: Int) {
    template = MessageTemplate(byteCount: messageByteCount)
    heads = (0..<topicCount).map { topic in
      Array(
        """
        POST /publish/\(topic) HTTP/1.1\r
        Host: 127.0.0.1\r
        Content-Type: application/json\r
        Content-Length: \(template.bytes.count)\r
        \r\n
        """.utf8)
    }
  }

  func appendPublication(_ publication: Publication, to output: inout [UInt8]) {
    output += heads[publication.topic]
    template.append(number: publication.number, to: &output)
  }

  func appendPublications(_ publications: [Publication], to output: inout [UInt8]) {
    for publication in publications { appendPublication(publication, to: &output) }
  }
}
