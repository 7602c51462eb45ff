import Glibc
import Testing

@testable import Gateway

/// Contract §4 on whole gateways over several lives. `make simulate SEEDS=…` runs more; `SEED=n` runs one again.
@Suite("Simulation: what was promised holds through crashes, failures and reconnects")
struct DurabilitySimulationTests {
  /// Seeds that every run of the tests takes: about half a minute.
  private static let seedCountByDefault: UInt64 = 96
  private static let partCount: UInt64 = 8

  private static func number(_ name: String) -> UInt64? {
    unsafe getenv(name).flatMap { unsafe UInt64(String(cString: $0)) }
  }

  private static let seeds: Range<UInt64> = {
    if let seed = number("SIGNALBOX_SEED") { return seed..<(seed + 1) }
    let first = number("SIGNALBOX_FIRST_SEED") ?? 0
    return first..<(first + (number("SIGNALBOX_SEEDS") ?? seedCountByDefault))
  }()

  @Test(arguments: 0..<partCount)
  func `nothing promised is missing, twice or different`(part: UInt64) {
    var counts: [String: Int] = [:]
    for seed in Self.seeds where seed % Self.partCount == part {
      let simulation = DurabilitySimulation(seed: seed)
      simulation.ledger.isTracing = Self.seeds.count == 1
      let mistakes = simulation.run()
      for (name, count) in simulation.ledger.counts { counts[name, default: 0] += count }
      if !mistakes.isEmpty {
        Issue.record("seed \(seed): \(mistakes.first ?? "")\n\(simulation.summary)\nreplay: make simulate SEED=\(seed)")
      }
      if Self.seeds.count == 1 { print("seed \(seed): \(simulation.summary)\n\(mistakes.joined(separator: "\n"))") }
      if Self.seeds.count > 1000, seed % 256 == part { print("  seed \(seed): \(simulation.summary)") }
    }
    // A simulation in which nothing happens proves nothing.
    guard Self.seeds.count >= Self.seedCountByDefault else { return }
    for what in ["ends acknowledged", "resumed", "outcomes told", "503", "progress", "progress kept", "messages"] {
      #expect((counts[what] ?? 0) > 0, "no \(what)")
    }
  }

  @Test(arguments: [
    DurabilitySimulation.Flaws(disk: .acknowledgesEarly), DurabilitySimulation.Flaws(disk: .forgetsOutcomes),
    DurabilitySimulation.Flaws(watcher: .resumesOneTooFar), DurabilitySimulation.Flaws(watcher: .losesEnds),
  ])
  func `a planted flaw is noticed`(flaws: DurabilitySimulation.Flaws) {
    let noticed = (0..<60 as Range<UInt64>).first { !DurabilitySimulation(seed: $0, flaws: flaws).run().isEmpty }
    #expect(noticed != nil)
  }
}
