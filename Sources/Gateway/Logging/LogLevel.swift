/// How much a line matters. A line below the configured level is not made.
package enum LogLevel: String, CaseIterable, Sendable, Comparable {
  case debug, info, warning, error

  /// Its place in the order of severity.
  private var severity: Int {
    switch self {
    case .debug: 0
    case .info: 1
    case .warning: 2
    case .error: 3
    }
  }

  /// By severity.
  package static func < (left: LogLevel, right: LogLevel) -> Bool { left.severity < right.severity }
}

/// Who reads the log.
package enum LogFormat: String, CaseIterable, Sendable {
  /// One JSON object per line, for programs.
  case json
  /// One line of words, for people.
  case text
}
