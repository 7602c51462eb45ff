import GatewayDomain
import Protocol

/// A task's record in the store: everything that its desk needs to go on, as JSON with the names of the API.
enum TaskCodec {
  static func encode(_ record: TaskRecord) -> [UInt8] {
    let snapshot = record.snapshot
    var writer = JSONWriter(reserving: 512)
    writer.beginObject()
    writer.member("task_id", string: snapshot.identifier.text)
    writer.member("status", literal: snapshot.status.word)
    writer.member("epoch", string: snapshot.epoch.text)
    writer.member("offset", integer: snapshot.offset)
    writer.member("progress", raw: snapshot.progress)
    writer.stored("status_text", snapshot.statusText)
    writer.stored("current", snapshot.current)
    writer.stored("total", snapshot.total)
    writer.stored("message", snapshot.message)
    writer.stored("details", snapshot.details)
    writer.stored("result", snapshot.result)
    writer.stored("error", snapshot.error)
    writer.stored("error_code", snapshot.errorCode)
    writer.member("created_at", double: snapshot.createdAt)
    writer.member("updated_at", double: snapshot.updatedAt)
    writer.stored("started_at", snapshot.startedAt)
    writer.stored("finished_at", snapshot.finishedAt)
    writer.stored("cancel_requested", snapshot.cancelRequested)
    appendDescription(of: snapshot, isImplicit: record.isImplicit, to: &writer)
    appendNodes(of: snapshot, to: &writer)
    if snapshot.logOffset > 0 { writer.member("log_offset", integer: snapshot.logOffset) }
    if let kind = snapshot.finishedBy {
      writer.member("finished_by", literal: word(kind))
      writer.stored("terminal_message", snapshot.terminalMessage)
      writer.stored("terminal_details", snapshot.terminalDetails)
      // So that who has everything but the end can still be given it.
      if let end = record.history.events(last: 1, limit: 1).first {
        writer.member("end", raw: JSONText(normalised: EventCodec.encode(end)))
      }
    }
    writer.endObject()
    return writer.bytes
  }

  private static func appendNodes(of snapshot: TaskSnapshot, to writer: inout JSONWriter) {
    guard !snapshot.nodes.isEmpty else { return }
    writer.key("nodes")
    writer.beginArray()
    for node in snapshot.nodes {
      writer.beginObject()
      writer.member("node_id", string: node.identifier.text)
      writer.member("status", string: node.status)
      writer.member("progress", raw: node.progress)
      writer.stored("message", node.message)
      writer.stored("weight", node.weight)
      writer.endObject()
    }
    writer.endArray()
  }

  private static func node(_ object: StoredObject) -> TaskNode? {
    guard let identifier = object.string(.node).flatMap({ TaskIdentifier(validating: $0) }),
      let status = object.string(.status), let progress = object.text(.progress)
    else { return nil }
    var node = TaskNode(identifier: identifier, status: status)
    node.progress = progress
    node.progressValue = progress.double ?? 0
    node.message = object.text(.message)
    node.weight = object.text(.weight)
    node.weightValue = node.weight?.double ?? 1
    return node
  }

  /// What a registration says.
  private static func appendDescription(of snapshot: TaskSnapshot, isImplicit: Bool, to writer: inout JSONWriter) {
    writer.stored("implicit", isImplicit)
    writer.stored("execution", snapshot.isExecution)
    writer.stored("owner", snapshot.owner?.text)
    if !snapshot.viewers.isEmpty {
      writer.key("viewers")
      writer.beginArray()
      for viewer in snapshot.viewers { writer.value(string: viewer.text) }
      writer.endArray()
    }
    writer.stored("kind", snapshot.kind)
    writer.stored("title", snapshot.title)
    writer.stored("parent_id", snapshot.parent?.text)
    writer.stored("weight", snapshot.weight)
    if !snapshot.dependsOn.isEmpty { writer.member("depends_on", tasks: snapshot.dependsOn) }
    writer.stored("metadata", snapshot.metadata)
    writer.stored("lease_seconds", snapshot.leaseSeconds)
  }

  /// Members of a task's record: room is made once for nearly all.
  private static let memberCountUsual = 32

