package import Protocol

/// A step of a task that its worker reports by name, as the task object shows it.
package struct TaskNode: Sendable, Equatable {
  package let identifier: TaskIdentifier
  /// The worker's own word.
  package var status: String
  /// 0–100 as published last, never −1; `progressValue` is the same as a number.
  package var progress = JSONText(normalised: [UInt8(ascii: "0")])
  package var progressValue = 0.0
  package var message: JSONText?
  /// As published; nil where none was.
  package var weight: JSONText?
  package var weightValue = 1.0

  package init(identifier: TaskIdentifier, status: String) {
    self.identifier = identifier
    self.status = status
  }

  /// A node that is over counts in full, whatever its worker said of its progress.
  package var isDone: Bool { status == "completed" || status == "skipped" }

  /// What is shown: 100 once it is done.
  package var shownProgress: JSONText { isDone ? .hundred : progress }

  /// Its share of the task's progress.
  var part: TaskPart { TaskPart(weight: weightValue, progress: isDone ? 100 : progressValue) }

  /// Of the text that peers chose.
  var byteCount: Int {
    var count = identifier.text.utf8.count + status.utf8.count + progress.byteCount
    count += (message?.byteCount ?? 0) + (weight?.byteCount ?? 0)
    return count + MemoryLayout<TaskNode>.size
  }
}

/// The body of `POST …/{id}/nodes/{node_id}`, parsed.
package struct NodeReport: Sendable {
  package var node: TaskIdentifier
  /// 1–64 characters.
  package var status: String
  /// 0–100, or −1; nil where the body has none: the node keeps its own.
  package var progress: JSONText?
  package var progressValue: Double?
  package var message = ReportedField.absent
  /// Nil where the body has none: the node keeps its own.
  package var weight: JSONText?
  package var weightValue: Double?
  /// The published members without `node_id` and `task_progress`, which the event says itself.
  package var given: [UInt8] = []

  package init(node: TaskIdentifier, status: String) {
    self.node = node
    self.status = status
  }

  func validate() throws(Problem) {
    if let value = progressValue, value != -1, !(value >= 0 && value <= 100) {
      throw Problem(.badRequest, "progress is \(value), must be 0 to 100, or -1 on error")
    }
    let count = status.unicodeScalars.count
    guard count >= 1, count <= ProgressReport.statusWordCharacterCountMax else {
      throw Problem(
        .badRequest, "status has \(count) characters, must have 1 to \(ProgressReport.statusWordCharacterCountMax)")
    }
    if let weightValue { try TaskPart.validate(weight: weightValue) }
  }

  /// At least what it adds to a snapshot.
  var byteCount: Int {
    var count = node.text.utf8.count + status.utf8.count + (progress?.byteCount ?? 0)
    count += (message.value?.byteCount ?? 0) + (weight?.byteCount ?? 0)
    return count + MemoryLayout<TaskNode>.size
  }
}
