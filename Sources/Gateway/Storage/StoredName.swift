import Protocol

/// The names of the members that records of tasks, of their events and histories have, numbered while a record is scanned: the
/// start of a gateway reads them by the hundred thousand. The order means nothing.
enum StoredName: UInt8, CaseIterable {
  case task
  case status
  case epoch
  case offset
  case progress
  case statusText
  case current
  case total
  case message
  case details
  case result
  case error
  case errorCode
  case createdAt
  case updatedAt
  case startedAt
  case finishedAt
  case cancelRequested
  case isImplicit
  case isExecution
  case owner
  case viewers
  case kind
  case title
  case parent
  case weight
  case dependsOn
  case metadata
  case leaseSeconds
  case nodes
  case logOffset
  case finishedBy
  case terminalMessage
  case terminalDetails
  case end
  case type
  case success
  case at
  case given
  case taskProgress
  case events
  case log
  case level
  case timestamp
  case node

  /// As it stands in a record.
  var text: StaticString {
    switch self {
    case .task: "task_id"
    case .status: "status"
    case .epoch: "epoch"
    case .offset: "offset"
    case .progress: "progress"
    case .statusText: "status_text"
    case .current: "current"
    case .total: "total"
    case .message: "message"
    case .details: "details"
    case .result: "result"
    case .error: "error"
    case .errorCode: "error_code"
    case .createdAt: "created_at"
    case .updatedAt: "updated_at"
    case .startedAt: "started_at"
    case .finishedAt: "finished_at"
    case .cancelRequested: "cancel_requested"
    case .isImplicit: "implicit"
    case .isExecution: "execution"
    case .owner: "owner"
    case .viewers: "viewers"
    case .kind: "kind"
    case .title: "title"
    case .parent: "parent_id"
    case .weight: "weight"
    case .dependsOn: "depends_on"
    case .metadata: "metadata"
    case .leaseSeconds: "lease_seconds"
    case .nodes: "nodes"
    case .logOffset: "log_offset"
    case .finishedBy: "finished_by"
    case .terminalMessage: "terminal_message"
    case .terminalDetails: "terminal_details"
    case .end: "end"
    case .type: "type"
    case .success: "success"
    case .at: "at"
    case .given: "given"
    case .taskProgress: "task_progress"
    case .events: "events"
    case .log: "log"
    case .level: "level"
    case .timestamp: "timestamp"
    case .node: "node_id"
    }
  }

  static let table = JSONNames(allCases.map(\.text))
}
