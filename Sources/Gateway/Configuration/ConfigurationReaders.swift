/// Readers of the keys whose values have a form of their own.
enum ConfigurationReaders {
  /// Addresses only: a name would have to be resolved, and might resolve to something else tomorrow.
  static func host(_ configuration: inout Configuration, _ text: String) throws(ValueRefusal) {
    if text == "localhost" {
      configuration.host = text
      return
    }
    guard InternetAddress(parsing: text) != nil else {
      throw ValueRefusal("must be an IPv4 or IPv6 address or localhost")
    }
    configuration.host = text.first == "[" ? String(text.dropFirst().dropLast()) : text
  }

  static func store(_ configuration: inout Configuration, _ text: String) throws(ValueRefusal) {
    if text == "memory" {
      configuration.store = .memory
      return
    }
    let prefix = "sqlite:"
    guard text.hasPrefix(prefix), text.utf8.count > prefix.utf8.count,
      text.utf8.count <= ConfigurationBounds.textByteCount.upperBound
    else { throw ValueRefusal("must be memory or sqlite:PATH") }
    configuration.store = .sqlite(path: String(text.dropFirst(prefix.count)))
  }

  static func storeText(_ configuration: Configuration) -> String {
    switch configuration.store {
    case .memory: "memory"
    case .sqlite(let path): "sqlite:\(path)"
    }
  }

  /// A token of RFC 6265 §4.1.1.
  static func cookieName(_ configuration: inout Configuration, _ text: String) throws(ValueRefusal) {
    let separators = Set("()<>@,;:\\\"/[]?={} \t".utf8)
    guard (1...ConfigurationBounds.textByteCount.upperBound).contains(text.utf8.count),
      text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !separators.contains($0) })
    else { throw ValueRefusal("must be a cookie's name: visible ASCII without separators (RFC 6265)") }
    configuration.cookieName = text
  }

  static func apiKeys(_ configuration: inout Configuration, _ text: String) throws(ValueRefusal) {
    let keys = ValueText.list(text)
    guard keys.count <= ConfigurationBounds.listCount.upperBound else {
      throw ValueRefusal(
        "must be at most \(ConfigurationBounds.listCount.upperBound)", showing: "\(keys.count) keys long")
    }
    for (index, key) in keys.enumerated() {
      guard ConfigurationBounds.apiKeyByteCount.contains(key.utf8.count),
        key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
      else {
        throw ValueRefusal(
          "each key must be visible ASCII of 1 to \(ConfigurationBounds.apiKeyByteCount.upperBound) bytes",
          showing: "wrong in key \(index + 1)")
      }
    }
    configuration.apiKeys = keys
  }

  static func allowedOrigins(_ configuration: inout Configuration, _ text: String) throws(ValueRefusal) {
    let entries = ValueText.list(text)
    if entries == ["*"] {
      configuration.allowedOrigins = .any
      return
    }
    guard ConfigurationBounds.listCount.contains(entries.count) else {
      throw ValueRefusal("must be origins such as https://app.example, 256 at most, or *")
    }
    var origins: [String] = []
    for entry in entries {
      guard let origin = origin(entry) else {
        throw ValueRefusal(
          "must be exact origins such as https://app.example or http://localhost:3000, without a path, or * alone",
          showing: ValueText.shown(entry))
      }
      origins.append(origin)
    }
    configuration.allowedOrigins = .listed(origins)
  }

  /// `scheme://host[:port]` in lower case, the port left out where it is the scheme's own, as browsers write it
  /// (RFC 6454 §6.2); nil where there is anything else.
  static func origin(_ text: String) -> String? {
    let text = text.lowercased()
    guard let separator = text.firstRange(of: "://") else { return nil }
    let scheme = text[..<separator.lowerBound]
    var host = text[separator.upperBound...]
    guard let first = scheme.utf8.first, UInt8(ascii: "a")...UInt8(ascii: "z") ~= first,
      scheme.utf8.allSatisfy({ isLetterOrDigit($0) || "+-.".utf8.contains($0) })
    else { return nil }
    var port = ""
    if let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") {
      port = String(host[host.index(after: colon)...])
      host = host[..<colon]
      guard let number = ValueText.integer(port), (1...65_535).contains(number) else { return nil }
      if (scheme == "https" && number == 443) || (scheme == "http" && number == 80) { port = "" }
    }
    if host.first == "[" {
      guard host.last == "]", InternetAddress(parsing: String(host)) != nil else { return nil }
    } else {
      guard !host.isEmpty, host.utf8.allSatisfy({ isLetterOrDigit($0) || "-._".utf8.contains($0) }) else { return nil }
    }
    return "\(scheme)://\(host)" + (port.isEmpty ? "" : ":\(port)")
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
  }

  static func allowedOriginsText(_ configuration: Configuration) -> String? {
    switch configuration.allowedOrigins {
    case .sameHost: nil
    case .any: "*"
    case .listed(let origins): origins.joined(separator: ",")
    }
  }

  static func trustedProxies(_ configuration: inout Configuration, _ text: String) throws(ValueRefusal) {
    let entries = ValueText.list(text)
    guard entries.count <= ConfigurationBounds.listCount.upperBound else {
      throw ValueRefusal("must be at most 256 address blocks", showing: "\(entries.count) entries long")
    }
    var blocks: [AddressBlock] = []
    for entry in entries {
      guard let block = AddressBlock(parsing: entry) else {
        throw ValueRefusal(
          "must be address blocks such as 10.0.0.0/8 or fd00::/8, with no bits set past the prefix",
          showing: ValueText.shown(entry))
      }
      blocks.append(block)
    }
    configuration.trustedProxies = blocks
  }
}
