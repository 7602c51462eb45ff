/// A small strict reader of Prometheus' text 0.0.4 and OpenMetrics 1.0, for tests: it refuses what a scraper might
/// forgive.
struct Exposition {
  struct Mistake: Error { var text: String }

  struct Sample {
    var name: String
    var labels: [String: String]
    var value: Double
  }

  struct Family {
    var name: String
    var type: String
    var help: String
    var samples: [Sample] = []
  }

  private(set) var families: [Family] = []
  private let isOpenMetrics: Bool

  init(_ text: String, isOpenMetrics: Bool) throws {
    self.isOpenMetrics = isOpenMetrics
    guard text.hasSuffix("\n") else { throw Mistake(text: "no line end at the end") }
    var lines = text.dropLast().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if isOpenMetrics {
      guard lines.popLast() == "# EOF" else { throw Mistake(text: "no # EOF") }
    }
    var seen: Set<String> = []
    for line in lines {
      if line.hasPrefix("# HELP ") {
        let parts = line.split(separator: " ", maxSplits: 3).map(String.init)
        guard parts.count == 4, Self.isName(parts[2]) else { throw Mistake(text: line) }
        guard !families.contains(where: { $0.name == parts[2] }) else { throw Mistake(text: "twice: \(line)") }
        families.append(Family(name: parts[2], type: "", help: parts[3]))
      } else if line.hasPrefix("# TYPE ") {
        let parts = line.split(separator: " ").map(String.init)
        guard parts.count == 4, families.last?.name == parts[2], families.last?.type == "",
          ["counter", "gauge", "histogram"].contains(parts[3]) || (isOpenMetrics && parts[3] == "info")
        else { throw Mistake(text: line) }
        families[families.count - 1].type = parts[3]
      } else {
        let sample = try Self.sample(line)
        guard let family = families.last, !family.type.isEmpty, allowedNames(family).contains(sample.name) else {
          throw Mistake(text: "outside its family: \(line)")
        }
        let identity = sample.name + sample.labels.sorted { $0.key < $1.key }.description
        guard seen.insert(identity).inserted else { throw Mistake(text: "twice: \(line)") }
        families[families.count - 1].samples.append(sample)
      }
    }
    for family in families where family.type == "histogram" { try checkHistogram(family) }
    for family in families {
      guard !family.samples.isEmpty else { throw Mistake(text: "no sample of \(family.name)") }
    }
  }

  /// The value of a sample; nil where it is missing.
  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    families.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
  }

  private func allowedNames(_ family: Family) -> [String] {
    switch family.type {
    case "counter": [isOpenMetrics ? family.name + "_total" : family.name]
    case "histogram": ["_bucket", "_sum", "_count"].map { family.name + $0 }
    case "info": [family.name + "_info"]
    default: [family.name]
    }
  }

  private func checkHistogram(_ family: Family) throws {
    var series: [String: [(bound: Double, count: Double)]] = [:]
    for sample in family.samples where sample.name.hasSuffix("_bucket") {
      guard let bound = sample.labels["le"].flatMap({ $0 == "+Inf" ? Double.infinity : Double($0) }) else {
        throw Mistake(text: "no le in \(family.name)")
      }
      let others = sample.labels.filter { $0.key != "le" }.sorted { $0.key < $1.key }.description
      series[others, default: []].append((bound, sample.value))
    }
    for (labels, buckets) in series {
      guard buckets.last?.bound == .infinity else { throw Mistake(text: "no +Inf in \(family.name)") }
      for (left, right) in zip(buckets, buckets.dropFirst()) {
        guard left.bound < right.bound, left.count <= right.count else {
          throw Mistake(text: "\(family.name)\(labels) is not ascending")
        }
      }
      let count = family.samples.first {
        $0.name.hasSuffix("_count") && $0.labels.sorted { $0.key < $1.key }.description == labels
      }
      guard count?.value == buckets.last?.count else { throw Mistake(text: "\(family.name): count is not +Inf's") }
    }
  }

  private static func sample(_ line: String) throws -> Sample {
    guard let nameEnd = line.firstIndex(where: { $0 == "{" || $0 == " " }) else { throw Mistake(text: line) }
    let name = String(line[..<nameEnd])
    var labels: [String: String] = [:]
    var rest = line[nameEnd...]
    if rest.first == "{" {
      guard let close = rest.firstIndex(of: "}") else { throw Mistake(text: line) }
      for pair in rest[rest.index(after: rest.startIndex)..<close].split(
        separator: ",", omittingEmptySubsequences: false)
      {
        let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, isName(parts[0]), parts[1].count >= 2, parts[1].first == "\"", parts[1].last == "\"",
          !parts[1].dropFirst().dropLast().contains(where: { "\"\\".contains($0) }), labels[parts[0]] == nil
        else { throw Mistake(text: line) }
        labels[parts[0]] = String(parts[1].dropFirst().dropLast())
      }
      rest = rest[rest.index(after: close)...]
    }
    guard isName(name), rest.first == " ", let value = Double(rest.dropFirst()), value.isFinite else {
      throw Mistake(text: line)
    }
    return Sample(name: name, labels: labels, value: value)
  }

  private static func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
    return text.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
}
