import GatewayDomain
import Testing

@testable import Gateway

@Suite("Access: the census of connections")
struct ConnectionCensusTests {
  private let home = InternetAddress(version4: 0x0A00_0001)
  private let elsewhere = InternetAddress(version4: 0x0A00_0002)
  private func user(_ name: String) throws -> UserIdentifier { try #require(UserIdentifier(validating: name)) }

  @Test func `without limits nothing is counted`() {
    #expect(!ConnectionCensus(addressCountMax: nil, userCountMax: nil).isUsed)
    #expect(ConnectionCensus(addressCountMax: 1, userCountMax: nil).isUsed)
    #expect(ConnectionCensus(addressCountMax: nil, userCountMax: 1).isUsed)
  }

  @Test func `an address has so many places and no more`() throws {
    let census = ConnectionCensus(addressCountMax: 2, userCountMax: nil)
    #expect(census.enter(address: home, user: nil))
    #expect(census.enter(address: home, user: try user("a")))
    #expect(!census.enter(address: home, user: nil))
    #expect(census.enter(address: elsewhere, user: nil))
    census.leave(address: home, user: nil)
    #expect(census.enter(address: home, user: nil))
  }

  @Test func `a user has so many places from wherever it comes`() throws {
    let census = ConnectionCensus(addressCountMax: nil, userCountMax: 1)
    #expect(census.enter(address: home, user: try user("a")))
    #expect(!census.enter(address: elsewhere, user: try user("a")))
    #expect(census.enter(address: home, user: try user("b")))
    #expect(census.enter(address: home, user: nil))
    #expect(census.enter(address: home, user: nil))
    census.leave(address: home, user: try user("a"))
    #expect(census.enter(address: elsewhere, user: try user("a")))
  }

  @Test func `who is refused is not counted`() throws {
    let census = ConnectionCensus(addressCountMax: 2, userCountMax: 1)
    #expect(census.enter(address: home, user: try user("a")))
    #expect(!census.enter(address: home, user: try user("a")))
    #expect(census.enter(address: home, user: try user("b")))
    #expect(!census.enter(address: home, user: try user("c")))
    #expect(census.enter(address: elsewhere, user: try user("c")))
  }
}
