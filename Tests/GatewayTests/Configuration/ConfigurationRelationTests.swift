import Testing

@testable import Gateway

@Suite("contract §5, §6: settings that concern each other")
struct ConfigurationRelationTests {
  private static let key = "a-publisher-key-of-some-length"

  @Test func `auth required without any key does not start and says what to do`() {
    let messages = ConfigurationFixture.messages([])
    #expect(messages.count == 1)
    for remedy in ["--jwt-secret", "--api-keys", "--dev", "auth is required"] {
      #expect(messages.first?.contains(remedy) == true)
    }
    #expect(ConfigurationFixture.messages(["check-config"]) == messages)
  }

  @Test func `either kind of key suffices`() {
    #expect(ConfigurationFixture.messages(["--api-keys", Self.key]).isEmpty)
    #expect(ConfigurationFixture.messages(["--jwt-secret", ConfigurationFixture.secret]).isEmpty)
    #expect(ConfigurationFixture.messages(["--api-keys", " , "]).count == 1)
  }

  @Test func `auth off starts without a key, and warns that nobody can publish`() throws {
    let loaded = try ConfigurationFixture.load(["--auth", "off"])
    #expect(!loaded.configuration.isAuthenticationRequired)
    #expect(!loaded.configuration.isPublisherOpen)
    #expect(loaded.warnings.contains { $0.contains("publisher key") })
  }

  @Test func `dev turns authentication off and opens the publisher API`() throws {
    let configuration = try ConfigurationFixture.load(["--dev"]).configuration
    #expect(!configuration.isAuthenticationRequired)
    #expect(configuration.isPublisherOpen)
  }

  @Test(arguments: ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
  func `dev refuses to be reachable from elsewhere`(host: String) {
    let messages = ConfigurationFixture.messages(["--dev", "--host", host])
    #expect(messages.count == 1)
    #expect(messages.first?.hasPrefix("host is \(host), must be a loopback address") == true)
  }

  @Test(arguments: ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]", "::ffff:127.0.0.1"])
  func `dev listens on loopback`(host: String) {
    #expect(ConfigurationFixture.messages(["--dev", "--host", host]).isEmpty)
  }

  @Test func `dev and auth required contradict each other, wherever they stand`() {
    #expect(ConfigurationFixture.messages(["--dev", "--auth=required"]).count == 1)
    #expect(ConfigurationFixture.messages(["--dev"], environment: ["WEBSOCKET_AUTH": "required"]).count == 1)
    #expect(ConfigurationFixture.messages(["--dev", "--auth=off"]).isEmpty)
    #expect(ConfigurationFixture.messages(["--dev=false", "--auth=required", "--api-keys", Self.key]).isEmpty)
  }

  @Test(arguments: [(1, true), (31, true), (32, false)])
  func `a secret shorter than HS256 wants is a warning`(byteCount: Int, isWarnedOf: Bool) throws {
    let loaded = try ConfigurationFixture.load(["--jwt-secret", String(repeating: "s", count: byteCount)])
    let warning = "jwt-secret is \(byteCount) bytes long, should be at least 32"
    let warnings = loaded.warnings.filter { $0.hasPrefix(warning) }
    #expect(warnings.count == (isWarnedOf ? 1 : 0))
  }

  @Test(arguments: [(0, false), (1, true), (4096, true), (4097, false)])
  func `a secret has its bounds`(byteCount: Int, isAllowed: Bool) {
    let messages = ConfigurationFixture.messages(["--jwt-secret", String(repeating: "s", count: byteCount)])
    #expect(messages.isEmpty == isAllowed, "\(messages)")
  }

  @Test func `the two ports differ unless the system chooses them`() {
    #expect(
      ConfigurationFixture.messages(["--dev", "--port=9", "--internal-port=9"])
        == ["internal-port is 9, must differ from port 9"])
    #expect(ConfigurationFixture.messages(["--dev", "--port=0", "--internal-port=0"]).isEmpty)
  }

