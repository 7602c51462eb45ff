/// What a server under measurement is told and answers. A peer is added by one more conformance here and its command
/// line in `harness/servers.py`.
protocol Target {
  /// Where a WebSocket for one topic's messages is opened.
  func subscriptionPath(topic: Int) -> String
  /// What the client sends after the handshake to subscribe, nil where the path says it all.
  func subscriptionMessage(topic: Int) -> String?
  /// What the one answer to that message contains.
  var subscriptionAnswer: StaticString { get }

  /// How a client that has had `message` as its last one of the topic comes back for what it missed; nil where the
  /// server cannot do that.
  func resumption(topic: Int, behind message: UnsafeRawBufferPointer) -> Resumption?

  /// Where messages come back to their sender.
  var echoPath: String { get }
  /// Where a connection that subscribes to nothing has its pings answered.
  var pingPath: String { get }

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

/// What most servers have alike.
extension Target {
  func resumption(topic: Int, behind message: UnsafeRawBufferPointer) -> Resumption? { nil }
  var pingPath: String { echoPath }
}

struct Resumption {
  var path: String
  /// What the client sends after the handshake; nil where the path says it all.
  var message: String?
  /// What the one answer to that message contains.
  var answer: StaticString = ""
}

enum Targets {
  static func named(_ name: String) -> any Target {
    switch name {
    case "signalbox": SignalboxTarget()
    case "signalbox-channel": SignalboxTarget(publishes: .toChannels)
    case "signalbox-ends": TaskEndsTarget()
    case "ceiling": CeilingTarget()
    case "ceiling-deflate": CeilingTarget(isCompressing: true)
    case "nchan": NchanTarget()
    case "peer": PeerTarget()
    default: fail("no target \(name)")
    }
  }
}
