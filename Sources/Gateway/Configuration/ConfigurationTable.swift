/// The one table of settings. `--help`, `print-config`, `docs/configuration.md` and the reader come from it.
enum ConfigurationTable {
  /// Stands before the capitals of every flag in the environment; the seeds' names are among them.
  static let environmentPrefix = "WEBSOCKET_"

  /// Every key, in the order of the documentation.
  static let keys: [ConfigurationKey] = listening + limits + timing + tasks + access + operation

  /// The key of a flag without its dashes.
  static func key(_ flag: String) -> ConfigurationKey? { byFlag[flag] }

  /// The key of an environment variable, and whether the variable holds a file's path instead of the value.
  static func key(environmentName: String) -> (key: ConfigurationKey, isFile: Bool)? {
    byEnvironmentName[environmentName]
  }

  /// Every name that an environment variable or a line of an env-file may have.
  static let environmentNames = keys.flatMap {
    $0.isSecret ? [$0.environmentName, $0.environmentFileName] : [$0.environmentName]
  }

  private static let byFlag = Dictionary(uniqueKeysWithValues: keys.map { ($0.flag, $0) })
  private static let byEnvironmentName: [String: (key: ConfigurationKey, isFile: Bool)] = {
    var names: [String: (key: ConfigurationKey, isFile: Bool)] = [:]
    for key in keys {
      names[key.environmentName] = (key, false)
      if key.isSecret { names[key.environmentFileName] = (key, true) }
    }
    return names
  }()

  private static let listening: [ConfigurationKey] = [
    .custom(
      "host", .listening, .text(ConfigurationBounds.textByteCount, form: "an IPv4 or IPv6 address or localhost"),
      "address of the public listener; 0.0.0.0 or :: for all",
      assign: ConfigurationReaders.host, render: { $0.host }),
    .integer(
      "port", .listening, \.port, ConfigurationBounds.port, "port of the public listener; 0 takes any free one"),
    .text(
      "unix-socket", .listening, \.unixSocketPath, form: "a socket's path",
      "Unix socket to listen on, beside or instead of the port"
    ).notAvailable,
    .optionalInteger(
      "internal-port", .listening, \.internalPort, ConfigurationBounds.port,
      "loopback port that takes over metrics, status and the publisher API"),
    .integer("threads", .listening, \.threadCount, ConfigurationBounds.threadCount, "event loops, one thread each")
      .defaulting(to: "one per core"),
  ]

  private static let limits: [ConfigurationKey] = [
    .integer(
      "max-connections", .limits, \.connectionCountMax, ConfigurationBounds.connectionCount,
      "WebSocket and SSE connections at once; one more is closed with 1013"
    ).defaulting(to: "what the descriptor limit allows"),
    .optionalInteger(
      "max-connections-per-ip", .limits, \.connectionCountMaxPerAddress, ConfigurationBounds.connectionCount,
      "connections at once from one address"),
    .optionalInteger(
      "max-connections-per-user", .limits, \.connectionCountMaxPerUser, ConfigurationBounds.connectionCount,
      "connections at once of one user"),
    .byteCount(
      "max-message-bytes", .limits, \.maxMessageByteCount, ConfigurationBounds.messageByteCount,
      "largest message from a client; a larger one closes with 1009"),
    .byteCount(
      "max-request-bytes", .limits, \.maxRequestByteCount, ConfigurationBounds.requestByteCount,
      "largest HTTP body; a larger one is answered 413"),
    .byteCount(
      "send-buffer-bytes", .limits, \.sendBufferByteCount, ConfigurationBounds.sendBufferByteCount,
      "bytes waiting for one reader before it is closed with 1013 Slow consumer"),
    .boolean("compression", .limits, \.isCompressionOn, "permessage-deflate for clients that offer it"),
    .boolean(
      "single-connection-per-user", .limits, \.isSingleConnectionPerUser,
      "a user's newer connection closes the older one with 4500"),
    .choice(
      "reject-with", .limits, \.rejectionStyle,
      "refuse by close code after a completed handshake, or by HTTP status"),
  ]

  private static let timing: [ConfigurationKey] = [
    .seconds(
      "ping-interval", .timing, \.pingInterval, ConfigurationBounds.keepAliveSeconds,
      "silence after which a connection is pinged"),
    .seconds(
      "ping-timeout", .timing, \.pingTimeout, ConfigurationBounds.keepAliveSeconds,
      "silence after a ping that closes the connection with 1011"),
    .seconds(
      "terminal-grace", .timing, \.terminalGrace, ConfigurationBounds.waitSeconds,
      "how long the task dialect keeps a socket open after a terminal message"),
    .optionalSeconds(
      "status-interval", .timing, \.statusInterval, ConfigurationBounds.statusIntervalSeconds,
      "how often the execution dialect repeats the latest status"),
    .seconds(
      "drain-timeout", .timing, \.drainTimeout, ConfigurationBounds.waitSeconds,
      "how long a stop may take to send clients elsewhere"),
  ]

