package import Protocol

/// The questions to the users whose home this shard is. It resolves each exactly once: by the user's answer, by its
/// deadline or by withdrawal, whichever this desk sees first (contract §4.4).
///
/// A single-threaded value with one owner. Commands append what is to be done to `effects`, in order.
package struct ConfirmationDesk: Sendable {
  package let settings: ConfirmationDeskSettings
  private var rows: RowSequence
  private var confirmations: [CallbackIdentifier: Confirmation] = [:]
  /// Of each user with open questions, in the order they were asked.
  private var pendingByUser: [UserIdentifier: [CallbackIdentifier]] = [:]
  private var deadlines = DeadlineQueue<CallbackIdentifier>()
  /// When resolved ones stop being findable.
  private var removals = DeadlineQueue<CallbackIdentifier>()
  private var pendingByteCount = 0
  private var resolvedByteCount = 0
  package private(set) var pendingCount = 0
  /// Of these, questions that more than one user may answer.
  package private(set) var sharedPendingCount = 0

  package init(
    settings: ConfirmationDeskSettings = ConfirmationDeskSettings(), rows: RowSequence = RowSequence()
  ) {
    self.settings = settings
    self.rows = rows
  }

  package var resolvedCount: Int { confirmations.count - pendingCount }

  /// Monotonic seconds at which `expire` has something to do, at the earliest; nil where nothing waits.
  package var nextDeadline: Double? {
    guard let deadline = deadlines.nextDeadline else { return removals.nextDeadline }
    guard let removal = removals.nextDeadline else { return deadline }
    return min(deadline, removal)
  }

  package func find(_ identifier: CallbackIdentifier) -> Confirmation? { confirmations[identifier] }

  /// The user's open questions in the order they were asked.
  package func pending(for user: UserIdentifier) -> [Confirmation] {
    (pendingByUser[user] ?? []).compactMap { confirmations[$0] }
  }

  /// Every open question, oldest first: for connections without a name, with authentication off.
  package var allPending: [Confirmation] {
    confirmations.values.filter { $0.status == .pending }.sorted {
      $0.createdAt != $1.createdAt ? $0.createdAt < $1.createdAt : $0.identifier.text < $1.identifier.text
    }
  }

  // MARK: commands

  package mutating func open(
    _ request: ConfirmationRequest, at moment: Moment, random: inout some RandomNumberGenerator,
    into effects: inout [ConfirmationEffect]
  ) throws(Problem) -> Confirmation {
    guard request.timeout > 0, request.timeout <= settings.timeoutMax else {
      throw Problem(
        .badRequest, "timeout is \(request.timeout), must be more than 0 and at most \(settings.timeoutMax) seconds")
    }
    guard pendingCount < settings.pendingCountMax else {
      throw Problem(.overCapacity, "\(pendingCount) confirmations are pending, the most that this shard holds")
    }
    let pendingOfUser = pendingByUser[request.user]?.count ?? 0
    guard pendingOfUser < settings.pendingCountPerUserMax else {
      throw Problem(.overCapacity, "\(pendingOfUser) confirmations are pending for this user, the most there may be")
    }
    guard pendingByteCount + request.byteCount <= settings.pendingByteCountMax else {
      throw Problem(
        .overCapacity, "pending confirmations hold \(pendingByteCount) bytes of \(settings.pendingByteCountMax)")
    }
    var identifier = CallbackIdentifier.make(for: request.user, using: &random)
    while confirmations[identifier] != nil {
      identifier = CallbackIdentifier.make(for: request.user, using: &random)
    }
    let confirmation = Confirmation(
      identifier: identifier, row: rows.take(), request: request, createdAt: moment.wall,
      deadline: moment.wall + request.timeout,
      deadlineAtMonotonic: moment.monotonic + request.timeout)
    insertPending(confirmation)
    effects.append(.persist(.opened(confirmation)))
    effects.append(.asked(confirmation))
    return confirmation
  }

  private mutating func insertPending(_ confirmation: Confirmation) {
    confirmations[confirmation.identifier] = confirmation
    for user in confirmation.request.audience {
      pendingByUser[user, default: []].append(confirmation.identifier)
    }
    if !confirmation.request.viewers.isEmpty { sharedPendingCount += 1 }
    pendingCount += 1
    pendingByteCount += confirmation.request.byteCount
    deadlines.add(confirmation.identifier, deadline: confirmation.deadlineAtMonotonic)
  }

  /// Takes back what has been opened and could not be stored: nobody was asked, and the publisher is told to try again.
  package mutating func discard(_ identifier: CallbackIdentifier, into effects: inout [ConfirmationEffect]) {
    guard let confirmation = confirmations.removeValue(forKey: identifier) else { return }
    if confirmation.status == .pending {
      removePending(confirmation)
    } else {
      resolvedByteCount -= confirmation.resolvedByteCount
    }
    effects.append(.persist(.removed(confirmation)))
  }

  private mutating func removePending(_ confirmation: Confirmation) {
    for user in confirmation.request.audience {
      pendingByUser[user]?.removeAll { $0 == confirmation.identifier }
      if pendingByUser[user]?.isEmpty == true { pendingByUser[user] = nil }
    }
    if !confirmation.request.viewers.isEmpty { sharedPendingCount -= 1 }
    pendingCount -= 1
    pendingByteCount -= confirmation.request.byteCount
  }

  // MARK: what the store had

  /// Puts back what the store had at the start: an open question keeps its deadline, as far as the wall clock can tell how
  /// much of it is left; a resolved one stays findable for the rest of its time.
  ///
  /// - Parameter stored: with any `deadlineAtMonotonic`, which is set here.
  package mutating func restore(_ stored: Confirmation, at moment: Moment) {
    guard confirmations[stored.identifier] == nil else { return }
    guard stored.status == .pending else {
      var kept = stored
      kept.request.forgetStep()
      confirmations[kept.identifier] = kept
      resolvedByteCount += kept.resolvedByteCount
      let age = max(0, moment.wall - (stored.resolvedAt ?? moment.wall))
      removals.add(kept.identifier, deadline: moment.monotonic + max(0, settings.resolvedSecondsMax - age))
      return
    }
    // A wall clock that was set back meanwhile does not lengthen the deadline.
    let secondsLeft = min(max(stored.deadline - moment.wall, 0), stored.request.timeout)
    insertPending(stored.due(at: moment.monotonic + secondsLeft))
  }

  /// The user's `confirm`. At the deadline or after it the default has won, even if `expire` has not run yet.
  package mutating func answer(
    _ identifier: CallbackIdentifier, proceed: Bool, feedback: JSONText?, by principal: Principal,
    authenticationIsOn: Bool, at moment: Moment, into effects: inout [ConfirmationEffect]
  ) -> AnswerResult {
    guard let confirmation = confirmations[identifier] else { return .unknown }
    guard Authorizer.mayAnswer(confirmation, principal, authenticationIsOn: authenticationIsOn) else {
      return .forbidden
    }
    switch confirmation.status {
    case .pending: break
    case .timedOut: return .expired(confirmation)
    case .confirmed, .rejected, .withdrawn: return .alreadyResolved(confirmation)
    }
    if moment.monotonic >= confirmation.deadlineAtMonotonic {
      return .expired(resolve(confirmation, .timeout, at: moment, into: &effects))
    }
    return .accepted(
      resolve(confirmation, .answer(proceed: proceed, feedback: feedback), at: moment, into: &effects))
  }

  /// The publisher's `DELETE`.
  package mutating func withdraw(
    _ identifier: CallbackIdentifier, at moment: Moment, into effects: inout [ConfirmationEffect]
  ) throws(Problem) -> Confirmation {
    guard let confirmation = confirmations[identifier] else {
      throw Problem(.notFound, "the confirmation is unknown")
    }
    guard confirmation.status == .pending else { throw Self.alreadyResolved(confirmation) }
    if moment.monotonic >= confirmation.deadlineAtMonotonic {
      throw Self.alreadyResolved(resolve(confirmation, .timeout, at: moment, into: &effects))
    }
    return resolve(confirmation, .withdrawal, at: moment, into: &effects)
  }

  /// Resolves those whose deadline has come, with their default, and forgets those resolved long ago. At most
  /// `ConfirmationDeskSettings.expireCountMax` deadlines a call; `nextDeadline` says whether more is due.
  package mutating func expire(at moment: Moment, into effects: inout [ConfirmationEffect]) {
    var budget = ConfirmationDeskSettings.expireCountMax
    while budget > 0, let entry = deadlines.takeDue(at: moment.monotonic) {
      budget -= 1
      guard let confirmation = confirmations[entry.key], confirmation.status == .pending else { continue }
      _ = resolve(confirmation, .timeout, at: moment, into: &effects)
    }
    while budget > 0, let entry = removals.takeDue(at: moment.monotonic) {
      budget -= 1
      forget(entry.key, into: &effects)
    }
  }

  // MARK: the one way to an outcome

  private enum Outcome {
    case answer(proceed: Bool, feedback: JSONText?)
    case timeout
    case withdrawal
  }

  private mutating func resolve(
    _ pending: Confirmation, _ outcome: Outcome, at moment: Moment, into effects: inout [ConfirmationEffect]
  ) -> Confirmation {
    var confirmation = pending
    switch outcome {
    case .answer(let proceed, let feedback):
      confirmation.status = proceed ? .confirmed : .rejected
      confirmation.proceed = proceed
      confirmation.feedback = feedback
      confirmation.resolvedBy = .user
    case .timeout:
      confirmation.status = .timedOut
      confirmation.proceed = confirmation.request.defaultProceed
      confirmation.resolvedBy = .timeout
    case .withdrawal:
      confirmation.status = .withdrawn
      confirmation.resolvedBy = .withdrawn
    }
    confirmation.resolvedAt = moment.wall
    removePending(pending)
    keep(confirmation, at: moment, into: &effects)
    let confirmations = self.confirmations
    deadlines.compact(liveCount: pendingCount) { confirmations[$0.key]?.status == .pending }
    return confirmation
  }

  /// Keeps a resolved one findable, without its question, within the bounds of count and bytes.
  private mutating func keep(
    _ confirmation: Confirmation, at moment: Moment, into effects: inout [ConfirmationEffect]
  ) {
    effects.append(.persist(.resolved(confirmation)))
    effects.append(.resolved(confirmation))
    var kept = confirmation
    kept.request.forgetStep()
    confirmations[kept.identifier] = kept
    resolvedByteCount += kept.resolvedByteCount
    removals.add(kept.identifier, deadline: moment.monotonic + settings.resolvedSecondsMax)
    while resolvedCount > settings.resolvedCountMax || resolvedByteCount > settings.resolvedByteCountMax,
      let oldest = removals.takeFirst()
    {
      forget(oldest.key, into: &effects)
    }
  }

  private mutating func forget(_ identifier: CallbackIdentifier, into effects: inout [ConfirmationEffect]) {
    guard let removed = confirmations.removeValue(forKey: identifier) else { return }
    resolvedByteCount -= removed.resolvedByteCount
    effects.append(.persist(.removed(removed)))
  }

  private static func alreadyResolved(_ confirmation: Confirmation) -> Problem {
    Problem(.alreadyResolved, "the confirmation is \(confirmation.status.word) since \(confirmation.resolvedAt ?? 0)")
  }
}

extension ConfirmationRequest {
  /// Bytes of the question's JSON.
  var byteCount: Int {
    var count = step.byteCount + (message?.byteCount ?? 0) + (result?.byteCount ?? 0)
    count += (status?.byteCount ?? 0) + (errorCode?.byteCount ?? 0)
    return count + (errorMessage?.byteCount ?? 0)
  }

  /// Drops what only the question needed.
  mutating func forgetStep() {
    step = .null
    message = nil
    result = nil
    status = nil
    errorCode = nil
    errorMessage = nil
    viewers = []
  }
}

extension Confirmation {
  /// Bytes of JSON that it keeps once resolved.
  var resolvedByteCount: Int { feedback?.byteCount ?? 0 }
}
