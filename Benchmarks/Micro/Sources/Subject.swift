import CMicroFloor

/// One piece of work and, where there is one, what it costs at least.
struct Subject {
  let name: String
  /// What the floor is, for the reader.
  let floorName: String
  /// Does the work so many times.
  let run: (Int) -> Void
  /// Does the least that the work needs, so many times.
  let floor: ((Int) -> Void)?
  /// With a second thread instructions are not counted: how often it looks in vain is chance.
  var isOneThread = true

  init(
    _ name: String, floorName: String = "", isOneThread: Bool = true, run: @escaping (Int) -> Void,
    floor: ((Int) -> Void)? = nil
  ) {
    self.name = name
    self.floorName = floorName
    self.isOneThread = isOneThread
    self.run = run
    self.floor = floor
  }
}

/// Bytes at a fixed address, for the subjects and for C.
struct Bytes {
  let buffer: UnsafeMutableBufferPointer<UInt8>
  let start: UnsafeMutablePointer<UInt8>

  init(_ bytes: [UInt8]) {
    start = .allocate(capacity: max(1, bytes.count))
    buffer = UnsafeMutableBufferPointer(start: start, count: bytes.count)
    _ = buffer.update(from: bytes)
  }

  init(_ text: String) { self.init(Array(text.utf8)) }

  var count: Int { buffer.count }

  /// The bytes as the gateway's functions take them.
  func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    body(Span(_unsafeElements: UnsafeBufferPointer(buffer)))
  }

  func withMutableSpan<Result>(_ body: (inout MutableSpan<UInt8>) -> Result) -> Result {
    var span = MutableSpan(_unsafeElements: buffer)
    return body(&span)
  }
}

/// Ends the program: a benchmark whose work went wrong has measured something else.
func fail(_ message: String) -> Never {
  fatalError("microbenchmarks: \(message)")
}

@inline(__always)
func consume(_ value: Int) { micro_consume(UInt64(truncatingIfNeeded: value)) }

@inline(__always)
func consume(_ value: Bool) { micro_consume(value ? 1 : 0) }
