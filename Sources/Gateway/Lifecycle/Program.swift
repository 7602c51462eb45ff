import CEpollShim
import Glibc
import Protocol

/// The command line's commands: arguments → configuration → what was asked for → exit status.
package enum Program {
  /// Start-up failed for a reason outside the configuration: a port in use, no descriptors.
  private static let unavailableStatus: Int32 = 69

  package static func run(arguments: [String]) -> Int32 {
    let loaded: LoadedConfiguration
    do throws(ConfigurationError) {
      loaded = try Configuration.load(
        arguments: arguments, environment: FileReading.environment(), host: .current(raisingDescriptorLimit: true)
      ) { path throws(FileReadingError) in try FileReading.bytes(ofFileAt: path) }
    } catch {
      printError(error.description)
      return ConfigurationError.exitStatus
    }
    switch loaded.command {
    case .serve: return serve(loaded)
    case .checkConfiguration:
      for warning in loaded.warnings { printError("signalbox: warning: \(warning)") }
      print("the configuration is valid")
    case .printConfiguration(let asMarkdown):
      print(asMarkdown ? ConfigurationText.markdown() : ConfigurationText.printed(loaded), terminator: "")
    case .token(let request): return mint(request)
    case .verify: return TokenVerification.run()
    case .checkStore: return checkStore(loaded.configuration.store)
    case .version: print("signalbox \(GatewayVersion.text)")
    case .help: print(ConfigurationText.help(), terminator: "")
    }
    return 0
  }

  private static func serve(_ loaded: LoadedConfiguration) -> Int32 {
    // Before any thread starts, so that every thread leaves the signals to this one.
    signalbox_block_signals()
    var configuration = loaded.configuration
    let development = configuration.isDevelopment ? DevelopmentKeys.make(&configuration) : nil
    let log = LogWriter(level: configuration.logLevel, format: configuration.logFormat)
    defer { log.stop() }
    for warning in loaded.warnings { log.log(.warning, "configuration", ["warning": .text(warning)]) }
    let database: OpenedDatabase?
    do throws(StoreFailure) { database = try OpenedDatabase.open(configuration.store) } catch {
      return giveUp(log, error.detail)
    }
    do throws(SystemCallError) {
      let server = try GatewayServer(configuration, log: log, database: database)
      development?.announce(port: server.port, host: configuration.host)
      server.runUntilSignal()
      return 0
    } catch {
      database?.closeUnused()
      return giveUp(log, error.text)
    }
  }

  private static func giveUp(_ log: LogWriter, _ reason: String) -> Int32 {
    log.flush()
    printError("signalbox: \(reason)")
    return unavailableStatus
  }

  private static func checkStore(_ store: StorePlace) -> Int32 {
    guard case .sqlite(let path) = store else {
      printError("signalbox: --store is memory, must be sqlite:PATH to be checked")
      return ConfigurationError.exitStatus
    }
    let report = StoreCheck.run(path: path)
    for line in report.lines { print(line) }
    if let failure = report.failure { printError("signalbox: \(failure)") }
    return report.exitStatus
  }

  private static func mint(_ request: TokenRequest) -> Int32 {
    guard let secret = TokenSecret(bytes: Array(request.secret.utf8)) else {
      printError("signalbox: --secret is empty, must be at least one byte")
      return ConfigurationError.exitStatus
    }
    // Whole seconds, and never in the future: readers refuse an `iat` that is still to come.
    let now = (Double(LogWriter.unixMilliseconds()) / 1000).rounded(.down)
    let claims = TokenClaims(
      subject: request.subject, expiresAt: (now + request.expiresIn.seconds).rounded(), issuedAt: now,
      role: request.role.flatMap { TokenClaims.Role(rawValue: $0.rawValue) } ?? .user,
      tasks: request.tasks.isEmpty ? nil : request.tasks)
    print(TokenIssuer.mint(claims, secret: secret, algorithm: .hs256))
    return 0
  }

  static func printError(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

/// What `--dev` prints: a publisher key and a user's token, made anew at each start unless they are configured.
struct DevelopmentKeys {
  private let apiKey: String
  private let userToken: String

  static func make(_ configuration: inout Configuration) -> DevelopmentKeys {
    var random = SystemRandomNumberGenerator()
    func word() -> String { String(random.next() as UInt64, radix: 36) + String(random.next() as UInt64, radix: 36) }
    if configuration.apiKeys.isEmpty { configuration.apiKeys = [word()] }
    let secretText = configuration.jwtSecret ?? word() + word()
    configuration.jwtSecret = secretText
    var token = ""
    if let secret = TokenSecret(bytes: Array(secretText.utf8)) {
      let now = Double(LogWriter.unixMilliseconds()) / 1000
      token = TokenIssuer.mint(
        TokenClaims(subject: "demo", expiresAt: (now + 86_400).rounded(), role: .user), secret: secret,
        algorithm: .hs256)
    }
    return DevelopmentKeys(apiKey: configuration.apiKeys[0], userToken: token)
  }

  func announce(port: UInt16, host: String) {
    Program.printError(
      """
      development mode: everybody on this machine may publish, watch and answer
        dashboard   http://\(host):\(port)/ui/
        publisher   Authorization: Bearer \(apiKey)
        user demo   ws://\(host):\(port)/ws?token=\(userToken)
      """)
  }
}
