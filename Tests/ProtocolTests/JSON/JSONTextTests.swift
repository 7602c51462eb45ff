import Testing

@testable import Protocol

private func normalised(_ text: String) -> String {
  let bytes = Array(text.utf8)
  return String(decoding: JSONText(normalising: bytes).bytes, as: UTF8.self)
}

@Suite("Contract §4.7 values pass through unchanged")
struct JSONTextTests {
  @Test(
    arguments: [
      "1e400", "0.10", "-0", "12345678901234567890", "-1.50E+003", "null", "\"\"", #""a b\\c\"d""#,
      #"{"a":[1,2],"b":{}}"#,
      "\"处理中 3/5 😀\"", #""\n\t\b\f\r""#, #""\u0000\u001f""#, #""\ud800""#, #""x\udc00y""#, #""\ud800\ud800""#,
    ])
  func `what is in normal form stays as it is`(_ text: String) {
    #expect(normalised(text) == text)
  }

  @Test(
    arguments: [
      (" { \"a\" : [ 1 ,\t2 ] ,\r\n\"b\" : \" x  y \" } ", #"{"a":[1,2],"b":" x  y "}"#),
      (#""\u5904\u7406\u4e2d""#, "\"处理中\""), (#""\uD83D\uDE00""#, "\"😀\""), (#""\/\u002F/""#, "\"///\""),
      (#""\u0022\u005c\u005C""#, #""\"\\\\""#), (#""\u000a\u0009\u0008\u000C\u000d""#, #""\n\t\b\f\r""#),
      (#""\u0001\u001F\u007f""#, "\"\\u0001\\u001f\u{7F}\""), (#""\ud83d\u0041\ude00""#, #""\ud83dA\ude00""#),
      (#""\uDBFF\uDFFF\uFFFF\u0080""#, "\"\u{10FFFF}\u{FFFF}\u{80}\""), (#"{"\u006b":"\u00e9"}"#, #"{"k":"é"}"#),
      (#""\\u0041""#, #""\\u0041""#), (#""\ud83d\ud83d\ude00""#, #""\ud83d😀""#),
    ])
  func `white space goes and escapes become UTF-8`(_ text: String, _ expected: String) {
    #expect(normalised(text) == expected)
  }

  @Test func `a part of a document is normalised in place`() {
    let bytes = Array(#"xx[ "\u4e2d" ]yy"#.utf8)
    #expect(JSONText(normalising: bytes, range: 2..<(bytes.count - 2)) == JSONText(normalised: Array("[\"中\"]".utf8)))
  }

  @Test func `texts are equal where their bytes are`() {
    let composed = JSONText(normalised: Array("\"\u{E9}\"".utf8))
    let decomposed = JSONText(normalised: Array("\"e\u{301}\"".utf8))
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed, composed]).count == 2)
    for count in [13, 14, 15, 16, 200] {
      let text = Array("\"\(String(repeating: "x", count: count - 2))\"".utf8)
      #expect(JSONText(normalised: text).bytes == text && JSONText(normalised: text).byteCount == count)
      #expect(JSONText(normalised: text) == JSONText(normalising: text))
      var output: [UInt8] = [1]
      output.append(JSONText(normalised: text))
      #expect(output == [1] + text)
    }
  }

  @Test func `a text knows its kind and its value`() {
    #expect(JSONText(string: "a\"\\\n\u{1}中").bytes == Array(#""a\"\\\n\u0001中""#.utf8))
    #expect(JSONText(string: "a\"\\\n\u{1}中").string == "a\"\\\n\u{1}中")
    #expect(JSONText(integer: .min).int == .min)
    #expect(JSONText(normalised: Array("5.0".utf8)).int == 5)
    #expect(JSONText(normalised: Array("5.5".utf8)).int == nil)
    #expect(JSONText(normalised: Array("1e300".utf8)).int == nil)
    #expect(JSONText(normalised: Array("12345678901234567890".utf8)).int == nil)
    #expect(JSONText(normalised: Array("1e400".utf8)).double == nil)
    #expect(JSONText(normalised: Array("-0.5e1".utf8)).double == -5)
    #expect(JSONText(normalised: Array(#""\ud800""#.utf8)).string == nil)
    #expect(JSONText(normalised: Array(#""5""#.utf8)).int == nil)
    #expect(JSONText.null.isNull && JSONText.null.string == nil && JSONText.null.double == nil)
    #expect(JSONText(bool: true).bool == true && JSONText(bool: false).bool == false)
    #expect(JSONText(integer: 1).bool == nil)
    let kinds = ["{}", "[]", "\"\"", "1", "true", "false", "null"].map { JSONText(normalised: Array($0.utf8)).kind }
    #expect(kinds == [.object, .array, .string, .number, .true, .false, .null])
  }
}

@Suite("RFC 8259 the writer")
struct JSONWriterTests {
  @Test func `commas stand between and nowhere else`() {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("a", string: "中\"")
    writer.member("b", string: nil)
    writer.member("c", integer: -1)
    writer.key("d")
    writer.beginArray()
    writer.beginArray()
    writer.endArray()
    writer.value(bool: true)
    writer.beginObject()
    writer.endObject()
    writer.valueNull()
    writer.endArray()
    writer.members(normalised: [])
    writer.members(normalised: Array(#""x":1,"y":2"#.utf8))
    writer.key(escaping: "k\n")
    writer.value(raw: JSONText(normalised: Array("1e400".utf8)))
    writer.member("e", double: nil)
    writer.member("f", bool: nil)
    writer.member("g", raw: nil)
    writer.member("h", literal: "w")
    writer.memberNull("i")
    writer.endObject()
    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == #"{"a":"中\"","b":null,"c":-1,"d":[[],true,{},null],"x":1,"y":2,"k\n":1e400,"#
        + #""e":null,"f":null,"g":null,"h":"w","i":null}"#)
  }

  @Test(
    arguments: [
      (0.0, "0.0"), (-0.0, "-0.0"), (1.5, "1.5"), (1_700_000_000, "1700000000.0"),
      (1_763_833_684.123456, "1763833684.123456"), (1e16, "10000000000000000.0"), (1.5e17, "150000000000000000.0"),
      (-1.25e-7, "-0.000000125"), (1e-5, "0.00001"), (0.0001, "0.0001"), (9_007_199_254_740_992, "9007199254740992.0"),
      (.infinity, "null"), (-.infinity, "null"), (.nan, "null"),
    ])
  func `doubles are written without an exponent`(_ value: Double, _ expected: String) {
    #expect(JSONText(double: value).bytes == Array(expected.utf8))
  }

  @Test func `random doubles read back as themselves`() {
    var random = SplitMix(state: 7)
    for _ in 0..<5_000 {
      let value = Double(bitPattern: random.next())
      guard value.isFinite else { continue }
      let text = JSONText(double: value)
      #expect(text.double == value)
      #expect(!text.bytes.contains(UInt8(ascii: "e")))
    }
    #expect(JSONText(double: .leastNonzeroMagnitude).double == .leastNonzeroMagnitude)
    #expect(JSONText(double: .greatestFiniteMagnitude).double == .greatestFiniteMagnitude)
  }
}
