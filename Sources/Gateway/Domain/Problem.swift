/// Why a command was refused: the one table of problem codes (contract §3 and §6).
package struct Problem: Error, Equatable, Sendable {
  package enum Code: String, Sendable, CaseIterable {
    case badRequest = "bad_request"
    case unauthorized
    case forbidden
    case notFound = "not_found"
    case taskNotFound = "task_not_found"
    case methodNotAllowed = "method_not_allowed"
    case taskFinished = "task_finished"
    case alreadyResolved = "already_resolved"
    case requestTimeout = "request_timeout"
    case payloadTooLarge = "payload_too_large"
    case uriTooLong = "uri_too_long"
    case unsupportedMediaType = "unsupported_media_type"
    case expectationFailed = "expectation_failed"
    case idempotencyMismatch = "idempotency_mismatch"
    case upgradeRequired = "upgrade_required"
    case rateLimited = "rate_limited"
    case headerFieldsTooLarge = "header_fields_too_large"
    case notImplemented = "not_implemented"
    case httpVersionNotSupported = "http_version_not_supported"
    case draining
    case storeUnavailable = "store_unavailable"
    case overCapacity = "over_capacity"
    case internalError = "internal"

    package var status: Int {
      switch self {
      case .badRequest: 400
      case .unauthorized: 401
      case .forbidden: 403
      case .notFound, .taskNotFound: 404
      case .methodNotAllowed: 405
      case .requestTimeout: 408
      case .taskFinished, .alreadyResolved: 409
      case .payloadTooLarge: 413
      case .uriTooLong: 414
      case .unsupportedMediaType: 415
      case .expectationFailed: 417
      case .idempotencyMismatch: 422
      case .upgradeRequired: 426
      case .rateLimited: 429
      case .headerFieldsTooLarge: 431
      case .internalError: 500
      case .notImplemented: 501
      case .httpVersionNotSupported: 505
      case .draining, .storeUnavailable, .overCapacity: 503
      }
    }

    package var title: StaticString {
      switch self {
      case .badRequest: "Bad request"
      case .unauthorized: "Credentials are missing or wrong"
      case .forbidden: "Not allowed"
      case .notFound: "Not found"
      case .taskNotFound: "Task not found"
      case .methodNotAllowed: "Method not allowed"
      case .requestTimeout: "The request did not arrive in time"
      case .taskFinished: "The task has finished"
      case .alreadyResolved: "The confirmation is resolved"
      case .payloadTooLarge: "The body is too large"
      case .uriTooLong: "The request target is too long"
      case .unsupportedMediaType: "Unsupported media type"
      case .expectationFailed: "Unsupported expectation"
      case .idempotencyMismatch: "The idempotency key was used with another body"
      case .upgradeRequired: "This endpoint speaks WebSocket"
      case .rateLimited: "Too many requests"
      case .headerFieldsTooLarge: "The header fields are too large"
      case .internalError: "Internal error"
      case .notImplemented: "Not implemented"
      case .httpVersionNotSupported: "HTTP version not supported"
      case .draining: "This node is draining"
      case .storeUnavailable: "The store is unavailable"
      case .overCapacity: "This node is full"
      }
    }
  }

  package let code: Code
  /// A sentence that names the field, the value and the rule.
  package let detail: String

  package init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }
}

extension Problem.Code {
  /// The code that stands for an HTTP status which the request parser gives.
  package init(status: Int) {
    switch status {
    case 408: self = .requestTimeout
    case 413: self = .payloadTooLarge
    case 414: self = .uriTooLong
    case 417: self = .expectationFailed
    case 426: self = .upgradeRequired
    case 431: self = .headerFieldsTooLarge
    case 501: self = .notImplemented
    case 505: self = .httpVersionNotSupported
    default: self = .badRequest
    }
  }
}
