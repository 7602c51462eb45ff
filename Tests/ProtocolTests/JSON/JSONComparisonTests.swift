import Testing

@testable import Protocol

/// What a reader made of a text: the value's range and kind and its normal form, or the error.
private enum Outcome: Equatable {
  case value(Range<Int>, JSONKind, normalised: [UInt8])
  case refused(JSONError)
}

private func scanned(_ bytes: [UInt8], _ range: Range<Int>) -> Outcome {
  do throws(JSONError) {
    let element = try JSONScanner.validateValue(bytes.span, in: range)
    return .value(
      element.value, element.kind, normalised: JSONText(normalising: element.value, of: bytes.span).bytes)
  } catch {
    return .refused(error)
  }
}

private func plain(_ bytes: [UInt8], _ range: Range<Int>) -> Outcome {
  do throws(JSONError) {
    let (value, kind) = try PlainJSON.validate(bytes, in: range)
    return .value(value, kind, normalised: PlainJSON.normalised(bytes, in: value))
  } catch {
    return .refused(error)
  }
}

/// Random JSON: every kind, white space, escapes, sequences of each length, strings around the length of a word.
private struct JSONGenerator {
  var random: SplitMix

  mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

  mutating func text() -> String {
    space() + value(depth: 0) + space()
  }

  mutating func object() -> String {
    let members = (0..<below(8)).map { _ in space() + string() + space() + ":" + space() + value(depth: 2) + space() }
    return "{" + members.joined(separator: ",") + "}"
  }

  private mutating func space() -> String {
    guard below(4) == 0 else { return "" }
    return String((0...below(9)).map { _ in Array(" \t\n\r")[below(4)] })
  }

  private mutating func value(depth: Int) -> String {
    switch below(depth < 4 ? 9 : 7) {
    case 0: return "null"
    case 1: return "true"
    case 2: return "false"
    case 3, 4: return number()
    case 5, 6: return string()
    case 7:
      let elements = (0..<below(5)).map { _ in space() + value(depth: depth + 1) + space() }
      return "[" + elements.joined(separator: ",") + "]"
    default:
      let members = (0..<below(5)).map { _ in
        space() + string() + space() + ":" + space() + value(depth: depth + 1) + space()
      }
      return "{" + members.joined(separator: ",") + "}"
    }
  }

  private mutating func number() -> String {
    var text = below(3) == 0 ? "-" : ""
    text += below(3) == 0 ? "0" : String(1 + below(9)) + digits(0...18)
    if below(2) == 0 { text += "." + digits(1...18) }
    if below(4) == 0 { text += ["e", "E", "e+", "E-"][below(4)] + digits(1...3) }
    return text
  }

  private mutating func digits(_ counts: ClosedRange<Int>) -> String {
    let count = counts.lowerBound + below(counts.count)
    return String((0..<count).map { _ in Character(String(below(10))) })
  }

  private mutating func string() -> String {
    let special = [
      #"\""#, #"\\"#, #"\/"#, #"\b"#, #"\n"#, #"\u0041"#, #"\u4E2d"#, #"\ud83d\ude00"#, #"\ud800"#, #"\u001f"#, "é",
      "中",
      "😀", "\u{7F}",
    ]
    var text = ""
    for _ in 0..<below(20) {
      text += below(6) == 0 ? special[below(special.count)] : Array("abc XYZ:,{}[]")[below(13)].description
    }
    return "\"" + text + "\""
  }
}

