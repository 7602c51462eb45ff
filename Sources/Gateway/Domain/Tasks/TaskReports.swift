package import Protocol

/// A field of a publish body: absent keeps the snapshot's value, null clears it (contract §3.2).
package enum ReportedField: Sendable, Equatable {
  case absent
  case null
  case value(JSONText)

  package var value: JSONText? {
    if case .value(let text) = self { return text }
    return nil
  }
}

/// The body of `POST …/{id}/progress`, parsed.
package struct ProgressReport: Sendable {
  /// 0–100, or −1 on error; nil where the body has none.
  package var progress: JSONText?
  package var progressValue: Double?
  /// The status word as given (≤ 64 characters); nil means `running`.
  package var statusWord: String?
  package var current = ReportedField.absent
  package var total = ReportedField.absent
  package var message = ReportedField.absent
  package var details = ReportedField.absent
  package var result = ReportedField.absent
  package var given: [UInt8] = []
  package init() {}
}

/// The body of `POST …/{id}/complete`, parsed.
package struct CompletionReport: Sendable {
  package var success = true
  package var message: JSONText?
  package var result: JSONText?
  package var given: [UInt8] = []
  package init() {}
}

/// The body of `POST …/{id}/error`, parsed.
package struct FailureReport: Sendable {
  package var error: JSONText
  package var errorCode: JSONText?
  package var details: JSONText?
  package var given: [UInt8] = []
  package init(error: JSONText) { self.error = error }
}

/// The body of `POST /api/v1/tasks`, parsed.
package struct TaskRegistration: Sendable {
  package var identifier: TaskIdentifier
  package var owner: UserIdentifier?
  package var viewers: [UserIdentifier] = []
  package var kind: String?
  package var title: String?
  package var total: JSONText?
  package var parent: TaskIdentifier?
  package var weight: JSONText?
  package var dependsOn: [TaskIdentifier] = []
  package var leaseSeconds: Double?
  package var metadata: JSONText?
  package var isExecution = false
  package init(identifier: TaskIdentifier) { self.identifier = identifier }
}

/// What a worker is told of its publish.
package struct PublishReceipt: Sendable, Equatable {
  package var epoch: Epoch
  package var offset: Int
  package var cancelRequested: Bool
  package init(epoch: Epoch, offset: Int, cancelRequested: Bool) {
    self.epoch = epoch
    self.offset = offset
    self.cancelRequested = cancelRequested
  }
}
