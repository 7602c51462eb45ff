/// Whether clients must show a token.
package enum AuthenticationMode: String, CaseIterable, Sendable {
  case required, off
}

/// What a confirmation's deadline decides.
package enum CallbackDefault: String, CaseIterable, Sendable {
  case proceed, reject
}

/// How a refused connection learns that it was refused.
package enum RejectionStyle: String, CaseIterable, Sendable {
  /// The handshake completes and a close code follows, which a browser can read.
  case close
  /// An HTTP status, which a proxy can read.
  case http
}

/// Which pages may open a connection.
package enum AllowedOrigins: Sendable, Equatable {
  /// The origin's host must be the one that was asked for.
  case sameHost
  /// Every origin.
  case any
  /// Exactly these, `scheme://host[:port]`, in lower case.
  case listed([String])
}

/// Where tasks are kept.
package enum StorePlace: Sendable, Equatable {
  case memory
  case sqlite(path: String)
}

/// Every setting, typed. The defaults stand here and nowhere else; the table of keys renders them.
package struct Configuration: Sendable, Equatable {
  package var host = "127.0.0.1"
  package var port = 8765
  package var unixSocketPath: String?
  package var internalPort: Int?
  package var threadCount: Int

  package var connectionCountMax: Int
  package var connectionCountMaxPerAddress: Int?
  package var connectionCountMaxPerUser: Int?
  package var maxMessageByteCount = 64 << 10
  package var maxRequestByteCount = 1 << 20
  package var sendBufferByteCount = 1 << 20
  package var isCompressionOn = true
  package var isSingleConnectionPerUser = false
  package var rejectionStyle = RejectionStyle.close

  package var pingInterval = Duration.seconds(30)
  package var pingTimeout = Duration.seconds(10)
  package var terminalGrace = Duration.seconds(5)
  package var statusInterval: Duration?
  package var drainTimeout = Duration.seconds(30)

  package var callbackTimeout = Duration.seconds(300)
  package var callbackDefault = CallbackDefault.proceed
  package var cancelTimeout = Duration.seconds(60)
  package var leaseGrace = Duration.seconds(30)
  package var historyEventCount = 256
  package var historyTimeToLive = Duration.seconds(86_400)
  package var isRegisteringOnPublish = true
  package var store = StorePlace.sqlite(path: "signalbox.db")
  package var redisURL: String?

  /// What the operator asked for; `isAuthenticationRequired` is what holds.
  package var authentication = AuthenticationMode.required
  package var isDevelopment = false
  package var jwtSecret: String?
  package var jwtPublicKeyPath: String?
  package var jwksPath: String?
  package var jwtIssuer: String?
  package var jwtAudience: String?
  package var jwtLeeway = Duration.seconds(30)
  package var cookieName: String?
  package var apiKeys: [String] = []
  package var allowedOrigins = AllowedOrigins.sameHost
  package var trustedProxies: [AddressBlock] = []

  package var isEchoOn = false
  package var logLevel = LogLevel.info
  package var logFormat: LogFormat
  package var environmentFilePath: String?

  /// The defaults on this machine.
  package init(host facts: HostFacts) {
    threadCount = min(max(1, facts.coreCount), ConfigurationBounds.threadCount.upperBound)
    connectionCountMax = ConnectionBudget.connectionCountMax(
      descriptorLimit: facts.descriptorLimit, threadCount: threadCount, store: store)
    logFormat = facts.standardErrorIsTerminal ? .text : .json
  }

  /// Whether clients must show a token: `--dev` turns it off.
  package var isAuthenticationRequired: Bool { authentication == .required && !isDevelopment }

  /// Whether the publisher API answers without credentials, which only `--dev` on loopback may.
  package var isPublisherOpen: Bool { isDevelopment }
}
