/// One row of the catalogue: a metric with all its label sets. The case's place is the place of its words in a shard's
/// block, so reading and writing need no table.
package enum MetricFamily: Int, CaseIterable, Sendable {
  case connections, connectionsOpened, connectionsClosed, connectionDuration, handshakesRejected, handshakeDuration
  case authenticationFailures, users, subscriptions, channels, tasks
  case messagesReceived, messagesSent, receivedBytes, sentBytes, compressedBytes, frames, messagesDropped
  case eventsConflated, slowConsumers, sendQueueBytes, protocolErrors, pingRoundTrip
  case publishRequests, publishDuration, broadcastFanout, deliveryLatency, httpRequests
  case confirmationsPending, confirmations, confirmationWait, acknowledgementsPending, cancels, resumes
  case executionsWaiting
  case mailboxBatches, mailboxMessages, acceptErrors, eventLoopLag, eventLoopIteration

  /// Words of each family: a power of two, so that an index is a shift and an add; more than any family needs, which
  /// a test holds it to.
  package static let wordCount = 128
}

/// What a family measures and how it is written.
struct MetricDescription: Sendable {
  enum Kind: Sendable, Equatable {
    case counter
    /// An integer that goes up and down; the shards' are added.
    case gauge
    /// Seconds, kept as the bits of a Double.
    case secondsGauge
    /// Upper bounds of the buckets, ascending, without +Inf.
    case histogram(bounds: [Double])
  }

  /// Label names with their values, the last one varying fastest.
  struct Label: Sendable, Equatable {
    var name: String
    var values: [String]

    static func named<Value: MetricLabel>(_ name: String, _: Value.Type) -> Label {
      Label(name: name, values: Value.allCases.map(\.text))
    }
  }

  /// Without `signalbox_`, and without the `_total` of counters.
  var name: String
  var kind: Kind
  var help: String
  var labels: [Label] = []
  /// Written once per shard, with the label `worker`, instead of added up.
  var isPerShard = false

  /// Label sets, at least one.
  var seriesCount: Int { labels.reduce(1) { $0 * $1.values.count } }

  /// Words that a shard needs for it.
  var wordCount: Int {
    if case .histogram(let bounds) = kind { return HistogramLayout.wordCount(bounds) }
    return seriesCount
  }
}

/// The words of a histogram: one count per bucket (not cumulative), the one above the last bound, and the sum's bits.
enum HistogramLayout {
  static func wordCount(_ bounds: [Double]) -> Int { bounds.count + 2 }
  static func sumIndex(_ bounds: [Double]) -> Int { bounds.count + 1 }
}

/// The buckets.
enum HistogramBounds {
  /// Seconds, from a tenth of a millisecond to ten seconds.
  static let latency = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
  ]
  /// Seconds of a turn of the event loop, from ten microseconds.
  static let iteration = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1, 1.0]
  /// Seconds that a person takes to answer.
  static let answer = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0]
  /// Seconds that a connection lasts.
  static let life = [1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0]
  /// Receivers of one event.
  static let fanout = [
    0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0, 50_000.0,
  ]
}

