import GatewayDomain
import Protocol

/// A task's history in the store: written when the gateway stops in order, worth nothing once another epoch has begun.
enum HistoryCodec {
  static func encode(_ record: TaskRecord) -> [UInt8] {
    var writer = JSONWriter(reserving: 64 + record.history.byteCount)
    writer.beginObject()
    writer.member("task_id", string: record.snapshot.identifier.text)
    writer.member("epoch", string: record.snapshot.epoch.text)
    // Before the events, so that they need not be read to know which they are.
    writer.member("offset", integer: record.snapshot.offset)
    let events = record.history.events(last: record.history.count, limit: record.history.count)
    writer.member("count", integer: events.count)
    writer.key("events")
    writer.beginArray()
    for event in events { EventCodec.append(event, to: &writer) }
    writer.endArray()
    appendLog(of: record, to: &writer)
    writer.endObject()
    return writer.bytes
  }

  private static func appendLog(of record: TaskRecord, to writer: inout JSONWriter) {
    guard record.log.count > 0 else { return }
    writer.key("log")
    writer.beginArray()
    for line in record.log.lines(last: record.log.count, limit: record.log.count) {
      writer.beginObject()
      writer.member("offset", integer: line.offset)
      writer.member("level", raw: line.level)
      writer.member("message", raw: line.message)
      writer.member("timestamp", raw: line.timestamp)
      writer.endObject()
    }
    writer.endArray()
  }

  /// The lines that the store has, oldest first.
  static func decodeLog(_ bytes: [UInt8]) -> [TaskLogLine] {
    guard let object = StoredObject(bytes) else { return [] }
    return object.objects(.log).compactMap { line in
      guard let offset = line.int(.offset), let level = line.text(.level),
        let message = line.text(.message), let timestamp = line.text(.timestamp)
      else { return nil }
      return TaskLogLine(offset: offset, level: level, message: message, timestamp: timestamp)
    }
  }

  /// The events of a task that the store has, to be read when somebody asks for them; nil where they are of another epoch or do
  /// not end at its head.
  static func seal(_ bytes: [UInt8], of snapshot: TaskSnapshot) -> SealedEvents? {
    guard let count = count(bytes, of: snapshot) else {
      // Written by an earlier release, or not this task's.
      guard let events = decode(bytes, of: snapshot), !events.isEmpty else { return nil }
      return SealedEvents(count: events.count, byteCount: bytes.count) { events }
    }
    let (identifier, epoch, offset) = (snapshot.identifier, snapshot.epoch, snapshot.offset)
    return SealedEvents(count: count, byteCount: bytes.count) {
      decode(bytes, of: identifier, epoch: epoch, endingAt: offset) ?? []
    }
  }

  /// How many events the record has, told by how it begins; nil where it begins in another way or has none.
  private static func count(_ bytes: [UInt8], of snapshot: TaskSnapshot) -> Int? {
    var writer = JSONWriter(reserving: 128)
    writer.beginObject()
    writer.member("task_id", string: snapshot.identifier.text)
    writer.member("epoch", string: snapshot.epoch.text)
    writer.member("offset", integer: snapshot.offset)
    writer.key("count")
    let head = writer.bytes
    guard bytes.starts(with: head) else { return nil }
    var count = 0
    for byte in bytes[head.count...] {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), count < 1 << 32 else { break }
      count = count * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return count > 0 ? count : nil
  }

  /// The events at once; nil where they are of another epoch or do not end at the task's head.
  static func decode(_ bytes: [UInt8], of snapshot: TaskSnapshot) -> [TaskEvent]? {
    decode(bytes, of: snapshot.identifier, epoch: snapshot.epoch, endingAt: snapshot.offset)
  }

  /// Oldest first.
  private static func decode(
    _ bytes: [UInt8], of identifier: TaskIdentifier, epoch: Epoch, endingAt offset: Int
  ) -> [TaskEvent]? {
    guard let object = StoredObject(bytes), object.string(.task) == identifier.text,
      object.string(.epoch) == epoch.text
    else { return nil }
    let events = object.objects(.events).compactMap { EventCodec.decode($0, of: identifier, epoch: epoch) }
    var expected = offset - events.count
    for event in events {
      expected += 1
      guard event.offset == expected else { return nil }
    }
    return events
  }
}
