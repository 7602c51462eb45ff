package import GatewayDomain
import Protocol

/// Tasks, their events and executions.
extension ResponseBodies {
  /// The task object: every key of contract §3.2, null where unknown; `nodes` only where there are some.
  package static func task(_ snapshot: TaskSnapshot) -> [UInt8] {
    var writer = JSONWriter(reserving: 768)
    appendTask(snapshot, to: &writer)
    return writer.bytes
  }

  static func appendTask(_ snapshot: TaskSnapshot, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("task_id", string: snapshot.identifier.text)
    writer.member("status", literal: snapshot.status.word)
    writer.member("status_text", string: snapshot.statusText)
    writer.member("progress", raw: snapshot.progress)
    writer.member("current", raw: snapshot.current)
    writer.member("total", raw: snapshot.total)
    writer.member("message", raw: snapshot.message)
    writer.member("details", raw: snapshot.details)
    writer.member("result", raw: snapshot.result)
    writer.member("error", raw: snapshot.error)
    writer.member("error_code", raw: snapshot.errorCode)
    writer.member("owner", string: snapshot.owner?.text)
    writer.key("viewers")
    writer.beginArray()
    for viewer in snapshot.viewers { writer.value(string: viewer.text) }
    writer.endArray()
    writer.member("kind", string: snapshot.kind)
    writer.member("title", string: snapshot.title)
    writer.member("parent_id", string: snapshot.parent?.text)
    writer.member("depends_on", tasks: snapshot.dependsOn)
    writer.member("metadata", raw: snapshot.metadata)
    writer.member("epoch", string: snapshot.epoch.text)
    writer.member("offset", integer: snapshot.offset)
    writer.member("stale", bool: snapshot.stale)
    writer.member("cancel_requested", bool: snapshot.cancelRequested)
    writer.member("eta", double: snapshot.eta)
    writer.member("eta_earliest", double: snapshot.etaEarliest)
    writer.member("eta_latest", double: snapshot.etaLatest)
    writer.member("created_at", double: snapshot.createdAt)
    writer.member("started_at", double: snapshot.startedAt)
    writer.member("updated_at", double: snapshot.updatedAt)
    writer.member("finished_at", double: snapshot.finishedAt)
    if !snapshot.nodes.isEmpty { appendNodes(snapshot.nodes, to: &writer) }
    writer.endObject()
  }

  private static func appendNodes(_ nodes: [TaskNode], to writer: inout JSONWriter) {
    writer.key("nodes")
    writer.beginArray()
    for node in nodes {
      writer.beginObject()
      writer.member("node_id", string: node.identifier.text)
      writer.member("status", string: node.status)
      writer.member("progress", raw: node.shownProgress)
      writer.member("message", raw: node.message)
      writer.key("weight")
      if let weight = node.weight { writer.value(raw: weight) } else { writer.value(integer: 1) }
      writer.endObject()
    }
    writer.endArray()
  }

  /// `POST …/{id}/logs`.
  package static func logReceipt(_ receipt: LogReceipt) -> [UInt8] {
    object { writer in
      writer.member("log_offset", integer: receipt.logOffset)
      writer.member("cancel_requested", bool: receipt.cancelRequested)
    }
  }

  /// `GET …/{id}/logs`.
  package static func logLines(_ lines: [TaskLogLine], newest: Int) -> [UInt8] {
    object { writer in
      writer.member("log_offset", integer: newest)
      writer.key("lines")
      writer.beginArray()
      for line in lines {
        writer.beginObject()
        appendLogLine(line, to: &writer)
        writer.endObject()
      }
      writer.endArray()
    }
  }

  /// The members of a line, here and in the dialects.
  static func appendLogLine(_ line: TaskLogLine, to writer: inout JSONWriter) {
    writer.member("log_offset", integer: line.offset)
    writer.member("level", raw: line.level)
    writer.member("message", raw: line.message)
    writer.member("timestamp", raw: line.timestamp)
  }

  package static func taskList(_ tasks: [TaskSnapshot], nextCursor: String?) -> [UInt8] {
    var writer = JSONWriter(reserving: 64 + 768 * tasks.count)
    writer.beginObject()
    writer.key("tasks")
    writer.beginArray()
    for task in tasks { appendTask(task, to: &writer) }
    writer.endArray()
    writer.member("next_cursor", string: nextCursor)
    writer.endObject()
    return writer.bytes
  }

  /// `GET …/{id}/events`.
  package static func events(_ epoch: Epoch, _ events: [TaskEvent]) -> [UInt8] {
    object { writer in
      writer.member("epoch", string: epoch.text)
      writer.key("events")
      writer.beginArray()
      for event in events {
        writer.beginObject()
        writer.member("type", literal: event.kind.word)
        writer.member("offset", integer: event.offset)
        ActionDialect.appendGiven(of: event, to: &writer)
        writer.endObject()
      }
      writer.endArray()
    }
  }

  /// An execution: the task object's state in the execution dialect's words, and what it was created with, null where
  /// that is unknown.
  package static func execution(_ snapshot: TaskSnapshot, now: Double) -> [UInt8] {
    let origin = snapshot.metadata.flatMap { ExecutionBody(metadata: $0) }
    return object { writer in
      writer.member("id", string: snapshot.identifier.text)
      writer.member("execution_id", string: snapshot.identifier.text)
      ExecutionDialect.appendState(of: snapshot, now: now, to: &writer)
      writer.member("workflow_id", raw: origin?.workflow)
      writer.member("input_data", raw: origin?.input)
      writer.member("created_at", double: snapshot.createdAt)
    }
  }
}

extension JSONWriter {
  mutating func member(_ name: StaticString, tasks: [TaskIdentifier]) {
    key(name)
    beginArray()
    for task in tasks { value(string: task.text) }
    endArray()
  }
}
