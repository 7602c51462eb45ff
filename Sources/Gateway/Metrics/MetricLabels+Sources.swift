import GatewayDomain
import Protocol

/// Values of the program as values of labels.
extension EndpointLabel {
  init(_ endpoint: SocketEndpoint) {
    switch endpoint {
    case .task: self = .task
    case .execution: self = .execution
    case .action: self = .action
    case .echo: self = .echo
    case .sse: self = .sse
    case .worker: self = .worker
    }
  }
}

extension TaskStatusLabel {
  init(_ status: TaskStatus) {
    switch status {
    case .pending: self = .pending
    case .running: self = .running
    case .completed: self = .completed
    case .failed: self = .failed
    case .cancelled: self = .cancelled
    }
  }
}

extension ConfirmationOutcomeLabel {
  /// Nil while nothing is decided.
  init?(_ status: Confirmation.Status) {
    switch status {
    case .pending: return nil
    case .confirmed: self = .confirmed
    case .rejected: self = .rejected
    case .timedOut: self = .timedOut
    case .withdrawn: self = .withdrawn
    }
  }
}

extension AuthenticationFailureLabel {
  init(_ error: TokenError) {
    switch error {
    case .expired: self = .expired
    case .notYetValid: self = .notYetValid
    case .issuer: self = .issuer
    case .audience: self = .audience
    case .signature: self = .signature
    case .algorithm: self = .algorithm
    case .malformed: self = .malformed
    }
  }
}

extension ProtocolErrorLabel {
  /// What a close code of a violation stands for, as far as the code tells.
  init(_ code: CloseCode) {
    switch code {
    case .invalidPayload: self = .utf8
    case .messageTooBig: self = .messageTooBig
    default: self = .opcode
    }
  }
}

extension ShardMetrics {
  func socketOpened(_ endpoint: SocketEndpoint) {
    add(.connections(EndpointLabel(endpoint)))
    add(.connectionsOpened(EndpointLabel(endpoint)))
  }

  func socketClosed(_ endpoint: SocketEndpoint, code: UInt16, byUs: Bool) {
    subtract(.connections(EndpointLabel(endpoint)))
    add(.connectionsClosed(CloseCodeLabel(code: code), byUs ? .server : .client))
  }
}
