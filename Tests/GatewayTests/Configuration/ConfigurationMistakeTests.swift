import Testing

@testable import Gateway

@Suite("contract §5: what stops the start")
struct ConfigurationMistakeTests {
  @Test func `the exit status is 64`() { #expect(ConfigurationError.exitStatus == 64) }

  @Test func `an unknown flag names the nearest`() {
    #expect(
      ConfigurationFixture.messages(["--dev", "--prot", "1"]).first == "unknown flag --prot, did you mean --port?")
    #expect(ConfigurationFixture.messages(["--dev", "--prot=1"]) == ["unknown flag --prot, did you mean --port?"])
    #expect(ConfigurationFixture.messages(["--dev", "--zzzzzz"]) == ["unknown flag --zzzzzz, see signalbox help"])
    #expect(ConfigurationFixture.messages(["--dev", "-p"]).count == 1)
    #expect(ConfigurationFixture.messages(["--dev", "--"]).count == 1)
  }

  @Test func `an unknown line of the file names file, line and the nearest`() {
    let messages = ConfigurationFixture.messages(
      ["--dev", "--env-file=a.env"], files: ["a.env": "# ports\nWEBSOCKET_PROT=1\n"])
    #expect(messages == ["a.env:2: unknown name WEBSOCKET_PROT, did you mean WEBSOCKET_PORT?"])
  }

  @Test func `names without the prefix and the env-file itself are unknown in a file`() {
    for line in ["PORT=1", "WEBSOCKET_ENV_FILE=b.env", "websocket_port=1"] {
      let messages = ConfigurationFixture.messages(["--dev", "--env-file=a.env"], files: ["a.env": line])
      #expect(messages.count == 1)
      #expect(messages.first?.hasPrefix("a.env:1: unknown name ") == true)
    }
  }

  @Test func `a message names flag, value and range`() {
    #expect(
      ConfigurationFixture.messages(["--dev", "--port", "70000"])
        == ["--port is 70000, must be a whole number from 0 to 65535"])
    #expect(
      ConfigurationFixture.messages(["--dev"], environment: ["WEBSOCKET_PING_INTERVAL": "soon"])
        == ["WEBSOCKET_PING_INTERVAL is soon, must be seconds from 0.01 to 86400"])
    #expect(
      ConfigurationFixture.messages(["--dev", "--env-file=a.env"], files: ["a.env": "WEBSOCKET_ECHO=yes"])
        == ["a.env:1: WEBSOCKET_ECHO is yes, must be true, false, on or off"])
    #expect(
      ConfigurationFixture.messages(["--dev", "--auth=maybe"]) == ["--auth is maybe, must be required or off"])
  }

  @Test func `an ill-typed value stops the start even where another source overrides it`() {
    #expect(
      ConfigurationFixture.messages(["--dev", "--port=1"], environment: ["WEBSOCKET_PORT": "x"]).count == 1)
    #expect(
      ConfigurationFixture.messages(
        ["--dev", "--port=1", "--env-file=a.env"], files: ["a.env": "WEBSOCKET_PORT=x"]
      ).count == 1)
  }

  @Test func `every mistake is reported at once`() {
    #expect(ConfigurationFixture.messages(["--dev", "--port=x", "--threads=0", "--nope"]).count == 3)
  }

  @Test func `a flag without its value says what it needs`() {
    let rule = "--port has no value: must be a whole number from 0 to 65535"
    #expect(ConfigurationFixture.messages(["--dev", "--port"]) == [rule])
    #expect(ConfigurationFixture.messages(["--port", "--dev"]).contains(rule))
  }

  @Test func `a word after a boolean that is no boolean's word`() {
    #expect(
      ConfigurationFixture.messages(["--dev", "--echo", "yes"]) == ["--echo is yes, must be true, false, on or off"])
    #expect(
      ConfigurationFixture.messages(["--dev", "--echo=yes"]) == ["--echo is yes, must be true, false, on or off"])
    #expect(ConfigurationFixture.messages(["--dev", "--echo="]) == ["--echo is empty, must be true, false, on or off"])
  }

  @Test func `control characters and endless values do not reach the message`() throws {
    let message = try #require(
      ConfigurationFixture.messages(["--dev", "--port", "1\n" + String(repeating: "9", count: 500)]).first)
    #expect(!message.contains("\n"))
    #expect(message.count < 200)
  }

  @Test(arguments: ConfigurationTable.keys.filter { !$0.isAvailable }.map(\.flag))
  func `what this release lacks is said, not swallowed`(flag: String) throws {
    let key = try #require(ConfigurationTable.key(flag))
    let expected = "is set, but --\(flag) is not available in this release"
    #expect(ConfigurationFixture.messages(["--dev", "--\(flag)", "x"]) == ["--\(flag) \(expected)"])
    #expect(
      ConfigurationFixture.messages(["--dev"], environment: [key.environmentName: "x"])
        == ["\(key.environmentName) \(expected)"])
  }

  @Test func `a store is memory or a file with a name`() {
    for store in ["memory", "sqlite:a.db", "sqlite:/var/lib/a b/c", "sqlite::memory:"] {
      #expect(ConfigurationFixture.messages(["--dev", "--store", store]).isEmpty)
    }
    for store in ["disk", "sqlite:", "sqlite", "a.db"] {
      #expect(
        ConfigurationFixture.messages(["--dev", "--store", store])
          == ["--store is \(store), must be memory or sqlite:PATH"])
    }
    let longest = "sqlite:" + String(repeating: "a", count: 4089)
    #expect(ConfigurationFixture.messages(["--dev", "--store", longest]).isEmpty)
    #expect(ConfigurationFixture.messages(["--dev", "--store", longest + "a"]).count == 1)
  }
}

