import Protocol
import Testing

private func decode(_ text: String, plusIsSpace: Bool = false) -> String? {
  let bytes = Array(text.utf8)
  return PercentDecoding.decode(bytes.span, plusIsSpace: plusIsSpace)
}

private func segments(_ path: String) -> [String]? {
  let bytes = Array(path.utf8)
  return splitPath(bytes.span)
}

private func item(_ name: String, _ query: String) -> String? {
  let bytes = Array(query.utf8)
  return QueryItems.first(name, in: bytes.span)
}

private func items(_ query: String) -> [String]? {
  let bytes = Array(query.utf8)
  return QueryItems.all(in: bytes.span)?.map { "\($0.name)=\($0.value)" }
}

@Suite("RFC 3986 §2.1 percent-encoding")
struct PercentDecodingTests {
  @Test(arguments: [
    ("", ""), ("abc", "abc"), ("a%20b", "a b"), ("%e4%bd%A0", "你"), ("你", "你"), ("a+b", "a+b"), ("%2B%25", "+%"),
    ("%2f", "/"),
  ])
  func `escapes become bytes of UTF-8`(encoded: String, decoded: String) {
    #expect(decode(encoded) == decoded)
  }

  @Test func `a plus is a space only where it is said so`() {
    #expect(decode("a+b%2B", plusIsSpace: true) == "a b+")
    #expect(decode("a+b%2B") == "a+b+")
  }

  @Test(arguments: [
    "%", "%4", "a%", "%zz", "%4g", "%g4", "%+4", "% 4", "%00", "a\u{0}", "%ff", "%c3", "%c0%af", "%ed%a0%80", "%e4%bd",
  ])
  func `bad escapes, NUL and invalid UTF-8 are nil`(encoded: String) {
    #expect(decode(encoded) == nil)
    #expect(decode(encoded, plusIsSpace: true) == nil)
  }
}

@Suite("RFC 3986 §3.3 path")
struct PathTests {
  @Test(arguments: [
    ("/a/b", ["a", "b"]), ("/", []), ("", []), ("/a/", ["a", ""]), ("//", ["", ""]), ("/a%2Fb/c", ["a/b", "c"]),
    ("/%E4%BD%A0", ["你"]), ("/a+b", ["a+b"]), ("/../.", ["..", "."]), ("/a:b;c=d", ["a:b;c=d"]),
  ])
  func `segments are decoded one by one`(path: String, expected: [String]) {
    #expect(segments(path) == expected)
  }

  @Test(arguments: ["*", "a/b", "/%", "/a/%00", "/%ff", "/ok/%4"])
  func `what is no absolute path or does not decode is nil`(path: String) {
    #expect(segments(path) == nil)
  }

  @Test func `32 segments are split and one more is nil`() {
    #expect(segments(String(repeating: "/a", count: pathSegmentCountMax))?.count == 32)
    #expect(segments(String(repeating: "/a", count: pathSegmentCountMax + 1)) == nil)
  }
}

@Suite("WHATWG URL §5 query pairs")
struct QueryTests {
  @Test func `the first pair of a name is found, decoded`() {
    #expect(item("token", "a=b&token=x.y-z&token=2") == "x.y-z")
    #expect(item("a b", "a+b=c+d%2B") == "c d+")
    #expect(item("a", "a=b=c") == "b=c")
    #expect(item("a", "&&a") == "")
    #expect(item("a", "a=") == "")
    #expect(item("", "=x") == "x")
  }

  @Test func `absent and undecodable ones are nil`() {
    #expect(item("a", "") == nil)
    #expect(item("a", "A=b&aa=c") == nil)
    #expect(item("a", "a=%zz&a=b") == nil)
    #expect(item("a", "%zz=b&a=c") == "c")
  }

  @Test func `all pairs come in order`() {
    #expect(items("b=1&a=2&&b=%33&c") == ["b=1", "a=2", "b=3", "c="])
    #expect(items("") == [])
    #expect(items("a=1&b=%") == nil)
  }
}

@Suite("RFC 6265 §4.2 Cookie")
struct CookieTests {
  private func value(_ name: String, _ header: String) -> String? {
    let bytes = Array(header.utf8)
    return Cookies.value(of: name, in: bytes.span)
  }

  @Test(arguments: [
    ("s=1", "1"), ("a=b; s=1; c=d", "1"), ("ss=2;s=1", "1"), ("s=1; s=2", "1"), ("S=2; s=1", "1"), ("s=a=b", "a=b"),
    ("s=\"1\"", "1"), ("s=\"", "\""), ("s=", ""), (" s = 1 ;", "1"), ("bad; s=1", "1"), ("s=%41", "%41"),
  ])
  func `a value is found by its exact name`(header: String, expected: String) {
    #expect(value("s", header) == expected)
  }

  @Test(arguments: ["", ";", "s", "ss=1", "a=s=1"])
  func `a missing cookie is nil`(header: String) {
    #expect(value("s", header) == nil)
  }
}
