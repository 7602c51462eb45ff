import Protocol

@testable import Gateway

/// A page: follows tasks, answers questions of its user, loses its connection, and comes back with the last place it has.
final class SimulatedWatcher {
  /// What a broken gateway would do: for tests that show that a simulation notices.
  enum Flaw {
    /// The place at which it resumes is one too far.
    case resumesOneTooFar
    /// The end of a task is not told.
    case losesEnds
  }

  private let name: String
  private let user: String
  private let ledger: PromiseLedger
  private let flaw: Flaw?
  /// Does not acknowledge messages.
  private let isForgetful: Bool
  private var client: SimulatedClient?
  private var handshakeIsDone = false
  /// The next offset of each task that it follows on this connection.
  private var expected: [String: Int] = [:]
  /// The last place of each task that it has.
  private var seen: [String: (epoch: String, offset: Int)] = [:]
  /// What it asked for, by task.
  private var asked: [String: (epoch: String, offset: Int)] = [:]
  /// How the task had ended, as somebody knew when it asked.
  private var knownEnds: [String: String] = [:]
  private var questions: [String] = []
  /// Questions whose outcome was known when it connected.
  private var settledBefore: Set<String> = []

  init(name: String, user: String, ledger: PromiseLedger, isForgetful: Bool = false, flaw: Flaw? = nil) {
    self.name = name
    self.user = user
    self.ledger = ledger
    self.flaw = flaw
    self.isForgetful = isForgetful
  }

  func disconnect() {
    client = nil
    expected = [:]
    asked = [:]
    handshakeIsDone = false
    questions = []
  }

