import Glibc

/// Connections that publish to tasks without subscribers, each with one request under way.
final class PublishStorm {
  private let poller = Poller()
  private let buffer: ReadBuffer
  private let options: Options
  private let target: any Target
  private var publishers: [Publisher] = []
  private var sentAt: [UInt64]
  private var numbers: [Int]
  private var nextTopic = 0
  private var messagesLeft = 0
  private var requestsUnderWay = 0
  /// Of the last run.
  private(set) var messageCount = 0
  /// From a request to its answer.
  var latencies = Histogram()

  init(options: Options, buffer: ReadBuffer) {
    self.options = options
    self.buffer = buffer
    var target = Targets.named(options.target)
    guard target.answersPublishes else { fail("\(options.target) does not answer publishes") }
    target.prepare(topicCount: options.topicCount, messageByteCount: options.messageByteCount)
    self.target = target
    sentAt = [UInt64](repeating: 0, count: options.clientCount)
    numbers = [Int](repeating: 0, count: options.topicCount)
    for token in 0..<options.clientCount {
      publishers.append(Publisher(port: options.port, target: target, poller: poller, token: token))
    }
  }

  func run(messageCount: Int) {
    self.messageCount = 0
    messagesLeft = messageCount
    if let perSecond = options.givenPerSecond { return runPaced(perSecond: perSecond) }
    for token in publishers.indices where messagesLeft > 0 { send(token) }
    while requestsUnderWay > 0 {
      let isAlive = poller.wait(milliseconds: 10_000) { token in
        guard publishers[token].handleEvent(buffer) > 0 else { return }
        latencies.record(monotonicNanoseconds() - sentAt[token])
        requestsUnderWay -= 1
        if messagesLeft > 0 { send(token) }
      }
      if !isAlive { fail("no answer for ten seconds, \(requestsUnderWay) requests wait") }
    }
  }

  /// So many requests a second, each by a connection that has none under way; where all have, later.
  private func runPaced(perSecond: Double) {
    var free = Array(publishers.indices)
    let start = monotonicNanoseconds()
    var sentCount = 0
    while messagesLeft > 0 || requestsUnderWay > 0 {
      let dueCount = Int(Double(monotonicNanoseconds() - start) / 1e9 * perSecond)
      while messagesLeft > 0, sentCount < dueCount, let token = free.popLast() {
        send(token)
        sentCount += 1
      }
      _ = poller.wait(milliseconds: 0) { token in
        guard publishers[token].handleEvent(buffer) > 0 else { return }
        latencies.record(monotonicNanoseconds() - sentAt[token])
        requestsUnderWay -= 1
        free.append(token)
      }
    }
  }

  private func send(_ token: Int) {
    let count = options.scenario == .linePublish ? min(options.lineCount, messagesLeft) : 1
    var publications: [Publication] = []
    publications.reserveCapacity(count)
    for _ in 0..<count {
      publications.append(Publication(topic: nextTopic, number: numbers[nextTopic]))
      numbers[nextTopic] += 1
      nextTopic = nextTopic + 1 == numbers.count ? 0 : nextTopic + 1
    }
    messagesLeft -= count
    messageCount += count
    requestsUnderWay += 1
    sentAt[token] = monotonicNanoseconds()
    publishers[token].send(answered: true) { output in
      if options.scenario == .linePublish {
        target.appendPublications(publications, to: &output)
      } else {
        target.appendPublication(publications[0], to: &output)
      }
    }
  }
}
