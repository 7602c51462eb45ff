import GatewayDomain
import Protocol

/// What workers call all the time, told by the path's bytes: a report needs no list of decoded segments.
extension RestRouter {
  /// The call of a POST to this path; nil says nothing but that `route` has to be asked.
  ///
  /// Only a path is recognised here whose bytes mean themselves: one with a percent-encoded byte is left to `route`,
  /// and so is every name that breaks its rule.
  static func report(_ path: Span<UInt8>) -> RestCall? {
    let root: StaticString = "/api/v1/"
    guard begins(path, with: root, at: 0) else { return nil }
    let start = root.utf8CodeUnitCount
    if equals("publish", path, start..<path.count) { return .publish }
    let folder: StaticString = "tasks/"
    guard begins(path, with: folder, at: start) else { return nil }
    let nameStart = start + folder.utf8CodeUnitCount
    var nameEnd = nameStart
    // An encoded byte or a character that no name may have ends the search without a slash.
    while nameEnd < path.count, path[nameEnd] != UInt8(ascii: "/"), path[nameEnd] != UInt8(ascii: "%") { nameEnd += 1 }
    guard nameEnd < path.count, path[nameEnd] == UInt8(ascii: "/") else { return nil }
    let word = (nameEnd + 1)..<path.count
    // The name last: it costs a string.
    if equals("progress", path, word) {
      return task(path, nameStart..<nameEnd).map { .progress($0) }
    }
    if equals("complete", path, word) {
      return task(path, nameStart..<nameEnd).map { .complete($0) }
    }
    if equals("error", path, word) {
      return task(path, nameStart..<nameEnd).map { .error($0) }
    }
    if equals("heartbeat", path, word) {
      return task(path, nameStart..<nameEnd).map { .heartbeat($0) }
    }
    return nil
  }

  private static func task(_ path: Span<UInt8>, _ name: Range<Int>) -> TaskIdentifier? {
    guard name.count <= TaskIdentifier.characterCountMax, let text = String(validating: path.extracting(name)) else {
      return nil
    }
    return TaskIdentifier(validating: text)
  }

  /// Whether the path is `/echo`, which takes larger bodies than others; for an encoded one the segments are asked.
  static func isEcho(_ path: Span<UInt8>) -> Bool {
    if equals("/echo", path, 0..<path.count) { return true }
    for index in path.indices where path[index] == UInt8(ascii: "%") { return splitPath(path) == ["echo"] }
    return false
  }

  private static func begins(_ path: Span<UInt8>, with literal: StaticString, at start: Int) -> Bool {
    let end = start + literal.utf8CodeUnitCount
    return path.count >= end && equals(literal, path, start..<end)
  }

  @inline(__always)
  private static func equals(_ literal: StaticString, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    HTTPGrammar.equals(literal, bytes, range)
  }
}
