/// Who may see and do what (contract §5, last lines, and §2.3).
package enum Authorizer {
  /// With authentication off everybody, whatever token was shown; `anonymous` exists only there.
  package static func mayWatch(
    _ task: TaskSnapshot, _ principal: Principal, authenticationIsOn: Bool = true
  ) -> Bool {
    guard authenticationIsOn else { return true }
    switch principal {
    case .anonymous, .publisher, .admin: return true
    case .user(let user, let watchableTasks):
      if task.owner == nil && task.viewers.isEmpty { return true }
      if task.owner == user || task.viewers.contains(user) { return true }
      return watchableTasks.contains { $0.matches(task.identifier) }
    }
  }

  /// Waiting for an unknown task is allowed to everybody: whether it may be watched is asked again when it appears.
  /// Reading over HTTP asks the same as watching.
  package static func mayRead(
    _ task: TaskSnapshot, _ principal: Principal, authenticationIsOn: Bool = true
  ) -> Bool {
    mayWatch(task, principal, authenticationIsOn: authenticationIsOn)
  }

  /// The owner and admins, publishers for their workers' sake; everybody with authentication off.
  package static func mayCancel(
    _ task: TaskSnapshot, _ principal: Principal, authenticationIsOn: Bool = true
  ) -> Bool {
    guard authenticationIsOn else { return true }
    switch principal {
    case .anonymous, .publisher, .admin: return true
    case .user(let user, _): return task.owner == user
    }
  }

  /// With authentication off everybody, as in the seed; with it on who was asked, and admins.
  package static func mayAnswer(
    _ confirmation: Confirmation, _ principal: Principal, authenticationIsOn: Bool
  ) -> Bool {
    guard authenticationIsOn else { return true }
    if case .admin = principal { return true }
    guard let subject = principal.subject else { return false }
    return confirmation.request.audience.contains(subject)
  }
}
