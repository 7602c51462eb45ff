import GatewayDomain
import Testing

@Suite("contract §5: who may watch and cancel")
struct AuthorizerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let principal: Principal
    /// Of a task owned by ann with the viewer vic, and of one with neither.
    let ownedWatch: Bool
    let ownedCancel: Bool
    let openWatch: Bool
    let openCancel: Bool
    var testDescription: String { name }

    init(
      _ name: String, _ principal: Principal, ownedWatch: Bool, ownedCancel: Bool, openWatch: Bool, openCancel: Bool
    ) {
      self.name = name
      self.principal = principal
      self.ownedWatch = ownedWatch
      self.ownedCancel = ownedCancel
      self.openWatch = openWatch
      self.openCancel = openCancel
    }
  }

  private static func asUser(_ name: String, _ patterns: [String] = []) -> Principal {
    .user(DomainTests.user(name), watchableTasks: patterns.map { TaskPattern($0) })
  }

  @Test(arguments: [
    Case("anonymous", .anonymous, ownedWatch: true, ownedCancel: true, openWatch: true, openCancel: true),
    Case("owner", asUser("ann"), ownedWatch: true, ownedCancel: true, openWatch: true, openCancel: false),
    Case("viewer", asUser("vic"), ownedWatch: true, ownedCancel: false, openWatch: true, openCancel: false),
    Case("stranger", asUser("bob"), ownedWatch: false, ownedCancel: false, openWatch: true, openCancel: false),
    Case("by name", asUser("bob", ["job:1"]), ownedWatch: true, ownedCancel: false, openWatch: true, openCancel: false),
    Case(
      "by prefix", asUser("bob", ["job:*"]), ownedWatch: true, ownedCancel: false, openWatch: true, openCancel: false),
    Case("by all", asUser("bob", ["*"]), ownedWatch: true, ownedCancel: false, openWatch: true, openCancel: false),
    Case(
      "other name", asUser("bob", ["job:"]), ownedWatch: false, ownedCancel: false, openWatch: true, openCancel: false),
    Case("publisher", .publisher(subject: nil), ownedWatch: true, ownedCancel: true, openWatch: true, openCancel: true),
    Case("admin", .admin(subject: nil), ownedWatch: true, ownedCancel: true, openWatch: true, openCancel: true),
  ])
  func `rights follow owner, viewers, patterns and role`(_ given: Case) {
    var owned = TaskSnapshot(identifier: task("job:1"), epoch: Epoch(text: "e"), createdAt: 0)
    owned.owner = user("ann")
    owned.viewers = [user("vic")]
    let open = TaskSnapshot(identifier: task("job:1"), epoch: Epoch(text: "e"), createdAt: 0)
    #expect(Authorizer.mayWatch(owned, given.principal) == given.ownedWatch)
    #expect(Authorizer.mayRead(owned, given.principal) == given.ownedWatch)
    #expect(Authorizer.mayCancel(owned, given.principal) == given.ownedCancel)
    #expect(Authorizer.mayWatch(owned, given.principal, authenticationIsOn: false))
    #expect(Authorizer.mayCancel(owned, given.principal, authenticationIsOn: false))
    #expect(Authorizer.mayWatch(open, given.principal) == given.openWatch)
    #expect(Authorizer.mayCancel(open, given.principal) == given.openCancel)
  }

  @Test func `a task with viewers and no owner is theirs alone`() {
    var snapshot = TaskSnapshot(identifier: task("t"), epoch: Epoch(text: "e"), createdAt: 0)
    snapshot.viewers = [user("vic")]
    #expect(Authorizer.mayWatch(snapshot, Self.asUser("vic")))
    #expect(!Authorizer.mayWatch(snapshot, Self.asUser("bob")))
  }

  @Test(arguments: [
    (Principal.user(DomainTests.user("ann"), watchableTasks: []), true),
    (.user(DomainTests.user("bob"), watchableTasks: []), false), (.anonymous, false),
    (.publisher(subject: nil), false), (.publisher(subject: DomainTests.user("ann")), true),
    (.admin(subject: nil), true),
  ])
  func `with authentication on the asked user and admins answer`(_ principal: Principal, _ may: Bool) throws {
    let confirmation = try ConfirmationBench().ask()
    #expect(Authorizer.mayAnswer(confirmation, principal, authenticationIsOn: true) == may)
    #expect(Authorizer.mayAnswer(confirmation, principal, authenticationIsOn: false))
  }
}
