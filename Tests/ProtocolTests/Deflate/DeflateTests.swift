import Protocol
import Testing

@Suite("RFC 7692 §7.2 compression")
struct DeflateTests {
  static func inflated(_ bytes: [UInt8], byteCountMax: Int = 1 << 24) throws -> [UInt8] {
    var inflater = try makeInflater()
    var output: [UInt8] = []
    try inflater.inflate(bytes.span, byteCountMax: byteCountMax, into: &output)
    return output
  }

  /// Words, so that it compresses, with references as far back as they may be.
  static func text(_ byteCount: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    let words = (0..<50).map { _ in generator.bytes(Int.random(in: 2...9, using: &generator)) }
    var bytes: [UInt8] = []
    while bytes.count < byteCount { bytes += words.randomElement(using: &generator) ?? [0] }
    return Array(bytes.prefix(byteCount))
  }

  @Test(arguments: 9...15)
  func `what is compressed with any window comes back`(windowBits: Int) throws {
    var deflater = try makeDeflater(windowBits: windowBits)
    var inflater = try makeInflater()
    for byteCount in [200, 2_000, 16_383, 16_384, 16_385, 70_000, 300_000] {
      let payload = Self.text(byteCount, seed: UInt64(byteCount))
      var bytes: [UInt8] = [0xaa]
      #expect(deflater.compress(payload.span, into: &bytes))
      #expect(bytes.count - 1 < payload.count)
      var output: [UInt8] = [0xbb]
      try inflater.inflate(bytes.span.extracting(1..<bytes.count), byteCountMax: byteCount, into: &output)
      #expect(output == [0xbb] + payload)
    }
  }

  @Test(arguments: [8, 16, 0, -15])
  func `other windows are refused`(windowBits: Int) {
    #expect(throws: NoContext.self) { _ = try makeDeflater(windowBits: windowBits) }
  }

  @Test func `every message stands on its own`() throws {
    var deflater = try makeDeflater(windowBits: 12)
    let payload = Self.text(2_000, seed: 1)
    var first: [UInt8] = []
    var second: [UInt8] = []
    #expect(deflater.compress(payload.span, into: &first))
    #expect(deflater.compress(payload.span, into: &second))
    #expect(first == second)
    #expect(try Self.inflated(second) == payload)
  }

  @Test func `what does not shrink is left alone`() throws {
    var deflater = try makeDeflater(windowBits: 15)
    var generator = SeededGenerator(seed: 9)
    for payload in [[], [1], Array("Hello".utf8), generator.bytes(1_000), generator.bytes(100_000)] as [[UInt8]] {
      var output: [UInt8] = [1, 2]
      #expect(!deflater.compress(payload.span, into: &output))
      #expect(output == [1, 2])
    }
    // …and leaves the context fit for use.
    let payload = Self.text(1_000, seed: 2)
    var output: [UInt8] = []
    #expect(deflater.compress(payload.span, into: &output))
    #expect(try Self.inflated(output) == payload)
  }

  @Test(
    arguments: [
      [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],  // §7.2.3.1 one block
      [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],  // §7.2.3.3 no compression
      [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],  // §7.2.3.4 BFINAL set
      [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],  // the same without the byte for the empty block
      [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],  // §7.2.3.5 two blocks
    ] as [[UInt8]])
  func `the RFC's examples say Hello`(bytes: [UInt8]) throws {
    #expect(try Self.inflated(bytes) == Array("Hello".utf8))
  }

  @Test func `an empty message is one zero byte, and nothing is taken for it too`() throws {
    #expect(try Self.inflated([0x00]) == [])
    #expect(try Self.inflated([]) == [])
  }

  @Test func `a block after a last one may refer back over it`() throws {
    // "Hello" with BFINAL, then a fixed block of one match: length 5, distance 5, then the empty block's header.
    // Bits of the second, first to last: 0, 10 (fixed), 0000011 (length 5), 00100 + extra 0 (distance 5), 0000000.
    // 0 1 0 0 0 0 0 0 | 1 1 0 0 1 0 0 0 | 0 0 0 0 0 0 + 000 of the empty block
    let bytes: [UInt8] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x02, 0x13, 0x00, 0x00]
    #expect(try Self.inflated(bytes) == Array("HelloHello".utf8))
  }

  @Test func `1024 last blocks are read and 1025 are not`() throws {
    let block: [UInt8] = [0x03, 0x00]
    #expect(try Self.inflated((0..<1_024).flatMap { _ in block } + [0x00]) == [])
    #expect(throws: InflateError.corrupt) { try Self.inflated((0..<1_025).flatMap { _ in block } + [0x00]) }
  }

  @Test func `a message cut anywhere is corrupt or shorter, never more`() throws {
    let payload = Self.text(600, seed: 4)
    let bytes = try compressed(payload)
    for byteCount in 0..<bytes.count {
      do {
        let output = try Self.inflated(Array(bytes[..<byteCount]))
        #expect(output.isEmpty && byteCount == 0, "\(byteCount) of \(bytes.count) bytes")
      } catch {
        #expect(error as? InflateError == .corrupt)
      }
    }
  }

  @Test(arguments: [0, 1, 16_383, 16_384, 16_385, 100_000])
  func `a message at the bound passes and one byte more does not`(byteCount: Int) throws {
    let payload = [UInt8](repeating: 0x61, count: byteCount + 1)
    let bytes: [UInt8] =
      byteCount == 0 ? [0x4a, 0x04, 0x00] : byteCount == 1 ? [0x4a, 0x4c, 0x04, 0x00] : try compressed(payload)
    #expect(try Self.inflated(bytes, byteCountMax: byteCount + 1) == payload)
    #expect(throws: InflateError.tooBig) { try Self.inflated(bytes, byteCountMax: byteCount) }
  }

  @Test func `a bomb stops at the bound`() throws {
    let bomb = try compressed([UInt8](repeating: 0, count: 64 << 20))
    #expect(bomb.count < 100_000)
    var inflater = try makeInflater()
    var output: [UInt8] = []
    do {
      try inflater.inflate(bomb.span, byteCountMax: 65_536, into: &output)
      Issue.record("the bomb went off")
    } catch {
      #expect(error == .tooBig)
    }
    #expect(output.count <= 65_536)
    #expect(output.capacity <= 4 * 65_536)
    // …and the context serves the next message.
    var next: [UInt8] = []
    let hello: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
    try inflater.inflate(hello.span, byteCountMax: 5, into: &next)
    #expect(next == Array("Hello".utf8))
  }

  @Test func `random bytes never trap and keep to the bound`() throws {
    var inflater = try makeInflater()
    for seed in 1...3_000 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      var bytes = generator.bytes(Int.random(in: 0...100, using: &generator))
      if seed % 2 == 0, let first = bytes.first { bytes[0] = first & 0xf8 | 0x02 }  // a fixed block: gets further
      var output: [UInt8] = []
      try? inflater.inflate(bytes.span, byteCountMax: 50, into: &output)
      #expect(output.count <= 50)
    }
  }
}
