/// The texts that come from the table: `help`, `print-config` and `docs/configuration.md`.
package enum ConfigurationText {
  /// `signalbox help`.
  package static func help() -> String {
    var text = """
      signalbox: live task progress and human decisions over WebSocket

      usage: signalbox [command] [--flag value | --flag=value]...


      """
    text += "commands:\n"
    for (word, sentence) in Command.words { text += "  \(padded(word, to: 14))\(sentence)\n" }
    let defaults = Configuration(host: documentedHost)
    for chapter in ConfigurationChapter.allCases {
      text += "\n\(chapter.rawValue.lowercased()):\n"
      for key in ConfigurationTable.keys where key.chapter == chapter {
        text += "  \(key.flagName) \(key.kind.placeholder)\n      \(key.sentence)"
        text += key.isAvailable ? " (default \(defaultText(key, defaults)))\n" : " (not in this release)\n"
      }
    }
    text += "\nsignalbox token:\n"
    for (flag, placeholder, sentence) in TokenRequest.flags {
      text += "  --\(flag) \(placeholder)\n      \(sentence)\n"
    }
    text += """

      Every flag has a variable, WEBSOCKET_ and the flag in capitals (--ping-interval: WEBSOCKET_PING_INTERVAL), which
      may also stand in an --env-file. Flags win, then the environment, then the file. Secrets can be read from a
      file: --jwt-secret-file, WEBSOCKET_JWT_SECRET_FILE. Seconds may be written 500ms, 30s, 5m, 1h, 1d; bytes 64KiB, 1MiB.

      """
    return text
  }

  /// `signalbox print-config`: name, value and origin of every key, secrets hidden.
  package static func printed(_ loaded: LoadedConfiguration) -> String {
    let rows = ConfigurationTable.keys.map { key in
      var value = key.render(loaded.configuration) ?? "none"
      if key.isSecret, key.render(loaded.configuration) != nil { value = "(hidden)" }
      if key.flag == "allowed-origins", key.render(loaded.configuration) == nil { value = "(same host)" }
      return (key.flag, value, (loaded.origins[key.flag] ?? .builtIn).description)
    }
    let flagWidth = 2 + (rows.map(\.0.count).max() ?? 0)
    let valueWidth = 2 + min(40, rows.map(\.1.count).max() ?? 0)
    return rows.map { "\(padded($0, to: flagWidth))\(padded($1, to: valueWidth))\($2)\n" }.joined()
  }

  /// `docs/configuration.md`, which a test compares with the committed file.
  package static func markdown() -> String {
    var text = """
      # Configuration

      Written by `signalbox print-config --markdown` from the table in `Sources/Gateway/Configuration`; do not edit.

      Every setting is a flag, `--flag value` or `--flag=value`, and an environment variable, `WEBSOCKET_` and the flag in
      capitals. An env-file (`--env-file`) holds lines `WEBSOCKET_NAME=value`. Flags win, then the environment, then the
      file. A boolean flag alone means on. Seconds may be written `500ms`, `30s`, `5m`, `1h`, `1d`; bytes `64KiB`, `1MiB`.

      A secret can also be read from a file: `--jwt-secret-file PATH` or `WEBSOCKET_JWT_SECRET_FILE=PATH`.

      What is unknown or out of range stops the start with exit status 64 and a line that names it, its value and what is
      allowed; an unknown `WEBSOCKET_` variable is only warned of. `signalbox check-config` reads everything and stops;
      `signalbox print-config` shows each value with its origin.

      Every setting is read at start: this release takes nothing over on SIGHUP.


      """
    let defaults = Configuration(host: documentedHost)
    for chapter in ConfigurationChapter.allCases {
      text += "## \(chapter.rawValue)\n\n| flag | variable | value | default | meaning |\n|---|---|---|---|---|\n"
      for key in ConfigurationTable.keys where key.chapter == chapter {
        let flag = "`\(key.flagName)`"
        var sentence = key.sentence
        if key.isSecret { sentence += " (secret)" }
        if !key.isAvailable { sentence += " (not in this release)" }
        let cells = [flag, "`\(key.environmentName)`", key.kind.rule, defaultText(key, defaults), sentence]
        text += "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
      }
      text += "\n"
    }
    text.removeLast()
    return text
  }

  /// Defaults that depend on the machine are described by their note, so any facts do here.
  private static let documentedHost = HostFacts(
    coreCount: 1, descriptorLimit: 1024, standardErrorIsTerminal: false)

  private static func defaultText(_ key: ConfigurationKey, _ defaults: Configuration) -> String {
    key.defaultNote ?? key.render(defaults) ?? "none"
  }

  private static func padded(_ text: String, to width: Int) -> String {
    text.count < width ? text + String(repeating: " ", count: width - text.count) : text + "  "
  }
}
