import CMicroFloor
import Glibc

/// Measures small pieces of the gateway one by one.
///
///     microbenchmarks [--repetitions N] [--milliseconds N] [--only TEXT]    nanoseconds
///     microbenchmarks --mark [--only TEXT]                                  for callgrind, see Benchmarks/micro.py
///
/// One line of JSON for each subject.
@main
enum Microbenchmarks {
  static func main() {
    var repetitionCount = 9
    var milliseconds = 5
    var only = ""
    var marks = false
    var rest = CommandLine.arguments.dropFirst()
    while let name = rest.popFirst() {
      if name == "--mark" {
        marks = true
        continue
      }
      guard let value = rest.popFirst() else { fail("\(name) needs a value") }
      switch name {
      case "--repetitions": repetitionCount = max(1, Int(value) ?? 9)
      case "--milliseconds": milliseconds = max(1, Int(value) ?? 5)
      case "--only": only = value
      default: fail("no option \(name)")
      }
    }
    let subjects = (FrameSubjects.all() + TextSubjects.all() + ShardSubjects.all()).filter {
      only.isEmpty || $0.name.contains(only)
    }
    if marks { mark(subjects) } else { time(subjects, repetitionCount: repetitionCount, milliseconds: milliseconds) }
  }

  // MARK: Nanoseconds

  /// All subjects in turn, and that again: what the machine does meanwhile meets them alike.
  private static func time(_ subjects: [Subject], repetitionCount: Int, milliseconds: Int) {
    let counts = subjects.map {
      (run: calibrate($0.run, milliseconds), floor: $0.floor.map { calibrate($0, milliseconds) })
    }
    var runs = [[Double]](repeating: [], count: subjects.count)
    var floors = [[Double]](repeating: [], count: subjects.count)
    for _ in 0..<repetitionCount {
      for (index, subject) in subjects.enumerated() {
        runs[index].append(nanoseconds(subject.run, counts[index].run))
        if let floor = subject.floor, let count = counts[index].floor {
          floors[index].append(nanoseconds(floor, count))
        }
      }
    }
    for (index, subject) in subjects.enumerated() {
      var line =
        "{\"name\":\"\(subject.name)\",\"floor\":\"\(subject.floorName)\",\"one_thread\":\(subject.isOneThread),"
      line += "\"ns\":\(summary(runs[index]))"
      if !floors[index].isEmpty { line += ",\"floor_ns\":\(summary(floors[index]))" }
      print(line + "}")
    }
  }

  /// Median, lowest, highest.
  private static func summary(_ values: [Double]) -> String {
    let sorted = values.sorted()
    return "[\(sorted[sorted.count / 2]),\(sorted[0]),\(sorted[sorted.count - 1])]"
  }

  private static func nanoseconds(_ run: (Int) -> Void, _ count: Int) -> Double {
    let start = micro_nanoseconds()
    run(count)
    return Double(micro_nanoseconds() - start) / Double(count)
  }

  /// How many operations take about so long. Multiples of 256, since some subjects work in batches.
  private static func calibrate(_ run: (Int) -> Void, _ milliseconds: Int) -> Int {
    var count = 256
    while count < 1 << 30 {
      let taken = nanoseconds(run, count) * Double(count)
      if taken > Double(milliseconds) * 200_000 {
        return max(256, Int(Double(count) * Double(milliseconds) * 1e6 / taken) / 256 * 256)
      }
      count *= 2
    }
    return count
  }

  // MARK: Instructions

  static let fewCount = 2048
  static let manyCount = 10_240

  /// Few operations and many of each, between marks at which callgrind writes down what it counted: five marks for a
  /// subject with a floor, three for one without.
  private static func mark(_ subjects: [Subject]) {
    for subject in subjects where subject.isOneThread {
      print(
        "{\"name\":\"\(subject.name)\",\"has_floor\":\(subject.floor != nil),\"operations\":\(manyCount - fewCount)}")
    }
    fflush(nil)
    for subject in subjects where subject.isOneThread {
      for run in [subject.run, subject.floor].compactMap({ $0 }) {
        run(fewCount)
        micro_mark()
        run(fewCount)
        micro_mark()
        run(manyCount)
        micro_mark()
      }
    }
  }
}
