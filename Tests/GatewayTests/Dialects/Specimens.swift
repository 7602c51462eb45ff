import Protocol

@testable import Gateway
@testable import GatewayDomain

/// Values that the golden tests share.
enum Specimen {
  static let now = 1_763_833_684.5
  static var timestamp: String { LocalTimestamp.text(now) }

  static func task(_ text: String = "t-1") -> TaskIdentifier { TaskIdentifier(trusted: text) }

  static func user(_ text: String) -> UserIdentifier {
    guard let user = UserIdentifier(validating: text) else { fatalError("\(text) is no user") }
    return user
  }

  static func channel(_ text: String) -> ChannelName {
    guard let channel = ChannelName(validating: text) else { fatalError("\(text) is no channel") }
    return channel
  }

  static func json(_ text: String) -> JSONText { JSONText(normalised: Array(text.utf8)) }

  static func snapshot(_ change: (inout TaskSnapshot) -> Void = { _ in }) -> TaskSnapshot {
    var snapshot = TaskSnapshot(identifier: task(), epoch: Epoch(text: "e1"), createdAt: 1000.25)
    change(&snapshot)
    return snapshot
  }

  static func event(
    _ kind: TaskEvent.Kind, given: String = "", progress: String? = nil, word: String = "running",
    current: String? = nil, total: String? = nil, message: String? = nil, details: String? = nil,
    result: String? = nil, error: String? = nil
  ) -> TaskEvent {
    TaskEvent(
      task: task(), epoch: Epoch(text: "e1"), offset: 7, kind: kind, occurredAt: 999, given: Array(given.utf8),
      progress: progress.map(json), statusWord: word, current: current.map(json), total: total.map(json),
      message: message.map(json), details: details.map(json), result: result.map(json), error: error.map(json))
  }

  static func confirmation(_ change: (inout Confirmation) -> Void = { _ in }) -> Confirmation {
    var request = ConfirmationRequest(
      task: task("task_789"), user: user("用户 1"), step: json("2"), timeout: 300, defaultProceed: true)
    request.message = json(#""Model training failed, retry?""#)
    request.result = json(#"{"rows":[12345678901234567890,1e400]}"#)
    request.status = json(#""failed""#)
    request.errorCode = json(#""E003""#)
    request.errorMessage = json(#""显存不足""#)
    var confirmation = Confirmation(
      identifier: CallbackIdentifier(text: "c-1"), request: request, createdAt: 1000.5, deadline: 1300.5,
      deadlineAtMonotonic: 1)
    change(&confirmation)
    return confirmation
  }

  static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

// The macros of Swift Testing cannot hold a Span, so the tests call through strings.

extension TaskDialect {
  static func isPing(_ text: String) -> Bool { isPing(Array(text.utf8).span) }
}

extension ExecutionDialect {
  static func parse(_ text: String) -> ExecutionClientMessage { parse(Array(text.utf8).span) }
}

extension ActionDialect {
  static func parse(_ text: String) -> ActionCommand { parse(Array(text.utf8).span) }
}
