import GatewayDomain
import Protocol
import Testing

@testable import Gateway

/// SplitMix64: the same seed, the same texts.
private struct Generator {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
  }

  mutating func one(of texts: [String]) -> String { texts[below(texts.count)] }

  /// Members as they are written, each with what it is in normal form and whether its name is reserved.
  mutating func member() -> (written: String, normal: String, isReserved: Bool) {
    let names = [
      (#""progress""#, #""progress""#, false), (#""x""#, #""x""#, false), (#""task_id""#, "", true),
      (#""type""#, "", true),
      (#""t\u0079pe""#, "", true), (#""\u4e2d""#, #""中""#, false), (#""types""#, #""types""#, false),
      (#""""#, #""""#, false),
    ]
    let values = [
      ("1", "1"), (#""a b""#, #""a b""#), (#"[1, 2]"#, "[1,2]"), (#"{"a":{}}"#, #"{"a":{}}"#), (#""\u00e9""#, #""é""#),
      (#""\n""#, #""\n""#), ("null", "null"), ("-1.50e3", "-1.50e3"),
    ]
    let (name, normalName, isReserved) = names[below(names.count)]
    let (value, normalValue) = values[below(values.count)]
    let colon = one(of: [":", ":", ":", " :", ": "])
    return (name + colon + value, "\(normalName):\(normalValue)", isReserved)
  }
}

@Suite("The members of a body")
struct RequestFieldsTests {
  /// Replay: run again, the seeds are the arguments.
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `what was given is every member in normal form, but for the reserved`(_ seed: UInt64) throws {
    var generator = Generator(state: seed)
    // One for all, as a reader of many lines has it.
    var fields = RequestFields()
    for _ in 0..<2_000 {
      let members = (0..<generator.below(7)).map { _ in generator.member() }
      let comma = generator.one(of: [",", ",", ",", " , "])
      let bytes = Array(("{" + members.map(\.written).joined(separator: comma) + "}").utf8)
      try fields.read(bytes.span)
      let expected = members.filter { !$0.isReserved }.map(\.normal).joined(separator: ",")
      let given = fields.given(without: RequestBodies.eventNames, in: bytes.span)
      #expect(String(decoding: given, as: UTF8.self) == expected)
      let body = fields.body(without: RequestBodies.eventNames, in: bytes.span)
      #expect(body == JSONText(normalised: Array("{\(expected)}".utf8)))
    }
  }

  @Test func `a body says nothing of the one before it`() throws {
    var fields = RequestFields()
    try fields.read(Array(#"{"progress":1,"message":"m"}"#.utf8).span)
    #expect(fields.member(.progress) != nil && fields.member(.message) != nil)
    try fields.read(Array(#"{"message":null}"#.utf8).span)
    #expect(fields.member(.progress) == nil)
    #expect(fields.member(.message) != nil && fields.present(.message) == nil)
    let broken = Array(#"{"progress":1,"#.utf8)
    var isRefused = false
    do throws(Problem) {
      try fields.read(broken.span)
    } catch {
      isRefused = true
    }
    #expect(isRefused)
    #expect(fields.member(.progress) == nil && fields.member(.message) == nil)
  }

  @Test func `every name is found by its place`() throws {
    for name in RequestFieldName.allCases {
      let bytes = Array(#"{"other":0,"\#(name)":7,"x":1}"#.utf8)
      let fields = try RequestFields(bytes.span)
      let member = try #require(fields.member(name))
      let value = JSONDecode.int(member, in: bytes.span)
      #expect(value == 7)
      for other in RequestFieldName.allCases where other != name { #expect(fields.member(other) == nil) }
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `lines are what stands between line feeds`(_ seed: UInt64) {
    var generator = Generator(state: seed)
    for _ in 0..<500 {
      let text = (0..<generator.below(12)).map { _ in
        generator.one(of: ["\n", "\n", "\r\n", " ", "\t", "{}", #"{"a":"a longer line, more than four words of it"}"#])
      }.joined()
      let bytes = Array(text.utf8)
      let pieces = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      let expected = pieces.enumerated().filter { !$1.allSatisfy { [0x20, 0x09, 0x0D].contains($0) } }
        .map { RequestBodies.Line(number: $0 + 1, range: $1.startIndex..<$1.endIndex) }
      let lines = RequestBodies.lines(of: bytes.span)
      #expect(lines == expected, "\(text)")
    }
  }
}