@Suite("RFC 8259 the scanner and a plain one say the same")
struct JSONComparisonTests {
  /// Replay: run again, the seeds are the arguments.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `of random JSON and of its mutations`(_ seed: UInt64) {
    var generator = JSONGenerator(random: SplitMix(state: seed))
    let alphabet = Array("{}[]\",:\\u0e+-. \n\u{1}\u{1F}z中😀".utf8) + [0x80, 0xBF, 0xC0, 0xED, 0xF4, 0xFF]
    for _ in 0..<400 {
      var bytes = Array(generator.text().utf8)
      #expect(scanned(bytes, 0..<bytes.count) == plain(bytes, 0..<bytes.count), "\(bytes)")
      for _ in 0..<4 where !bytes.isEmpty {
        let index = generator.below(bytes.count)
        switch generator.below(4) {
        case 0: bytes[index] = alphabet[generator.below(alphabet.count)]
        case 1: bytes.insert(alphabet[generator.below(alphabet.count)], at: index)
        case 2: bytes.remove(at: index)
        default: bytes.removeSubrange(index...)
        }
        #expect(scanned(bytes, 0..<bytes.count) == plain(bytes, 0..<bytes.count), "\(bytes)")
      }
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `of random bytes in a string`(_ seed: UInt64) {
    var random = SplitMix(state: seed)
    for _ in 0..<2_000 {
      let count = Int(random.next() % 20)
      // Few bytes that are special, so that texts get past the first word.
      let contents = (0..<count).map { _ in
        random.next() % 8 == 0 ? UInt8(truncatingIfNeeded: random.next()) : UInt8(0x61 + random.next() % 26)
      }
      let bytes = [UInt8(ascii: "\"")] + contents + [UInt8(ascii: "\"")]
      #expect(scanned(bytes, 0..<bytes.count) == plain(bytes, 0..<bytes.count), "\(bytes)")
    }
  }

  /// Each byte value at each offset of strings up to three words long, the bytes of the text beginning anywhere in a word.
  @Test func `of each byte at the borders of words`() {
    for count in [0, 1, 6, 7, 8, 9, 15, 16, 17, 23, 24] {
      for offset in 0..<max(count, 1) {
        for byte in UInt8.min...UInt8.max {
          var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: count)
          if count > 0 { bytes[offset] = byte }
          bytes = [0x20, UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
          let same = scanned(bytes, 0..<bytes.count) == plain(bytes, 0..<bytes.count)
          #expect(same, "\(bytes)")
          if count == 0 { break }
        }
      }
    }
  }

  /// What lies behind the range must not be read as if it belonged to it.
  @Test func `of a part of the bytes, cut anywhere`() {
    let bytes = Array(#"{"name":"ein langer Text, 中文 \u4e2d","n":[1.5e3,true,-0]} "#.utf8)
    for lower in bytes.indices {
      for upper in lower...bytes.count {
        let same = scanned(bytes, lower..<upper) == plain(bytes, lower..<upper)
        #expect(same, "\(lower)..<\(upper)")
      }
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `members that are said to be normal are`(_ seed: UInt64) {
    var generator = JSONGenerator(random: SplitMix(state: seed))
    var object = JSONObject()
    var normalCount = 0
    for _ in 0..<500 {
      let bytes = Array(generator.object().utf8)
      guard (try? object.scan(bytes)) != nil else { continue }
      for member in object.members {
        let expected = PlainJSON.normalised(bytes, in: member.value)
        #expect(JSONText(normalising: member, of: bytes.span).bytes == expected)
        if member.valueIsNormal { #expect(Array(bytes[member.value]) == expected) }
        if member.isNormal {
          normalCount += 1
          #expect(Array(bytes[member.range]) == PlainJSON.normalised(bytes, in: member.range))
        }
      }
    }
    #expect(normalCount > 100)
  }
}

@Suite("Numbers as doubles and integers")
struct JSONNumberTests {
  @Test(
    arguments: [
      "0", "-0", "0.0", "-0.0", "1", "50.50", "999999999999999", "-999999999999999", "1000000000000000",
      "0.99999999999999", "0.999999999999999", "9999999999999.99", "123456789012345.6", "9007199254740993",
      "00000000000.1", "0.1", "0.3", "1e5", "1.5e-3", "123456789012345678901234567890", "4.35", "2.675", "1.005",
    ])
  func `a double is the nearest to what was written`(_ text: String) throws {
    let value = try #require(JSONText(normalised: Array(text.utf8)).double)
    #expect(value.bitPattern == Double(text)?.bitPattern)
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `random decimals are read as the standard library reads them`(_ seed: UInt64) {
    var random = SplitMix(state: seed)
    for _ in 0..<5_000 {
      let digits = (0..<(1 + Int(random.next() % 18))).map { _ in UInt8(ascii: "0") + UInt8(random.next() % 10) }
      var bytes = digits
      if digits.count > 1, random.next() % 2 == 0 {
        bytes.insert(UInt8(ascii: "."), at: 1 + Int(random.next() % UInt64(digits.count - 1)))
      }
      if random.next() % 2 == 0 { bytes.insert(UInt8(ascii: "-"), at: 0) }
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(JSONDecode.double(0..<bytes.count, in: bytes.span)?.bitPattern == Double(text)?.bitPattern, "\(text)")
      let whole = Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
      #expect(JSONDecode.int(0..<bytes.count, in: bytes.span) == whole, "\(text)")
    }
  }
}
