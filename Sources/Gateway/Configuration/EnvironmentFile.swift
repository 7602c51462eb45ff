/// The env format of `--env-file`: lines `NAME=value`, optionally after `export `, with comments and quotes, as
/// shells and container tools write them. No substitution takes place.
enum EnvironmentFile {
  /// One setting.
  struct Line: Equatable {
    var name: String
    var value: String
    /// From 1.
    var lineNumber: Int
  }

  /// What is wrong with a line.
  struct Mistake: Error, Equatable {
    var lineNumber: Int
    /// `has no =`; never the line's text, which may hold a secret.
    var reason: String
  }

  /// The settings in order, and what could not be read.
  static func parse(_ content: [UInt8]) -> (lines: [Line], mistakes: [Mistake]) {
    guard let text = String(validating: content, as: UTF8.self) else {
      return ([], [Mistake(lineNumber: 1, reason: "is not UTF-8")])
    }
    var lines: [Line] = []
    var mistakes: [Mistake] = []
    let rows = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, row) in rows.enumerated() {
      var row = ValueText.trimmed(row)
      if row.isEmpty || row.first == "#" { continue }
      if row.hasPrefix("export ") { row = ValueText.trimmed(row.dropFirst("export ".count)) }
      guard let equals = row.firstIndex(of: "=") else {
        mistakes.append(Mistake(lineNumber: index + 1, reason: "has no ="))
        continue
      }
      let name = String(row[..<equals])
      guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else {
        mistakes.append(Mistake(lineNumber: index + 1, reason: "has no name of letters, digits and _ before its ="))
        continue
      }
      do throws(Unquoted) {
        let value = try value(row[row.index(after: equals)...])
        lines.append(Line(name: name, value: value, lineNumber: index + 1))
      } catch {
        mistakes.append(Mistake(lineNumber: index + 1, reason: error.reason))
      }
    }
    return (lines, mistakes)
  }

  private struct Unquoted: Error { var reason: String }

  /// A value in single quotes is literal; in double quotes `\n`, `\t`, `\"`, `\\` and `\$` are escapes; bare, it
  /// ends before a ` #`.
  private static func value(_ text: Substring) throws(Unquoted) -> String {
    guard let quote = text.first, quote == "\"" || quote == "'" else {
      var bare = text
      if bare.first == "#" { return "" }
      var previous: Character?
      for index in bare.indices {
        if bare[index] == "#", previous == " " || previous == "\t" {
          bare = bare[..<index]
          break
        }
        previous = bare[index]
      }
      return ValueText.trimmed(bare)
    }
    var value = ""
    var rest = text.dropFirst()
    while let character = rest.popFirst() {
      if character == quote {
        let after = ValueText.trimmed(rest)
        guard after.isEmpty || (after.first == "#" && after.count < rest.count) else {
          throw Unquoted(reason: "goes on after its closing quote")
        }
        return value
      }
      guard quote == "\"", character == "\\", let escaped = rest.popFirst() else {
        value.append(character)
        continue
      }
      switch escaped {
      case "n": value.append("\n")
      case "t": value.append("\t")
      case "\"", "\\", "$", "`": value.append(escaped)
      default: value.append(contentsOf: "\\\(escaped)")
      }
    }
    throw Unquoted(reason: "has no closing quote")
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