  /// Nil where the record is not one of ours, which integrity checks of the file cannot tell.
  static func decode(_ bytes: [UInt8], row: Int64) -> StoredTask? {
    guard let object = StoredObject(bytes, memberCount: memberCountUsual), let name = object.string(.task),
      let identifier = TaskIdentifier(validating: name),
      let status = object.string(.status).flatMap({ TaskStatus(word: $0) }), let epoch = object.string(.epoch),
      let offset = object.int(.offset), offset >= 0, let progress = object.text(.progress),
      let createdAt = object.double(.createdAt)
    else { return nil }
    var snapshot = TaskSnapshot(identifier: identifier, epoch: Epoch(text: epoch), createdAt: createdAt)
    snapshot.status = status
    snapshot.offset = offset
    snapshot.progress = progress
    snapshot.progressValue = progress.double ?? 0
    snapshot.statusText = object.string(.statusText)
    snapshot.current = object.text(.current)
    snapshot.total = object.text(.total)
    snapshot.message = object.text(.message)
    snapshot.details = object.text(.details)
    snapshot.result = object.text(.result)
    snapshot.error = object.text(.error)
    snapshot.errorCode = object.text(.errorCode)
    snapshot.updatedAt = object.double(.updatedAt) ?? createdAt
    snapshot.startedAt = object.double(.startedAt)
    snapshot.finishedAt = object.double(.finishedAt)
    snapshot.cancelRequested = object.bool(.cancelRequested) ?? false
    snapshot.owner = object.string(.owner).flatMap { UserIdentifier(validating: $0) }
    snapshot.viewers = object.strings(.viewers).compactMap { UserIdentifier(validating: $0) }
    snapshot.isExecution = object.bool(.isExecution) ?? false
    snapshot.kind = object.string(.kind)
    snapshot.title = object.string(.title)
    snapshot.parent = object.string(.parent).flatMap { TaskIdentifier(validating: $0) }
    snapshot.weight = object.text(.weight)
    snapshot.dependsOn = object.strings(.dependsOn).compactMap { TaskIdentifier(validating: $0) }
    snapshot.metadata = object.text(.metadata)
    snapshot.leaseSeconds = object.double(.leaseSeconds)
    snapshot.finishedBy = object.string(.finishedBy).flatMap { kind(word: $0) }
    snapshot.terminalMessage = object.text(.terminalMessage)
    snapshot.terminalDetails = object.text(.terminalDetails)
    snapshot.nodes = object.objects(.nodes).compactMap { node($0) }
    snapshot.logOffset = object.int(.logOffset) ?? 0
    guard status.isTerminal == (snapshot.finishedBy != nil) else { return nil }
    var stored = StoredTask(snapshot: snapshot, row: row, isImplicit: object.bool(.isImplicit) ?? false)
    stored.end = object.object(.end).flatMap { EventCodec.decode($0, of: identifier, epoch: snapshot.epoch) }
    return stored
  }

  private static func word(_ kind: TerminalKind) -> StaticString {
    switch kind {
    case .completeSuccess: "success"
    case .completeFailure: "failure"
    case .error: "error"
    case .cancelled: "cancelled"
    }
  }

  private static func kind(word: String) -> TerminalKind? {
    switch word {
    case "success": .completeSuccess
    case "failure": .completeFailure
    case "error": .error
    case "cancelled": .cancelled
    default: nil
    }
  }
}

/// A numbered event in the store.
enum EventCodec {
  static func encode(_ event: TaskEvent) -> [UInt8] {
    var writer = JSONWriter(reserving: 96 + event.given.count)
    append(event, to: &writer)
    return writer.bytes
  }

  static func append(_ event: TaskEvent, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("type", literal: event.kind.word)
    if case .complete(let success) = event.kind { writer.member("success", bool: success) }
    writer.member("offset", integer: event.offset)
    writer.member("at", double: event.occurredAt)
    writer.member("status", string: event.statusWord)
    writer.stored("given", members: event.given)
    writer.endObject()
  }

  /// Nil where it is not one of ours.
  static func decode(_ object: StoredObject, of task: TaskIdentifier, epoch: Epoch) -> TaskEvent? {
    guard let offset = object.int(.offset), offset > 0,
      let occurredAt = object.double(.at), let statusWord = object.string(.status),
      let given = object.members(.given), let fields = object.object(.given),
      let kind = kind(object.string(.type) ?? "", success: object.bool(.success))
    else { return nil }
    // What dialects need of an event is what was given.
    if case .nodeStatus = kind {
      return TaskEvent(
        task: task, epoch: epoch, offset: offset, kind: kind, occurredAt: occurredAt, given: given,
        progress: fields.text(.taskProgress), statusWord: statusWord)
    }
    return TaskEvent(
      task: task, epoch: epoch, offset: offset, kind: kind, occurredAt: occurredAt, given: given,
      progress: fields.text(.progress), statusWord: statusWord, current: fields.text(.current),
      total: fields.text(.total), message: fields.text(.message), details: fields.text(.details),
      result: fields.text(.result), error: fields.text(.error), errorCode: fields.text(.errorCode))
  }

  private static func kind(_ word: String, success: Bool?) -> TaskEvent.Kind? {
    switch word {
    case "progress": .progress
    case "node_status": .nodeStatus
    case "complete": success.map { .complete(success: $0) }
    case "error": .error
    case "cancelled": .cancelled
    default: nil
    }
  }
}
