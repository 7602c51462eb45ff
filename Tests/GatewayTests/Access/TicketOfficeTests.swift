import GatewayDomain
import Testing

@testable import Gateway

@Suite("Access: tickets (contract §2)")
struct TicketOfficeTests {
  private func ticket(until monotonic: Double) -> TicketOffice.Ticket {
    TicketOffice.Ticket(
      principal: .anonymous, credentialsExpireAt: .infinity, expiresAtMonotonic: monotonic)
  }

  @Test func `a ticket is good once`() {
    let office = TicketOffice()
    office.issue("a", ticket(until: 60), nowMonotonic: 0)
    #expect(office.redeem("b", nowMonotonic: 1) == nil)
    #expect(office.redeem("a", nowMonotonic: 1) != nil)
    #expect(office.redeem("a", nowMonotonic: 1) == nil)
  }

  @Test func `it is good before its end and not at it`() {
    let office = TicketOffice()
    office.issue("a", ticket(until: 60), nowMonotonic: 0)
    office.issue("b", ticket(until: 60), nowMonotonic: 0)
    #expect(office.redeem("a", nowMonotonic: 59.999) != nil)
    #expect(office.redeem("b", nowMonotonic: 60) == nil)
    #expect(office.redeem("b", nowMonotonic: 1) == nil)
  }

  @Test func `at the bound the oldest gives way`() {
    let office = TicketOffice()
    for number in 0..<TicketOffice.countMax { office.issue("\(number)", ticket(until: 60), nowMonotonic: 0) }
    office.issue("one more", ticket(until: 60), nowMonotonic: 0)
    #expect(office.redeem("0", nowMonotonic: 1) == nil)
    #expect(office.redeem("1", nowMonotonic: 1) != nil)
    #expect(office.redeem("one more", nowMonotonic: 1) != nil)
  }
}
