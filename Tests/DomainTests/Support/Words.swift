import GatewayDomain
import Protocol
import Testing

func json(_ text: String) -> JSONText { JSONText(normalised: Array(text.utf8)) }

extension JSONText {
  var text: String { String(decoding: bytes, as: UTF8.self) }
}

func task(_ text: String) -> TaskIdentifier {
  guard let identifier = TaskIdentifier(validating: text) else { fatalError("no task identifier: \(text)") }
  return identifier
}

func user(_ text: String) -> UserIdentifier {
  guard let identifier = UserIdentifier(validating: text) else { fatalError("no user identifier: \(text)") }
  return identifier
}

/// Members as the HTTP door would hand them on.
func progressReport(
  _ value: Double? = nil, status: String? = nil, message: ReportedField = .absent, details: ReportedField = .absent
) -> ProgressReport {
  var report = ProgressReport()
  var members: [String] = []
  if let value {
    let text = value == value.rounded() ? String(Int(value)) : String(value)
    report.progress = json(text)
    report.progressValue = value
    members.append("\"progress\":\(text)")
  }
  if let status { members.append("\"status\":\"\(status)\"") }
  report.statusWord = status
  report.message = message
  if let text = message.value { members.append("\"message\":\(text.text)") }
  report.details = details
  if let text = details.value { members.append("\"details\":\(text.text)") }
  report.given = Array(members.joined(separator: ",").utf8)
  return report
}

/// The code of the problem that the command throws; nil where it throws none.
func code<Answer>(_ command: () throws -> Answer) -> Problem.Code? {
  do {
    _ = try command()
    return nil
  } catch let problem as Problem {
    return problem.code
  } catch {
    Issue.record("the domain throws problems, not \(error)")
    return nil
  }
}

/// Testing has one too.
typealias Confirmation = GatewayDomain.Confirmation
