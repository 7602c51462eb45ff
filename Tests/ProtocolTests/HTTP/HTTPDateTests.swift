import Protocol
import Testing

@Suite("RFC 9110 §5.6.7 dates")
struct HTTPDateTests {
  @Test(arguments: [
    (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (784111777, "Sun, 06 Nov 1994 08:49:37 GMT"),
    (951782399, "Mon, 28 Feb 2000 23:59:59 GMT"),
    (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
    (951868800, "Wed, 01 Mar 2000 00:00:00 GMT"),
    (4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"),
    (4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    (253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (159935840253, "Fri, 02 Mar 7038 06:17:33 GMT"),
    (36697185098, "Sun, 20 Nov 3132 22:31:38 GMT"),
    (250697048484, "Sat, 11 Apr 9914 05:01:24 GMT"),
    (131442835709, "Tue, 05 Apr 6135 02:48:29 GMT"),
    (161601238182, "Tue, 09 Dec 7090 16:49:42 GMT"),
    (163490201561, "Thu, 19 Oct 7150 16:52:41 GMT"),
    (249164659237, "Mon, 18 Sep 9865 05:20:37 GMT"),
    (132445921193, "Fri, 16 Jan 6167 21:39:53 GMT"),
  ])
  func `moments are written as IMF-fixdate`(unixSeconds: Int, text: String) {
    #expect(HTTPDate.text(unixSeconds: unixSeconds) == text)
  }

  @Test func `moments that four digits cannot say are the nearest ones`() {
    #expect(HTTPDate.text(unixSeconds: -1) == HTTPDate.text(unixSeconds: 0))
    #expect(HTTPDate.text(unixSeconds: .min) == HTTPDate.text(unixSeconds: 0))
    #expect(HTTPDate.text(unixSeconds: HTTPDate.unixSecondsMax + 1) == "Fri, 31 Dec 9999 23:59:59 GMT")
    #expect(HTTPDate.text(unixSeconds: .max) == "Fri, 31 Dec 9999 23:59:59 GMT")
  }

  @Test(arguments: [200, 202]) func `a head made once a second is the one that is written each time`(_ status: Int) {
    var cache = HTTPDateCache()
    for unixSeconds in [784_111_777, 784_111_777, 784_111_778, 0] {
      var written: [UInt8] = []
      ResponseHead.append(
        status: status, contentType: "application/json", bodyByteCount: 57, keepsAlive: true,
        date: Array(HTTPDate.text(unixSeconds: unixSeconds).utf8), into: &written)
      let made = cache.headOfJSON(status: status, unixSeconds: unixSeconds)
      #expect(made.map { $0 + Array("57\r\n\r\n".utf8) } == written)
    }
    for other in [201, 204, 304, 400, 503] { #expect(cache.headOfJSON(status: other, unixSeconds: 0) == nil) }
  }

  @Test func `the cache follows the clock, forwards and backwards`() {
    var cache = HTTPDateCache()
    for unixSeconds in [784_111_777, 784_111_777, 784_111_778, 0, -5, 784_111_777] {
      #expect(cache.text(unixSeconds: unixSeconds) == Array(HTTPDate.text(unixSeconds: unixSeconds).utf8))
    }
  }
}
