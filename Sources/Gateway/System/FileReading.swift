import Glibc

/// Why a file could not be read. Says what to mend, and never holds the content.
package enum FileReadingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The system's reason (`errno`).
  case system(errorNumber: Int32)
  /// The file is larger than the caller allows.
  case tooLarge(byteCountMax: Int)

  /// `no such file or directory`, `is larger than 1048576 bytes`.
  package var description: String {
    switch self {
    case .system(let errorNumber):
      switch errorNumber {
      case ENOENT: return "no such file"
      case EACCES: return "permission denied"
      case EISDIR: return "is a directory"
      case ENOTDIR: return "a part of the path is not a directory"
      default: return "errno \(errorNumber)"
      }
    case .tooLarge(let byteCountMax): return "is larger than \(byteCountMax) bytes"
    }
  }
}

/// Whole small files, read at start-up, at a reload and from `/proc`. Never on the path of a frame.
package enum FileReading {
  /// Bytes of the largest file that configuration reads: an env-file, a secret or a set of keys.
  package static let configurationFileByteCountMax = 1 << 20

  /// The whole content of a file.
  package static func bytes(
    ofFileAt path: String, byteCountMax: Int = configurationFileByteCountMax
  ) throws(FileReadingError) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(errorNumber: errno) }
    defer { _ = close(descriptor) }
    let chunkByteCount = 16_384
    var chunk = [UInt8](repeating: 0, count: chunkByteCount)
    var content: [UInt8] = []
    while true {
      // SAFETY: read writes at most `count` bytes into the chunk, whose size it is.
      let readByteCount = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
      if readByteCount < 0 {
        if errno == EINTR { continue }
        throw .system(errorNumber: errno)
      }
      if readByteCount == 0 { return content }
      content.append(contentsOf: chunk[..<readByteCount])
      guard content.count <= byteCountMax else { throw .tooLarge(byteCountMax: byteCountMax) }
    }
  }

  /// The environment this process was started with, read from `/proc/self/environ`: the `environ` global is
  /// a mutable variable, which strict concurrency rightly refuses.
  package static func environment() -> [String: String] {
    guard let block = try? bytes(ofFileAt: "/proc/self/environ", byteCountMax: 4 << 20) else { return [:] }
    return environment(block: block)
  }

  /// Splits a block of `NAME=value` entries, each ended by a zero byte. Of two entries of one name the first
  /// counts, as for `getenv`.
  package static func environment(block: [UInt8]) -> [String: String] {
    var variables: [String: String] = [:]
    for entry in block.split(separator: 0) {
      guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let name = String(decoding: entry[..<equals], as: UTF8.self)
      guard variables[name] == nil else { continue }
      variables[name] = String(decoding: entry[entry.index(after: equals)...], as: UTF8.self)
    }
    return variables
  }
}
