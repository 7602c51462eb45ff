@testable import Gateway

/// A worker with tasks of its own: one request at a time, sent again until it is answered, as a careful client does.
final class SimulatedPublisher {
  private struct Intent {
    enum Kind {
      case register, progress, complete, fail, cancel, acknowledgeCancel, question, message, look
    }
    let kind: Kind
    let task: String
    let path: String
    let body: String?
    var key: String?
    /// What a report said.
    var progress = ""
    /// What an end said of itself.
    var result = ""
    var tryCount = 0
    /// How the task had ended, as somebody knew when this was sent.
    var knownEnd: String?
  }

  let name: String
  private let ledger: PromiseLedger
  private let users: [String]
  private var client: SimulatedClient?
  private var intent: Intent?
  private var tasks: [String] = []
  private var finished: Set<String> = []
  /// Tasks whose end may come from elsewhere: from a cancel that nobody acknowledged in time, or a lease.
  private var mayHaveEndedByTime: Set<String> = []
  private var progress: [String: Int] = [:]
  private var number = 0
  private var milliseconds: Int64 = 0

  init(name: String, users: [String], ledger: PromiseLedger) {
    self.name = name
    self.users = users
    self.ledger = ledger
  }

  var knownTasks: [String] { tasks }
  var isIdle: Bool { intent == nil }
  /// The report that is on its way, which may have been taken in.
  var reportUnderWay: (task: String, progress: String)? {
    intent.flatMap { $0.kind == .progress ? ($0.task, $0.progress) : nil }
  }

  /// The gateway is gone, with every connection.
  func disconnect() { client = nil }

  /// Reads what has come, then asks something, or the same again.
  func step(_ gateway: SimulatedGateway, _ random: inout SeededGenerator, mayBegin: Bool) {
    milliseconds = gateway.world.milliseconds
    if let client {
      if let answer = client.answer() { take(answer) } else if client.isEnded { self.client = nil } else { return }
    }
    if intent == nil, mayBegin { intent = next(&random) }
    guard var pending = intent else { return }
    let connection: SimulatedClient
    if let client {
      connection = client
    } else {
      connection = gateway.connect(to: Int.random(in: 0..<gateway.shards.count, using: &random))
      client = connection
    }
    var fields: [(String, String)] = []
    if let key = pending.key { fields.append(("Idempotency-Key", key)) }
    connection.request(pending.body == nil ? "GET" : "POST", pending.path, fields, body: pending.body)
    pending.tryCount += 1
    pending.knownEnd = ledger.ends[pending.task]?.status
    intent = pending
    if random.once(in: 40) { connection.reset() }
  }

  private func next(_ random: inout SeededGenerator) -> Intent {
    number += 1
    let key = random.once(in: 2) ? "\(name)-\(number)" : nil
    let open = tasks.filter { !finished.contains($0) }
    guard let task = open.randomElement(using: &random), !random.once(in: 8) else {
      let task = "\(name).\(number)"
      return Intent(
        kind: .register, task: task, path: "/api/v1/tasks",
        body: #"{"task_id":"\#(task)","title":"ü"\#(random.once(in: 4) ? #","lease_seconds":3"# : "")}"#, key: key)
    }
    let path = "/api/v1/tasks/\(task)"
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<9:
      progress[task, default: 0] += 1
      // As it is written so it must arrive: the zeros, the exponent, the letters.
      let body = #"{"progress":\#(progress[task, default: 0] % 100).50,"message":"é\u00e9","details":{"n":1e2}}"#
      return Intent(
        kind: .progress, task: task, path: path + "/progress", body: body,
        progress: "\(progress[task, default: 0] % 100).50")
    case 9, 10:
      return Intent(
        kind: .complete, task: task, path: path + "/complete", body: #"{"result":\#(number)}"#, key: key,
        result: "\(number)")
    case 11:
      return Intent(
        kind: .fail, task: task, path: path + "/error", body: #"{"error":"e\#(number)"}"#, key: key,
        result: "\"e\(number)\"")
    case 12: return Intent(kind: .cancel, task: task, path: path + "/cancel", body: "{}", key: key)
    case 13 where ledger.acknowledgedCancels.contains(task):
      return Intent(kind: .acknowledgeCancel, task: task, path: path + "/cancel/ack", body: "{}", key: key)
    case 13..<18:
      let user = users.randomElement(using: &random) ?? "u"
      let wait = random.once(in: 2) ? "?wait=2" : ""
      let body = #"{"task_id":"\#(task)","user_id":"\#(user)","step":\#(number),"timeout":6,"default_proceed":false}"#
      // Without a key a question whose answer was lost would be asked twice, as it should.
      return Intent(
        kind: .question, task: task, path: "/api/v1/confirmations" + wait, body: body, key: "\(name)-q\(number)")
    case 18:
      let user = users.randomElement(using: &random) ?? "u"
      return Intent(
        kind: .message, task: task, path: "/api/v1/users/\(user)/messages?requires_ack=1", body: #"{"n":\#(number)}"#,
        key: "\(name)-m\(number)")
    default: return Intent(kind: .look, task: task, path: path, body: nil)
    }
  }

