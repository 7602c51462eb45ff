import GatewayDomain
import Synchronization

/// Tickets (contract §2): one use, 60 s, so that no JWT need stand in a URL.
///
/// One of the two locks that shards share (`ConnectionCensus` is the other): a ticket may be shown to any shard, tickets
/// are rare, and nothing outside is called while it is held.
final class TicketOffice: Sendable {
  /// Seconds a ticket is good for.
  static let lifetimeSeconds = 60.0
  /// Tickets outstanding at once; the oldest gives way.
  static let countMax = 100_000

  struct Ticket: Sendable {
    let principal: Principal
    /// Unix seconds: the end of the credentials that the ticket stands for, infinite for none.
    let credentialsExpireAt: Double
    let expiresAtMonotonic: Double
  }

  private struct State {
    var tickets: [String: Ticket] = [:]
    /// In order of issue, so that the oldest can be dropped.
    var order: [String] = []
    var orderStart = 0
  }

  private let state = Mutex(State())

  func issue(_ text: String, _ ticket: Ticket, nowMonotonic: Double) {
    state.withLock { state in
      while state.orderStart < state.order.count {
        let oldest = state.order[state.orderStart]
        let isOver = state.tickets[oldest].map { $0.expiresAtMonotonic <= nowMonotonic } ?? true
        guard isOver || state.tickets.count >= Self.countMax else { break }
        state.tickets[oldest] = nil
        state.orderStart += 1
      }
      if state.orderStart > 1024, state.orderStart * 2 > state.order.count {
        state.order.removeFirst(state.orderStart)
        state.orderStart = 0
      }
      state.tickets[text] = ticket
      state.order.append(text)
    }
  }

  /// A ticket is used up whenever it is looked at (contract §6). Nil where it is unknown, used, or over.
  func redeem(_ text: String, nowMonotonic: Double) -> Ticket? {
    state.withLock { state in
      guard let ticket = state.tickets.removeValue(forKey: text), ticket.expiresAtMonotonic > nowMonotonic else {
        return nil
      }
      return ticket
    }
  }
}
