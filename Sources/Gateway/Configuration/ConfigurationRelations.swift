/// What must hold between settings. Two values that were given and contradict each other stop the start; where one
/// is a default, or the effect is merely useless, it is a warning.
enum ConfigurationRelations {
  /// What was found, one line each.
  struct Judgement: Equatable {
    var mistakes: [String] = []
    var warnings: [String] = []
  }

  /// Seconds of silence after which common proxies (nginx, load balancers of clouds) close a connection.
  static let proxyIdleTimeout = Duration.seconds(60)
  /// Bytes below which a publisher key can be guessed.
  static let strongKeyByteCount = 16
  /// Bytes below which a shared secret is weaker than HS256 (RFC 7518 §3.2).
  static let strongSecretByteCount = 32

  static func judge(
    _ configuration: Configuration, origins: [String: ConfigurationOrigin], host: HostFacts
  ) -> Judgement {
    var judgement = Judgement()
    judgeAccess(configuration, origins, &judgement)
    judgeListeners(configuration, &judgement)
    judgeSizes(configuration, origins, &judgement)
    let keepAlive = configuration.pingInterval
    if keepAlive >= proxyIdleTimeout {
      judgement.warnings.append(
        "ping-interval is \(ValueText.seconds(keepAlive))s, should be shorter than the "
          + "\(ValueText.seconds(proxyIdleTimeout))s after which common proxies close a silent connection")
    }
    let allowed = ConnectionBudget.connectionCountMax(
      descriptorLimit: host.descriptorLimit, threadCount: configuration.threadCount, store: configuration.store)
    if configuration.connectionCountMax > allowed {
      judgement.warnings.append(
        "max-connections is \(configuration.connectionCountMax), but the descriptor limit \(host.descriptorLimit) "
          + "has room for \(allowed): raise it (ulimit -n, LimitNOFILE=)")
    }
    return judgement
  }

  private static func judgeAccess(
    _ configuration: Configuration, _ origins: [String: ConfigurationOrigin], _ judgement: inout Judgement
  ) {
    if configuration.isDevelopment {
      if !isLoopback(configuration.host) {
        judgement.mistakes.append(
          "host is \(configuration.host), must be a loopback address (127.0.0.1, ::1 or localhost) with --dev, "
            + "which leaves the publisher API open")
      }
      if configuration.authentication == .required, let origin = origins["auth"] {
        judgement.mistakes.append("\(origin.subject) is required, but --dev turns authentication off: keep one")
      }
      return
    }
    if let secret = configuration.jwtSecret, secret.utf8.count < strongSecretByteCount {
      judgement.warnings.append(
        "jwt-secret is \(secret.utf8.count) bytes long, should be at least \(strongSecretByteCount): whoever guesses "
          + "it signs tokens")
    }
    let hasTokenKey =
      configuration.jwtSecret != nil || configuration.jwtPublicKeyPath != nil || configuration.jwksPath != nil
    if configuration.authentication == .required, !hasTokenKey, configuration.apiKeys.isEmpty {
      judgement.mistakes.append(
        "auth is required, but there is no key: set --jwt-secret (WEBSOCKET_JWT_SECRET) for users' tokens or "
          + "--api-keys (WEBSOCKET_API_KEYS) for publishers, or try --dev")
    }
    if configuration.authentication == .off, configuration.apiKeys.isEmpty, !hasTokenKey {
      judgement.warnings.append(
        "there is no publisher key, so nobody can publish: set --api-keys (WEBSOCKET_API_KEYS) or --jwt-secret")
    }
    for (index, key) in configuration.apiKeys.enumerated() where key.utf8.count < strongKeyByteCount {
      judgement.warnings.append(
        "api-keys: key \(index + 1) is \(key.utf8.count) bytes long, should be at least \(strongKeyByteCount)")
    }
    if configuration.authentication == .off, !isLoopback(configuration.host) {
      judgement.warnings.append("auth is off and host is \(configuration.host): everybody who reaches it may watch")
    }
  }

  private static func judgeListeners(_ configuration: Configuration, _ judgement: inout Judgement) {
    if let internalPort = configuration.internalPort, internalPort != 0, internalPort == configuration.port {
      judgement.mistakes.append("internal-port is \(internalPort), must differ from port \(configuration.port)")
    }
  }

  private static func judgeSizes(
    _ configuration: Configuration, _ origins: [String: ConfigurationOrigin], _ judgement: inout Judgement
  ) {
    func relate(_ left: String, _ leftValue: Int?, _ right: String, _ rightValue: Int, because reason: String) {
      guard let leftValue, leftValue > rightValue else { return }
      let isContradiction = origins[left] != nil && origins[right] != nil
      let message =
        "\(left) is \(leftValue), \(isContradiction ? "must" : "should") be at most \(right) \(rightValue): \(reason)"
      if isContradiction { judgement.mistakes.append(message) } else { judgement.warnings.append(message) }
    }
    relate(
      "max-message-bytes", configuration.maxMessageByteCount, "send-buffer-bytes", configuration.sendBufferByteCount,
      because: "a pong returns the whole message")
    relate(
      "max-connections-per-ip", configuration.connectionCountMaxPerAddress, "max-connections",
      configuration.connectionCountMax, because: "it would never be reached")
    relate(
      "max-connections-per-user", configuration.connectionCountMaxPerUser, "max-connections",
      configuration.connectionCountMax, because: "it would never be reached")
  }

  /// Whether a listener on this host can be reached from this machine alone.
  static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || InternetAddress(parsing: host)?.isLoopback == true
  }
}
