import Protocol

/// The names of the members that bodies of the publisher API have (contract §3.2, §3.3): the one list, whose order means
/// nothing.
enum RequestFieldName: UInt8, CaseIterable {
  case operation
  case task
  case user
  case channel
  case body
  case requiresAcknowledgement
  case type
  case epoch
  case offset
  case skipped
  case status
  case progress
  case current
  case total
  case message
  case details
  case result
  case success
  case error
  case errorCode
  case owner
  case viewers
  case kind
  case title
  case parent
  case weight
  case dependsOn
  case leaseSeconds
  case metadata
  case reason
  case tasks
  case workflow
  case input
  case timeout
  case step
  case defaultProceed
  case stepResult
  case errorMessage
  case audience
  case identifier
  case limit
  case node
  case taskProgress
  case lines
  case level
  case timestamp

  /// As it stands in a body.
  var text: StaticString {
    switch self {
    case .operation: "op"
    case .task: "task_id"
    case .user: "user_id"
    case .channel: "channel"
    case .body: "body"
    case .requiresAcknowledgement: "requires_ack"
    case .type: "type"
    case .epoch: "epoch"
    case .offset: "offset"
    case .skipped: "skipped"
    case .status: "status"
    case .progress: "progress"
    case .current: "current"
    case .total: "total"
    case .message: "message"
    case .details: "details"
    case .result: "result"
    case .success: "success"
    case .error: "error"
    case .errorCode: "error_code"
    case .owner: "owner"
    case .viewers: "viewers"
    case .kind: "kind"
    case .title: "title"
    case .parent: "parent_id"
    case .weight: "weight"
    case .dependsOn: "depends_on"
    case .leaseSeconds: "lease_seconds"
    case .metadata: "metadata"
    case .reason: "reason"
    case .tasks: "task_ids"
    case .workflow: "workflow_id"
    case .input: "input_data"
    case .timeout: "timeout"
    case .step: "step"
    case .defaultProceed: "default_proceed"
    case .stepResult: "step_result"
    case .errorMessage: "error_message"
    case .audience: "audience"
    case .identifier: "id"
    case .limit: "limit"
    case .node: "node_id"
    case .taskProgress: "task_progress"
    case .lines: "lines"
    case .level: "level"
    case .timestamp: "timestamp"
    }
  }

  /// A member's `name` is the raw value of one of these.
  static let table = JSONNames(allCases.map(\.text))
}

extension RequestFieldName: CustomStringConvertible {
  var description: String { text.description }
}

/// A set of names, of which none is unknown.
struct RequestFieldSet: ExpressibleByArrayLiteral {
  private var bits: UInt64 = 0

  init(arrayLiteral names: RequestFieldName...) {
    for name in names { bits |= 1 << UInt64(name.rawValue) }
  }

  func union(_ other: RequestFieldSet) -> RequestFieldSet {
    var union = self
    union.bits |= other.bits
    return union
  }

  /// Whether the member's name is one of these.
  func contains(_ member: JSONMember) -> Bool {
    // A shift by more than 63, which is what an unknown name comes to, gives 0.
    bits & (1 << UInt64(member.name)) != 0
  }
}
