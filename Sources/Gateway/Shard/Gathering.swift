import GatewayDomain

/// An answer that several shards give in parts.
struct Gathering {
  enum Kind {
    /// The sum of the connections reached.
    case connections
    /// Likewise, for a message that wants an acknowledgement.
    case message(MessageIdentifier, waitSeconds: Double)
    case page(limit: Int)
    case batch
    case cancelMany
  }

  let kind: Kind
  let address: ReplyAddress
  var missingCount: Int
  var connectionCount = 0
  var pages: [TaskPage] = []
  var accepted = 0
  var rejected: [(line: Int, problem: Problem)] = []
  var cancelRequested: [TaskIdentifier] = []
  /// Why a part failed as a whole.
  var problem: Problem?
  var cancelOutcomes: [CancelOutcome] = []

  init(_ kind: Kind, answering address: ReplyAddress, partCount: Int) {
    self.kind = kind
    self.address = address
    missingCount = partCount
  }

  /// Takes a part in; true when it was the last.
  mutating func add(_ answer: Answer) -> Bool {
    missingCount -= 1
    switch answer {
    case .connections(let count): connectionCount += count
    case .page(let page): pages.append(page)
    case .batch(let problems, let count, let tasks):
      rejected += problems
      accepted += count
      for task in tasks where !cancelRequested.contains(task) { cancelRequested.append(task) }
    case .problem(let problem): self.problem = problem
    case .cancelledMany(let outcomes): cancelOutcomes += outcomes
    default: break
    }
    return missingCount <= 0
  }
}
