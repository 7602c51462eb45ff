/// Signalbox, publishing ends: each topic is a task that is ended once, so there must be as many as messages. Of ten ends one
/// is an error.
struct TaskEndsTarget: Target {
  private static let errorEvery = 10

  private let watching = SignalboxTarget()
  private var text = ""

  func subscriptionPath(topic: Int) -> String { watching.subscriptionPath(topic: topic) }
  func subscriptionMessage(topic: Int) -> String? { watching.subscriptionMessage(topic: topic) }
  var subscriptionAnswer: StaticString { watching.subscriptionAnswer }
  var echoPath: String { watching.echoPath }
  var publisherOpening: [UInt8]? { nil }
  var answersPublishes: Bool { true }
  /// An HTTP body of a megabyte at most (`--max-request-bytes`).
  var publicationsPerRequestMax: Int { 900_000 / (text.utf8.count + 128) }

  mutating func prepare(topicCount: Int, messageByteCount: Int) {
    text = MessageTemplate.text(byteCount: max(0, messageByteCount - 64))
  }

  private func operation(_ publication: Publication) -> String {
    publication.topic % Self.errorEvery == 0 ? "error" : "complete"
  }

  private func members(_ publication: Publication) -> String {
    if publication.number > 0 { fail("task \(publication.topic) has ended: more topics are needed") }
    return publication.topic % Self.errorEvery == 0
      ? "\"error\":\"\(text)\",\"error_code\":\"worker_lost\""
      : "\"message\":\"done\",\"result\":{\"summary\":\"\(text)\"}"
  }

  func appendPublication(_ publication: Publication, to output: inout [UInt8]) {
    let path = "/api/v1/tasks/\(watching.topicName(publication.topic))/\(operation(publication))"
    let body = "{\(members(publication))}"
    output += watching.head(path: path, type: "application/json", byteCount: body.utf8.count)
    output += body.utf8
  }

  func appendPublications(_ publications: [Publication], to output: inout [UInt8]) {
    var body: [UInt8] = []
    for publication in publications {
      let name = watching.topicName(publication.topic)
      body += "{\"op\":\"\(operation(publication))\",\"task_id\":\"\(name)\",\(members(publication))}\n".utf8
    }
    output += watching.head(path: "/api/v1/publish", type: "application/x-ndjson", byteCount: body.count)
    output += body
  }
}
