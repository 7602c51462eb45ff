/// Splits a command line into its command and flags, checking names but not values.
struct CommandLineReader {
  /// A flag as it was given; of a boolean alone the value is `true`.
  struct Occurrence: Equatable {
    var flag: String
    var value: String
  }

  /// What kind of value a flag takes.
  private enum Taking {
    case boolean, value
    /// Belongs to `token` alone.
    case tokenValue
    /// Takes none: `--help`, `--version`, `--markdown`.
    case nothing
  }

  private(set) var commandWord: String?
  private(set) var settings: [Occurrence] = []
  private(set) var tokenFlags: [String: String] = [:]
  private(set) var isHelpWanted = false
  private(set) var isVersionWanted = false
  private(set) var isMarkdownWanted = false
  private(set) var mistakes: [String] = []
  private var lastBooleanAlone: String?

  /// - Parameter arguments: without the program's name.
  init(_ arguments: [String]) {
    var index = 0
    while index < arguments.count {
      let argument = arguments[index]
      let next = index + 1 < arguments.count ? arguments[index + 1] : nil
      index += 1
      if argument == "-h" {
        isHelpWanted = true
      } else if argument.hasPrefix("--"), argument.utf8.count > 2 {
        if readFlag(argument, next: next) { index += 1 }
      } else {
        readWord(argument)
      }
    }
    checkTokenFlags()
  }

  /// True where the next argument was the flag's value.
  private mutating func readFlag(_ argument: String, next: String?) -> Bool {
    let body = argument.dropFirst(2)
    let equals = body.firstIndex(of: "=")
    let flag = String(equals.map { body[..<$0] } ?? body)
    let attached = equals.map { String(body[body.index(after: $0)...]) }
    lastBooleanAlone = nil
    guard let taking = taking(flag) else {
      mistakes.append(Self.unknownFlag(flag))
      // What follows is most likely its value, and no mistake of its own.
      guard attached == nil, let next else { return false }
      return !next.hasPrefix("-") && !Command.words.contains { $0.word == next }
    }
    switch taking {
    case .nothing:
      if attached != nil { mistakes.append("--\(flag) takes no value") }
      isHelpWanted = isHelpWanted || flag == "help"
      isVersionWanted = isVersionWanted || flag == "version"
      isMarkdownWanted = isMarkdownWanted || flag == "markdown"
      return false
    case .boolean:
      if let attached {
        settings.append(Occurrence(flag: flag, value: attached))
        return false
      }
      if let next, ValueText.boolean(next) != nil {
        settings.append(Occurrence(flag: flag, value: next))
        return true
      }
      settings.append(Occurrence(flag: flag, value: "true"))
      lastBooleanAlone = flag
      return false
    case .value, .tokenValue:
      let isNextTheValue = attached == nil
      // What begins with two dashes is the next flag: its value was forgotten. `--flag=--text` gives such a text.
      guard let value = attached ?? next, !(isNextTheValue && value.hasPrefix("--")) else {
        let rule = ConfigurationTable.key(flag).map { ": must be \($0.kind.rule)" } ?? ""
        mistakes.append("--\(flag) has no value\(rule)")
        return false
      }
      if case .tokenValue = taking {
        tokenFlags[flag] = value
      } else {
        settings.append(Occurrence(flag: flag, value: value))
      }
      return isNextTheValue
    }
  }

  private mutating func readWord(_ word: String) {
    defer { lastBooleanAlone = nil }
    let words = Command.words.map(\.word)
    if commandWord == nil, words.contains(word) {
      commandWord = word
      return
    }
    let shown = ValueText.shown(word)
    if let flag = lastBooleanAlone {
      mistakes.append("--\(flag) is \(shown), must be \(ConfigurationKind.boolean.rule)")
    } else if let commandWord {
      mistakes.append("unexpected argument \(shown) after \(commandWord)")
    } else {
      let near = NearestName.find(word, among: words).map { ", did you mean \($0)?" } ?? ""
      mistakes.append("unknown command \(shown)\(near.isEmpty ? ", must be \(ValueText.alternatives(words))" : near)")
    }
  }

  private func taking(_ flag: String) -> Taking? {
    if let key = ConfigurationTable.key(flag) { return key.kind == .boolean ? .boolean : .value }
    if Self.secretFileFlags.contains(flag) { return .value }
    if TokenRequest.flags.contains(where: { $0.flag == flag }) { return .tokenValue }
    return ["help", "version", "markdown"].contains(flag) ? .nothing : nil
  }

  private mutating func checkTokenFlags() {
    if commandWord != "token" {
      for flag in tokenFlags.keys.sorted() { mistakes.append("--\(flag) belongs to signalbox token alone") }
    }
    if isMarkdownWanted, commandWord != "print-config" {
      mistakes.append("--markdown belongs to signalbox print-config alone")
    }
  }

  /// `jwt-secret-file` and its like.
  static let secretFileFlags = Set(ConfigurationTable.keys.filter(\.isSecret).map { $0.flag + fileSuffix })

  /// What a secret's flag ends with where it names a file.
  static let fileSuffix = "-file"

  /// The message for a flag that is not in the table.
  static func unknownFlag(_ flag: String) -> String {
    let known = ConfigurationTable.keys.map(\.flag) + secretFileFlags.sorted() + TokenRequest.flags.map(\.flag)
    let hint = NearestName.find(flag, among: known).map { "did you mean --\($0)?" } ?? "see signalbox help"
    return "unknown flag --\(ValueText.shown(flag)), \(hint)"
  }
}
