import Protocol

/// The log lane: lines with an order of their own, relayed to who watches and kept within bounds. They are no events.
extension TaskDesk {
  /// `POST …/{id}/logs`: registers like a publish, changes no status and takes no offset.
  package mutating func log(
    _ identifier: TaskIdentifier, _ lines: [ReportedLogLine], at moment: Moment,
    random: inout some RandomNumberGenerator, into effects: inout [TaskEffect]
  ) throws(Problem) -> LogReceipt {
    guard lines.count >= 1, lines.count <= ReportedLogLine.countMax else {
      throw Problem(.badRequest, "lines has \(lines.count) entries, must have 1 to \(ReportedLogLine.countMax)")
    }
    for line in lines { try line.validate() }
    let record = try publishable(identifier, byteCount: 0, at: moment, random: &random, into: &effects)
    let arrival = JSONText(double: moment.wall)
    var kept: [TaskLogLine] = []
    kept.reserveCapacity(lines.count)
    logByteCount -= record.log.byteCount
    for line in lines {
      record.snapshot.logOffset += 1
      let line = TaskLogLine(
        offset: record.snapshot.logOffset, level: line.level, message: line.message,
        timestamp: line.timestamp ?? arrival)
      kept.append(line)
      record.log.append(line, lineCountMax: settings.logLineCountMax)
    }
    while record.log.count > 0,
      record.log.byteCount > settings.logByteCountMax
        || logByteCount + record.log.byteCount > settings.allLogsByteCountMax
    {
      record.log.dropFirst()
    }
    logByteCount += record.log.byteCount
    effects.append(.logged(identifier, kept))
    effects.append(.persist(.progressed(record)))
    return LogReceipt(logOffset: record.snapshot.logOffset, cancelRequested: record.snapshot.cancelRequested)
  }

  /// `GET …/{id}/logs`: the lines held after the offset, oldest first; nil for an unknown task.
  package func logLines(
    of identifier: TaskIdentifier, after offset: Int, limit: Int
  ) -> (newest: Int, lines: [TaskLogLine])? {
    guard let record = records[identifier] else { return nil }
    let newest = record.snapshot.logOffset
    guard offset < newest else { return (newest, []) }
    // A negative offset asks for all; the subtraction cannot overflow after the clamp.
    return (newest, record.log.lines(last: newest - max(offset, 0), limit: limit))
  }
}
