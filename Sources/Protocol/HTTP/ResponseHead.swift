/// Writes the heads of responses (RFC 9112 §4). Text that goes into a field can never end it: control characters
/// become spaces, and a field whose name is not a token is left out.
package enum ResponseHead {
  /// Appends a status line and the fields of an answer whose body, which the caller appends, is `bodyByteCount`
  /// bytes long. The answer to HEAD states the length of the body that it leaves out.
  ///
  /// Content-Length is always there, but where RFC 9110 §8.6 forbids it (1xx, 204) or would have it speak of another
  /// answer (304). Content-Length, Content-Type, Connection and Transfer-Encoding in `extraFields` are left out.
  ///
  /// - Parameter date: as `HTTPDateCache` gives it; empty where there is no clock (RFC 9110 §6.6.1).
  package static func append(
    status: Int, contentType: StaticString?, extraFields: [(name: String, value: String)] = [], bodyByteCount: Int,
    keepsAlive: Bool, date: [UInt8] = [], into output: inout [UInt8]
  ) {
    appendStatusLine(status, into: &output)
    if !date.isEmpty { appendDate(date, into: &output) }
    if let contentType { appendField("Content-Type", contentType, into: &output) }
    appendExtraFields(extraFields, into: &output)
    if HTTPStatus.mayHaveBody(status) {
      output.append("Content-Length: ")
      output.append(decimal: bodyByteCount)
      output.append("\r\n")
    }
    appendConnection(isUpgradeOffered: extraFields.contains { $0.name == "Upgrade" }, keepsAlive, into: &output)
    output.append("\r\n")
  }

  /// `Upgrade` is a matter of this connection alone, which the sender must say (RFC 9110 §7.8).
  private static func appendConnection(isUpgradeOffered: Bool, _ keepsAlive: Bool, into output: inout [UInt8]) {
    switch (isUpgradeOffered, keepsAlive) {
    case (false, true): break
    case (false, false): output.append("Connection: close\r\n")
    case (true, true): output.append("Connection: Upgrade\r\n")
    case (true, false): output.append("Connection: Upgrade, close\r\n")
    }
  }

  /// Appends the head of an answer that lasts until the connection closes, such as an event stream.
  package static func appendStream(
    status: Int, contentType: StaticString, extraFields: [(name: String, value: String)] = [],
    into output: inout [UInt8]
  ) {
    appendStatusLine(status, into: &output)
    appendField("Content-Type", contentType, into: &output)
    appendExtraFields(extraFields, into: &output)
    output.append("Connection: close\r\n\r\n")
  }

  /// Appends the interim answer to `Expect: 100-continue` (RFC 9110 §10.1.1), due before the body is waited for.
  package static func appendContinue(into output: inout [UInt8]) {
    output.append("HTTP/1.1 100 Continue\r\n\r\n")
  }

  /// Appends one field line, made harmless; nothing where the name is not a token.
  package static func appendField(name: String, value: String, into output: inout [UInt8]) {
    guard !name.isEmpty, name.utf8.allSatisfy(HTTPGrammar.isToken) else { return }
    output.append(contentsOf: name.utf8)
    output.append(": ")
    for byte in value.utf8 { output.append(HTTPGrammar.isControl(byte) ? HTTPGrammar.space : byte) }
    output.append("\r\n")
  }

  static func appendStatusLine(_ status: Int, into output: inout [UInt8]) {
    output.append("HTTP/1.1 ")
    output.append(decimal: status)
    output.append(" ")
    output.append(HTTPStatus.reasonPhrase(status))
    output.append("\r\n")
  }

  static func appendDate(_ date: [UInt8], into output: inout [UInt8]) {
    output.append("Date: ")
    output.append(contentsOf: date)
    output.append("\r\n")
  }

  static func appendField(_ name: StaticString, _ value: StaticString, into output: inout [UInt8]) {
    output.append(name)
    output.append(": ")
    output.append(value)
    output.append("\r\n")
  }

  private static func appendExtraFields(
    _ fields: [(name: String, value: String)], into output: inout [UInt8]
  ) {
    for (name, value) in fields where !isWrittenHere(name) { appendField(name: name, value: value, into: &output) }
  }

  /// The fields that decide where the message ends have one writer.
  private static func isWrittenHere(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    let whole = 0..<bytes.count
    return HTTPGrammar.equals(ignoringCase: "content-length", bytes.span, whole)
      || HTTPGrammar.equals(ignoringCase: "content-type", bytes.span, whole)
      || HTTPGrammar.equals(ignoringCase: "connection", bytes.span, whole)
      || HTTPGrammar.equals(ignoringCase: "transfer-encoding", bytes.span, whole)
  }
}
