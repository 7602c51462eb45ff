import GatewayDomain
import Protocol

/// Who asks, from where, and from which page.
extension Shard {
  /// The token of who wants to stay, from the first place that has one (contract §2), and whom it stands for.
  func authenticate(
    _ head: RequestHead, _ bytes: Span<UInt8>, subprotocols: [Range<Int>]
  ) throws(Credentials.Failure) -> Credentials.Bearer {
    let query = bytes.extracting(head.query ?? 0..<0)
    if let token = QueryItems.first("token", in: query), !token.isEmpty {
      return try credentials.user(Array(token.utf8).span, now: nowWall)
    }
    if let text = QueryItems.first("ticket", in: query), !text.isEmpty {
      guard let ticket = shared.tickets.redeem(text, nowMonotonic: monotonicSeconds) else { throw .ticket }
      return Credentials.Bearer(principal: ticket.principal, expiresAt: ticket.credentialsExpireAt)
    }
    if let token = bearerToken(head, bytes) {
      return try credentials.bearer(bytes.extracting(token), now: nowWall)
    }
    if let name = shared.configuration.cookieName {
      for field in head.values(of: .cookie) {
        guard let token = Cookies.value(of: name, in: bytes.extracting(field)) else { continue }
        return try credentials.user(Array(token.utf8).span, now: nowWall)
      }
    }
    let prefix: StaticString = "bearer."
    for offered in subprotocols where offered.count > prefix.utf8CodeUnitCount {
      let end = offered.lowerBound + prefix.utf8CodeUnitCount
      guard HTTPGrammar.equals(prefix, bytes, offered.lowerBound..<end) else { continue }
      return try credentials.user(bytes.extracting(end..<offered.upperBound), now: nowWall)
    }
    throw .missing
  }

  /// Likewise of who wants to publish: `?token=` may be an API key too. With `--dev` no token is needed; one that is shown
  /// must be good, as in the HTTP API.
  func authenticatePublisher(
    _ head: RequestHead, _ bytes: Span<UInt8>, subprotocols: [Range<Int>]
  ) throws(Credentials.Failure) -> Credentials.Bearer {
    if let token = QueryItems.first("token", in: bytes.extracting(head.query ?? 0..<0)), !token.isEmpty {
      return try credentials.bearer(Array(token.utf8).span, now: nowWall)
    }
    do throws(Credentials.Failure) {
      return try authenticate(head, bytes, subprotocols: subprotocols)
    } catch .missing where shared.configuration.isPublisherOpen {
      return Credentials.Bearer(principal: .admin(subject: nil), expiresAt: .infinity)
    }
  }

  func bearerToken(_ head: RequestHead, _ bytes: Span<UInt8>) -> Range<Int>? {
    guard let field = head.first(.authorization), field.count > 7,
      HTTPGrammar.equals(ignoringCase: "bearer ", bytes, field.lowerBound..<(field.lowerBound + 7))
    else { return nil }
    var start = field.lowerBound + 7
    while start < field.upperBound, bytes[start] == UInt8(ascii: " ") { start += 1 }
    return start..<field.upperBound
  }

  /// An `Origin`, when sent, must be on the list; by default it must be the host that was asked for (contract §2).
  func isOriginAllowed(_ head: RequestHead, _ bytes: Span<UInt8>) -> Bool {
    guard let range = head.first(.origin) else { return true }
    guard !head.isRepeated(.origin),
      let origin = String(validating: bytes.extracting(range))?.lowercased()
    else { return false }
    switch shared.configuration.allowedOrigins {
    case .any: return true
    case .listed(let origins): return origins.contains(origin)
    case .sameHost:
      guard let hostRange = head.first(.host),
        let host = String(validating: bytes.extracting(hostRange))?.lowercased()
      else { return false }
      let asked = originHost(origin)
      // nginx's `$host` drops the port, so an origin with a port also matches a host without one (research, nginx 16).
      return asked == host || (!hostHasPort(host) && hostWithoutPort(asked) == host)
    }
  }

  private func originHost(_ origin: String) -> String {
    guard let colon = origin.firstIndex(of: ":"), origin[colon...].hasPrefix("://") else { return origin }
    return String(origin[origin.index(colon, offsetBy: 3)...])
  }

  private func hostHasPort(_ host: String) -> Bool { hostWithoutPort(host) != host }

  private func hostWithoutPort(_ host: String) -> String {
    // In `[::1]:80` only what follows the bracket is the port.
    guard let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") else { return host }
    if host.first != "[", host.firstIndex(of: ":") != colon { return host }
    return String(host[..<colon])
  }

  func isTrusted(_ address: InternetAddress) -> Bool {
    shared.configuration.trustedProxies.contains { $0.contains(address) }
  }

  /// The client's address: behind trusted proxies the right-most address that is none of theirs.
  func clientAddress(_ slot: Int32, _ head: RequestHead, _ bytes: Span<UInt8>) -> InternetAddress {
    let peer = connections[slot].peer
    guard isTrusted(peer) else { return peer }
    var client = peer
    for hop in head.listElements(of: .xForwardedFor, in: bytes).reversed() {
      guard let text = String(validating: bytes.extracting(hop)), let address = InternetAddress(parsing: text) else {
        return client
      }
      client = address
      guard isTrusted(address) else { return address }
    }
    if client == peer, let range = head.first(.xRealIP),
      let text = String(validating: bytes.extracting(range)), let address = InternetAddress(parsing: text)
    {
      return address
    }
    return client
  }
}
