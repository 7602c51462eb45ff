import Glibc
import Synchronization
import Testing

@testable import Gateway

@Suite("lines of the log")
struct LogLineTests {
  private func line(_ format: LogFormat, _ level: LogLevel, _ event: StaticString, _ fields: LogFields = [:]) -> String
  {
    var body: [UInt8] = []
    LogLine.appendBody(to: &body, format, level, event, fields)
    let bytes = LogLine.whole(format, time: 1_795_369_500_007, body: body, leftOutCount: 0)
    return String(decoding: bytes, as: UTF8.self)
  }

  private let fields: LogFields = [
    "host": "127.0.0.1", "port": 80, "ratio": 0.5, "is_new": true, "wait_seconds": .duration(.milliseconds(1500)),
  ]

  @Test func `JSON is one object per line`() {
    #expect(
      line(.json, .info, "listening", fields)
        == "{\"ts\":\"2026-11-22T17:45:00.007Z\",\"level\":\"info\",\"event\":\"listening\",\"host\":\"127.0.0.1\","
        + "\"port\":80,\"ratio\":0.5,\"is_new\":true,\"wait_seconds\":1.5}\n")
  }

  @Test func `text is words`() {
    #expect(
      line(.text, .warning, "listening", fields)
        == "2026-11-22T17:45:00.007Z warning listening host=127.0.0.1 port=80 ratio=0.5 is_new=true wait_seconds=1.5\n")
  }

  @Test(arguments: [
    ("a b", "\"a b\""), ("", "\"\""), ("a=b", "\"a=b\""), ("a\"b", "\"a\\\"b\""), ("plain", "plain"), ("é", "\"é\""),
  ])
  func `text is quoted where it would mislead`(value: String, expected: String) {
    #expect(line(.text, .info, "e", ["k": .text(value)]).hasSuffix(" k=\(expected)\n"))
  }

  @Test(arguments: [LogFormat.json, .text])
  func `no text makes a second line or an escape sequence`(format: LogFormat) {
    let forged = "x\n{\"level\":\"error\"}\r\u{1B}[31m\u{7F}\u{85}\u{2028}\0"
    let bytes = line(format, .info, "e", ["k": .text(forged)])
    #expect(bytes.utf8.filter { $0 < 0x20 } == [0x0A])
    #expect(!bytes.unicodeScalars.contains { $0 == "\u{2028}" || $0 == "\u{85}" || $0 == "\u{7F}" })
    #expect(bytes.contains("\\n{\\\"level\\\""))
    #expect(bytes.contains("\\u001b"))
  }

  @Test(arguments: [512, 513])
  func `a text is cut at its bound`(byteCount: Int) {
    let text = line(.json, .info, "e", ["k": .text(String(repeating: "x", count: byteCount))])
    #expect(text.contains("…") == (byteCount > LogLine.textByteCountMax))
    #expect(text.filter { $0 == "x" }.count == 512)
  }

  @Test func `a text is cut between characters`() {
    let text = line(.json, .info, "e", ["k": .text(String(repeating: "€", count: 171))])
    #expect(text.filter { $0 == "€" }.count == 170)
  }

  @Test func `JSON has no infinity`() {
    #expect(line(.json, .info, "e", ["k": .number(.infinity), "l": .number(.nan)]).contains("\"k\":null,\"l\":null}"))
  }

  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    (951_868_799_999, "2000-02-29T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    (1_709_164_800_001, "2024-02-29T00:00:00.001Z"), (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
    (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (253_402_300_800_000, "9999-12-31T23:59:59.999Z"),
    (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"), (Int.min, "0000-01-01T00:00:00.000Z"),
  ])
  func `time is RFC 3339 with milliseconds`(milliseconds: Int, expected: String) {
    var bytes: [UInt8] = []
    LogLine.appendTime(to: &bytes, unixMilliseconds: milliseconds)
    #expect(String(decoding: bytes, as: UTF8.self) == expected)
  }

  @Test func `levels are ordered`() {
    #expect(LogLevel.allCases == LogLevel.allCases.sorted())
    #expect(LogLevel.debug < .info && LogLevel.info < .warning && LogLevel.warning < .error)
  }
}

@Suite("repeated lines")
struct RepetitionLimiterTests {
  @Test func `a burst is written, the rest counted and told with the next`() {
    var limiter = RepetitionLimiter(burstCount: 2)
    #expect(limiter.admit(1, now: 0) == .write(leftOutCount: 0))
    #expect(limiter.admit(1, now: 1) == .write(leftOutCount: 0))
    #expect(limiter.admit(1, now: 2) == .leaveOut)
    #expect(limiter.admit(1, now: 999) == .leaveOut)
    #expect(limiter.admit(1, now: 1000) == .write(leftOutCount: 2))
    #expect(limiter.admit(1, now: 1001) == .write(leftOutCount: 0))
    #expect(limiter.admit(1, now: 1002) == .leaveOut)
  }

  @Test func `other lines are not held back`() {
    var limiter = RepetitionLimiter(burstCount: 1)
    for identity in 0..<UInt64(1000) { #expect(limiter.admit(identity, now: 5) == .write(leftOutCount: 0)) }
  }

  @Test func `a clock that was set back begins a new window`() {
    var limiter = RepetitionLimiter(burstCount: 1)
    #expect(limiter.admit(1, now: 5000) == .write(leftOutCount: 0))
    #expect(limiter.admit(1, now: 10) == .write(leftOutCount: 0))
  }
}

/// A pipe whose ends close with it.
private struct Pipe: ~Copyable {
  let readEnd: Int32
  let writeEnd: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    guard unsafe pipe(&ends) == 0 else { throw TestThread.Failure() }
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// What is there, at least one byte.
  func readSome() -> [UInt8] {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(readEnd, $0.baseAddress, $0.count) }
    return Array(chunk.prefix(max(0, count)))
  }

