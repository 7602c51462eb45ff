package import GatewayDomain
package import Protocol

/// What the server answers a client of the action dialect.
extension ActionDialect {
  package static func pong(original: JSONText, now: Double) -> [UInt8] {
    message("pong") { writer in
      writer.member("timestamp", double: now)
      writer.member("original_data", raw: original)
    }
  }

  /// A user or a channel.
  package static func subscriptionConfirmed(_ key: ActionKey) -> [UInt8] {
    message("subscription_confirmed") { $0.member(key) }
  }

  /// A task: the next event is `position.offset` + 1 in every case.
  ///
  /// - Parameters:
  ///   - key: `.task` or `.execution`, as the client named it.
  ///   - decision: nil for `.unknownTask`, which `error` answers.
  package static func subscriptionConfirmed(_ key: ActionKey, _ decision: ResumeDecision) -> [UInt8]? {
    let epoch: Epoch?
    let offset: Int
    var isRecovered = false
    var snapshot: TaskSnapshot?
    switch decision {
    case .unknownTask: return nil
    case .waiting: (epoch, offset) = (nil, 0)
    case .replay(_, let replayEpoch, let replayOffset):
      (epoch, offset) = (replayEpoch, replayOffset)
      isRecovered = true
    case .snapshot(let current):
      (epoch, offset) = (current.epoch, current.offset)
      snapshot = current
    }
    return message("subscription_confirmed") { writer in
      writer.member(key)
      writer.member("epoch", string: epoch?.text)
      writer.member("offset", integer: offset)
      writer.member("recovered", bool: isRecovered)
      writer.key("snapshot")
      if let snapshot { ResponseBodies.appendTask(snapshot, to: &writer) } else { writer.valueNull() }
    }
  }

  package static func unsubscribed(_ key: ActionKey) -> [UInt8] {
    message("unsubscribed") { $0.member(key) }
  }

  /// Only with the subprotocol.
  package static func confirmationResult(_ callback: CallbackIdentifier, _ result: AnswerResult) -> [UInt8] {
    let status: StaticString
    var outcome: Confirmation?
    switch result {
    case .accepted(let confirmation): (status, outcome) = ("accepted", confirmation)
    case .alreadyResolved(let confirmation): (status, outcome) = ("already_resolved", confirmation)
    case .expired(let confirmation): (status, outcome) = ("expired", confirmation)
    case .unknown: status = "unknown"
    case .forbidden: status = "forbidden"
    }
    return message("confirmation_result") { writer in
      writer.member("callback_id", string: callback.text)
      writer.member("status", literal: status)
      if let outcome { ResponseBodies.appendOutcome(of: outcome, to: &writer) }
    }
  }

  package static func refreshed(expiresAt: Double) -> [UInt8] {
    message("refreshed") { $0.member("expires_at", double: expiresAt) }
  }

  /// An error, and the key that failed where there is one.
  package static func error(_ text: String, now: Double, key: ActionKey? = nil) -> [UInt8] {
    message("error") { writer in
      writer.member("message", string: text)
      writer.member("timestamp", double: now)
      if let key { writer.member(key) }
    }
  }

  package static func unknownAction(_ action: String, now: Double) -> [UInt8] {
    error("Unknown action: \(action)", now: now)
  }

  package static func invalidJSON(now: Double) -> [UInt8] {
    error("Invalid JSON format", now: now)
  }

  /// An object with its `type` and what `body` adds.
  static func message(_ type: StaticString, _ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("type", literal: type)
    body(&writer)
    writer.endObject()
    return writer.bytes
  }
}

extension JSONWriter {
  mutating func member(_ key: ActionKey) {
    member(key.name, string: key.text)
  }
}
