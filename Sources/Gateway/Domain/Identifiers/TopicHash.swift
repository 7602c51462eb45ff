/// A pure hash of a topic's name: it decides the topic's home shard, so it is the same on every shard
/// and after every restart. It is not a hash-table hash and withstands no flooding, nor need it: a
/// peer that aims many names at one home gains what it would gain by using one task.
package enum TopicHash {
  /// FNV-1a over the bytes, folded by a final mix so that low bits are well spread.
  package static func of(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    let view = text.utf8
    let bytes = view.span
    for index in bytes.indices {
      hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01b3
    }
    hash ^= hash >> 32
    hash = hash &* 0x9e37_79b9_7f4a_7c15
    return hash ^ (hash >> 29)
  }

  /// The 16 bits that a callback identifier carries of its user's hash.
  package static func short(_ text: String) -> UInt16 {
    UInt16(truncatingIfNeeded: of(text))
  }
}
