import CMicroFloor
import Protocol

/// What is done to a published message once: scanned, brought into normal form, compressed.
enum TextSubjects {
  static func all() -> [Subject] { [scan(), normalise(), deflate(), inflate()] }

  private static let message =
    #"{"progress":50,"current":1000000,"total":9999999,"message":"indexing shard 912 of documents 31 embedding batch 77 retry 3 done in 418 ms 12 rows 5 shard 99 documents 31 embedding batch 40 retry 1 ok"}"#

  private static func scan() -> Subject {
    let bytes = Bytes(message)
    var object = JSONObject()
    return Subject("scan an object of \(bytes.count) bytes", floorName: "one look at each byte in C") { count in
      bytes.withSpan { span in
        for _ in 0..<count {
          guard (try? object.scan(span)) != nil else { fail("JSON is refused") }
        }
      }
      consume(object.members.count)
    } floor: { count in
      for _ in 0..<count { consume(micro_walk_json(bytes.start, bytes.count)) }
    }
  }

  private static func normalise() -> Subject {
    let bytes = Bytes(message)
    let target = Bytes([UInt8](repeating: 0, count: 256))
    var output: [UInt8] = []
    output.reserveCapacity(256)
    return Subject("normalise a value of \(bytes.count) bytes", floorName: "memcpy") { count in
      bytes.withSpan { span in
        for _ in 0..<count {
          output.removeAll(keepingCapacity: true)
          JSONText.appendNormalised(0..<span.count, of: span, to: &output)
        }
      }
      if output.count != bytes.count { fail("text in normal form was changed") }
      consume(output.count)
    } floor: { count in
      for _ in 0..<count { micro_copy(target.start, bytes.start, bytes.count) }
      consume(Int(target.start[0]))
    }
  }

  /// 2 KB that compress about as logs do: words and numbers from a fixed seed.
  private static let long: [UInt8] = {
    let words = ["indexing", "shard", "of", "documents", "embedding", "batch", "retry", "done", "in", "ms", "rows"]
    var text = ""
    var state: UInt32 = 2_463_534_242
    while text.utf8.count < 2048 {
      state ^= state << 13
      state ^= state >> 17
      state ^= state << 5
      text += words[Int(state % UInt32(words.count))] + " \(state % 1000) "
    }
    return Array(text.utf8.prefix(2048))
  }()

  private static func deflate() -> Subject {
    let bytes = Bytes(long)
    let target = Bytes([UInt8](repeating: 0, count: 4096))
    guard let made = Deflater(windowBits: Deflater.preferredWindowBits) else { fail("zlib refuses") }
    let deflater = Owned(made)
    var output: [UInt8] = []
    output.reserveCapacity(4096)
    return Subject("deflate 2 KB", floorName: "zlib, called from C") { count in
      bytes.withSpan { span in
        for _ in 0..<count {
          output.removeAll(keepingCapacity: true)
          guard deflater.value.compress(span, into: &output) else { fail("text does not shrink") }
        }
      }
      consume(output.count)
    } floor: { count in
      for _ in 0..<count { consume(micro_deflate(bytes.start, bytes.count, target.start, target.count)) }
    }
  }

  private static func inflate() -> Subject {
    let plain = Bytes(long)
    let target = Bytes([UInt8](repeating: 0, count: 4096))
    let byteCount = micro_deflate(plain.start, plain.count, target.start, target.count)
    let bytes = Bytes(Array(target.buffer.prefix(byteCount)))
    var inflaters = InflaterPool()
    var output: [UInt8] = []
    output.reserveCapacity(4096)
    return Subject("inflate to 2 KB", floorName: "zlib, called from C") { count in
      bytes.withSpan { span in
        for _ in 0..<count {
          output.removeAll(keepingCapacity: true)
          guard (try? inflaters.inflate(span, byteCountMax: 65_536, into: &output)) != nil else {
            fail("it does not inflate")
          }
        }
      }
      if output.count != plain.count { fail("\(output.count) bytes were inflated, \(plain.count) deflated") }
      consume(output.count)
    } floor: { count in
      for _ in 0..<count { consume(micro_inflate(bytes.start, bytes.count, target.start, target.count)) }
    }
  }
}

/// A place for a value that cannot be copied, so that a closure may hold it.
final class Owned<Value: ~Copyable> {
  var value: Value
  init(_ value: consuming Value) { self.value = value }
}
