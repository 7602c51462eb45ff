import Testing

@testable import Gateway

@Suite("contract §5: where values come from")
struct ConfigurationPrecedenceTests {
  @Test func `without anything given the defaults of the contract hold`() throws {
    let configuration = try ConfigurationFixture.load(["--api-keys", "a-publisher-key-of-some-length"]).configuration
    #expect(configuration.host == "127.0.0.1")
    #expect(configuration.port == 8765)
    #expect(configuration.internalPort == nil)
    #expect(configuration.threadCount == 4)
    #expect(configuration.pingInterval == .seconds(30))
    #expect(configuration.pingTimeout == .seconds(10))
    #expect(configuration.callbackTimeout == .seconds(300))
    #expect(configuration.callbackDefault == .proceed)
    #expect(configuration.cancelTimeout == .seconds(60))
    #expect(configuration.leaseGrace == .seconds(30))
    #expect(configuration.authentication == .required)
    #expect(configuration.rejectionStyle == .close)
    #expect(configuration.maxMessageByteCount == 65_536)
    #expect(configuration.maxRequestByteCount == 1_048_576)
    #expect(configuration.sendBufferByteCount == 1_048_576)
    #expect(configuration.historyEventCount == 256)
    #expect(configuration.historyTimeToLive == .seconds(86_400))
    #expect(configuration.isRegisteringOnPublish)
    #expect(configuration.terminalGrace == .seconds(5))
    #expect(configuration.statusInterval == nil)
    #expect(!configuration.isSingleConnectionPerUser)
    #expect(configuration.isCompressionOn)
    #expect(configuration.drainTimeout == .seconds(30))
    #expect(!configuration.isEchoOn)
    #expect(configuration.logLevel == .info)
    #expect(configuration.jwtLeeway == .seconds(30))
    #expect(configuration.store == .sqlite(path: "signalbox.db"))
    #expect(configuration.allowedOrigins == .sameHost)
  }

  @Test func `flags win over the environment and the environment over the file`() throws {
    let files = ["a.env": "WEBSOCKET_PORT=1\nWEBSOCKET_PING_INTERVAL=1\nWEBSOCKET_PING_TIMEOUT=1\n"]
    let loaded = try ConfigurationFixture.load(
      ["--dev", "--env-file", "a.env", "--port", "3"],
      environment: ["WEBSOCKET_PORT": "2", "WEBSOCKET_PING_INTERVAL": "2"], files: files)
    #expect(loaded.configuration.port == 3)
    #expect(loaded.configuration.pingInterval == .seconds(2))
    #expect(loaded.configuration.pingTimeout == .seconds(1))
    #expect(loaded.origins["port"] == .flag("--port"))
    #expect(loaded.origins["ping-interval"] == .environment("WEBSOCKET_PING_INTERVAL"))
    #expect(loaded.origins["ping-timeout"] == .file(path: "a.env", lineNumber: 3, name: "WEBSOCKET_PING_TIMEOUT"))
    #expect(loaded.origins["host"] == nil)
  }

  @Test func `the env-file may be named in the environment`() throws {
    let loaded = try ConfigurationFixture.load(
      environment: ["WEBSOCKET_ENV_FILE": "a.env"], files: ["a.env": "WEBSOCKET_PORT=1"])
    #expect(loaded.configuration.port == 1)
  }

  @Test func `both forms of a flag mean the same`() throws {
    #expect(try ConfigurationFixture.load(["--dev", "--port", "99"]).configuration.port == 99)
    #expect(try ConfigurationFixture.load(["--dev", "--port=99"]).configuration.port == 99)
  }

  @Test func `of a flag given twice the last counts`() throws {
    #expect(try ConfigurationFixture.load(["--dev", "--port=1", "--port=2"]).configuration.port == 2)
  }

  @Test(arguments: [
    ("--echo", true), ("--echo=true", true), ("--echo=on", true), ("--echo=false", false), ("--echo=off", false),
  ])
  func `a boolean flag alone or with a word`(flag: String, isOn: Bool) throws {
    #expect(try ConfigurationFixture.load(["--dev", flag]).configuration.isEchoOn == isOn)
  }

  @Test(arguments: [("true", true), ("on", true), ("false", false), ("off", false)])
  func `the next argument belongs to a boolean if it is a boolean's word`(word: String, isOn: Bool) throws {
    #expect(try ConfigurationFixture.load(["--dev", "--echo", word]).configuration.isEchoOn == isOn)
  }

