import GatewayDomain
import Protocol

/// The configured keys, and what a token shown at the door amounts to.
struct Credentials: Sendable {
  /// Who showed the token, and until when it is good (Unix seconds, infinite for ever).
  struct Bearer: Sendable {
    let principal: Principal
    let expiresAt: Double
  }

  enum Failure: Error, Sendable {
    case missing
    /// Neither an API key nor, where JWT keys are configured, a token.
    case unknown
    case ticket
    case token(TokenError)

    var label: AuthenticationFailureLabel {
      switch self {
      case .missing: .missing
      case .unknown: .apiKey
      case .ticket: .ticket
      case .token(let error): AuthenticationFailureLabel(error)
      }
    }

    var text: String {
      switch self {
      case .missing: "missing"
      case .unknown: "unknown key"
      case .ticket: "unknown or used ticket"
      case .token(let error): error.label.description
      }
    }
  }

  private let apiKeys: [[UInt8]]
  private let verifier: TokenVerifier?

  init(apiKeys: [String], verifier: TokenVerifier?) {
    self.apiKeys = apiKeys.map { Array($0.utf8) }
    self.verifier = verifier
  }

  /// An API key or a JWT, as `Authorization: Bearer` carries it.
  func bearer(_ token: Span<UInt8>, now: Double) throws(Failure) -> Bearer {
    if isAPIKey(token) { return Bearer(principal: .publisher(subject: nil), expiresAt: .infinity) }
    return try user(token, now: now)
  }

  /// A JWT.
  func user(_ token: Span<UInt8>, now: Double) throws(Failure) -> Bearer {
    guard let verifier else { throw .unknown }
    let claims: TokenClaims
    do { claims = try verifier.verify(token, now: now) } catch { throw .token(error) }
    let subject = claims.subject.flatMap { UserIdentifier(validating: $0) }
    let principal: Principal
    switch claims.role {
    case .user:
      guard let subject else { throw .token(.malformed) }
      principal = .user(subject, watchableTasks: (claims.tasks ?? []).map { TaskPattern($0) })
    case .publisher: principal = .publisher(subject: subject)
    case .admin: principal = .admin(subject: subject)
    }
    return Bearer(principal: principal, expiresAt: claims.expiresAt)
  }

  /// Every key is compared, each in constant time, so that the time tells nothing of how near a guess came.
  private func isAPIKey(_ token: Span<UInt8>) -> Bool {
    var found = false
    for key in apiKeys where MessageAuthentication.isEqual(key.span, token) { found = true }
    return found
  }
}