  private static let tasks: [ConfigurationKey] = [
    .seconds(
      "callback-timeout", .tasks, \.callbackTimeout, ConfigurationBounds.callbackSeconds,
      "deadline of a confirmation that names none"),
    .choice("callback-default", .tasks, \.callbackDefault, "what the deadline of a confirmation decides"),
    .seconds(
      "cancel-timeout", .tasks, \.cancelTimeout, ConfigurationBounds.waitSeconds,
      "how long a worker has to acknowledge a cancel before the task is cancelled without it"),
    .seconds(
      "lease-grace", .tasks, \.leaseGrace, ConfigurationBounds.waitSeconds,
      "how long past its lease a stale task stays before it fails as worker_lost"),
    .integer(
      "history-events", .tasks, \.historyEventCount, ConfigurationBounds.historyEventCount, unit: "events",
      "events kept per task for clients that resume"),
    .seconds(
      "history-ttl", .tasks, \.historyTimeToLive, ConfigurationBounds.waitSeconds, "how long a finished task is kept"),
    .boolean(
      "register-on-publish", .tasks, \.isRegisteringOnPublish, "a report on an unknown task registers it"),
    .custom(
      "store", .tasks, .text(ConfigurationBounds.textByteCount, form: "memory or sqlite:PATH"),
      "where tasks are kept", assign: ConfigurationReaders.store, render: ConfigurationReaders.storeText),
    .text(
      "redis-url", .tasks, \.redisURL, form: "a redis:// or rediss:// URL", "Redis that joins gateways to a cluster"
    ).secret.notAvailable,
  ]

  private static let access: [ConfigurationKey] = [
    .choice("auth", .access, \.authentication, "whether clients must show a token; publishers always need a key"),
    .boolean(
      "dev", .access, \.isDevelopment,
      "for trying out, on loopback only: auth off, publisher API open, a key and a user token printed"),
    .text(
      "jwt-secret", .access, \.jwtSecret, form: "a shared secret",
      byteCounts: ConfigurationBounds.jwtSecretByteCount,
      "secret of HS256, HS384 and HS512 tokens; should have 32 bytes or more"
    ).secret,
    .text(
      "jwt-public-key", .access, \.jwtPublicKeyPath, form: "a PEM file's path",
      "public key of RS, PS, ES and EdDSA tokens"
    ).notAvailable,
    .text(
      "jwks-file", .access, \.jwksPath, form: "a JWKS file's path", "set of public keys, chosen by kid"
    ).notAvailable,
    .text("jwt-issuer", .access, \.jwtIssuer, form: "text", "issuer that a token must name"),
    .text("jwt-audience", .access, \.jwtAudience, form: "text", "audience that a token must name"),
    .seconds(
      "jwt-leeway", .access, \.jwtLeeway, ConfigurationBounds.leewaySeconds, "how far a token's clock may differ"
    ),
    .custom(
      "cookie-name", .access, .text(ConfigurationBounds.textByteCount, form: "a cookie's name (RFC 6265)"),
      "cookie that may hold the token", assign: ConfigurationReaders.cookieName, render: { $0.cookieName }),
    .custom(
      "api-keys", .access, .list(form: "keys of visible ASCII, each 1 to 1024 bytes, 256 at most"), "publisher keys",
      assign: ConfigurationReaders.apiKeys,
      render: { $0.apiKeys.isEmpty ? nil : $0.apiKeys.joined(separator: ",") }
    ).secret,
    .custom(
      "allowed-origins", .access, .list(form: "origins (https://app.example), 256 at most, or *"),
      "pages that may connect", assign: ConfigurationReaders.allowedOrigins,
      render: ConfigurationReaders.allowedOriginsText
    ).defaulting(to: "the same host"),
    .custom(
      "trusted-proxies", .access, .list(form: "address blocks (10.0.0.0/8), 256 at most"),
      "proxies whose forwarded addresses and overload header are believed",
      assign: ConfigurationReaders.trustedProxies,
      render: { $0.trustedProxies.isEmpty ? nil : $0.trustedProxies.map(\.text).joined(separator: ",") }
    ),
  ]

  private static let operation: [ConfigurationKey] = [
    .boolean(
      "echo", .operation, \.isEchoOn, "for conformance suites: WebSocket /echo and POST /echo answer with what they got"
    ),
    .choice("log-level", .operation, \.logLevel, "least severe lines that are written"),
    .choice("log-format", .operation, \.logFormat, "JSON lines for programs or text for people")
      .defaulting(to: "text on a terminal, else json"),
    .text(
      "env-file", .operation, \.environmentFilePath, form: "an env-file's path",
      "file of WEBSOCKET_NAME=value lines, below the environment in rank"),
  ]
}
