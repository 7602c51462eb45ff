import Testing

@Test func `the suite runs`() { #expect(Bool(true)) }
