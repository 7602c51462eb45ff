import Protocol
import Testing

@testable import Gateway

@Suite("contract §5: signalbox verify")
struct TokenVerificationTests {
  /// RFC 7515 appendix A.1.
  static let key =
    #"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#
  static let token =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    + "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

  private func isValid(_ line: String) -> Bool { TokenVerification.isValid(Array(line.utf8)) }

  @Test func `the RFC's own example is valid, though it expired in 2011`() {
    #expect(isValid(#"{"jwk":\#(Self.key),"jws":"\#(Self.token)"}"#))
    #expect(isValid(#" {"extra":[1], "jws":"\#(Self.token)" , "jwk" : \#(Self.key) } "#))
  }

  @Test func `no other byte of the token is`() {
    let bytes = Array(Self.token.utf8)
    // The last character of 32 bytes in base64url has two bits that count for nothing; RFC 4648 §3.5 lets them be refused.
    for index in bytes.indices {
      var changed = bytes
      changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      #expect(!isValid(#"{"jwk":\#(Self.key),"jws":"\#(String(decoding: changed, as: UTF8.self))"}"#), "byte \(index)")
    }
  }

  @Test(arguments: [
    "", "{}", "[]", "x", #"{"jwk":{},"jws":""}"#, #"{"jwk":1,"jws":"a.b.c"}"#,
    #"{"jws":"\#(token)"}"#, #"{"jwk":\#(key)}"#, #"{"jwk":\#(key),"jws":1}"#,
    #"{"jwk":{"kty":"oct","k":""},"jws":"\#(token)"}"#, #"{"jwk":{"kty":"RSA","k":"AA"},"jws":"\#(token)"}"#,
    #"{"jwk":\#(key),"jws":"eyJhbGciOiJub25lIn0.e30."}"#,
  ])
  func `what is no key with its token is not valid`(_ line: String) {
    #expect(!isValid(line))
  }
}
