import Testing

@testable import Gateway

@Suite("contract §5: commands and texts")
struct ConfigurationTextTests {
  private static let secret = ConfigurationFixture.secret

  @Test(
    arguments: [
      ([], Command.serve), (["serve"], .serve), (["check-config"], .checkConfiguration),
      (["print-config"], .printConfiguration(asMarkdown: false)),
      (["print-config", "--markdown"], .printConfiguration(asMarkdown: true)), (["verify"], .verify),
      (["check-store"], .checkStore), (["version"], .version), (["--version"], .version), (["help"], .help),
      (["--help"], .help), (["-h"], .help),
      (["serve", "--help", "--nope"], .help),
    ] as [([String], Command)])
  func `the command of a line`(arguments: [String], command: Command) throws {
    let loaded = try ConfigurationFixture.load(arguments, environment: ["WEBSOCKET_DEV": "true"])
    #expect(loaded.command == command)
  }

  @Test(arguments: [
    ["sreve"], ["serve", "serve"], ["--dev", "8765"], ["serve", "--markdown"], ["serve", "--sub=u"],
  ])
  func `no command`(arguments: [String]) {
    #expect(ConfigurationFixture.messages(arguments, environment: ["WEBSOCKET_DEV": "true"]).count == 1)
  }

  @Test func `a mistyped command is told the nearest`() {
    #expect(ConfigurationFixture.messages(["sreve"]).contains("unknown command sreve, did you mean serve?"))
  }

  @Test func `token takes its flags`() throws {
    let loaded = try ConfigurationFixture.load([
      "token", "--sub", "ada", "--role=publisher", "--tasks", "a,b*", "--expires-in", "60", "--secret", Self.secret,
    ])
    #expect(
      loaded.command
        == .token(
          TokenRequest(
            subject: "ada", role: .publisher, tasks: ["a", "b*"], expiresIn: .seconds(60), secret: Self.secret)))
  }

  @Test func `token takes the configured secret and an hour`() throws {
    let loaded = try ConfigurationFixture.load(
      ["token", "--sub=ada"], environment: ["WEBSOCKET_JWT_SECRET": Self.secret])
    #expect(
      loaded.command
        == .token(TokenRequest(subject: "ada", role: nil, tasks: [], expiresIn: .seconds(3600), secret: Self.secret)))
  }

  @Test(
    arguments: [
      (["--secret", ConfigurationFixture.secret], "--sub"), (["--sub=u"], "--secret"),
      (["--sub=u", "--secret="], "0 bytes"), (["--sub=u", "--role=root"], "user, publisher or admin"),
      (["--sub=u", "--expires-in=0"], "from 1 to 31622400"), (["--sub=u", "--expires-in=31622401"], "from 1"),
      (["--sub=\(String(repeating: "u", count: 129))"], "1 to 128 characters"),
    ] as [([String], String)])
  func `token refuses`(flags: [String], part: String) throws {
    let message = try #require(ConfigurationFixture.messages(["token"] + flags).first)
    #expect(message.contains(part))
    #expect(!message.contains("short"))
  }

  @Test func `print-config shows value and origin of every key and hides secrets`() throws {
    let keys = "publisher-key-that-nobody-may-see"
    let loaded = try ConfigurationFixture.load(
      ["print-config", "--port=99", "--api-keys", keys],
      environment: ["WEBSOCKET_JWT_SECRET": Self.secret, "WEBSOCKET_PING_INTERVAL": "7"])
    let text = ConfigurationText.printed(loaded)
    let rows = text.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: true) }
    #expect(rows.map { String($0[0]) } == ConfigurationTable.keys.map(\.flag))
    #expect(rows.contains(["port", "99", "flag", "--port"]))
    #expect(rows.contains(["ping-interval", "7", "environment", "WEBSOCKET_PING_INTERVAL"]))
    #expect(rows.contains(["ping-timeout", "10", "default"]))
    #expect(rows.contains(["jwt-secret", "(hidden)", "environment", "WEBSOCKET_JWT_SECRET"]))
    #expect(rows.contains(["api-keys", "(hidden)", "flag", "--api-keys"]))
    #expect(!text.contains(keys))
    #expect(!text.contains(Self.secret))
  }

  @Test func `print-config works where serve would not, so that one can see why`() throws {
    #expect(try ConfigurationFixture.load(["print-config"]).command == .printConfiguration(asMarkdown: false))
  }

  @Test func `help names every flag and command`() {
    let help = ConfigurationText.help()
    for key in ConfigurationTable.keys { #expect(help.contains("\(key.flagName) ")) }
    for (word, _) in Command.words { #expect(help.contains("  \(word)")) }
    #expect(help.split(separator: "\n").allSatisfy { $0.count <= 130 })
  }

  @Test func `the table covers the contract's flags`() {
    let contract = """
      host port unix-socket internal-port threads max-connections max-connections-per-ip max-connections-per-user
      ping-interval ping-timeout callback-timeout callback-default cancel-timeout lease-grace auth dev jwt-secret
      jwt-public-key jwks-file jwt-issuer jwt-audience jwt-leeway cookie-name api-keys allowed-origins trusted-proxies
      reject-with max-message-bytes max-request-bytes send-buffer-bytes store redis-url history-events history-ttl
      register-on-publish terminal-grace status-interval single-connection-per-user compression drain-timeout echo
      log-level log-format env-file
      """
    let flags = contract.split(whereSeparator: \.isWhitespace).map(String.init)
    #expect(Set(flags) == Set(ConfigurationTable.keys.map(\.flag)))
    #expect(flags.count == ConfigurationTable.keys.count)
  }

  @Test func `the committed documentation is the table's`() throws {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let committed = try FileReading.bytes(ofFileAt: "/\(root)/docs/configuration.md")
    #expect(
      String(decoding: committed, as: UTF8.self) == ConfigurationText.markdown(),
      "write it anew: signalbox print-config --markdown > docs/configuration.md")
  }
}

