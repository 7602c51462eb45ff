import GatewayDomain
import Protocol

/// What a path of the WebSocket endpoints names.
enum SocketDestination: Sendable {
  case task(String)
  case execution(String)
  case action
  case worker
  case echo

  /// Whom it lets in.
  var door: SocketDoor {
    switch self {
    case .task, .execution, .action: .watchers
    case .worker: .publishers
    case .echo: .everybody
    }
  }

  var isAction: Bool {
    if case .action = self { return true }
    return false
  }
}

/// Whom an endpoint lets in.
enum SocketDoor: Sendable {
  case everybody
  /// Who shows a token, where authentication is on.
  case watchers
  /// Who may publish: publishers need credentials even where authentication is off.
  case publishers
}

/// An opening handshake on its way in.
struct UpgradeCandidate: Sendable {
  let handshake: OpeningHandshake
  let destination: SocketDestination
  var task: TaskIdentifier?
  /// An execution's further messages that the client asks for.
  var wantsNodes = false
  var wantsLogs = false
  var bearer = Credentials.Bearer(principal: .anonymous, expiresAt: .infinity)

  init(handshake: OpeningHandshake, destination: SocketDestination) {
    self.handshake = handshake
    self.destination = destination
  }
}

/// The parsed head of a handshake that is answered while it is read; kept from one to the next for its storage.
final class OpeningScratch {
  private(set) var head = RequestHead()
  private var parser = RequestParser()

  /// Whether the bytes begin with a whole, valid head.
  func parse(_ bytes: Span<UInt8>) -> Bool {
    parser.reset()
    return (try? parser.parse(bytes, into: &head)) ?? false
  }
}
