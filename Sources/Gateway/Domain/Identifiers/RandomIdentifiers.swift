/// The names that the gateway makes itself. Randomness is an argument: the same generator gives the same names.

extension Epoch {
  /// 15 characters, the most that Swift's `String` holds without an allocation, of 5 random bits each.
  package static func random(using random: inout some RandomNumberGenerator) -> Epoch {
    let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    var bits: UInt64 = random.next()
    var text: [UInt8] = []
    text.reserveCapacity(15)
    for index in 0..<15 {
      // 12 times 5 bits are in one word; the last three come from a second.
      if index == 12 { bits = random.next() }
      text.append(alphabet[Int(bits & 31)])
      bits >>= 5
    }
    return Epoch(text: String(decoding: text, as: UTF8.self))
  }
}

extension TaskIdentifier {
  /// A version 4 UUID, for a registration or an execution that names none.
  package static func random(using random: inout some RandomNumberGenerator) -> TaskIdentifier {
    TaskIdentifier(trusted: uuidVersion4(random.next(), random.next()))
  }
}

extension MessageIdentifier {
  /// A version 4 UUID whose last four hexadecimal digits are `TopicHash.short` of the user.
  package static func make(
    for user: UserIdentifier, using random: inout some RandomNumberGenerator
  ) -> MessageIdentifier {
    MessageIdentifier(text: uuidVersion4(of: user, using: &random))
  }

  /// The 16 bits of the user's hash that the name carries; nil where it cannot be one of ours.
  package static func userHash(of identifier: MessageIdentifier) -> UInt16? {
    lastHexadecimalDigits(ofUUID: identifier.text)
  }
}

extension CallbackIdentifier {
  /// A version 4 UUID whose last four hexadecimal digits are `TopicHash.short` of the user.
  package static func make(
    for user: UserIdentifier, using random: inout some RandomNumberGenerator
  ) -> CallbackIdentifier {
    CallbackIdentifier(text: uuidVersion4(of: user, using: &random))
  }

  /// The 16 bits of the user's hash that the name carries; nil where it cannot be one of ours.
  package static func userHash(of identifier: CallbackIdentifier) -> UInt16? {
    lastHexadecimalDigits(ofUUID: identifier.text)
  }
}

/// The last four digits of a version 4 UUID in lower case; nil where the text is none.
private func lastHexadecimalDigits(ofUUID text: String) -> UInt16? {
  var digitCount = 0
  var hash: UInt16 = 0
  for (index, byte) in text.utf8.enumerated() {
    guard index < 36 else { return nil }
    if index == 8 || index == 13 || index == 18 || index == 23 {
      guard byte == UInt8(ascii: "-") else { return nil }
      continue
    }
    let digit: UInt8
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
    default: return nil
    }
    if index == 14, digit != 4 { return nil }
    if index == 19, digit & 0b1100 != 0b1000 { return nil }
    digitCount += 1
    hash = hash << 4 | UInt16(digit)
  }
  return digitCount == 32 ? hash : nil
}

private func uuidVersion4(of user: UserIdentifier, using random: inout some RandomNumberGenerator) -> String {
  let high: UInt64 = random.next()
  let low: UInt64 = random.next()
  return uuidVersion4(high, low & ~0xFFFF | UInt64(TopicHash.short(user.text)))
}

/// RFC 9562 §5.4: 128 random bits with version 4 and the variant `10` set.
private func uuidVersion4(_ randomHigh: UInt64, _ randomLow: UInt64) -> String {
  let high = randomHigh & ~0xF000 | 0x4000
  let low = randomLow & ~(0b11 << 62) | (0b10 << 62)
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  text.reserveCapacity(36)
  for index in 0..<32 {
    if index == 8 || index == 12 || index == 16 || index == 20 { text.append(UInt8(ascii: "-")) }
    let word = index < 16 ? high : low
    text.append(digits[Int(word >> UInt64(60 - 4 * (index % 16)) & 0xF)])
  }
  return String(decoding: text, as: UTF8.self)
}