  @Test func `another next argument does not belong to a boolean`() throws {
    let loaded = try ConfigurationFixture.load(["--echo", "--dev", "check-config"])
    #expect(loaded.configuration.isEchoOn)
    #expect(loaded.configuration.isDevelopment)
    #expect(loaded.command == .checkConfiguration)
  }

  @Test func `the seeds' variables keep their meaning`() throws {
    let loaded = try ConfigurationFixture.load(environment: [
      "WEBSOCKET_HOST": "localhost", "WEBSOCKET_PORT": "9000", "WEBSOCKET_MAX_CONNECTIONS": "77",
      "WEBSOCKET_PING_INTERVAL": "31", "WEBSOCKET_PING_TIMEOUT": "11", "WEBSOCKET_CALLBACK_TIMEOUT": "301",
    ])
    #expect(loaded.configuration.host == "localhost")
    #expect(loaded.configuration.port == 9000)
    #expect(loaded.configuration.connectionCountMax == 77)
    #expect(loaded.configuration.pingInterval == .seconds(31))
    #expect(loaded.configuration.pingTimeout == .seconds(11))
    #expect(loaded.configuration.callbackTimeout == .seconds(301))
    #expect(loaded.warnings.isEmpty)
  }

  @Test func `every flag has its twin, and other variables are none of ours`() throws {
    for key in ConfigurationTable.keys {
      #expect(ConfigurationTable.key(environmentName: key.environmentName)?.key.flag == key.flag)
    }
    #expect(try ConfigurationFixture.load(environment: ["PORT": "x", "PATH": "/bin"]).warnings.isEmpty)
  }

  @Test func `an unknown variable is a warning that names the nearest`() throws {
    let loaded = try ConfigurationFixture.load(environment: ["WEBSOCKET_PROT": "1"])
    #expect(loaded.warnings == ["unknown variable WEBSOCKET_PROT is ignored, did you mean WEBSOCKET_PORT?"])
    #expect(loaded.configuration.port == 8765)
  }
}

@Suite("contract §5: secrets from files")
struct SecretFileTests {
  private let secret = ConfigurationFixture.secret

  @Test func `by flag, variable and line, without the file's line end`() throws {
    let files = ["s": secret + "\n", "a.env": "WEBSOCKET_JWT_SECRET_FILE=s"]
    let byFlag = try ConfigurationFixture.load(["--jwt-secret-file", "s"], files: files)
    let byVariable = try ConfigurationFixture.load([], environment: ["WEBSOCKET_JWT_SECRET_FILE": "s"], files: files)
    let byLine = try ConfigurationFixture.load(["--env-file=a.env"], files: files)
    for loaded in [byFlag, byVariable, byLine] { #expect(loaded.configuration.jwtSecret == secret) }
    #expect(byVariable.origins["jwt-secret"] == .environment("WEBSOCKET_JWT_SECRET_FILE"))
  }

  @Test func `a file of keys holds one per line or comma`() throws {
    let loaded = try ConfigurationFixture.load(["--api-keys-file=k"], files: ["k": "one, two\nthree\r\n"])
    #expect(loaded.configuration.apiKeys == ["one", "two", "three"])
  }

  @Test func `a secret and its file in one source contradict each other`() {
    let messages = ConfigurationFixture.messages(
      [], environment: ["WEBSOCKET_JWT_SECRET": secret, "WEBSOCKET_JWT_SECRET_FILE": "s"], files: ["s": secret])
    #expect(messages == ["WEBSOCKET_JWT_SECRET_FILE and WEBSOCKET_JWT_SECRET are both set, keep one"])
  }

  @Test func `a flag's secret wins over the environment's file`() throws {
    let other = String(repeating: "o", count: 32)
    let loaded = try ConfigurationFixture.load(
      ["--jwt-secret", other], environment: ["WEBSOCKET_JWT_SECRET_FILE": "s"], files: ["s": secret])
    #expect(loaded.configuration.jwtSecret == other)
  }

  @Test func `a missing file names the variable, the path and the reason`() {
    #expect(
      ConfigurationFixture.messages([], environment: ["WEBSOCKET_API_KEYS_FILE": "/none"])
        .first == "WEBSOCKET_API_KEYS_FILE is /none, which cannot be read: no such file")
    #expect(
      ConfigurationFixture.messages(["--dev", "--env-file", "/none"])
        == ["--env-file is /none, which cannot be read: no such file"])
  }

  @Test func `only secrets have a file form`() {
    #expect(ConfigurationFixture.messages(["--dev", "--port-file=x"]).count == 1)
    #expect(ConfigurationTable.key(environmentName: "WEBSOCKET_PORT_FILE") == nil)
  }
}
