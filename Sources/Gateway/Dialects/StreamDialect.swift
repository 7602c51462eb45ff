package import GatewayDomain
import Protocol

/// Server-sent events, `GET /api/v1/sse/tasks/{id}` (contract §2.6): the native messages as blocks of an event stream (HTML
/// Standard §9.2.6). Pure functions.
///
/// The data of a block is one line, its last: normalised JSON has no white space between its tokens and no control
/// characters within its strings, so nothing that is published can begin another line.
package enum StreamDialect {
  /// The first block: how long a client waits before it connects again.
  package static let opening = Array("retry: \(retryMilliseconds)\n\n".utf8)

  /// Milliseconds: short, because who comes back is given only what it has missed.
  static let retryMilliseconds = 2000

  /// A block that says nothing but that the stream lives.
  package static let comment = Array(":\n\n".utf8)

  /// Where a stream begins that resumes nothing: the task object, at its offset.
  package static func snapshot(_ snapshot: TaskSnapshot) -> [UInt8] {
    var block: [UInt8] = []
    block.reserveCapacity(1024)
    block.appendLine("event: ", "snapshot")
    block.appendIdentifier(snapshot.epoch, snapshot.offset)
    block.appendData(ResponseBodies.task(snapshot))
    return block
  }

  /// A numbered event: its name is its native `type`, its data the native message.
  package static func event(_ event: TaskEvent, skipped: Int = 0) -> [UInt8] {
    var block: [UInt8] = []
    block.reserveCapacity(256 + event.given.count)
    block.appendLine("event: ", event.kind.word)
    block.appendIdentifier(event.epoch, event.offset)
    block.appendData(ActionDialect.event(event, skipped: skipped))
    return block
  }

  /// A native message that has no place in the numbering, such as a heartbeat: without an identifier, so that a client
  /// still resumes at the last event.
  package static func notice(_ type: StaticString, _ message: [UInt8]) -> [UInt8] {
    var block: [UInt8] = []
    block.reserveCapacity(32 + message.count)
    block.appendLine("event: ", type)
    block.appendData(message)
    return block
  }

  /// Where a client has come to, from its `Last-Event-ID`; nil where that is no identifier of ours: the client then gets
  /// the snapshot, which is always right.
  package static func position(_ text: String) -> EventPosition? {
    guard let colon = text.lastIndex(of: ":"), let offset = Int(text[text.index(after: colon)...]), offset >= 0,
      colon > text.startIndex
    else { return nil }
    return EventPosition(epoch: Epoch(text: String(text[..<colon])), offset: offset)
  }
}

extension [UInt8] {
  fileprivate mutating func appendLine(_ field: StaticString, _ value: StaticString) {
    append(field)
    append(value)
    append(UInt8(ascii: "\n"))
  }

  /// An epoch is of our own making, and holds no line break.
  fileprivate mutating func appendIdentifier(_ epoch: Epoch, _ offset: Int) {
    append("id: ")
    append(contentsOf: epoch.text.utf8)
    append(UInt8(ascii: ":"))
    append(decimal: offset)
    append(UInt8(ascii: "\n"))
  }

  /// The last line of a block, and its end.
  fileprivate mutating func appendData(_ json: [UInt8]) {
    append("data: ")
    append(contentsOf: json)
    append("\n\n")
  }
}