  private func take(_ answer: SimulatedClient.Answer) {
    guard let pending = intent else { return ledger.note("\(name) was answered without a question: \(answer.text)") }
    intent = nil
    ledger.trace("\(name) \(pending.kind) \(pending.task) \(pending.key ?? "") → \(answer.status) \(answer.text)")
    if answer.status == 503 {
      ledger.count("503")
      // Nobody's subscribers, and no store, make a report fail.
      if pending.kind == .progress { ledger.note("a progress report was answered 503: \(answer.text)") }
      intent = pending
      return
    }
    let message = Message(answer.body)
    switch (pending.kind, answer.status) {
    case (.register, 200...201):
      if !tasks.contains(pending.task) { tasks.append(pending.task) }
      if pending.body?.contains("lease_seconds") == true {
        ledger.leased.insert(pending.task)
        mayHaveEndedByTime.insert(pending.task)
      }
      ledger.registered.insert(pending.task)
    case (.progress, 202):
      ledger.count("progress")
      ledger.reports[pending.task, default: []].append((milliseconds, pending.progress))
    case (.complete, 200), (.fail, 200):
      finished.insert(pending.task)
      ledger.count("ends acknowledged")
      ledger.acknowledgedEnds[pending.task] = pending.result
      ledger.end(
        of: pending.task, pending.kind == .complete ? "completed" : "failed", epoch: message.string("epoch") ?? "",
        offset: message.int("offset") ?? -1)
    case (.acknowledgeCancel, 200):
      finished.insert(pending.task)
      ledger.end(
        of: pending.task, "cancelled", epoch: message.string("epoch") ?? "", offset: message.int("offset") ?? -1)
    case (.cancel, 202):
      ledger.acknowledgedCancels.insert(pending.task)
      mayHaveEndedByTime.insert(pending.task)
    case (_, 409):
      finished.insert(pending.task)
      // With a key the answer of the first try comes again, whatever has become of the connection.
      let isOwnEnd =
        pending.kind == .complete || pending.kind == .fail || pending.kind == .acknowledgeCancel
        || pending.kind == .cancel && pending.tryCount > 1
      if !mayHaveEndedByTime.contains(pending.task), !isOwnEnd || pending.key != nil && pending.kind != .cancel,
        !ledger.isEnded(pending.task)
      {
        ledger.note("\(pending.kind) of \(pending.task) was answered 409, and nobody had ended it")
      }
    case (.question, 200...201):
      ledger.question(message.string("callback_id") ?? "", key: pending.key ?? "")
      settle(message)
    case (.message, 200):
      let message = message.string("message_id") ?? ""
      if let known = ledger.messages[pending.key ?? ""], known != message {
        ledger.note("\(pending.key ?? "") was sent twice: \(known) and \(message)")
      }
      ledger.messages[pending.key ?? ""] = message
    case (.look, 200): ledger.shown(message.string("status") ?? "", of: pending.task, knownEnd: pending.knownEnd)
    default: ledger.note("\(pending.kind) of \(pending.task) was answered \(answer.status) \(answer.text)")
    }
    // A cancel that went through unseen.
    if pending.kind == .cancel { mayHaveEndedByTime.insert(pending.task) }
  }

  private func settle(_ message: Message) {
    guard let status = message.string("status"), status != "pending" else { return }
    ledger.outcome(
      of: message.string("callback_id") ?? "",
      "\(status) \(message.raw("proceed")) \(message.raw("feedback")) \(message.raw("resolved_by"))")
  }
}

extension PromiseLedger {
  func isEnded(_ task: String) -> Bool { ends[task] != nil }
}
