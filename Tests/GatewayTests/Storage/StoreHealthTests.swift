import Testing

@testable import Gateway

@Suite("The store's health")
struct StoreHealthTests {
  @Test func `a scrape has what the thread counted`() throws {
    let health = StoreHealth()
    health.committed(changeCount: 3, nanoseconds: 100_000)
    health.committed(changeCount: 4, nanoseconds: 100_001)
    health.committed(changeCount: 5, nanoseconds: 20_000_000_000)
    health.failed(StoreFailure(kind: .readOnly, detail: "no"))
    health.waits(rowCount: 7, byteCount: 900)
    var facts = ShardMetricsTests.facts
    facts.store = health.facts
    let page = PrometheusText.render(shards: [ShardMetrics()], process: nil, facts: facts, accept: nil)
    let exposition = try Exposition(String(decoding: page.body, as: UTF8.self), isOpenMetrics: false)
    #expect(exposition.value("signalbox_store_up") == 0)
    #expect(exposition.value("signalbox_store_commits_total") == 3)
    #expect(exposition.value("signalbox_store_changes_total") == 12)
    #expect(exposition.value("signalbox_store_failures_total", ["kind": "read_only"]) == 1)
    #expect(exposition.value("signalbox_store_failures_total", ["kind": "full"]) == 0)
    #expect(exposition.value("signalbox_store_commit_duration_seconds_bucket", ["le": "0.0001"]) == 1)
    #expect(exposition.value("signalbox_store_commit_duration_seconds_bucket", ["le": "0.00025"]) == 2)
    #expect(exposition.value("signalbox_store_commit_duration_seconds_bucket", ["le": "10.0"]) == 2)
    #expect(exposition.value("signalbox_store_commit_duration_seconds_count") == 3)
    #expect(exposition.value("signalbox_store_waiting_rows") == 7)
    #expect(exposition.value("signalbox_store_waiting_bytes") == 900)
    health.committed(changeCount: 1, nanoseconds: 1)
    #expect(health.facts.isUp && health.failure == nil)
  }

  @Test func `a gateway that keeps all in memory has a store that is up`() {
    #expect(StoreFacts().isUp)
    #expect(StoreHealth().facts == StoreFacts())
  }
}
