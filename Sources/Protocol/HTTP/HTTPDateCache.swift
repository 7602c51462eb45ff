/// The text of the `Date` field, and with it the heads of the answers that publishers get, made once a second: a busy
/// server answers thousands of times in between.
package struct HTTPDateCache {
  private var unixSeconds = Int.min
  private var bytes: [UInt8] = []
  private var headOfOK: [UInt8] = []
  private var headOfAccepted: [UInt8] = []

  package init() {}

  /// The field's value at that moment.
  package mutating func text(unixSeconds: Int) -> [UInt8] {
    if unixSeconds != self.unixSeconds { renew(unixSeconds) }
    return bytes
  }

  /// The head of a JSON answer on a connection that stays open, as `ResponseHead.append` writes it, up to the number of
  /// bytes that its body has; nil for another status than 200 and 202.
  package mutating func headOfJSON(status: Int, unixSeconds: Int) -> [UInt8]? {
    if unixSeconds != self.unixSeconds { renew(unixSeconds) }
    switch status {
    case 200: return headOfOK
    case 202: return headOfAccepted
    default: return nil
    }
  }

  private mutating func renew(_ unixSeconds: Int) {
    self.unixSeconds = unixSeconds
    bytes = Array(HTTPDate.text(unixSeconds: unixSeconds).utf8)
    headOfOK = head(200)
    headOfAccepted = head(202)
  }

  private func head(_ status: Int) -> [UInt8] {
    var head: [UInt8] = []
    ResponseHead.appendStatusLine(status, into: &head)
    ResponseHead.appendDate(bytes, into: &head)
    ResponseHead.appendField("Content-Type", "application/json", into: &head)
    head.append("Content-Length: ")
    return head
  }
}
