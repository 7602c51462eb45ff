import Testing

@testable import Protocol

private let specimen =
  #" {"id":"t-1","n":-1.50e+3,"text":"\u5904\u7406 \"3/5\"","a":[1,{"b":[true,null]}],"o":{"k":"\ud83d\ude00"},"中":false} "#

@Suite("RFC 8259 the members of an object")
struct JSONObjectTests {
  @Test func `members are ranges of the bytes`() throws {
    let bytes = Array(specimen.utf8)
    var object = JSONObject()
    try object.scan(bytes)
    #expect(
      object.members.map { String(decoding: bytes[$0.key], as: UTF8.self) } == ["id", "n", "text", "a", "o", "中"])
    #expect(object.members.map(\.kind) == [.string, .number, .string, .array, .object, .false])
    #expect(object.members.map(\.valueHasEscapes) == [false, false, true, false, false, false])
    let number = try #require(object.member("n", in: bytes))
    #expect(String(decoding: bytes[number.value], as: UTF8.self) == "-1.50e+3")
    #expect(object.member("中", in: bytes)?.kind == .false)
    #expect(object.member("k", in: bytes) == nil)
    #expect(object.member("i", in: bytes) == nil)
    #expect(object.member("idx", in: bytes) == nil)
  }

  @Test func `of duplicates the last wins, escaped names are compared decoded`() throws {
    let bytes = Array(#"{"a":1,"b":2,"\u0061":3,"\ud800":4}"#.utf8)
    var object = JSONObject()
    try object.scan(bytes)
    let member = try #require(object.member("a", in: bytes))
    #expect(JSONDecode.int(member, in: bytes) == 3)
    #expect(member.keyHasEscapes)
    // A name with a lone surrogate equals nothing.
    #expect(object.member("\u{FFFD}", in: bytes) == nil)
  }

  @Test(arguments: ["[]", "1", "\"a\"", "null", " true "])
  func `valid JSON of another kind is told apart from invalid JSON`(_ text: String) {
    var object = JSONObject()
    #expect(throws: JSONError.notAnObject) { try object.scan(Array(text.utf8)) }
    #expect(throws: JSONError.trailingBytes(position: text.utf8.count + 1)) {
      try object.scan(Array((text + " x").utf8))
    }
  }

  @Test func `a nested object is scanned at its range, and a table is reused`() throws {
    let bytes = Array(specimen.utf8)
    var outer = JSONObject()
    try outer.scan(bytes)
    let member = try #require(outer.member("o", in: bytes))
    var inner = outer
    try inner.scan(bytes, in: member.value)
    #expect(inner.members.count == 1)
    let emoji = try #require(inner.member("k", in: bytes))
    #expect(JSONDecode.string(emoji, in: bytes) == "😀")
    #expect(throws: JSONError.self) { try inner.scan(Array("{".utf8)) }
    #expect(inner.members.isEmpty)
  }

  @Test func `every truncation is an error`() {
    let bytes = Array(specimen.utf8.dropLast())
    var object = JSONObject()
    for count in 0..<bytes.count {
      #expect(throws: JSONError.self, "\(count) bytes") {
        try object.scan(Array(bytes[0..<count]))
      }
    }
    #expect(throws: Never.self) { try object.scan(bytes) }
  }

  @Test func `the member count is allowed at the bound and refused one past it`() {
    func text(_ count: Int) -> [UInt8] {
      Array(("{" + repeatElement(#""":0"#, count: count).joined(separator: ",") + "}").utf8)
    }
    func array(_ count: Int) -> [UInt8] {
      Array(("[" + repeatElement("0", count: count).joined(separator: ",") + "]").utf8)
    }
    let bound = JSONLimits.memberCountMax
    var object = JSONObject()
    #expect(throws: Never.self) { try object.scan(text(bound)) }
    #expect(object.members.count == bound)
    let past = text(bound + 1)
    #expect(throws: JSONError.tooManyMembers(position: past.count - 2)) { try object.scan(past) }
    // A value that nobody asks the members of is not bound.
    #expect(throws: Never.self) { try JSONScanner.validateValue(past) }
    let elements = array(bound)
    #expect(throws: Never.self) { try JSONScanner.elements(elements) }
    let pastElements = array(bound + 1)
    #expect(throws: JSONError.tooManyMembers(position: pastElements.count - 2)) {
      try JSONScanner.elements(pastElements)
    }
  }

  /// Replay: run again, the seeds are the arguments.
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `seeded mutations never trap, and what is accepted is normalised idempotently`(_ seed: UInt64) throws {
    var random = SplitMix(state: seed)
    let alphabet = Array("{}[]\",:\\u0123456789abcdefDd8Cce-+. \n\u{1}truefalsn中😀".utf8) + [0x80, 0xFF, 0xED, 0xA0]
    var object = JSONObject()
    var acceptedCount = 0
    for _ in 0..<5_000 {
      var bytes = Array(specimen.utf8)
      for _ in 0..<(1 + random.next() % 4) {
        let index = Int(random.next() % UInt64(bytes.count))
        let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
        switch random.next() % 3 {
        case 0: bytes[index] = byte
        case 1: bytes.insert(byte, at: index)
        default: bytes.remove(at: index)
        }
      }
      do throws(JSONError) {
        try object.scan(bytes)
      } catch {
        #expect(!error.detail.isEmpty)
        continue
      }
      acceptedCount += 1
      for member in object.members {
        _ = JSONDecode.key(member, in: bytes.span)
        _ = JSONDecode.string(member, in: bytes)
        _ = JSONDecode.double(member, in: bytes.span)
        _ = JSONDecode.int(member, in: bytes)
      }
      let once = JSONText(normalising: bytes)
      let twice = JSONText(normalising: once.bytes)
      #expect(once == twice, "seed \(seed)")
      #expect(throws: Never.self, "seed \(seed)") { try object.scan(once.bytes) }
    }
    #expect(acceptedCount > 100)
  }
}

/// SplitMix64: a seed replays a run.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
