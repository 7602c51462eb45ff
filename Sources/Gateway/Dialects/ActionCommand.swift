package import GatewayDomain
package import Protocol

/// What a client of the action dialect asks for (contract §2.3), parsed and not yet judged: names are validated, and
/// refused, by who carries the command out.
package enum ActionCommand: Sendable, Equatable {
  /// The whole message, normalised.
  case ping(original: JSONText)
  case subscribe(ActionTopics)
  case unsubscribe(ActionTopics)
  case confirm(CallbackIdentifier, proceed: Bool, feedback: JSONText?)
  case cancel(task: String, user: String?, reason: JSONText?)
  case ack(MessageIdentifier)
  case refresh(token: String)
  /// The action as it stands in `Unknown action: X`.
  case unknown(String)
  case invalidJSON
  /// A message that gets no answer.
  case nothing
}

/// What a `subscribe` or `unsubscribe` names.
package struct ActionTopics: Sendable, Equatable {
  package var user: String?
  package var task: String?
  package var execution: String?
  package var channel: String?
  /// The last event that the client has of the task.
  package var since: EventPosition?
  /// Whether an unknown task is waited for.
  package var wait = false

  package init() {}

  package var isEmpty: Bool { user == nil && task == nil && execution == nil && channel == nil }
}

/// What a message of the action dialect is about: the member that names it.
package enum ActionKey: Sendable, Equatable {
  case user(String)
  case task(String)
  case execution(String)
  case channel(String)
  case callback(String)

  var name: StaticString {
    switch self {
    case .user: "user_id"
    case .task: "task_id"
    case .execution: "execution_id"
    case .channel: "channel"
    case .callback: "callback_id"
    }
  }

  var text: String {
    switch self {
    case .user(let text), .task(let text), .execution(let text), .channel(let text), .callback(let text): text
    }
  }
}

/// The action dialect, `/`, `/ws`, `/ws/` (contract §2.3, seed 002). Pure functions; `now` is Unix seconds.
package enum ActionDialect {
  package static func parse(_ bytes: Span<UInt8>) -> ActionCommand {
    var object = JSONObject()
    do throws(JSONError) {
      try object.scan(bytes)
    } catch {
      return .invalidJSON
    }
    let action = ClientWord.text(of: object.member("action", in: bytes), in: bytes)
    switch action {
    case "ping":
      return .ping(original: JSONText(normalising: 0..<bytes.count, of: bytes))
    case "subscribe":
      let topics = topics(of: object, in: bytes)
      return topics.isEmpty ? .nothing : .subscribe(topics)
    case "unsubscribe":
      let topics = topics(of: object, in: bytes)
      return topics.isEmpty ? .nothing : .unsubscribe(topics)
    case "confirm":
      // Without a name it is answered like an unknown one.
      let callback = CallbackIdentifier(text: name("callback_id", of: object, in: bytes) ?? "")
      let proceed = object.member("proceed", in: bytes).flatMap { JSONDecode.bool($0) } ?? false
      return .confirm(callback, proceed: proceed, feedback: value("feedback", of: object, in: bytes))
    case "cancel":
      guard let task = name("task_id", of: object, in: bytes) else { return .nothing }
      return .cancel(
        task: task, user: name("user_id", of: object, in: bytes), reason: value("reason", of: object, in: bytes))
    case "ack":
      guard let message = name("message_id", of: object, in: bytes) else { return .nothing }
      return .ack(MessageIdentifier(text: message))
    case "refresh":
      return .refresh(token: name("token", of: object, in: bytes) ?? "")
    default:
      return .unknown(action)
    }
  }

  private static func topics(of object: JSONObject, in bytes: Span<UInt8>) -> ActionTopics {
    var topics = ActionTopics()
    topics.user = name("user_id", of: object, in: bytes)
    topics.task = name("task_id", of: object, in: bytes)
    topics.execution = name("execution_id", of: object, in: bytes)
    topics.channel = name("channel", of: object, in: bytes)
    topics.wait = object.member("wait", in: bytes).flatMap { JSONDecode.bool($0) } ?? false
    if let since = object.member("since", in: bytes), since.kind == .object {
      topics.since = position(since, in: bytes)
    }
    return topics
  }

  /// Nil where it is no position: the client then gets a snapshot, which is always right.
  private static func position(_ member: JSONMember, in bytes: Span<UInt8>) -> EventPosition? {
    var object = JSONObject()
    do throws(JSONError) {
      try object.scan(bytes, in: member.value)
    } catch {
      return nil
    }
    guard let epoch = name("epoch", of: object, in: bytes), let offset = object.member("offset", in: bytes),
      let offset = JSONDecode.int(offset, in: bytes)
    else { return nil }
    return EventPosition(epoch: Epoch(text: epoch), offset: offset)
  }

  /// A name: a string, or a number as it is written, because the seeds' user ids are also numbers. The empty one names
  /// nothing, as in Python.
  private static func name(_ name: StaticString, of object: JSONObject, in bytes: Span<UInt8>) -> String? {
    guard let member = object.member(name, in: bytes) else { return nil }
    let text =
      switch member.kind {
      case .string: JSONDecode.string(member, in: bytes)
      case .number: String(validating: bytes.extracting(member.value))
      case .object, .array, .true, .false, .null: String?.none
      }
    return text == "" ? nil : text
  }

  /// Any value; null and absent are nil.
  private static func value(_ name: StaticString, of object: JSONObject, in bytes: Span<UInt8>) -> JSONText? {
    guard let member = object.member(name, in: bytes), member.kind != .null else { return nil }
    return JSONText(normalising: member.value, of: bytes)
  }
}
