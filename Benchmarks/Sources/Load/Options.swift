import Glibc

/// The command line: `--name value` throughout.
struct Options {
  enum Scenario: String, CaseIterable {
    case closed, paced, stream, topics, deflate, echo, handshake, idle, resume, restart, slow, spare
    case httpPublish = "http-publish"
    case linePublish = "ndjson-publish"
  }

  var scenario = Scenario.closed
  /// A name of `Targets`.
  var target = "signalbox"
  var port: UInt16 = 0
  /// The server's process.
  var server: Int32 = 0
  /// Connections that subscribe, echo or merely stay.
  var clientCount = 1000
  var topicCount = 1
  /// Operations that are measured: messages published, echoes of each client, connections, requests.
  var operationCount = 1000
  /// Run before, unmeasured.
  var warmUpCount = 20
  /// Of a delivered message.
  var messageByteCount = 200
  /// Messages under way at once (stream, topics), echoes of each client, or connections that open (handshake, resume).
  var underWayMax: Int { givenUnderWayMax ?? (scenario == .handshake ? Fleet.Plan.underWayMax : 64) }
  private var givenUnderWayMax: Int?
  /// Of the paced scenarios.
  var perSecond: Double { givenPerSecond ?? 30 }
  /// Publishes without subscribers are paced only where it is given.
  private(set) var givenPerSecond: Double?
  /// Lines of one NDJSON request.
  var lineCount = 500

  /// Clients that subscribe and never read.
  var slowCount = 0
  /// Messages that fill what the server and the kernel keep for those.
  var fillCount = 250
  /// Messages of each topic that clients miss before they come back.
  var missedCount = 20

  static let usage = """
    usage: load --scenario NAME --target NAME --port N --server PID [--clients N] [--topics N] [--operations N]
                [--warm-up N] [--bytes N] [--under-way N] [--rate N] [--lines N]
                [--slow N] [--fill N] [--missed N] [--wait sleep|spin]
    scenarios: \(Scenario.allCases.map(\.rawValue).joined(separator: " "))
    """

  init(arguments: [String]) {
    var rest = arguments[...]
    while let name = rest.popFirst() {
      guard let value = rest.popFirst() else { Options.refuse(name, "") }
      switch name {
      case "--scenario":
        guard let known = Scenario(rawValue: value) else { Options.refuse(name, value) }
        scenario = known
      case "--target": target = value
      case "--port": port = Options.number(name, value)
      case "--server": server = Options.number(name, value)
      case "--clients": clientCount = Options.number(name, value)
      case "--topics": topicCount = Options.number(name, value)
      case "--operations": operationCount = Options.number(name, value)
      case "--warm-up": warmUpCount = Options.number(name, value)
      case "--bytes": messageByteCount = Options.number(name, value)
      case "--under-way": givenUnderWayMax = Options.number(name, value)
      case "--lines": lineCount = Options.number(name, value)
      case "--slow": slowCount = Options.number(name, value)
      case "--fill": fillCount = Options.number(name, value)
      case "--missed": missedCount = Options.number(name, value)
      case "--wait":
        guard ["sleep", "spin"].contains(value) else { Options.refuse(name, value) }
        Poller.spins = value == "spin"
      case "--rate":
        guard let rate = Double(value), rate > 0 else { Options.refuse(name, value) }
        givenPerSecond = rate
      default: Options.refuse(name, value)
      }
    }
    if port == 0 || server == 0 { fail(Options.usage) }
    if [.topics, .idle, .resume, .restart].contains(scenario), clientCount < topicCount {
      fail("\(topicCount) topics need as many clients, not \(clientCount)")
    }
  }

  private static func number<Integer: FixedWidthInteger>(_ name: String, _ value: String) -> Integer {
    guard let number = Integer(value), number > 0 else { refuse(name, value) }
    return number
  }

  private static func refuse(_ name: String, _ value: String) -> Never {
    fail("bad option \(name) \(value)\n\(usage)")
  }
}
