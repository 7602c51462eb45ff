/// Where a value comes from.
package enum ConfigurationOrigin: Sendable, Equatable, CustomStringConvertible {
  case builtIn
  case flag(String)
  case environment(String)
  case file(path: String, lineNumber: Int, name: String)

  /// As `print-config` shows it.
  package var description: String {
    switch self {
    case .builtIn: "default"
    case .flag(let name): "flag \(name)"
    case .environment(let name): "environment \(name)"
    case .file(let path, let lineNumber, _): "file \(path):\(lineNumber)"
    }
  }

  /// The name a message begins with: what the operator wrote, where.
  var subject: String {
    switch self {
    case .builtIn: "default"
    case .flag(let name), .environment(let name): name
    case .file(let path, let lineNumber, let name): "\(path):\(lineNumber): \(name)"
    }
  }
}

/// What was asked for, with the settings, where each came from, and what is odd without being wrong.
package struct LoadedConfiguration: Sendable {
  package var command: Command
  package var configuration: Configuration
  /// By flag without dashes; what is absent has its default.
  package var origins: [String: ConfigurationOrigin]
  /// One line each, for the log.
  package var warnings: [String]
}

extension Configuration {
  /// Reads command line, environment and env-file.
  /// - Parameters:
  ///   - arguments: without the program's name.
  ///   - environment: variables without the `WEBSOCKET_` prefix are ignored.
  ///   - host: what the computed defaults depend on.
  ///   - readFile: the content of `--env-file` and of secrets' files.
  package static func load(
    arguments: [String], environment: [String: String], host: HostFacts,
    readFile: (String) throws(FileReadingError) -> [UInt8]
  ) throws(ConfigurationError) -> LoadedConfiguration {
    let line = CommandLineReader(arguments)
    // Help and version answer whatever else stands there, so that nobody is locked out of them.
    if line.isHelpWanted || line.commandWord == "help" {
      return LoadedConfiguration(command: .help, configuration: Configuration(host: host), origins: [:], warnings: [])
    }
    if line.isVersionWanted || line.commandWord == "version" {
      return LoadedConfiguration(
        command: .version, configuration: Configuration(host: host), origins: [:], warnings: [])
    }
    var loader = ConfigurationLoader(host: host)
    loader.mistakes = line.mistakes
    loader.load(line: line, environment: environment, readFile: readFile)
    if !loader.mistakes.isEmpty { throw ConfigurationError(loader.mistakes) }
    return try loader.finish(line: line)
  }
}

/// Applies the sources in their order, lowest rank first, so that the last one wins and every value is checked.
private struct ConfigurationLoader {
  var configuration: Configuration
  var origins: [String: ConfigurationOrigin] = [:]
  var warnings: [String] = []
  var mistakes: [String] = []
  let host: HostFacts

  init(host: HostFacts) {
    self.host = host
    configuration = Configuration(host: host)
  }

  mutating func load(
    line: CommandLineReader, environment: [String: String],
    readFile: (String) throws(FileReadingError) -> [UInt8]
  ) {
    let fileVariable = ConfigurationTable.environmentPrefix + "ENV_FILE"
    if let path = line.settings.last(where: { $0.flag == "env-file" })?.value {
      applyFile(path, named: "--env-file", readFile: readFile)
    } else if let path = environment[fileVariable], !path.isEmpty {
      applyFile(path, named: fileVariable, readFile: readFile)
    }
    applyEnvironment(environment, readFile: readFile)
    applyFlags(line.settings, readFile: readFile)
    // A default that depends on what was chosen.
    guard origins["max-connections"] == nil else { return }
    configuration.connectionCountMax = ConnectionBudget.connectionCountMax(
      descriptorLimit: host.descriptorLimit, threadCount: configuration.threadCount, store: configuration.store)
  }

  private mutating func applyFile(
    _ path: String, named name: String, readFile: (String) throws(FileReadingError) -> [UInt8]
  ) {
    guard let content = content(ofFileAt: path, named: name, readFile: readFile) else { return }
    let (lines, lineMistakes) = EnvironmentFile.parse(content)
    for mistake in lineMistakes { mistakes.append("\(path):\(mistake.lineNumber): the line \(mistake.reason)") }
    var seen: [String: String] = [:]
    for line in lines {
      guard let (key, isFile) = ConfigurationTable.key(environmentName: line.name), key.flag != "env-file" else {
        let known = ConfigurationTable.environmentNames.filter {
          $0 != "\(ConfigurationTable.environmentPrefix)ENV_FILE"
        }
        let hint = NearestName.find(line.name, among: known).map { ", did you mean \($0)?" } ?? ""
        mistakes.append("\(path):\(line.lineNumber): unknown name \(ValueText.shown(line.name))\(hint)")
        continue
      }
      let origin = ConfigurationOrigin.file(path: path, lineNumber: line.lineNumber, name: line.name)
      checkTwice(key, name: line.name, seen: &seen)
      apply(line.value, to: key, from: origin, isFile: isFile, readFile: readFile)
    }
  }

