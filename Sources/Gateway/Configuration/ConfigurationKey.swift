/// The type and range of a key's value, for the reader, the documentation and the tests.
enum ConfigurationKind: Sendable, Equatable {
  case boolean
  case integer(ClosedRange<Int>, unit: String, mayBeOff: Bool)
  case byteCount(ClosedRange<Int>)
  case seconds(ClosedRange<Double>, mayBeOff: Bool)
  case choice([String])
  /// Free text; `form` names what it must be.
  case text(ClosedRange<Int>, form: String)
  /// Comma-separated.
  case list(form: String)

  /// What is allowed: the tail of `must be …`.
  var rule: String {
    switch self {
    case .boolean: "true, false, on or off"
    case .integer(let range, let unit, let mayBeOff):
      "a whole number\(unit.isEmpty ? "" : " of \(unit)") from \(range.lowerBound) to \(range.upperBound)"
        + (mayBeOff ? ", or off" : "")
    case .byteCount(let range): "a number of bytes from \(range.lowerBound) to \(range.upperBound) (64KiB, 1MiB)"
    case .seconds(let range, let mayBeOff):
      "seconds from \(ValueText.decimal(range.lowerBound)) to \(ValueText.decimal(range.upperBound))"
        + (mayBeOff ? ", or off" : "")
    case .choice(let names): ValueText.alternatives(names)
    case .text(let range, let form): "\(form), at most \(range.upperBound) bytes"
    case .list(let form): "comma-separated \(form)"
    }
  }

  /// The type's word in `--help` and the documentation.
  var placeholder: String {
    switch self {
    case .boolean: "on|off"
    case .integer: "N"
    case .byteCount: "BYTES"
    case .seconds: "SECONDS"
    case .choice(let names): names.joined(separator: "|")
    case .text(_, let form): form.contains("file") || form.contains("path") ? "PATH" : "TEXT"
    case .list: "LIST"
    }
  }
}

/// The chapter of `--help` and of the documentation that a key stands in.
enum ConfigurationChapter: String, CaseIterable, Sendable {
  case listening = "Listening"
  case limits = "Limits"
  case timing = "Timing"
  case tasks = "Tasks and confirmations"
  case access = "Access"
  case operation = "Operation"
}

/// One row of the table: everything that the reader, `--help`, `print-config` and the documentation say of a key.
struct ConfigurationKey: Sendable {
  /// The flag without its dashes: `ping-interval`.
  let flag: String
  let chapter: ConfigurationChapter
  let kind: ConfigurationKind
  /// What it does, a sentence without its full stop.
  let sentence: String
  /// How the default comes about where it is no constant.
  var defaultNote: String?
  /// Never shown, and may be given as a file's content.
  var isSecret = false
  /// False for what the contract names and this release does not do: setting it stops the start.
  var isAvailable = true
  /// Reads a text into its field.
  let assign: @Sendable (inout Configuration, String) throws(ValueRefusal) -> Void
  /// The field as a text that `assign` reads back; nil where there is no value.
  let render: @Sendable (Configuration) -> String?

  /// `--ping-interval`
  var flagName: String { "--" + flag }

  /// `WEBSOCKET_PING_INTERVAL`
  var environmentName: String {
    ConfigurationTable.environmentPrefix + flag.map { $0 == "-" ? "_" : $0.uppercased() }.joined()
  }

  /// `WEBSOCKET_JWT_SECRET_FILE`
  var environmentFileName: String { environmentName + "_FILE" }
}

extension ConfigurationKey {
  /// A field of the configuration.
  typealias Field<Value> = WritableKeyPath<Configuration, Value> & Sendable

