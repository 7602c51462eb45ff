import Protocol
import Testing

@Suite("RFC 9110 §15.5 refusals")
struct RefusalTests {
  @Test(arguments: [
    (HTTPError.requestLineTooLong(byteCountMax: 8192), 414, "8192"), (.headTooLarge(byteCountMax: 16384), 431, "16384"),
    (.tooManyFields(countMax: 64), 431, "64"), (.bodyTooLarge(byteCountMax: 1000), 413, "1000"),
    (.unsupportedVersion(major: 2, minor: 0), 505, "HTTP/2.0"), (.unknownExpectation, 417, "100-continue"),
    (.unsupportedTransferCoding, 501, "chunked"), (.trailersTooLarge(byteCountMax: 4096), 431, "4096"),
    (.tooManyTrailers(countMax: 16), 431, "16"), (.chunkExtensionsTooLong(byteCountMax: 4096), 400, "4096"),
    (.leadingEmptyLines(countMax: 2), 400, "2"), (.controlCharacter(7), 400, "7"),
  ])
  func `a refusal has its status and says its bound`(error: HTTPError, status: Int, said: String) {
    #expect(error.status == status)
    #expect(error.detail.contains(said))
    #expect(HTTPStatus.reasonPhrase(status).utf8CodeUnitCount > 0)
  }
}
