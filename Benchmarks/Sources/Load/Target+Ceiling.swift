/// The C servers of `Sources/Ceiling`.
struct CeilingTarget: Target {
  /// Of a record's byte count: the payload is compressed already.
  private static let compressedMark = 1 << 31

  let isCompressing: Bool
  private var template = MessageTemplate(byteCount: 0)

  init(isCompressing: Bool = false) { self.isCompressing = isCompressing }

  func subscriptionPath(topic: Int) -> String { "/t/\(topic)" }
  func subscriptionMessage(topic: Int) -> String? { nil }
  var subscriptionAnswer: StaticString { "" }
  func resumption(topic: Int, behind message: UnsafeRawBufferPointer) -> Resumption? {
    guard let number = MessageChecker.integer(behind: "\"current\":", in: message) else { return nil }
    // The ceiling counts a topic's messages from 0, as we do: it is asked for those from this one on.
    return Resumption(path: "/t/\(topic)?since=\(number - MessageTemplate.firstNumber + 1)")
  }
  var echoPath: String { "/echo" }
  var publisherOpening: [UInt8]? { Frames.upgradeRequest(path: "/publish") }
  var answersPublishes: Bool { false }
  var publicationsPerRequestMax: Int { Int.max }

  mutating func prepare(topicCount: Int, messageByteCount: Int) {
    template = MessageTemplate(byteCount: messageByteCount)
  }

  func appendPublication(_ publication: Publication, to output: inout [UInt8]) {
    appendInteger(publication.topic, to: &output)
    guard isCompressing else {
      appendInteger(template.bytes.count, to: &output)
      return template.append(number: publication.number, to: &output)
    }
    var message: [UInt8] = []
    template.append(number: publication.number, to: &message)
    let compressed = MessageDeflater.deflated(message)
    appendInteger(compressed.count | CeilingTarget.compressedMark, to: &output)
    output += compressed
  }

  func appendPublications(_ publications: [Publication], to output: inout [UInt8]) {
    for publication in publications { appendPublication(publication, to: &output) }
  }

  private func appendInteger(_ value: Int, to output: inout [UInt8]) {
    for shift in [0, 8, 16, 24] { output.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }
}
