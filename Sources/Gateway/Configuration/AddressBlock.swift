/// An IP address as the 128 bits of IPv6; an IPv4 address is its mapped form (RFC 4291 §2.5.5.2).
package struct InternetAddress: Sendable, Hashable {
  /// The first eight bytes, most significant first.
  package let high: UInt64
  /// The last eight bytes.
  package let low: UInt64
  /// Whether it is an IPv4 address, mapped or written with dots.
  package var isVersion4: Bool { high == 0 && low >> 32 == 0xFFFF }

  /// The address of sixteen bytes in two words.
  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The IPv4 address of four bytes in one word, most significant first.
  package init(version4 bits: UInt32) {
    high = 0
    low = 0xFFFF << 32 | UInt64(bits)
  }

  /// `127.0.0.0/8` or `::1`.
  package var isLoopback: Bool {
    isVersion4 ? UInt8(truncatingIfNeeded: low >> 24) == 127 : high == 0 && low == 1
  }

  /// Reads `192.0.2.1`, `2001:db8::1`, `::ffff:192.0.2.1` and any of them in brackets; nil for all else, zones
  /// and octal or short forms of IPv4 included.
  package init?(parsing text: String) {
    var text = Substring(text)
    if text.first == "[", text.last == "]" { text = text.dropFirst().dropLast() }
    if text.contains(":") {
      self.init(version6: text)
    } else {
      guard let bits = Self.version4Bits(text) else { return nil }
      self.init(version4: bits)
    }
  }

  private init?(version6 text: Substring) {
    // Split once at "::", whose place stands for as many zero groups as are missing.
    let halves = Self.splitAtDoubleColon(text)
    guard let halves, let head = Self.groups(halves.head, mayEndInVersion4: halves.tail == nil) else { return nil }
    var groups = head
    if let tailText = halves.tail {
      guard let tail = Self.groups(tailText, mayEndInVersion4: true), head.count + tail.count < 8 else { return nil }
      groups += [UInt16](repeating: 0, count: 8 - head.count - tail.count) + tail
    }
    guard groups.count == 8 else { return nil }
    func word(_ part: ArraySlice<UInt16>) -> UInt64 { part.reduce(0) { $0 << 16 | UInt64($1) } }
    self.init(high: word(groups[..<4]), low: word(groups[4...]))
  }

  private static func splitAtDoubleColon(_ text: Substring) -> (head: Substring, tail: Substring?)? {
    var index = text.startIndex
    while index < text.endIndex {
      let next = text.index(after: index)
      if text[index] == ":", next < text.endIndex, text[next] == ":" {
        let tail = text[text.index(after: next)...]
        // A second "::", or ":::", is ambiguous.
        if tail.first == ":" || splitAtDoubleColon(tail)?.tail != nil { return nil }
        return (text[..<index], tail)
      }
      index = next
    }
    return (text, nil)
  }

  /// Groups of up to four hexadecimal digits, the last two of an address may be written as IPv4.
  private static func groups(_ text: Substring, mayEndInVersion4: Bool) -> [UInt16]? {
    if text.isEmpty { return [] }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 8 else { return nil }
    var groups: [UInt16] = []
    for (index, part) in parts.enumerated() {
      if mayEndInVersion4, index == parts.count - 1, part.contains(".") {
        guard let bits = version4Bits(part) else { return nil }
        groups += [UInt16(bits >> 16), UInt16(truncatingIfNeeded: bits)]
        continue
      }
      guard (1...4).contains(part.utf8.count), part.allSatisfy({ $0.isASCII && $0.isHexDigit }),
        let value = UInt16(part, radix: 16)
      else { return nil }
      groups.append(value)
    }
    return groups
  }

  private static func version4Bits(_ text: Substring) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
      // A leading zero is read as octal by some programs, so it is refused.
      guard let value = ValueText.integer(String(part)), value <= 255, part.count == 1 || part.first != "0" else {
        return nil
      }
      bits = bits << 8 | UInt32(value)
    }
    return bits
  }
}

/// A block of addresses in CIDR notation, as `--trusted-proxies` lists them.
package struct AddressBlock: Sendable, Hashable {
  /// The block's first address.
  package let base: InternetAddress
  /// Leading bits that an address shares with the base, 0–128 (96 more than written for IPv4).
  package let prefixBitCount: Int
  /// As it was written.
  package let text: String

  /// Reads `10.0.0.0/8`, `fd00::/8` or a single address; nil for all else, a base with bits beyond the prefix
  /// included, because it is usually a mistake.
  package init?(parsing text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let address = InternetAddress(parsing: String(parts[0])) else { return nil }
    var prefixBitCount = 128
    if parts.count == 2 {
      let isVersion4 = !parts[0].contains(":")
      guard let written = ValueText.integer(String(parts[1])), written <= (isVersion4 ? 32 : 128) else { return nil }
      prefixBitCount = isVersion4 ? written + 96 : written
    }
    let mask = Self.mask(prefixBitCount)
    guard address.high & ~mask.high == 0, address.low & ~mask.low == 0 else { return nil }
    base = address
    self.prefixBitCount = prefixBitCount
    self.text = text
  }

  /// Whether the address is of this block.
  package func contains(_ address: InternetAddress) -> Bool {
    let mask = Self.mask(prefixBitCount)
    return address.high & mask.high == base.high && address.low & mask.low == base.low
  }

  private static func mask(_ bitCount: Int) -> (high: UInt64, low: UInt64) {
    // Shifting by 64 or more yields 0 in Swift, so both ends need no special case.
    (~(UInt64.max >> UInt64(min(64, bitCount))), ~(UInt64.max >> UInt64(max(0, bitCount - 64))))
  }
}
