import GatewayDomain
import Protocol

/// A confirmation's record in the store.
enum ConfirmationCodec {
  static func encode(_ confirmation: Confirmation) -> [UInt8] {
    let request = confirmation.request
    var writer = JSONWriter(reserving: 384)
    writer.beginObject()
    writer.member("callback_id", string: confirmation.identifier.text)
    writer.member("state", literal: confirmation.status.word)
    writer.member("user_id", string: request.user.text)
    writer.member("task_id", string: request.task.text)
    writer.member("timeout", double: request.timeout)
    writer.member("default_proceed", bool: request.defaultProceed)
    writer.member("created_at", double: confirmation.createdAt)
    writer.member("deadline", double: confirmation.deadline)
    if confirmation.status == .pending {
      writer.member("step", raw: request.step)
      writer.stored("message", request.message)
      writer.stored("result", request.result)
      writer.stored("status", request.status)
      writer.stored("error_code", request.errorCode)
      writer.stored("error_message", request.errorMessage)
      if !request.viewers.isEmpty {
        writer.key("viewers")
        writer.beginArray()
        for viewer in request.viewers { writer.value(string: viewer.text) }
        writer.endArray()
      }
    } else {
      if let proceed = confirmation.proceed { writer.member("proceed", bool: proceed) }
      writer.stored("feedback", confirmation.feedback)
      if let resolvedBy = confirmation.resolvedBy { writer.member("resolved_by", literal: resolvedBy.word) }
      writer.stored("resolved_at", confirmation.resolvedAt)
    }
    writer.endObject()
    return writer.bytes
  }

  /// Nil where the record is not one of ours.
  static func decode(_ bytes: [UInt8], row: Int64) -> Confirmation? {
    guard let object = StoredObject(bytes), let callback = object.string("callback_id"),
      let user = object.string("user_id").flatMap({ UserIdentifier(validating: $0) }),
      let task = object.string("task_id").flatMap({ TaskIdentifier(validating: $0) }),
      let timeout = object.double("timeout"), let defaultProceed = object.bool("default_proceed"),
      let createdAt = object.double("created_at"), let deadline = object.double("deadline"),
      let status = object.string("state").flatMap({ Confirmation.Status(word: $0) })
    else { return nil }
    var request = ConfirmationRequest(
      task: task, user: user, step: object.text("step") ?? .null, timeout: timeout, defaultProceed: defaultProceed)
    request.message = object.text("message")
    request.result = object.text("result")
    request.status = object.text("status")
    request.errorCode = object.text("error_code")
    request.errorMessage = object.text("error_message")
    request.viewers = object.strings("viewers").compactMap { UserIdentifier(validating: $0) }
    var confirmation = Confirmation(
      identifier: CallbackIdentifier(text: callback), row: row, request: request, createdAt: createdAt,
      deadline: deadline, deadlineAtMonotonic: 0)
    if status != .pending {
      confirmation.setOutcome(
        status, proceed: object.bool("proceed"), feedback: object.text("feedback"),
        resolvedBy: object.string("resolved_by").flatMap { Confirmation.ResolvedBy(word: $0) },
        resolvedAt: object.double("resolved_at"))
    }
    return confirmation
  }
}

/// The record of a message that asked for an acknowledgement.
enum MessageCodec {
  static func encode(_ message: UserMessage) -> [UInt8] {
    var writer = JSONWriter(reserving: 192 + message.body.byteCount)
    writer.beginObject()
    writer.member("message_id", string: message.identifier.text)
    writer.member("state", literal: message.status.word)
    writer.member("user_id", string: message.user.text)
    writer.member("sent_at", double: message.sentAt)
    writer.member("connections", integer: message.connectionCount)
    writer.member("retries", integer: message.retryCount)
    writer.stored("acknowledged_at", message.acknowledgedAt)
    if message.status == .pending { writer.member("body", raw: message.body) }
    writer.endObject()
    return writer.bytes
  }

  /// Nil where the record is not one of ours.
  static func decode(_ bytes: [UInt8], row: Int64) -> UserMessage? {
    guard let object = StoredObject(bytes), let identifier = object.string("message_id"),
      let user = object.string("user_id").flatMap({ UserIdentifier(validating: $0) }),
      let sentAt = object.double("sent_at"), let connectionCount = object.int("connections"),
      let retryCount = object.int("retries"),
      let status = object.string("state").flatMap({ UserMessage.Status(word: $0) })
    else { return nil }
    var message = UserMessage(
      identifier: MessageIdentifier(text: identifier), row: row, user: user, body: object.text("body") ?? .null,
      sentAt: sentAt)
    message.setProgress(
      status, acknowledgedAt: object.double("acknowledged_at"), connectionCount: connectionCount,
      retryCount: retryCount)
    return message
  }
}

/// The record of an idempotency key: digests only, never the key itself.
enum IdempotencyCodec {
  static func encode(_ record: IdempotencyRecord) -> [UInt8] {
    var writer = JSONWriter(reserving: 192 + record.outcome.body.count)
    writer.beginObject()
    writer.member("token", string: record.token.text)
    writer.member("body_digest", string: record.bodyDigest.text)
    writer.member("created_at", double: record.createdAt)
    writer.member("status", integer: record.outcome.status)
    writer.member("answer", raw: JSONText(normalised: record.outcome.body))
    writer.endObject()
    return writer.bytes
  }

  /// Nil where the record is not one of ours.
  static func decode(_ bytes: [UInt8], row: Int64) -> IdempotencyRecord? {
    guard let object = StoredObject(bytes), let token = object.string("token").flatMap({ IdempotencyToken(text: $0) }),
      let bodyDigest = object.string("body_digest").flatMap({ IdempotencyToken(text: $0) }),
      let createdAt = object.double("created_at"), let status = object.int("status"), let answer = object.raw("answer")
    else { return nil }
    return IdempotencyRecord(
      token: token, bodyDigest: bodyDigest, outcome: IdempotencyOutcome(status: status, body: answer), row: row,
      createdAt: createdAt)
  }
}

extension IdempotencyToken {
  /// 32 hexadecimal digits.
  var text: String {
    func digits(_ word: UInt64) -> String {
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
    return digits(high) + digits(low)
  }

  /// Nil where the text is not what `text` writes.
  init?(text: String) {
    guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
      let low = UInt64(text.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }
}
