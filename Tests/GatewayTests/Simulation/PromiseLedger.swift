/// What a gateway has told anybody, over all its lives: whatever it says later is held to it (contract §4).
final class PromiseLedger {
  private(set) var mistakes: [String] = []
  /// Every event that anybody was given, by its place.
  private var events: [String: String] = [:]
  /// How a task ended, as somebody was told.
  private(set) var ends: [String: (status: String, epoch: String, offset: Int)] = [:]
  /// How a question was settled, as somebody was told.
  private(set) var outcomes: [String: String] = [:]
  /// Tasks that were registered with 2xx.
  var registered: Set<String> = []
  /// Ends that were answered with 2xx, with the result that was given.
  var acknowledgedEnds: [String: String] = [:]
  /// Cancels that were answered with 2xx.
  var acknowledgedCancels: Set<String> = []
  /// The reports that were answered 202, by task: when, and the progress.
  var reports: [String: [(milliseconds: Int64, progress: String)]] = [:]
  /// Tasks with a lease.
  var leased: Set<String> = []
  /// Messages that were accepted with 2xx, by their key.
  var messages: [String: String] = [:]
  /// Questions that were asked with 2xx, by their key.
  private(set) var questions: [String: String] = [:]
  /// What it took: nothing is proven by a run in which nothing happened.
  private(set) var counts: [String: Int] = [:]

  /// Prints what happens: for a seed that is run again.
  var isTracing = false

  func trace(_ text: @autoclosure () -> String) { if isTracing { print("  \(text())") } }

  func note(_ mistake: String) {
    trace("MISTAKE \(mistake)")
    if mistakes.count < 20 { mistakes.append(mistake) }
  }

  func count(_ what: String) { counts[what, default: 0] += 1 }

  /// No place in a numbering denotes two events, and text is as it was published.
  func event(_ text: String, task: String, epoch: String, offset: Int) {
    count("events")
    let place = "\(task) \(epoch) \(offset)"
    if let known = events[place], known != text { note("\(place) is \(text), and was \(known)") }
    events[place] = text
  }

  /// An end is final, however often the gateway starts anew.
  func end(of task: String, _ status: String, epoch: String, offset: Int) {
    count("ends told")
    trace("end of \(task): \(status) \(epoch) \(offset)")
    if let known = ends[task], known != (status, epoch, offset) {
      note("\(task) ended as \(status) at \(epoch) \(offset), and was \(known)")
    }
    ends[task] = (status, epoch, offset)
  }

  /// A state that somebody is shown who asked when it was known that the task had ended.
  func shown(_ status: String, of task: String, knownEnd: String?) {
    if let knownEnd, knownEnd != status { note("\(task) is shown as \(status), and had ended as \(knownEnd)") }
  }

  /// One outcome, told to everybody.
  func outcome(of callback: String, _ text: String) {
    count("outcomes told")
    trace("outcome of \(callback): \(text)")
    if let known = outcomes[callback], known != text { note("\(callback) is \(text), and was \(known)") }
    outcomes[callback] = text
  }

  /// A key asks once.
  func question(_ callback: String, key: String) {
    count("questions asked")
    if let known = questions[key], known != callback { note("\(key) asked twice: \(known) and \(callback)") }
    questions[key] = callback
  }
}
