/// Why a token was refused. What the client is told is always the same; the difference is for metrics and logs.
package enum TokenError: Error, Equatable, Sendable, CaseIterable {
  /// `exp` plus the leeway has come.
  case expired
  /// `nbf` minus the leeway has not come yet.
  case notYetValid
  case issuer
  case audience
  case signature
  /// The header's `alg` is not among the configured ones; `none` never is.
  case algorithm
  /// Not three base64url parts, JSON or claims of a wrong shape, a duplicate, `crit`, too long.
  case malformed

  /// The word of the metric's label `reason`.
  package var label: StaticString {
    switch self {
    case .expired: "expired"
    case .notYetValid: "not_yet_valid"
    case .issuer: "issuer"
    case .audience: "audience"
    case .signature: "signature"
    case .algorithm: "algorithm"
    case .malformed: "malformed"
    }
  }
}
