import Protocol
import Testing

@Suite("RFC 7692 §5 and §7.1 negotiation")
struct DeflateNegotiationTests {
  static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

  static func negotiate(_ offers: String) -> NegotiatedDeflate? {
    DeflateNegotiation.negotiate(offers: Array(offers.utf8).span)
  }

  @Test(arguments: [
    "permessage-deflate", " permessage-deflate ", "permessage-deflate; client_max_window_bits",
    "permessage-deflate;client_max_window_bits=8", "permessage-deflate;client_max_window_bits=\"15\"",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    ", ,permessage-deflate", "permessage-deflate,", "x-webkit-deflate-frame, permessage-deflate",
    "other; a=\"b\", permessage-deflate", "permessage-deflate; unknown, permessage-deflate",
  ])
  func `an offer is accepted without a window`(offers: String) {
    #expect(Self.negotiate(offers) == NegotiatedDeflate(serverMaxWindowBits: 15, response: Self.plain))
  }

  @Test(arguments: 9...15)
  func `a window that is asked for is granted`(bits: Int) {
    let expected = NegotiatedDeflate(
      serverMaxWindowBits: bits, response: Self.plain + "; server_max_window_bits=\(bits)")
    #expect(Self.negotiate("permessage-deflate; server_max_window_bits=\(bits)") == expected)
    #expect(Self.negotiate("permessage-deflate; server_max_window_bits = \"\(bits)\"") == expected)
    #expect(Self.negotiate("permessage-deflate; server_max_window_bits=\"\\\(bits)\"") == expected)
  }

  @Test(arguments: [
    "server_max_window_bits=8", "server_max_window_bits=16", "server_max_window_bits=7", "server_max_window_bits=0",
    "server_max_window_bits", "server_max_window_bits=09", "server_max_window_bits=1", "server_max_window_bits=100",
    "server_max_window_bits=-9", "server_max_window_bits=x", "server_max_window_bits=\"\"",
    "client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=010",
    "client_max_window_bits=99999999999999999999", "client_max_window_bits=\"\"",
    "server_no_context_takeover=1", "client_no_context_takeover=\"\"", "unknown", "unknown=1",
    "Server_Max_Window_Bits=9",
    "client_no_context_takeover; client_no_context_takeover", "server_max_window_bits=9; server_max_window_bits=9",
    "client_max_window_bits; client_max_window_bits=9", "server_no_context_takeover; server_no_context_takeover",
  ])
  func `a parameter that must not be so declines its offer, and only that`(parameters: String) {
    #expect(Self.negotiate("permessage-deflate; \(parameters)") == nil)
    let expected = NegotiatedDeflate(serverMaxWindowBits: 10, response: Self.plain + "; server_max_window_bits=10")
    #expect(
      Self.negotiate("permessage-deflate; \(parameters), permessage-deflate; server_max_window_bits=10") == expected)
  }

  @Test func `the first acceptable offer wins`() {
    let offers =
      "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=11, permessage-deflate"
    #expect(Self.negotiate(offers)?.serverMaxWindowBits == 11)
  }

  @Test(arguments: [
    "", " ", ",", ";", "permessage-deflate;", "permessage-deflate; ;", "permessage-deflate; =9", "=", "\"",
    "permessage-deflate; client_max_window_bits=", "permessage-deflate; client_max_window_bits=\"9",
    "permessage-deflate; client_max_window_bits=\"9\\", "permessage-deflate; client_max_window_bits=\"1 0\"",
    "permessage-deflate client_max_window_bits", "permessage-deflatex", "permessage-deflat", "PERMESSAGE-DEFLATE",
    "per\u{e9}message-deflate", "permessage-deflate; client_max_window_bits=9 9",
  ])
  func `malformed text is declined`(offers: String) {
    #expect(Self.negotiate(offers) == nil)
  }

  @Test func `4096 bytes are read and 4097 are not`() {
    let offer = "permessage-deflate"
    let padding = String(repeating: " ", count: DeflateNegotiation.offersByteCountMax - offer.utf8.count)
    #expect(Self.negotiate(padding + offer) != nil)
    #expect(Self.negotiate(padding + " " + offer) == nil)
  }

  @Test func `random bytes and random mutations never trap`() {
    let base = Array("permessage-deflate; server_max_window_bits=\"10\", permessage-deflate;a=b".utf8)
    for seed in 1...2_000 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      var bytes = base
      for _ in 0..<3 { bytes[Int.random(in: 0..<bytes.count, using: &generator)] = generator.bytes(1)[0] }
      bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
      if let result = DeflateNegotiation.negotiate(offers: bytes.span) {
        #expect(9...15 ~= result.serverMaxWindowBits)
      }
      _ = DeflateNegotiation.negotiate(offers: generator.bytes(50).span)
    }
  }
}