@Suite("contract §5: values at their bounds, from the table")
struct ConfigurationBoundTests {
  /// A text for each end of a range and one past each.
  struct Trial: CustomStringConvertible, Sendable {
    var flag: String
    var text: String
    var isAllowed: Bool
    var description: String { "--\(flag)=\(text)" }
  }

  static let trials: [Trial] = ConfigurationTable.keys.filter(\.isAvailable).flatMap { key -> [Trial] in
    func trial(_ text: String, _ isAllowed: Bool) -> Trial { Trial(flag: key.flag, text: text, isAllowed: isAllowed) }
    switch key.kind {
    case .integer(let range, _, let mayBeOff):
      return integers(range, trial) + [trial("off", mayBeOff), trial("+\(range.upperBound)", false)]
    case .byteCount(let range): return integers(range, trial) + [trial("off", false), trial("1TiB", false)]
    case .seconds(let range, let mayBeOff):
      return [
        trial(String(range.lowerBound), true), trial(String(range.upperBound), true),
        trial("-1", false), trial(String(range.upperBound + 0.5), false), trial("off", mayBeOff),
        trial("1e3", false), trial("nan", false), trial("inf", false), trial(".", false), trial("", false),
        trial("1.2.3", false), trial("0x10", false),
      ] + (range.lowerBound > 0 ? [trial("0", false), trial("0.009", false)] : [])
    case .boolean:
      return ["true", "false", "on", "off"].map { trial($0, true) } + ["TRUE", "1", ""].map { trial($0, false) }
    case .choice(let names): return names.map { trial($0, true) } + [trial("none-of-these", false), trial("", false)]
    case .text(let range, _):
      guard !["host", "store", "cookie-name", "env-file"].contains(key.flag) else { return [] }
      return [
        trial(String(repeating: "x", count: range.lowerBound), true),
        trial(String(repeating: "x", count: range.upperBound), true),
        trial(String(repeating: "x", count: range.lowerBound - 1), false),
        trial(String(repeating: "x", count: range.upperBound + 1), false),
        trial(String(repeating: "x", count: range.lowerBound) + "\u{7}", false),
      ]
    case .list: return []
    }
  }

  private static func integers(_ range: ClosedRange<Int>, _ trial: (String, Bool) -> Trial) -> [Trial] {
    [
      trial(String(range.lowerBound), true), trial(String(range.upperBound), true),
      trial(String(range.lowerBound - 1), false), trial(String(range.upperBound + 1), false),
      trial("", false), trial("many", false), trial("1.5", false), trial("99999999999999999999", false),
    ]
  }

  @Test(arguments: trials)
  func `at the bound and one past`(trial: Trial) throws {
    // The relations between settings have tests of their own.
    let messages = ConfigurationFixture.messages(["print-config", "--\(trial.flag)=\(trial.text)"])
    #expect(messages.isEmpty == trial.isAllowed, "\(messages)")
    if !trial.isAllowed { #expect(messages.first?.hasPrefix("--\(trial.flag) is ") == true, "\(messages)") }
  }

  @Test func `the table has something to try for every kind`() { #expect(Self.trials.count > 150) }

  @Test(arguments: [
    ("30", 30.0), ("0.5", 0.5), ("30s", 30), ("500ms", 0.5), ("5m", 300), ("2h", 7200), ("1d", 86_400),
  ])
  func `seconds with a unit`(text: String, seconds: Double) throws {
    #expect(ValueText.seconds(text) == seconds)
  }

  @Test(arguments: ["", "s", "ms", "1x", "1 s", "-1s", "1.s", ".5", "1e1", "s1", "٣"])
  func `no seconds`(text: String) { #expect(ValueText.seconds(text) == nil) }

  @Test func `bytes with a unit`() {
    #expect(ValueText.byteCount("64KiB") == 65_536)
    #expect(ValueText.byteCount("1MiB") == 1_048_576)
    #expect(ValueText.byteCount("1GiB") == 1_073_741_824)
    #expect(ValueText.byteCount("9999999999999GiB") == nil)
    #expect(ValueText.byteCount("KiB") == nil)
    #expect(ValueText.byteCount("64kb") == nil)
  }

  @Test func `every value is written as it is read`() throws {
    var configuration = Configuration(host: ConfigurationFixture.host)
    for key in ConfigurationTable.keys where key.isAvailable {
      guard let text = key.render(configuration) else { continue }
      let before = configuration
      try key.assign(&configuration, text)
      #expect(configuration == before, "\(key.flag)")
    }
  }
}
