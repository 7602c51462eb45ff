@testable import Gateway

/// Loads configurations from values, without a file system.
struct ConfigurationFixture {
  static let host = HostFacts(coreCount: 4, descriptorLimit: 65_536, standardErrorIsTerminal: false)
  /// Long enough for HS256.
  static let secret = "0123456789abcdef0123456789abcdef"

  /// Loads; `--dev` unless told otherwise, so that no key is needed.
  static func load(
    _ arguments: [String] = ["--dev"], environment: [String: String] = [:], files: [String: String] = [:],
    host: HostFacts = host
  ) throws(ConfigurationError) -> LoadedConfiguration {
    try Configuration.load(arguments: arguments, environment: environment, host: host) {
      path throws(FileReadingError) in
      guard let content = files[path] else { throw .system(errorNumber: 2) }
      return Array(content.utf8)
    }
  }

  /// The messages of a load that must fail; empty where it succeeds.
  static func messages(
    _ arguments: [String], environment: [String: String] = [:], files: [String: String] = [:], host: HostFacts = host
  ) -> [String] {
    do throws(ConfigurationError) {
      _ = try load(arguments, environment: environment, files: files, host: host)
      return []
    } catch {
      return error.messages
    }
  }
}