  func readLines() -> [String] {
    String(decoding: readSome(), as: UTF8.self).split(separator: "\n").map(String.init)
  }
}

@Suite("the writer of the log")
struct LogWriterTests {
  @Test func `lines are written in order, and flush waits for them`() throws {
    let pipe = try Pipe()
    let writer = LogWriter(level: .info, format: .json, descriptor: pipe.writeEnd, clock: { 0 })
    for number in 0..<100 { writer.log(.info, "count", ["number": .integer(number)]) }
    writer.flush()
    let lines = pipe.readLines()
    #expect(lines.count == 100)
    #expect(lines.first == "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"event\":\"count\",\"number\":0}")
    #expect(lines.last?.hasSuffix("\"number\":99}") == true)
    writer.stop()
  }

  @Test func `stop writes what is queued, and later lines are dropped and counted`() throws {
    let pipe = try Pipe()
    let writer = LogWriter(level: .debug, format: .text, descriptor: pipe.writeEnd, clock: { 0 })
    writer.log(.debug, "last_words")
    writer.stop()
    #expect(pipe.readLines() == ["1970-01-01T00:00:00.000Z debug   last_words"])
    writer.log(.error, "too_late")
    writer.flush()
    #expect(writer.droppedLineCount == 1)
    writer.stop()
  }

  @Test func `below the level nothing is made`() throws {
    let pipe = try Pipe()
    let writer = LogWriter(level: .warning, format: .text, descriptor: pipe.writeEnd)
    let evaluations = Atomic(0)
    func fields() -> LogFields {
      evaluations.add(1, ordering: .relaxed)
      return [:]
    }
    writer.log(.info, "quiet", fields())
    writer.log(.warning, "loud", fields())
    writer.stop()
    #expect(evaluations.load(ordering: .relaxed) == 1)
    #expect(pipe.readLines().count == 1)
    #expect(!writer.isEnabled(.info) && writer.isEnabled(.error))
  }

  @Test func `a full queue drops and counts, and never blocks the caller`() throws {
    let pipe = try Pipe()
    // Nobody reads, so the pipe's 64 KiB and the queue's 4 KiB fill up.
    let time = Atomic(0)
    let writer = LogWriter(
      level: .info, format: .text, descriptor: pipe.writeEnd, queueByteCountMax: 4096,
      clock: { time.add(1000, ordering: .relaxed).newValue })
    let filler = String(repeating: "f", count: 400)
    let lineCount = 1000
    for number in 0..<lineCount { writer.log(.info, "fill", ["n": .integer(number), "filler": .text(filler)]) }
    let dropped = writer.droppedLineCount
    #expect(dropped > 0)
    var received = 0
    while received < lineCount - dropped {
      received += pipe.readSome().filter { $0 == UInt8(ascii: "\n") }.count
    }
    writer.flush()
    #expect(received == lineCount - dropped)
    writer.stop()
  }

  @Test func `equal lines are left out past their burst and told later`() throws {
    let pipe = try Pipe()
    let time = Atomic(0)
    let writer = LogWriter(
      level: .info, format: .text, descriptor: pipe.writeEnd, clock: { time.load(ordering: .relaxed) })
    for _ in 0..<LogWriter.equalLineBurstCount + 5 { writer.log(.info, "same", ["k": 1]) }
    time.store(1000, ordering: .relaxed)
    writer.log(.info, "same", ["k": 1])
    writer.stop()
    let lines = pipe.readLines()
    #expect(lines.count == LogWriter.equalLineBurstCount + 1)
    #expect(lines.last?.hasSuffix("same k=1 left_out=5") == true)
    #expect(writer.repeatedLineCount == 5)
  }

  @Test func `an event is bounded whatever its fields`() throws {
    let pipe = try Pipe()
    let writer = LogWriter(level: .info, format: .text, descriptor: pipe.writeEnd, clock: { 0 })
    for number in 0..<LogWriter.eventBurstCount + 7 { writer.log(.info, "flood", ["n": .integer(number)]) }
    writer.log(.info, "other")
    writer.stop()
    let lines = pipe.readLines()
    #expect(lines.count == LogWriter.eventBurstCount + 1)
    #expect(lines.last?.hasSuffix("other") == true)
  }

  @Test func `lines of many threads stay whole`() throws {
    let pipe = try Pipe()
    let writer = LogWriter(level: .info, format: .json, descriptor: pipe.writeEnd)
    let threads = try (0..<4).map { thread in
      try TestThread {
        for number in 0..<40 { writer.log(.info, "line", ["thread": .integer(thread), "number": .integer(number)]) }
      }
    }
    for thread in threads { thread.join() }
    writer.stop()
    let lines = pipe.readLines()
    #expect(lines.count == 160)
    #expect(lines.allSatisfy { $0.hasPrefix("{\"ts\":\"20") && $0.hasSuffix("}") })
    #expect(writer.droppedLineCount == 0)
  }

  @Test func `a descriptor that does not block is waited for`() throws {
    let pipe = try Pipe()
    #expect(fcntl(pipe.writeEnd, F_SETFL, O_NONBLOCK) == 0)
    let time = Atomic(0)
    let writer = LogWriter(
      level: .info, format: .text, descriptor: pipe.writeEnd, clock: { time.add(1000, ordering: .relaxed).newValue })
    let filler = String(repeating: "f", count: 500)
    for number in 0..<400 { writer.log(.info, "fill", ["n": .integer(number), "filler": .text(filler)]) }
    var received = 0
    while received < 400 { received += pipe.readSome().filter { $0 == UInt8(ascii: "\n") }.count }
    writer.stop()
    #expect(received == 400)
  }
}
