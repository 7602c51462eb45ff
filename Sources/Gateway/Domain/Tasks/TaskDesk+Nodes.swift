import Protocol

/// Nodes: the steps of one task that its worker reports by name. Together with the children they make its progress.
extension TaskDesk {
  /// `POST …/{id}/nodes/{node_id}`: one event `node_status`, which starts a pending task as progress does.
  package mutating func node(
    _ identifier: TaskIdentifier, _ report: NodeReport, at moment: Moment,
    random: inout some RandomNumberGenerator, into effects: inout [TaskEffect]
  ) throws(Problem) -> PublishReceipt {
    try report.validate()
    if let record = records[identifier] { try requireNodePlace(report.node, of: record) }
    let record = try publishable(
      identifier, byteCount: report.byteCount, at: moment, random: &random, into: &effects)
    keep(report, on: record)
    start(record, at: moment)
    if takeProgressOfParts(of: record, at: moment) { noteForParent(record) }
    takeOffset(record, at: moment)
    var given: [UInt8] = []
    given.reserveCapacity(report.given.count + report.node.text.utf8.count + 64)
    given.appendMember("node_id", JSONText(string: report.node.text))
    if !report.given.isEmpty {
      given.append(UInt8(ascii: ","))
      given += report.given
    }
    given.appendMember("task_progress", record.snapshot.progress)
    let event = TaskEvent(
      task: identifier, epoch: record.snapshot.epoch, offset: record.snapshot.offset, kind: .nodeStatus,
      occurredAt: moment.wall, given: given, progress: record.snapshot.progress,
      statusWord: record.snapshot.statusText ?? "running")
    remember(event, of: record)
    account(for: record)
    effects.append(.deliver(event, after: record))
    effects.append(.persist(.progressed(record)))
    return receipt(record)
  }

  private func requireNodePlace(_ node: TaskIdentifier, of record: TaskRecord) throws(Problem) {
    let count = record.snapshot.nodes.count
    guard count >= settings.nodeCountMax, family(of: record).place(ofNode: node) == nil else { return }
    throw Problem(
      .overCapacity, "task \(record.snapshot.identifier.text) has \(count) nodes, the most that one may have")
  }

  private func keep(_ report: NodeReport, on record: TaskRecord) {
    let family = family(of: record)
    let place = family.place(ofNode: report.node) ?? record.snapshot.nodes.count
    if place == record.snapshot.nodes.count {
      record.snapshot.nodes.append(TaskNode(identifier: report.node, status: report.status))
    } else {
      record.nodeByteCount -= record.snapshot.nodes[place].byteCount
    }
    record.snapshot.nodes[place].status = report.status
    // −1 counts what the node had.
    if let progress = report.progress, let value = report.progressValue, value >= 0 {
      record.snapshot.nodes[place].progress = progress
      record.snapshot.nodes[place].progressValue = value
    }
    report.message.apply(to: &record.snapshot.nodes[place].message)
    if let weight = report.weight, let value = report.weightValue {
      record.snapshot.nodes[place].weight = weight
      record.snapshot.nodes[place].weightValue = value
    }
    record.nodeByteCount += record.snapshot.nodes[place].byteCount
    family.setNode(report.node, at: place, to: record.snapshot.nodes[place].part)
  }

  /// The task's parts, made where it has none yet: of a task that was restored, from the nodes that it came with.
  func family(of record: TaskRecord) -> TaskFamily {
    if let family = record.family { return family }
    let family = TaskFamily(nodes: record.snapshot.nodes)
    record.family = family
    return family
  }

  /// Gives the task the progress that its parts have together, after one of them has changed; whatever its worker reported
  /// stands until then. False where that shows nothing new.
  func takeProgressOfParts(of record: TaskRecord, at moment: Moment) -> Bool {
    guard let hundredths = record.family?.hundredths else { return false }
    let shown = (record.snapshot.progressValue * 100).rounded()
    guard Double(hundredths) != shown else { return false }
    record.snapshot.progress = JSONText(hundredths: hundredths)
    record.snapshot.progressValue = Double(hundredths) / 100
    record.rate.add(record.snapshot.progressValue, at: moment.monotonic)
    return true
  }
}

extension JSONText {
  /// A number of hundredths, not negative, with two decimals at most and no exponent: 40, 37.5, 33.33.
  init(hundredths: Int) {
    var bytes: [UInt8] = []
    bytes.append(decimal: hundredths / 100)
    let rest = hundredths % 100
    if rest > 0 {
      bytes.append(UInt8(ascii: "."))
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / 10))
      if rest % 10 > 0 { bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)) }
    }
    self.init(normalised: bytes)
  }
}
