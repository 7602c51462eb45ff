/// What `signalbox` was asked to do.
package enum Command: Sendable, Equatable {
  case serve
  case checkConfiguration
  case printConfiguration(asMarkdown: Bool)
  case token(TokenRequest)
  case verify
  case checkStore
  case version
  case help

  /// The words of the command line, with what each does.
  static let words: [(word: String, sentence: String)] = [
    ("serve", "run the gateway (the default command)"),
    ("check-config", "read the whole configuration, say what is wrong with it, and stop"),
    ("print-config", "show every setting with its origin, secrets hidden; --markdown writes its documentation"),
    ("check-store", "read every page of --store sqlite:PATH, also while a gateway runs on it, and say what is wrong"),
    ("token", "make a JWT for tests: --sub, --role, --tasks, --expires-in, --secret"),
    ("verify", "read lines of {\"jwk\":…,\"jws\":…} and answer each with 1 or 0"),
    ("version", "print the version"),
    ("help", "print this text"),
  ]
}

/// The role that a minted token claims.
package enum TokenRole: String, CaseIterable, Sendable {
  case user, publisher, admin
}

/// The flags of `signalbox token`.
package struct TokenRequest: Sendable, Equatable {
  /// `sub`, the user's id.
  package var subject: String
  package var role: TokenRole?
  /// `tasks`: ids, or prefixes ended by `*`.
  package var tasks: [String]
  /// Time from now to `exp`.
  package var expiresIn: Duration
  /// The key to sign with: `--secret`, else the configured `--jwt-secret`.
  package var secret: String

  /// The `--expires-in` that is not given.
  package static let expiresInDefault = Duration.seconds(3600)
  /// Seconds that a token may live: tokens for tests do not outlive a year.
  package static let expiresInSeconds = 1.0...31_622_400.0

  /// The flags that belong to `token` alone, each with its sentence.
  static let flags: [(flag: String, placeholder: String, sentence: String)] = [
    ("sub", "USER", "the user's id (required)"),
    ("role", "user|publisher|admin", "the role claimed"),
    ("tasks", "LIST", "comma-separated task ids, or prefixes ended by *, that the user may watch"),
    ("expires-in", "SECONDS", "life of the token (default 3600)"),
    ("secret", "TEXT", "secret to sign with (default: --jwt-secret)"),
  ]

  /// Checks the given flags.
  static func make(flags: [String: String], configuredSecret: String?) throws(ConfigurationError) -> TokenRequest {
    guard let subject = flags["sub"], !subject.isEmpty else {
      throw ConfigurationError("token needs --sub, the user's id")
    }
    guard subject.utf8.count <= 512, subject.count <= 128,
      !subject.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) })
    else {
      throw ConfigurationError("--sub is \(ValueText.shown(subject)), must be 1 to 128 characters without controls")
    }
    var role: TokenRole?
    if let text = flags["role"] {
      role = TokenRole(rawValue: text)
      guard role != nil else {
        let allowed = ValueText.alternatives(TokenRole.allCases.map(\.rawValue))
        throw ConfigurationError("--role is \(ValueText.shown(text)), must be \(allowed)")
      }
    }
    var expiresIn = expiresInDefault
    if let text = flags["expires-in"] {
      guard let seconds = ValueText.seconds(text), expiresInSeconds.contains(seconds) else {
        throw ConfigurationError(
          "--expires-in is \(ValueText.shown(text)), must be seconds from "
            + "\(ValueText.decimal(expiresInSeconds.lowerBound)) to \(ValueText.decimal(expiresInSeconds.upperBound))")
      }
      expiresIn = .seconds(seconds)
    }
    guard let secret = flags["secret"] ?? configuredSecret else {
      throw ConfigurationError("token needs --secret, or WEBSOCKET_JWT_SECRET in the environment")
    }
    guard ConfigurationBounds.jwtSecretByteCount.contains(secret.utf8.count) else {
      let bounds = ConfigurationBounds.jwtSecretByteCount
      throw ConfigurationError(
        "--secret is \(secret.utf8.count) bytes long, must be \(bounds.lowerBound) to \(bounds.upperBound) bytes")
    }
    return TokenRequest(
      subject: subject, role: role, tasks: ValueText.list(flags["tasks"] ?? ""), expiresIn: expiresIn, secret: secret)
  }
}