  static func boolean(
    _ flag: String, _ chapter: ConfigurationChapter, _ field: any Field<Bool>, _ sentence: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      flag: flag, chapter: chapter, kind: .boolean, sentence: sentence,
      assign: { (configuration, text) throws(ValueRefusal) in
        guard let value = ValueText.boolean(text) else {
          throw ValueRefusal("must be \(ConfigurationKind.boolean.rule)")
        }
        configuration[keyPath: field] = value
      },
      render: { $0[keyPath: field] ? "on" : "off" })
  }

  static func integer(
    _ flag: String, _ chapter: ConfigurationChapter, _ field: any Field<Int>, _ range: ClosedRange<Int>,
    unit: String = "", _ sentence: String
  ) -> ConfigurationKey {
    let kind = ConfigurationKind.integer(range, unit: unit, mayBeOff: false)
    return ConfigurationKey(
      flag: flag, chapter: chapter, kind: kind, sentence: sentence,
      assign: { (configuration, text) throws(ValueRefusal) in
        guard let value = ValueText.integer(text), range.contains(value) else {
          throw ValueRefusal("must be \(kind.rule)")
        }
        configuration[keyPath: field] = value
      },
      render: { String($0[keyPath: field]) })
  }

  static func optionalInteger(
    _ flag: String, _ chapter: ConfigurationChapter, _ field: any Field<Int?>, _ range: ClosedRange<Int>,
    unit: String = "", _ sentence: String
  ) -> ConfigurationKey {
    let kind = ConfigurationKind.integer(range, unit: unit, mayBeOff: true)
    return ConfigurationKey(
      flag: flag, chapter: chapter, kind: kind, sentence: sentence,
      assign: { (configuration, text) throws(ValueRefusal) in
        if text == ValueText.off {
          configuration[keyPath: field] = nil
          return
        }
        guard let value = ValueText.integer(text), range.contains(value) else {
          throw ValueRefusal("must be \(kind.rule)")
        }
        configuration[keyPath: field] = value
      },
      render: { $0[keyPath: field].map { String($0) } ?? ValueText.off })
  }

  static func byteCount(
    _ flag: String, _ chapter: ConfigurationChapter, _ field: any Field<Int>, _ range: ClosedRange<Int>,
    _ sentence: String
  ) -> ConfigurationKey {
    let kind = ConfigurationKind.byteCount(range)
    return ConfigurationKey(
      flag: flag, chapter: chapter, kind: kind, sentence: sentence,
      assign: { (configuration, text) throws(ValueRefusal) in
        guard let value = ValueText.byteCount(text), range.contains(value) else {
          throw ValueRefusal("must be \(kind.rule)")
        }
        configuration[keyPath: field] = value
      },
      render: { String($0[keyPath: field]) })
  }

  static func seconds(
    _ flag: String, _ chapter: ConfigurationChapter, _ field: any Field<Duration>, _ range: ClosedRange<Double>,
    _ sentence: String
  ) -> ConfigurationKey {
    let kind = ConfigurationKind.seconds(range, mayBeOff: false)
    return ConfigurationKey(
      flag: flag, chapter: chapter, kind: kind, sentence: sentence,
      assign: { (configuration, text) throws(ValueRefusal) in
        guard let value = ValueText.seconds(text), range.contains(value) else {
          throw ValueRefusal("must be \(kind.rule)")
        }
        configuration[keyPath: field] = .seconds(value)
      },
      render: { ValueText.seconds($0[keyPath: field]) })
  }

  static func optionalSeconds(
    _ flag: String, _ chapter: ConfigurationChapter, _ field: any Field<Duration?>, _ range: ClosedRange<Double>,
    _ sentence: String
  ) -> ConfigurationKey {
    let kind = ConfigurationKind.seconds(range, mayBeOff: true)
    return ConfigurationKey(
      flag: flag, chapter: chapter, kind: kind, sentence: sentence,
      assign: { (configuration, text) throws(ValueRefusal) in
        if text == ValueText.off {
          configuration[keyPath: field] = nil
          return
        }
        guard let value = ValueText.seconds(text), range.contains(value) else {
          throw ValueRefusal("must be \(kind.rule)")
        }
        configuration[keyPath: field] = .seconds(value)
      },
      render: { $0[keyPath: field].map { ValueText.seconds($0) } ?? ValueText.off })
  }

  static func choice<Value: CaseIterable & RawRepresentable<String> & Sendable>(
    _ flag: String, _ chapter: ConfigurationChapter, _ field: any Field<Value>, _ sentence: String
  ) -> ConfigurationKey {
    let kind = ConfigurationKind.choice(Value.allCases.map(\.rawValue))
    return ConfigurationKey(
      flag: flag, chapter: chapter, kind: kind, sentence: sentence,
      assign: { (configuration, text) throws(ValueRefusal) in
        guard let value = Value(rawValue: text) else { throw ValueRefusal("must be \(kind.rule)") }
        configuration[keyPath: field] = value
      },
      render: { $0[keyPath: field].rawValue })
  }

  static func text(
    _ flag: String, _ chapter: ConfigurationChapter, _ field: any Field<String?>, form: String,
    byteCounts: ClosedRange<Int> = ConfigurationBounds.textByteCount, _ sentence: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      flag: flag, chapter: chapter, kind: .text(byteCounts, form: form), sentence: sentence,
      assign: { (configuration, text) throws(ValueRefusal) in
        let byteCount = text.utf8.count
        if byteCount < byteCounts.lowerBound {
          throw ValueRefusal("must be at least \(byteCounts.lowerBound) bytes", showing: "\(byteCount) bytes long")
        }
        if byteCount > byteCounts.upperBound {
          throw ValueRefusal("must be at most \(byteCounts.upperBound) bytes", showing: "\(byteCount) bytes long")
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
          throw ValueRefusal("must be \(form) without control characters")
        }
        configuration[keyPath: field] = text
      },
      render: { $0[keyPath: field] })
  }

  /// A key with its own reader.
  static func custom(
    _ flag: String, _ chapter: ConfigurationChapter, _ kind: ConfigurationKind, _ sentence: String,
    assign: @escaping @Sendable (inout Configuration, String) throws(ValueRefusal) -> Void,
    render: @escaping @Sendable (Configuration) -> String?
  ) -> ConfigurationKey {
    ConfigurationKey(
      flag: flag, chapter: chapter, kind: kind, sentence: sentence, assign: assign, render: render)
  }

  /// With the default explained.
  func defaulting(to note: String) -> ConfigurationKey {
    var key = self
    key.defaultNote = note
    return key
  }

  /// As a secret.
  var secret: ConfigurationKey {
    var key = self
    key.isSecret = true
    return key
  }

  /// As named by the contract, but not in this release.
  var notAvailable: ConfigurationKey {
    var key = self
    key.isAvailable = false
    return key
  }
}
