import GatewayDomain
import Testing

@Suite("RFC 9562 §5.4: names the gateway makes")
struct RandomIdentifierTests {
  @Test func `callback names are version 4 UUIDs that carry their user's hash`() throws {
    var random = SeededGenerator(seed: 4)
    for index in 0..<1000 {
      let name = user("user \(index)")
      let text = CallbackIdentifier.make(for: name, using: &random).text
      let groups = text.split(separator: "-").map(\.utf8.count)
      #expect(groups == [8, 4, 4, 4, 12])
      #expect(CallbackIdentifier.userHash(of: CallbackIdentifier(text: text)) == TopicHash.short(name.text))
      #expect(MessageIdentifier.userHash(of: MessageIdentifier(text: text)) == TopicHash.short(name.text))
      let digits = Array(text.utf8)
      #expect(digits[14] == UInt8(ascii: "4"))
      #expect("89ab".utf8.contains(digits[19]))
    }
  }

  @Test(arguments: [
    "", "x", "00000000-0000-4000-8000-00000000000", "00000000-0000-4000-8000-0000000000000",
    "00000000-0000-1000-8000-000000000000", "00000000-0000-4000-c000-000000000000",
    "00000000-0000-4000-7000-000000000000", "00000000-0000-4000-8000-00000000000g", "00000000000040008000000000000000",
    "00000000-0000-4000-8000-00000000000A", "000000000-000-4000-8000-000000000000",
  ])
  func `other texts carry no hash`(_ text: String) {
    #expect(CallbackIdentifier.userHash(of: CallbackIdentifier(text: text)) == nil)
  }

  @Test func `the hash is the last four digits`() {
    let identifier = CallbackIdentifier(text: "00000000-0000-4000-bfff-00000000beef")
    #expect(CallbackIdentifier.userHash(of: identifier) == 0xbeef)
  }

  @Test func `the same generator gives the same names and others do not repeat`() {
    var first = SeededGenerator(seed: 5)
    var second = SeededGenerator(seed: 5)
    var seen: Set<String> = []
    for _ in 0..<1000 {
      let epoch = Epoch.random(using: &first)
      #expect(epoch == Epoch.random(using: &second))
      #expect(epoch.text.utf8.count == 15)
      seen.insert(epoch.text)
      let identifier = TaskIdentifier.random(using: &first)
      #expect(identifier == TaskIdentifier.random(using: &second))
      #expect(TaskIdentifier(validating: identifier.text) != nil)
      seen.insert(identifier.text)
    }
    #expect(seen.count == 2000)
  }
}
