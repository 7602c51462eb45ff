import Testing

@testable import Protocol

/// The first JSON error of a whole text, nil where it is valid.
private func failure(_ bytes: [UInt8]) -> JSONError? {
  do throws(JSONError) {
    _ = try JSONScanner.validateValue(bytes)
    return nil
  } catch {
    return error
  }
}

@Suite("RFC 8259 the scanner")
struct JSONScannerTests {
  @Test(
    arguments: [
      "null", "true", "false", "0", "-0", "1", "-1", "123", "0.5", "-0.10", "1e5", "1E+5", "1e-05", "1e400",
      "12345678901234567890", "0e0", "\"\"", "\"a\"", #""\"\\\/\b\f\n\r\t""#, #""\u0000""#, #""\uD83D\uDE00""#,
      #""\uD800""#, #""\udfff""#, "\"\u{7F}\"", "\"处理中 😀\"", "\"\u{2028}\"", "\"\u{FFFF}\"", "\"\u{10FFFF}\"",
      "[]", "[ ]", "[1]", "[1,2]", " [ 1 , \"a\" , null ] ", "{}", "{ }", #"{"a":1}"#, #"{"":0}"#,
      #"{"a":{"b":[{"c":null}]},"a":2}"#, "\t\n\r {\"a\"\n:\t1\r}\n", "\n0\n",
    ])
  func `accepts what the grammar allows`(_ text: String) {
    #expect(failure(Array(text.utf8)) == nil)
  }

  @Test(
    arguments: [
      "", " ", "nul", "nulL", "True", "truee", "tru e", "NaN", "Infinity", "-Infinity", "undefined", "+1", "-", "--1",
      "01", "-01", "1.", ".5", "1.e1", "1e", "1e+", "1e1.5", "0x10", "1_000", "1,", "1 2", "'a'", "\"", "\"a", "\"\\",
      "\"\\\"", #""\x""#, #""\u""#, #""\u12""#, #""\u123g""#, #""\U0041""#, "\"\n\"", "\"\t\"", "\"\u{0}\"",
      "\"\u{1F}\"",
      "[", "]", "[1", "[1,", "[,]", "[1,]", "[,1]", "[1 2]", "[1;2]", "[1]]", "{", "}", "{,}", #"{"a"}"#, #"{"a":}"#,
      #"{"a" 1}"#, #"{"a":1,}"#, #"{"a":1 "b":2}"#, #"{a:1}"#, #"{1:1}"#, #"{"a":1}}"#, #"{"a":1}x"#, #"{"a"::1}"#,
      "[1}", #"{"a":1]"#, "/* */1", "1//", "\u{FEFF}1", "\u{A0}1", "\u{0B}1",
    ])
  func `refuses what the grammar does not`(_ text: String) {
    #expect(failure(Array(text.utf8)) != nil)
  }

  @Test(
    arguments: [
      [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
      [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xE4, 0xB8], [0xE4, 0x41, 0x80], [0xF0, 0x80, 0x80, 0x80],
      [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x98], [0xFF], [0xFE],
    ] as [[UInt8]])
  func `refuses bytes that are no UTF-8, in values, names and nested strings`(_ sequence: [UInt8]) {
    let quoted = [UInt8(ascii: "\"")] + sequence + [UInt8(ascii: "\"")]
    #expect(failure(quoted) != nil)
    #expect(failure(Array("[[".utf8) + quoted + Array("]]".utf8)) != nil)
    #expect(failure(Array("{".utf8) + quoted + Array(":1}".utf8)) != nil)
  }

  @Test(
    arguments: [
      [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80], [0xEF, 0xBF, 0xBF],
      [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF],
    ] as [[UInt8]])
  func `accepts the first and the last sequence of each length`(_ sequence: [UInt8]) {
    #expect(failure([UInt8(ascii: "\"")] + sequence + [UInt8(ascii: "\"")]) == nil)
  }

  @Test func `depth is allowed at the bound and refused one past it`() {
    func nested(_ open: String, _ close: String, _ count: Int) -> [UInt8] {
      Array((String(repeating: open, count: count) + "0" + String(repeating: close, count: count)).utf8)
    }
    let bound = JSONLimits.depthMax
    #expect(failure(nested("[", "]", bound)) == nil)
    #expect(failure(nested("[", "]", bound + 1)) == .tooDeep(position: bound))
    #expect(failure(nested(#"{"a":"#, "}", bound)) == nil)
    #expect(failure(nested(#"{"a":"#, "}", bound + 1)) == .tooDeep(position: 5 * bound))
    // Far past it: refused early, not by the stack.
    #expect(failure(Array(repeating: UInt8(ascii: "["), count: 1_000_000)) == .tooDeep(position: bound))
    // The same bound where the outermost container is opened by another function.
    var object = JSONObject()
    #expect(throws: Never.self) { try object.scan(nested(#"{"a":"#, "}", bound)) }
    #expect(throws: JSONError.tooDeep(position: 5 * bound)) {
      try object.scan(nested(#"{"a":"#, "}", bound + 1))
    }
    #expect(throws: JSONError.tooDeep(position: bound)) {
      let bytes = nested("[", "]", bound + 1)
      _ = try JSONScanner.elements(bytes)
    }
  }

  @Test func `an array's elements are ranges of the bytes`() throws {
    let text = #"x [ 1 , "a,]" , [2, 3] , {"b":4} ,null,true ] y"#
    let bytes = Array(text.utf8)
    let elements = try JSONScanner.elements(bytes, in: 1..<(bytes.count - 1))
    #expect(
      elements.map { String(decoding: bytes[$0.value], as: UTF8.self) } == [
        "1", #""a,]""#, "[2, 3]", #"{"b":4}"#, "null", "true",
      ])
    #expect(elements.map(\.kind) == [.number, .string, .array, .object, .null, .true])
    let empty = Array(" [ ] ".utf8)
    #expect(try JSONScanner.elements(empty) == [])
  }

  @Test func `an array that is none is told apart from invalid JSON`() {
    let object = Array(#"{"a":1}"#.utf8)
    #expect(throws: JSONError.notAnArray) { try JSONScanner.elements(object) }
    let broken = Array("[1,]".utf8)
    #expect(throws: JSONError.unexpectedByte(UInt8(ascii: "]"), position: 3)) {
      try JSONScanner.elements(broken)
    }
  }

  @Test func `every error says where`() {
    #expect(failure(Array(#"{"a":1,}"#.utf8)) == .unexpectedByte(UInt8(ascii: "}"), position: 7))
    #expect(failure(Array("[1".utf8)) == .unexpectedEnd(position: 2))
    #expect(failure(Array("01".utf8)) == .invalidNumber(position: 1))
    #expect(failure(Array(#""\q""#.utf8)) == .invalidEscape(position: 2))
    #expect(failure(Array("\"a\u{1}\"".utf8)) == .controlCharacter(1, position: 2))
    #expect(failure(Array("1 x".utf8)) == .trailingBytes(position: 2))
    #expect(failure([0x22, 0x61, 0xFF, 0x22]) == .invalidUTF8(position: 2))
    #expect(JSONError.tooDeep(position: 7).detail == "JSON is nested deeper than 64 levels at byte 7")
  }
}
