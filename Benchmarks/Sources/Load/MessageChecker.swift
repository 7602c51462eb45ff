/// Checks what a delivered message says: its number, and its text to the letter, whatever envelope is around them.
final class MessageChecker {
  /// Of which every message's text is the beginning.
  private let text: [UInt8]
  /// As the first message had it; all others must have it too.
  private var textByteCount: Int?
  /// Where the last message had its members: the next one has them there too, nearly always.
  private var numberHint = 0
  private var textHint = 0

  /// - Parameter byteCountMax: of a message's text.
  init(byteCountMax: Int) {
    text = Array(MessageTemplate.text(byteCount: byteCountMax).utf8)
  }

  /// Messages of another length follow.
  func forgetLength() { textByteCount = nil }

  /// The number of a message, whose text is as it was published.
  func number(of message: UnsafeRawBufferPointer) -> Int {
    guard let start = end(of: "\"current\":", in: message, hint: &numberHint) else {
      fail("a message without its number: \(String(decoding: message, as: UTF8.self))")
    }
    var number = 0
    for index in start..<min(start + MessageTemplate.numberDigitCount, message.count) {
      number = number * 10 + Int(message[index]) - 48
    }
    checkText(of: message)
    return number - MessageTemplate.firstNumber
  }

  /// The integer behind a member's name, `"skipped":` for example; nil where there is none.
  static func integer(behind name: StaticString, in message: UnsafeRawBufferPointer) -> Int? {
    guard let start = message.firstIndex(of: name) else { return nil }
    var value: Int?
    for byte in message[(start + name.utf8CodeUnitCount)...].prefix(15) {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
      value = (value ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return value
  }

  private func checkText(of message: UnsafeRawBufferPointer) {
    guard let start = end(of: "\"message\":\"", in: message, hint: &textHint) else {
      fail("a message without its text: \(String(decoding: message, as: UTF8.self))")
    }
    let rest = UnsafeRawBufferPointer(rebasing: message[start...])
    let count: Int
    if let known = textByteCount {
      count = known
    } else {
      count = rest.firstIndex(of: UInt8(ascii: "\"")) ?? rest.count
      textByteCount = count
    }
    let isSame = text.withUnsafeBytes { text in
      count < rest.count && count <= text.count && rest[count] == UInt8(ascii: "\"")
        && UnsafeRawBufferPointer(rebasing: rest[..<count])
          .hasSameBytes(as: UnsafeRawBufferPointer(rebasing: text[..<count]))
    }
    if !isSame { fail("got another text than was published: \(String(decoding: message, as: UTF8.self))") }
  }

  /// The index behind a member's name and the blanks after it.
  private func end(of name: StaticString, in message: UnsafeRawBufferPointer, hint: inout Int) -> Int? {
    let count = name.utf8CodeUnitCount
    let wanted = UnsafeRawBufferPointer(start: name.utf8Start, count: count)
    let isThere =
      hint + count <= message.count
      && UnsafeRawBufferPointer(rebasing: message[hint..<(hint + count)]).hasSameBytes(as: wanted)
    if !isThere {
      guard let start = message.firstIndex(of: name) else { return nil }
      hint = start
    }
    var end = hint + count
    while end < message.count, message[end] == UInt8(ascii: " ") { end += 1 }
    return end
  }
}
