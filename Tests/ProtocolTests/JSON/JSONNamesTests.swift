import Testing

@testable import Protocol

@Suite("Names of members by number")
struct JSONNamesTests {
  private static let list: [StaticString] = [
    "a", "ab", "task_id", "progress", "requires", "error_cod", "default_proceed", "sixteen_bytes_xx", "op", "o", "中文",
  ]
  private let names = JSONNames(list)

  private func place(_ text: String, before: String = "", after: String = "") -> UInt8 {
    let bytes = Array((before + text + after).utf8)
    let start = before.utf8.count
    return names.place(of: start..<(start + text.utf8.count), in: bytes.span)
  }

  @Test func `each has its place, wherever it stands in the bytes`() {
    for (index, name) in Self.list.enumerated() {
      for pad in 0..<9 {
        let filler = String(repeating: "x", count: pad)
        #expect(place(name.description, before: filler, after: filler) == UInt8(index), "\(name) with \(pad)")
      }
    }
  }

  @Test func `what differs in one byte or in length has none`() {
    for name in Self.list {
      let text = name.description
      for index in text.utf8.indices {
        var bytes = Array(text.utf8)
        bytes[text.utf8.distance(from: text.utf8.startIndex, to: index)] ^= 0x80
        #expect(names.place(of: 0..<bytes.count, in: bytes.span) == JSONNames.unknown)
      }
      #expect(place(text + "\0") == JSONNames.unknown)
      #expect(place(text + "x") == JSONNames.unknown)
    }
    #expect(place("") == JSONNames.unknown)
    #expect(place("sixteen_bytes_xxx") == JSONNames.unknown)
  }

  @Test func `an object tells its members by number, escaped ones too, of duplicates the last`() throws {
    let bytes = Array(#"{"op":1,"x":2,"progress":3,"\u006fp":4,"\ud800":5,"a":null}"#.utf8)
    var object = JSONObject()
    try object.scan(bytes.span, names: names)
    #expect(object.members.map(\.name) == [8, JSONNames.unknown, 3, 8, JSONNames.unknown, 0])
    let last = try #require(object.member(known: 8))
    #expect(JSONDecode.int(last, in: bytes.span) == 4)
    #expect(object.member(known: 0)?.kind == .null)
    #expect(object.member(known: 1) == nil)
    #expect(object.member(known: 63) == nil)
    try object.scan(Array("{}".utf8).span, names: names)
    #expect(object.member(known: 8) == nil)
  }

  @Test func `as many names as there are bits`() throws {
    let many: [StaticString] = [
      "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "c0", "c1", "c2",
      "c3", "c4", "c5", "c6", "c7", "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "e0", "e1", "e2", "e3", "e4", "e5",
      "e6", "e7", "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7", "h0",
      "h1", "h2", "h3", "h4", "h5", "h6", "h7",
    ]
    #expect(many.count == JSONNames.countMax)
    var object = JSONObject()
    let bytes = Array(#"{"h7":1,"a0":2}"#.utf8)
    try object.scan(bytes.span, names: JSONNames(many))
    #expect(object.members.map(\.name) == [63, 0])
    #expect(object.member(known: 63) != nil && object.member(known: 0) != nil && object.member(known: 62) == nil)
  }
}