  @Test func `two given sizes that contradict each other stop the start, one given is a warning`() throws {
    #expect(
      ConfigurationFixture.messages(["--dev", "--max-message-bytes=8193", "--send-buffer-bytes=8192"])
        == ["max-message-bytes is 8193, must be at most send-buffer-bytes 8192: a pong returns the whole message"])
    #expect(
      ConfigurationFixture.messages(["--dev", "--max-message-bytes=8192", "--send-buffer-bytes=8192"]).isEmpty)
    let loaded = try ConfigurationFixture.load(["--dev", "--send-buffer-bytes=8192"])
    #expect(loaded.warnings.count == 1)
    #expect(
      ConfigurationFixture.messages(["--dev", "--max-connections=3", "--max-connections-per-ip=4"]).count == 1)
    #expect(
      ConfigurationFixture.messages(["--dev", "--max-connections=3", "--max-connections-per-user=4"]).count == 1)
    #expect(
      ConfigurationFixture.messages(["--dev", "--max-connections=3", "--max-connections-per-user=3"]).isEmpty)
  }

  @Test func `a ping interval that proxies outlast is a warning`() throws {
    #expect(try ConfigurationFixture.load(["--dev", "--ping-interval=59"]).warnings.isEmpty)
    #expect(try ConfigurationFixture.load(["--dev", "--ping-interval=60"]).warnings.count == 1)
  }

  @Test func `a short publisher key is a warning that does not show it`() throws {
    let loaded = try ConfigurationFixture.load(["--api-keys", "fifteen-bytes-k"])
    #expect(loaded.warnings == ["api-keys: key 1 is 15 bytes long, should be at least 16"])
    #expect(try ConfigurationFixture.load(["--api-keys", "sixteen-bytes-ke"]).warnings.isEmpty)
  }

  @Test(arguments: [
    (UInt64(64), 2, 22), (1024, 2, 742), (65_536, 4, 65_244), (1_048_576, 1, 1_000_000), (UInt64.max, 4, 1_000_000),
    (0, 1, 1),
  ])
  func `the default cap is what the descriptor limit leaves`(limit: UInt64, threadCount: Int, expected: Int) {
    #expect(
      ConnectionBudget.connectionCountMax(descriptorLimit: limit, threadCount: threadCount, store: .memory)
        == expected)
    // A store's files take room where the limit is what bounds.
    let withStore = ConnectionBudget.connectionCountMax(
      descriptorLimit: limit, threadCount: threadCount, store: .sqlite(path: "a.db"))
    #expect(withStore == (expected == 1 || expected == 1_000_000 ? expected : expected - 5))
  }

  @Test func `the default cap follows the threads and the store that were chosen`() throws {
    let host = HostFacts(coreCount: 2, descriptorLimit: 1024, standardErrorIsTerminal: true)
    func cap(_ arguments: [String]) throws -> Int {
      let loaded = try ConfigurationFixture.load(["--dev"] + arguments, host: host)
      #expect(loaded.warnings.isEmpty)
      return loaded.configuration.connectionCountMax
    }
    #expect(try cap([]) == 737)
    #expect(try cap(["--store=memory"]) == 742)
    #expect(try cap(["--store=memory", "--threads=4"]) == 732)
    #expect(try cap(["--max-connections=5", "--threads=4"]) == 5)
  }

  @Test func `a cap above the descriptor limit is a warning`() throws {
    let host = HostFacts(coreCount: 2, descriptorLimit: 1024, standardErrorIsTerminal: true)
    #expect(try ConfigurationFixture.load(["--dev", "--max-connections=737"], host: host).warnings.isEmpty)
    #expect(try ConfigurationFixture.load(["--dev", "--max-connections=738"], host: host).warnings.count == 1)
    let memory = ["--dev", "--store=memory", "--max-connections=742"]
    #expect(try ConfigurationFixture.load(memory, host: host).warnings.isEmpty)
  }

  @Test func `the log is for people on a terminal and for programs elsewhere`() {
    #expect(Configuration(host: ConfigurationFixture.host).logFormat == .json)
    let terminal = HostFacts(coreCount: 1, descriptorLimit: 64, standardErrorIsTerminal: true)
    #expect(Configuration(host: terminal).logFormat == .text)
  }
}

@Suite("settings with a form of their own")
struct ConfigurationReaderTests {
  @Test(arguments: [
    ("https://App.Example", "https://app.example"), ("http://localhost:3000", "http://localhost:3000"),
    ("https://a.example:443", "https://a.example"), ("http://a.example:80", "http://a.example"),
    ("https://a.example:80", "https://a.example:80"), ("http://[::1]:8080", "http://[::1]:8080"),
  ])
  func `an origin is compared as browsers write it`(text: String, expected: String) throws {
    let loaded = try ConfigurationFixture.load(["--dev", "--allowed-origins", text])
    #expect(loaded.configuration.allowedOrigins == .listed([expected]))
  }