  func step(_ gateway: SimulatedGateway, _ tasks: [String], _ random: inout SeededGenerator) {
    guard let client else {
      let fresh = gateway.connect(
        to: Int.random(in: 0..<gateway.shards.count, using: &random), roomByteCount: random.once(in: 3) ? 3000 : 1 << 20
      )
      fresh.upgrade("/ws", [("Sec-WebSocket-Protocol", "signalbox.v1")])
      fresh.sendText(#"{"action":"subscribe","user_id":"\#(user)"}"#)
      self.client = fresh
      settledBefore = Set(ledger.outcomes.keys)
      // Back where it was, with what it has.
      for task in seen.keys.sorted() where random.once(in: 2) { follow(task, on: fresh) }
      return
    }
    look(client)
    if client.isEnded { return disconnect() }
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1: if let task = tasks.randomElement(using: &random), expected[task] == nil { follow(task, on: client) }
    case 2:
      client.isReading = true
      if random.once(in: 4) { client.reset() }
    case 3: client.isReading.toggle()
    case 4..<7:
      guard let callback = questions.randomElement(using: &random) else { return }
      let proceed = random.once(in: 2)
      client.sendText(
        #"{"action":"confirm","callback_id":"\#(callback)","proceed":\#(proceed),"feedback":"\#(name)"}"#)
    default: break
    }
  }

  private func follow(_ task: String, on client: SimulatedClient) {
    guard asked[task] == nil else { return }
    knownEnds[task] = ledger.ends[task]?.status
    if let place = seen[task] {
      let offset = place.offset + (flaw == .resumesOneTooFar ? 1 : 0)
      asked[task] = place
      client.sendText(
        #"{"action":"subscribe","task_id":"\#(task)","since":{"epoch":"\#(place.epoch)","offset":\#(offset)}}"#)
    } else {
      asked[task] = ("", 0)
      client.sendText(#"{"action":"subscribe","task_id":"\#(task)"}"#)
    }
  }

  private func look(_ client: SimulatedClient) {
    if !handshakeIsDone {
      guard let answer = client.answer() else { return }
      if answer.status != 101 { ledger.note("\(name): handshake \(answer.status) \(answer.text)") }
      handshakeIsDone = true
    }
    for frame in client.frames() where frame.opcode == .text { take(Message(frame.payload)) }
  }

  private func take(_ message: Message) {
    ledger.trace("\(name) ← \(message)")
    let task = message.string("task_id") ?? ""
    switch message.type {
    case "subscription_confirmed" where !task.isEmpty: confirmed(message, task)
    case "progress", "complete", "cancelled": event(message, task)
    case "error" where message.has("epoch"): event(message, task)
    case "task_step_result":
      let callback = message.string("callback_id") ?? ""
      if settledBefore.contains(callback) {
        ledger.note("\(callback) is asked of a newcomer after its outcome was told")
      }
      questions.append(callback)
    case "confirmation_resolved": settle(message)
    case "confirmation_result":
      switch message.string("status") {
      case "accepted", "already_resolved", "expired": settle(message)
      case "unknown", "forbidden": ledger.note("\(name): \(message)")
      default: ledger.note("\(name): \(message)")
      }
    case "" where message.has("message_id"):
      ledger.count("messages")
      if !isForgetful {
        client?.sendText(#"{"action":"ack","message_id":"\#(message.string("message_id") ?? "")"}"#)
      }
    case "error", "welcome", "subscription_confirmed", "task_cancelled": break
    default: ledger.note("\(name): unexpected \(message)")
    }
    if message.type == "error", message.string("message") == "Task not found", ledger.registered.contains(task) {
      ledger.note("\(task) was registered and is not found")
    }
  }

  private func confirmed(_ message: Message, _ task: String) {
    let offset = message.int("offset") ?? -1
    let epoch = message.string("epoch") ?? ""
    if message.raw("recovered") == "true" {
      ledger.count("resumed")
      // Honest: what it has is where it goes on.
      if asked[task]?.epoch != epoch || asked[task]?.offset != offset {
        ledger.note("\(name): \(task) recovered at \(epoch) \(offset), not at \(asked[task] ?? ("", 0))")
      }
    } else {
      ledger.count("snapshots")
      let snapshot = Message(Array(message.raw("snapshot").utf8))
      if snapshot.int("offset") != offset { ledger.note("\(name): \(task) has a snapshot of another offset") }
      ledger.shown(snapshot.string("status") ?? "", of: task, knownEnd: knownEnds[task])
      if let known = seen[task], known.epoch == epoch, offset < known.offset {
        ledger.note("\(name): \(task) went back from \(known) to \(offset)")
      }
    }
    expected[task] = offset + 1
    seen[task] = (epoch, offset)
  }

  private func event(_ message: Message, _ task: String) {
    // As if it had been conflated with what came before.
    if flaw == .losesEnds, message.type != "progress" { return }
    let offset = message.int("offset") ?? -1
    let epoch = message.string("epoch") ?? ""
    let skipped = message.int("skipped") ?? 0
    if expected[task] != offset - skipped {
      ledger.note("\(name): \(task) \(offset) with \(skipped) skipped, expected \(expected[task] ?? -1)")
    }
    if skipped > 0 { ledger.count("skipped") }
    expected[task] = offset + 1
    seen[task] = (epoch, offset)
    var text = message.description
    if let place = text.firstRange(of: ",\"skipped\":\(skipped)") { text.removeSubrange(place) }
    ledger.event(text, task: task, epoch: epoch, offset: offset)
    if message.type == "progress", !text.contains(#"0,"message":"éé","details":{"n":1e2}"#) {
      ledger.note("\(name): not as published: \(text)")
    }
    switch message.type {
    case "complete": ledger.end(of: task, "completed", epoch: epoch, offset: offset)
    case "error": ledger.end(of: task, "failed", epoch: epoch, offset: offset)
    case "cancelled": ledger.end(of: task, "cancelled", epoch: epoch, offset: offset)
    default: break
    }
  }

  private func settle(_ message: Message) {
    let callback = message.string("callback_id") ?? ""
    questions.removeAll { $0 == callback }
    // An answer's result says "accepted" where the outcome says what was answered.
    let status: String
    switch (message.raw("resolved_by"), message.raw("proceed")) {
    case ("\"user\"", "true"): status = "confirmed"
    case ("\"user\"", _): status = "rejected"
    case ("\"timeout\"", _): status = "timed_out"
    default: status = "withdrawn"
    }
    ledger.outcome(
      of: callback, "\(status) \(message.raw("proceed")) \(message.raw("feedback")) \(message.raw("resolved_by"))")
  }

  /// Everything that it follows and has been told of ended for it too.
  func checkEnds() {
    guard let client, !client.isEnded, client.isReading else { return }
    for (task, end) in ledger.ends.sorted(by: { $0.key < $1.key }) {
      guard let next = expected[task], let place = seen[task], place.epoch == end.epoch else { continue }
      if next <= end.offset { ledger.note("\(name): \(task) ended at \(end.offset), and it has \(next - 1)") }
    }
  }

  /// Takes what is left, without asking for anything.
  func catchUp() {
    client?.isReading = true
    if let client { look(client) }
  }
}
