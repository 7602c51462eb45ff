/// The JSON message that is published: constant but for its number, which has seven digits from the first to the last,
/// so that every message of a run has the same length.
struct MessageTemplate {
  static let firstNumber = 1_000_000
  static let numberDigitCount = 7

  private(set) var bytes: [UInt8]
  private let numberOffset: Int

  /// - Parameters:
  ///   - opening: members before the message's own, each followed by a comma.
  ///   - byteCount: of the whole object; one that is shorter than its members need is as long as they are.
  init(opening: String = "", byteCount: Int) {
    let head = "{\(opening)\"progress\":50,\"current\":"
    let middle = "\(MessageTemplate.firstNumber),\"total\":9999999,\"message\":\""
    let padding = max(0, byteCount - head.utf8.count - middle.utf8.count - 2)
    numberOffset = head.utf8.count
    bytes = Array((head + middle + MessageTemplate.text(byteCount: padding) + "\"}").utf8)
  }

  /// Text that is no single repeated letter, so that it compresses about as logs do.
  static func text(byteCount: Int) -> String {
    let words = ["indexing", "shard", "of", "documents", "embedding", "batch", "retry", "done", "in", "ms", "rows"]
    var text = ""
    var state: UInt32 = 2_463_534_242
    while text.utf8.count < byteCount {
      state ^= state << 13
      state ^= state >> 17
      state ^= state << 5
      text += words[Int(state % UInt32(words.count))] + " \(state % 1000) "
    }
    return String(text.prefix(byteCount))
  }

  /// Appends the message with its number.
  func append(number: Int, to output: inout [UInt8]) {
    let start = output.count + numberOffset
    output += bytes
    var rest = MessageTemplate.firstNumber + number
    for index in stride(from: start + MessageTemplate.numberDigitCount - 1, through: start, by: -1) {
      output[index] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    }
    precondition(rest == 0, "more than nine million messages")
  }
}