  @Test(arguments: [
    "a.example", "https://", "https://a.example/", "https://a.example:0", "https://a.example:65536", "https://a b",
    "*,https://a.example", "https://*.example", "", ",", "https://[::1", "://a",
  ])
  func `no origin`(text: String) {
    #expect(ConfigurationFixture.messages(["--dev", "--allowed-origins=\(text)"]).count == 1)
  }

  @Test func `a star allows every origin`() throws {
    #expect(try ConfigurationFixture.load(["--dev", "--allowed-origins", "*"]).configuration.allowedOrigins == .any)
  }

  @Test(arguments: [256, 257])
  func `a list holds 256 entries`(count: Int) {
    let keys = (0..<count).map { "publisher-key-number-\($0)" }.joined(separator: ",")
    #expect(ConfigurationFixture.messages(["--api-keys", keys]).isEmpty == (count <= 256))
    let blocks = (0..<count).map { "10.0.\($0 / 256).\($0 % 256)" }.joined(separator: ",")
    #expect(ConfigurationFixture.messages(["--dev", "--trusted-proxies", blocks]).isEmpty == (count <= 256))
    let origins = (0..<count).map { "https://a\($0).example" }.joined(separator: ",")
    #expect(ConfigurationFixture.messages(["--dev", "--allowed-origins", origins]).isEmpty == (count <= 256))
  }

  @Test func `a publisher key has 1024 bytes of visible ASCII, and a message never shows it`() {
    #expect(ConfigurationFixture.messages(["--api-keys", String(repeating: "k", count: 1024)]).isEmpty)
    for key in [String(repeating: "k", count: 1025), "has space inside", "clé-clé-clé-clé-clé"] {
      let messages = ConfigurationFixture.messages(["--api-keys", key])
      #expect(messages.count == 1)
      #expect(messages.first?.contains(key) == false)
    }
  }

  @Test(arguments: ["", "a b", "a;b", "a=b", "é", "a\u{7}"])
  func `no cookie's name`(name: String) {
    #expect(ConfigurationFixture.messages(["--dev", "--cookie-name=\(name)"]).count == 1)
  }

  @Test(arguments: ["example.com", "", "256.1.1.1", "1.2.3", "01.2.3.4", "::1%lo", "1.2.3.4:80"])
  func `no host`(host: String) {
    #expect(ConfigurationFixture.messages(["--dev", "--host=\(host)"]).count == 1)
  }
}

@Suite("address blocks (RFC 4632, RFC 4291)")
struct AddressBlockTests {
  @Test(arguments: [
    ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false), ("0.0.0.0/0", "203.0.113.9", true),
    ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false), ("192.0.2.6/31", "192.0.2.7", true),
    ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false), ("::1", "::1", true), ("::/0", "10.0.0.1", true),
    ("10.0.0.0/8", "::ffff:10.1.2.3", true), ("0.0.0.0/0", "2001:db8::1", false),
    ("2001:db8:0:1::/64", "2001:db8:0:1:ffff::", true), ("2001:db8:0:1::/64", "2001:db8:0:2::", false),
  ])
  func `an address is in the block or not`(block: String, address: String, isInside: Bool) throws {
    let block = try #require(AddressBlock(parsing: block))
    let address = try #require(InternetAddress(parsing: address))
    #expect(block.contains(address) == isInside)
  }

  @Test(arguments: [
    "10.0.0.1/8", "10.0.0.0/33", "fd00::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "", "/8", "host/8",
    "fd01::/8",
  ])
  func `no block`(text: String) { #expect(AddressBlock(parsing: text) == nil) }

  @Test(arguments: [
    "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3::6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "[2001:DB8::1]",
  ])
  func `an IPv6 address`(text: String) { #expect(InternetAddress(parsing: text) != nil) }

  @Test(arguments: [
    ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7::8:9", "::1.2.3",
    ":1::",
    "1:2:3:4:5:6:7:1.2.3.4", "[::1", "1.2.3.4::", "::-1", "+1::",
  ])
  func `no IPv6 address`(text: String) { #expect(InternetAddress(parsing: text) == nil) }

  @Test func `IPv4 is its mapped form`() throws {
    #expect(InternetAddress(parsing: "1.2.3.4") == InternetAddress(parsing: "::ffff:1.2.3.4"))
    #expect(InternetAddress(version4: 0x0102_0304) == InternetAddress(parsing: "1.2.3.4"))
  }
}
