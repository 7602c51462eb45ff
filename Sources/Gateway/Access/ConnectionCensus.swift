import GatewayDomain
import Synchronization

/// Counts WebSocket connections per address and per user, where a configured limit asks for it.
final class ConnectionCensus: Sendable {
  private struct State {
    var perAddress: [InternetAddress: Int] = [:]
    var perUser: [UserIdentifier: Int] = [:]
  }

  private let addressCountMax: Int?
  private let userCountMax: Int?
  private let state = Mutex(State())

  init(addressCountMax: Int?, userCountMax: Int?) {
    self.addressCountMax = addressCountMax
    self.userCountMax = userCountMax
  }

  /// False where nothing is limited, so nothing need be counted.
  var isUsed: Bool { addressCountMax != nil || userCountMax != nil }

  /// Counts a connection in, unless it would pass a limit. Every `true` is followed by one `leave`.
  func enter(address: InternetAddress, user: UserIdentifier?) -> Bool {
    state.withLock { state in
      let atAddress = state.perAddress[address, default: 0]
      let ofUser = user.map { state.perUser[$0, default: 0] } ?? 0
      if let addressCountMax, atAddress >= addressCountMax { return false }
      if let userCountMax, user != nil, ofUser >= userCountMax { return false }
      state.perAddress[address] = atAddress + 1
      if let user { state.perUser[user] = ofUser + 1 }
      return true
    }
  }

  func leave(address: InternetAddress, user: UserIdentifier?) {
    state.withLock { state in
      if let count = state.perAddress[address] { state.perAddress[address] = count > 1 ? count - 1 : nil }
      if let user, let count = state.perUser[user] { state.perUser[user] = count > 1 ? count - 1 : nil }
    }
  }
}
