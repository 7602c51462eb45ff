/// One series of a counter or gauge: a word of every shard's block. Made of constants, so that `add` is a load, an
/// addition and a store.
package struct MetricSeries: Sendable, Equatable {
  /// The word's place in a shard's block.
  let index: Int

  @inline(__always)
  private init(_ family: MetricFamily, _ place: Int = 0) {
    index = family.rawValue * MetricFamily.wordCount + place
  }

  package static func connections(_ endpoint: EndpointLabel) -> Self { Self(.connections, endpoint.rawValue) }
  package static func connectionsOpened(_ endpoint: EndpointLabel) -> Self {
    Self(.connectionsOpened, endpoint.rawValue)
  }
  package static func connectionsClosed(_ code: CloseCodeLabel, _ initiator: InitiatorLabel) -> Self {
    Self(.connectionsClosed, code.rawValue * 2 + initiator.rawValue)
  }
  package static func handshakesRejected(_ reason: HandshakeRejectionLabel) -> Self {
    Self(.handshakesRejected, reason.rawValue)
  }
  package static func authenticationFailures(_ reason: AuthenticationFailureLabel) -> Self {
    Self(.authenticationFailures, reason.rawValue)
  }
  package static var users: Self { Self(.users) }
  package static var subscriptions: Self { Self(.subscriptions) }
  package static var channels: Self { Self(.channels) }
  package static func tasks(_ status: TaskStatusLabel) -> Self { Self(.tasks, status.rawValue) }
  package static func messagesReceived(_ endpoint: EndpointLabel) -> Self {
    Self(.messagesReceived, endpoint.rawValue)
  }
  package static var messagesSent: Self { Self(.messagesSent) }
  /// Another word for `messagesSent`.
  package static var deliveries: Self { Self(.messagesSent) }
  package static var receivedBytes: Self { Self(.receivedBytes) }
  package static var sentBytes: Self { Self(.sentBytes) }
  package static func compressedBytes(_ direction: DirectionLabel, _ stage: CompressionStageLabel) -> Self {
    Self(.compressedBytes, direction.rawValue * 2 + stage.rawValue)
  }
  package static func frames(_ opcode: OpcodeLabel, _ direction: DirectionLabel) -> Self {
    Self(.frames, opcode.rawValue * 2 + direction.rawValue)
  }
  package static func messagesDropped(_ reason: DropLabel) -> Self { Self(.messagesDropped, reason.rawValue) }
  package static var eventsConflated: Self { Self(.eventsConflated) }
  package static func slowConsumers(_ action: SlowConsumerLabel) -> Self { Self(.slowConsumers, action.rawValue) }
  package static var sendQueueBytes: Self { Self(.sendQueueBytes) }
  package static func protocolErrors(_ kind: ProtocolErrorLabel) -> Self { Self(.protocolErrors, kind.rawValue) }
  package static func publishRequests(_ operation: OperationLabel, _ outcome: OutcomeLabel) -> Self {
    Self(.publishRequests, operation.rawValue * 4 + outcome.rawValue)
  }
  package static func httpRequests(_ status: StatusLabel) -> Self { Self(.httpRequests, status.rawValue) }
  package static var confirmationsPending: Self { Self(.confirmationsPending) }
  package static func confirmations(_ outcome: ConfirmationOutcomeLabel) -> Self {
    Self(.confirmations, outcome.rawValue)
  }
  package static var acknowledgementsPending: Self { Self(.acknowledgementsPending) }
  package static var executionsWaiting: Self { Self(.executionsWaiting) }
  package static var cancels: Self { Self(.cancels) }
  package static func resumes(_ result: ResumeLabel) -> Self { Self(.resumes, result.rawValue) }
  package static var mailboxBatches: Self { Self(.mailboxBatches) }
  package static var mailboxMessages: Self { Self(.mailboxMessages) }
  package static func acceptErrors(_ errno: AcceptErrorLabel) -> Self { Self(.acceptErrors, errno.rawValue) }
}

/// The histograms.
package enum MetricHistogram: Sendable, CaseIterable {
  case connectionDuration, handshakeDuration, pingRoundTrip, publishDuration, broadcastFanout, deliveryLatency
  case confirmationWait, eventLoopIteration

  /// The family, and with it the place in the block.
  var family: MetricFamily {
    switch self {
    case .connectionDuration: .connectionDuration
    case .handshakeDuration: .handshakeDuration
    case .pingRoundTrip: .pingRoundTrip
    case .publishDuration: .publishDuration
    case .broadcastFanout: .broadcastFanout
    case .deliveryLatency: .deliveryLatency
    case .confirmationWait: .confirmationWait
    case .eventLoopIteration: .eventLoopIteration
    }
  }

  /// Upper bounds of the buckets.
  var bounds: [Double] {
    switch self {
    case .connectionDuration: HistogramBounds.life
    case .broadcastFanout: HistogramBounds.fanout
    case .confirmationWait: HistogramBounds.answer
    case .eventLoopIteration: HistogramBounds.iteration
    case .handshakeDuration, .pingRoundTrip, .publishDuration, .deliveryLatency: HistogramBounds.latency
    }
  }
}

/// The gauges in seconds.
package enum MetricSecondsGauge: Sendable {
  case eventLoopLag

  /// The family, and with it the place in the block.
  var family: MetricFamily {
    switch self {
    case .eventLoopLag: .eventLoopLag
    }
  }
}
