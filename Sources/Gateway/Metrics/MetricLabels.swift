/// The values of the labels. Every set is bounded; a value from outside maps to a member or to `other`. A case's name in
/// snake case is the label's text, unless `text` says otherwise.
package protocol MetricLabel: CaseIterable, RawRepresentable, Sendable where RawValue == Int {
  /// The value in the exposition.
  var text: String { get }
}

extension MetricLabel {
  /// The case's name in snake case.
  package var text: String {
    String(describing: self).reduce(into: "") { text, character in
      if character.isUppercase { text += "_" }
      text += character.lowercased()
    }
  }
}

/// The endpoint that a connection was made to.
package enum EndpointLabel: Int, MetricLabel { case task, execution, action, echo, worker, sse }

/// Which side began to close.
package enum InitiatorLabel: Int, MetricLabel { case client, server }

/// Which way bytes go, seen from the gateway.
package enum DirectionLabel: Int, MetricLabel { case received, sent }

/// Which side of the compressor bytes are on.
package enum CompressionStageLabel: Int, MetricLabel { case raw, compressed }

/// Why a handshake was refused.
package enum HandshakeRejectionLabel: Int, MetricLabel {
  case capacity, descriptorLimit, authentication, permission, origin, notFound, badRequest, rate, version, draining
  case timeout
}

/// Why a token or key was not accepted.
package enum AuthenticationFailureLabel: Int, MetricLabel {
  case missing, malformed, algorithm, signature, keyIdentifier, expired, notYetValid, issuer, audience, claims
  case apiKey, ticket
}

/// A task's status.
package enum TaskStatusLabel: Int, MetricLabel { case pending, running, completed, failed, cancelled }

/// An opcode of RFC 6455 §5.2; `other` is a reserved one.
package enum OpcodeLabel: Int, MetricLabel {
  case continuation, text, binary, close, ping, pong, other

  /// By the number on the wire.
  package init(code: UInt8) {
    self =
      switch code {
      case 0: .continuation
      case 1: .text
      case 2: .binary
      case 8: .close
      case 9: .ping
      case 10: .pong
      default: .other
      }
  }
}

/// A close code; `none` is a connection that ended without a close frame (1005, 1006).
package enum CloseCodeLabel: Int, MetricLabel {
  case none, code1000, code1001, code1002, code1003, code1007, code1008, code1009, code1010, code1011, code1012
  case code1013, code4500, other

  /// By the number of RFC 6455 §7.4; nil where none was exchanged.
  package init(code: UInt16?) {
    self =
      switch code {
      case nil, 1005, 1006: .none
      case 1000: .code1000
      case 1001: .code1001
      case 1002: .code1002
      case 1003: .code1003
      case 1007: .code1007
      case 1008: .code1008
      case 1009: .code1009
      case 1010: .code1010
      case 1011: .code1011
      case 1012: .code1012
      case 1013: .code1013
      case 4500: .code4500
      default: .other
      }
  }

  /// The number, `none` or `other`.
  package var text: String {
    switch self {
    case .none: "none"
    case .other: "other"
    default: String(String(describing: self).dropFirst("code".count))
    }
  }
}

/// What a publisher asks for.
package enum OperationLabel: Int, MetricLabel {
  case register, progress, complete, error, node, log, heartbeat, cancel, cancelAcknowledgement, cancelMany, execution
  case confirmation, withdrawal, broadcast, channel, message, disconnect, ticket, bulk, read
}

/// How a publisher's request ended.
package enum OutcomeLabel: Int, MetricLabel {
  case accepted, rejected, denied, failed

  /// By the status that answered it: 2xx, other 4xx, 401 and 403, 5xx.
  package init(status: Int) {
    self =
      switch status {
      case 401, 403: .denied
      case 500...: .failed
      case 400...: .rejected
      default: .accepted
      }
  }
}

/// A status of the HTTP API; `other` is one that this gateway does not send.
package enum StatusLabel: Int, MetricLabel {
  case code101, code200, code201, code202, code204, code304, code400, code401, code403, code404, code405, code408
  case code409, code411, code413, code414, code415, code417, code422, code426, code429, code431, code500, code501
  case code503, code505, other

  /// By the status code.
  package init(status: Int) {
    self =
      switch status {
      case 101: .code101
      case 200: .code200
      case 201: .code201
      case 202: .code202
      case 204: .code204
      case 304: .code304
      case 400: .code400
      case 401: .code401
      case 403: .code403
      case 404: .code404
      case 405: .code405
      case 408: .code408
      case 409: .code409
      case 411: .code411
      case 413: .code413
      case 414: .code414
      case 415: .code415
      case 417: .code417
      case 422: .code422
      case 426: .code426
      case 429: .code429
      case 431: .code431
      case 500: .code500
      case 501: .code501
      case 503: .code503
      case 505: .code505
      default: .other
      }
  }

  /// The number or `other`.
  package var text: String {
    self == .other ? "other" : String(String(describing: self).dropFirst("code".count))
  }
}

/// How a confirmation ended.
package enum ConfirmationOutcomeLabel: Int, MetricLabel { case confirmed, rejected, timedOut, withdrawn }

/// What a client that resumed was given.
package enum ResumeLabel: Int, MetricLabel {
  /// The missed events.
  case recovered
  /// A snapshot, because the history no longer reached back.
  case gap
  /// A snapshot, because the numbering had begun anew.
  case epoch
}

/// What happened to a reader that could not keep up.
package enum SlowConsumerLabel: Int, MetricLabel { case conflated, closed }

/// Why a message was not delivered.
package enum DropLabel: Int, MetricLabel { case slowConsumer, queueFull, noSubscriber, expired, tooLarge }

/// What a peer did against a protocol.
package enum ProtocolErrorLabel: Int, MetricLabel {
  case http, handshake, reservedBits, opcode, masking, length, fragmentation, controlFrame, utf8, closeFrame
  case compression, messageTooBig, json
}

/// Why `accept` failed.
package enum AcceptErrorLabel: Int, MetricLabel {
  case processDescriptors, systemDescriptors, memory, aborted, other

  /// The name of the `errno`.
  package var text: String {
    switch self {
    case .processDescriptors: "EMFILE"
    case .systemDescriptors: "ENFILE"
    case .memory: "ENOMEM"
    case .aborted: "ECONNABORTED"
    case .other: "other"
    }
  }
}