extension MetricFamily {
  /// The row of this family.
  var description: MetricDescription {
    switch self {
    case .connections:
      MetricDescription(
        name: "connections", kind: .gauge, help: "Open connections.",
        labels: [.named("endpoint", EndpointLabel.self)])
    case .connectionsOpened:
      MetricDescription(
        name: "connections_opened", kind: .counter, help: "Connections accepted.",
        labels: [.named("endpoint", EndpointLabel.self)])
    case .connectionsClosed:
      MetricDescription(
        name: "connections_closed", kind: .counter, help: "Connections closed, by close code and who began.",
        labels: [.named("code", CloseCodeLabel.self), .named("initiator", InitiatorLabel.self)])
    case .connectionDuration:
      MetricDescription(
        name: "connection_duration_seconds", kind: .histogram(bounds: HistogramBounds.life),
        help: "How long connections lasted.")
    case .handshakesRejected:
      MetricDescription(
        name: "handshakes_rejected", kind: .counter, help: "Connections refused, by reason.",
        labels: [.named("reason", HandshakeRejectionLabel.self)])
    case .handshakeDuration:
      MetricDescription(
        name: "handshake_duration_seconds", kind: .histogram(bounds: HistogramBounds.latency),
        help: "From accept to the end of the opening handshake.")
    case .authenticationFailures:
      MetricDescription(
        name: "auth_failures", kind: .counter, help: "Tokens and keys not accepted, by reason.",
        labels: [.named("reason", AuthenticationFailureLabel.self)])
    case .users: MetricDescription(name: "users", kind: .gauge, help: "Users with a connection, counted per shard.")
    case .subscriptions: MetricDescription(name: "subscriptions", kind: .gauge, help: "Subscriptions of connections.")
    case .channels: MetricDescription(name: "channels", kind: .gauge, help: "Channels with a subscriber.")
    case .tasks:
      MetricDescription(
        name: "tasks", kind: .gauge, help: "Tasks kept, by status.", labels: [.named("status", TaskStatusLabel.self)])
    case .messagesReceived:
      MetricDescription(
        name: "messages_received", kind: .counter, help: "Messages from clients.",
        labels: [.named("endpoint", EndpointLabel.self)])
    case .messagesSent: MetricDescription(name: "messages_sent", kind: .counter, help: "Messages delivered to clients.")
    case .receivedBytes: MetricDescription(name: "received_bytes", kind: .counter, help: "Bytes read from sockets.")
    case .sentBytes: MetricDescription(name: "sent_bytes", kind: .counter, help: "Bytes written to sockets.")
    case .compressedBytes:
      MetricDescription(
        name: "compressed_bytes", kind: .counter, help: "Bytes before and after compression.",
        labels: [.named("direction", DirectionLabel.self), .named("stage", CompressionStageLabel.self)])
    case .frames:
      MetricDescription(
        name: "frames", kind: .counter, help: "WebSocket frames.",
        labels: [.named("opcode", OpcodeLabel.self), .named("direction", DirectionLabel.self)])
    case .messagesDropped:
      MetricDescription(
        name: "messages_dropped", kind: .counter, help: "Messages not delivered, by reason.",
        labels: [.named("reason", DropLabel.self)])
    case .eventsConflated:
      MetricDescription(
        name: "events_conflated", kind: .counter,
        help: "State events and log lines left out for readers that had fallen behind.")
    case .slowConsumers:
      MetricDescription(
        name: "slow_consumers", kind: .counter, help: "Readers that could not keep up, by what was done.",
        labels: [.named("action", SlowConsumerLabel.self)])
    case .sendQueueBytes:
      MetricDescription(name: "send_queue_bytes", kind: .gauge, help: "Bytes waiting for readers.")
    case .protocolErrors:
      MetricDescription(
        name: "protocol_errors", kind: .counter, help: "Errors of peers against a protocol, by kind.",
        labels: [.named("kind", ProtocolErrorLabel.self)])
    case .pingRoundTrip:
      MetricDescription(
        name: "ping_rtt_seconds", kind: .histogram(bounds: HistogramBounds.latency),
        help: "From a ping to its pong.")
    case .publishRequests:
      MetricDescription(
        name: "publish_requests", kind: .counter, help: "Publishers' requests, by operation and outcome.",
        labels: [.named("operation", OperationLabel.self), .named("outcome", OutcomeLabel.self)])
    case .publishDuration:
      MetricDescription(
        name: "publish_duration_seconds", kind: .histogram(bounds: HistogramBounds.latency),
        help: "From a publisher's request to its answer.")
    case .broadcastFanout:
      MetricDescription(
        name: "broadcast_fanout", kind: .histogram(bounds: HistogramBounds.fanout), help: "Receivers of an event.")
    case .deliveryLatency:
      MetricDescription(
        name: "delivery_latency_seconds", kind: .histogram(bounds: HistogramBounds.latency),
        help: "From the acceptance of an event to its last byte in the kernel.")
    case .httpRequests:
      MetricDescription(
        name: "http_requests", kind: .counter, help: "HTTP requests, by status.",
        labels: [.named("status", StatusLabel.self)])
    case .confirmationsPending:
      MetricDescription(name: "confirmations_pending", kind: .gauge, help: "Questions waiting for an answer.")
    case .confirmations:
      MetricDescription(
        name: "confirmations", kind: .counter, help: "Questions resolved, by outcome.",
        labels: [.named("outcome", ConfirmationOutcomeLabel.self)])
    case .confirmationWait:
      MetricDescription(
        name: "confirmation_wait_seconds", kind: .histogram(bounds: HistogramBounds.answer),
        help: "From a question to its resolution.")
    case .acknowledgementsPending:
      MetricDescription(name: "acks_pending", kind: .gauge, help: "User messages waiting for an acknowledgement.")
    case .executionsWaiting:
      MetricDescription(name: "executions_waiting", kind: .gauge, help: "Executions that no worker has been offered.")
    case .cancels: MetricDescription(name: "cancels", kind: .counter, help: "Cancel requests accepted.")
    case .resumes:
      MetricDescription(
        name: "resumes", kind: .counter, help: "Clients that resumed, by what they were given.",
        labels: [.named("result", ResumeLabel.self)])
    case .mailboxBatches:
      MetricDescription(name: "mailbox_batches", kind: .counter, help: "Batches of mail that shards took.")
    case .mailboxMessages:
      MetricDescription(name: "mailbox_messages", kind: .counter, help: "Mail that shards took.")
    case .acceptErrors:
      MetricDescription(
        name: "accept_errors", kind: .counter, help: "Failures to accept, by errno.",
        labels: [.named("errno", AcceptErrorLabel.self)])
    case .eventLoopLag:
      MetricDescription(
        name: "event_loop_lag_seconds", kind: .secondsGauge, help: "How late the newest timer of a loop fired.",
        isPerShard: true)
    case .eventLoopIteration:
      MetricDescription(
        name: "event_loop_iteration_seconds", kind: .histogram(bounds: HistogramBounds.iteration),
        help: "Time of a turn of a loop, waiting left out.", isPerShard: true)
    }
  }
}