  private mutating func applyEnvironment(
    _ environment: [String: String], readFile: (String) throws(FileReadingError) -> [UInt8]
  ) {
    var seen: [String: String] = [:]
    for name in environment.keys.sorted() where name.hasPrefix(ConfigurationTable.environmentPrefix) {
      guard let value = environment[name] else { continue }
      guard let (key, isFile) = ConfigurationTable.key(environmentName: name) else {
        let hint =
          NearestName.find(name, among: ConfigurationTable.environmentNames)
          .map { ", did you mean \($0)?" } ?? ""
        warnings.append("unknown variable \(ValueText.shown(name)) is ignored\(hint)")
        continue
      }
      checkTwice(key, name: name, seen: &seen)
      apply(value, to: key, from: .environment(name), isFile: isFile, readFile: readFile)
    }
  }

  private mutating func applyFlags(
    _ settings: [CommandLineReader.Occurrence], readFile: (String) throws(FileReadingError) -> [UInt8]
  ) {
    var seen: [String: String] = [:]
    for setting in settings {
      var flag = setting.flag
      let isFile = CommandLineReader.secretFileFlags.contains(flag)
      if isFile { flag = String(flag.dropLast(CommandLineReader.fileSuffix.count)) }
      guard let key = ConfigurationTable.key(flag) else { continue }
      checkTwice(key, name: "--" + setting.flag, seen: &seen)
      apply(setting.value, to: key, from: .flag("--" + setting.flag), isFile: isFile, readFile: readFile)
    }
  }

  /// In one source a secret and its file contradict each other.
  private mutating func checkTwice(_ key: ConfigurationKey, name: String, seen: inout [String: String]) {
    if let other = seen[key.flag], other != name { mistakes.append("\(name) and \(other) are both set, keep one") }
    seen[key.flag] = name
  }

  private mutating func apply(
    _ text: String, to key: ConfigurationKey, from origin: ConfigurationOrigin, isFile: Bool,
    readFile: (String) throws(FileReadingError) -> [UInt8]
  ) {
    guard key.isAvailable else {
      mistakes.append("\(origin.subject) is set, but \(key.flagName) is not available in this release")
      return
    }
    var text = text
    if isFile {
      guard let content = content(ofFileAt: text, named: origin.subject, readFile: readFile) else { return }
      guard var secret = String(validating: content, as: UTF8.self) else {
        mistakes.append("\(origin.subject) is \(ValueText.shown(text)), whose content is not UTF-8")
        return
      }
      // Editors and `echo` end a file with a line end, which is no part of the secret.
      while let last = secret.last, last.isNewline { secret.removeLast() }
      text = secret
    }
    do throws(ValueRefusal) {
      try key.assign(&configuration, text)
      origins[key.flag] = origin
    } catch {
      let shown = error.shownValue ?? (key.isSecret ? "not usable" : ValueText.shown(text))
      mistakes.append("\(origin.subject) is \(shown), \(error.rule)")
    }
  }

  private mutating func content(
    ofFileAt path: String, named name: String, readFile: (String) throws(FileReadingError) -> [UInt8]
  ) -> [UInt8]? {
    do throws(FileReadingError) {
      return try readFile(path)
    } catch {
      mistakes.append("\(name) is \(ValueText.shown(path)), which cannot be read: \(error)")
      return nil
    }
  }

  /// Decides the command and checks what concerns more than one value.
  mutating func finish(line: CommandLineReader) throws(ConfigurationError) -> LoadedConfiguration {
    let command: Command
    switch line.commandWord {
    case "check-config": command = .checkConfiguration
    case "print-config": command = .printConfiguration(asMarkdown: line.isMarkdownWanted)
    case "token":
      command = .token(try TokenRequest.make(flags: line.tokenFlags, configuredSecret: configuration.jwtSecret))
    case "verify": command = .verify
    case "check-store": command = .checkStore
    default: command = .serve
    }
    if command == .serve || command == .checkConfiguration {
      let judgement = ConfigurationRelations.judge(configuration, origins: origins, host: host)
      if !judgement.mistakes.isEmpty { throw ConfigurationError(judgement.mistakes) }
      warnings += judgement.warnings
    }
    return LoadedConfiguration(command: command, configuration: configuration, origins: origins, warnings: warnings)
  }
}