@Suite("the env format")
struct EnvironmentFileTests {
  private func value(_ line: String) -> String? {
    let (lines, mistakes) = EnvironmentFile.parse(Array(line.utf8))
    return mistakes.isEmpty ? lines.first?.value : nil
  }

  @Test(arguments: [
    ("A=b", "b"), ("A= b ", "b"), ("export A=b", "b"), ("  A=b", "b"), ("A=", ""), ("A=b # note", "b"),
    ("A=b#c", "b#c"),
    ("A=#", ""), ("A=\"b # c\"", "b # c"), ("A='b\\n'", "b\\n"), ("A=\"b\\n\\\"c\\\\\"", "b\n\"c\\"),
    ("A='b' # c", "b"),
    ("A=b=c", "b=c"), ("A=\"\"", ""), ("A=b\r\n", "b"), ("A=\"\\x\"", "\\x"), ("A=$HOME", "$HOME"),
  ])
  func `a line`(line: String, expected: String) { #expect(value(line) == expected) }

  @Test(arguments: ["A", "=b", "A b=c", "A=\"b", "A='b", "A=\"b\"c", "A-B=c", "A=\"b\\\"", "Ä=b", "A='b'#c"])
  func `no line`(line: String) {
    let (lines, mistakes) = EnvironmentFile.parse(Array(line.utf8))
    #expect(lines.isEmpty)
    #expect(mistakes.count == 1)
  }

  @Test func `comments and blank lines count as lines`() {
    let (lines, _) = EnvironmentFile.parse(Array("\n# x\n\nA=b\n".utf8))
    #expect(lines == [EnvironmentFile.Line(name: "A", value: "b", lineNumber: 4)])
  }

  @Test func `what is not UTF-8 is refused`() {
    #expect(EnvironmentFile.parse([0x41, 0x3D, 0xFF]).mistakes.count == 1)
  }

  @Test func `a mistake in a file never shows the line, which may be a secret`() {
    let messages = ConfigurationFixture.messages(
      ["--dev", "--env-file=a.env"], files: ["a.env": "hunter2hunter2\nWEBSOCKET_JWT_SECRET=\"hunter2"])
    #expect(messages == ["a.env:1: the line has no =", "a.env:2: the line has no closing quote"])
  }
}

@Suite("the nearest name")
struct NearestNameTests {
  @Test(
    arguments: [
      ("prot", "port"), ("hots", "host"), ("max-conections", "max-connections"), ("redis", "redis-url"),
      ("ping-intervall", "ping-interval"), ("WEBSOCKET", nil), ("x", nil), ("", nil),
      (String(repeating: "p", count: 1000), nil),
    ] as [(String, String?)])
  func `a near name is proposed, a far one is not`(name: String, expected: String?) {
    #expect(NearestName.find(name, among: ConfigurationTable.keys.map(\.flag)) == expected)
  }
}
