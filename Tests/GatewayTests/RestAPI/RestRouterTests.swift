import GatewayDomain
import Protocol
import Testing

@testable import Gateway

@Suite("contract §3: paths")
struct RestRouterTests {
  /// What a path comes to, in a word.
  private func route(_ method: RestRouter.Method, _ segments: [String]) -> String {
    switch RestRouter.route(method, segments, echoIsOn: false) {
    case .call(let call): "\(call)"
    case .notFound: "not found"
    case .methodNotAllowed(let allow): "allows \(allow)"
    case .invalid(let problem): problem.code.rawValue
    }
  }

  @Test func `the dashboard is redirected to the path that its relative links need`() {
    #expect(route(.get, ["ui"]) == "dashboardRedirect")
    #expect(route(.get, ["ui", ""]) == #"dashboard("")"#)
    #expect(route(.get, ["ui", "app.js"]) == #"dashboard("app.js")"#)
    #expect(route(.post, ["ui"]) == "allows GET, HEAD")
  }

  @Test(arguments: [
    (["livez"], "GET, HEAD"), (["api", "v1", "status"], "GET, HEAD"), (["api", "v1", "publish"], "POST"),
    (["api", "v1", "tasks"], "GET, HEAD, POST"), (["api", "v1", "tasks", "t", "progress"], "POST"),
    (["api", "v1", "tasks", "t", "cancel", "ack"], "POST"), (["api", "v1", "executions"], "POST"),
    (["api", "v1", "tasks", "t", "nodes", "n"], "POST"), (["api", "v1", "tasks", "t", "logs"], "GET, HEAD, POST"),
    (["api", "v1", "tasks", "cancel"], "GET, HEAD, POST"), (["api", "v1", "users", "u", "connections"], "DELETE"),
    (["api", "v1", "confirmations", "c"], "GET, HEAD, DELETE"),
  ])
  func `another method is told what the path allows`(_ segments: [String], _ allow: String) {
    #expect(route(.other, segments) == "allows \(allow)")
  }

  @Test(arguments: [
    [], ["x"], ["livez", ""], ["echo"], ["api"], ["api", "v1"], ["api", "v2", "tasks"], ["api", "v1", ""],
    ["api", "v1", "tasks", "t", "x"], ["api", "v1", "tasks", "t", "cancel", "x"],
    ["api", "v1", "tasks", "t", "progress", ""], ["api", "v1", "tasks", "t", "nodes"],
    ["api", "v1", "tasks", "t", "nodes", "n", "x"], ["api", "v1", "tasks", "t", "logs", "x"],
  ])
  func `nothing is at other paths`(_ segments: [String]) {
    #expect(route(.get, segments) == "not found")
  }

  @Test(arguments: [
    ["api", "v1", "tasks", "t", "nodes", "a b"], ["api", "v1", "tasks", "a b"], ["api", "v1", "tasks", ""],
    ["api", "v1", "executions", "a/b"],
    ["api", "v1", "users", "\u{1}", "messages"],
  ])
  func `a name that breaks its rule is a bad request`(_ segments: [String]) {
    #expect(route(.get, segments) == "bad_request")
  }

  @Test func `a task may be called cancel, and only the post of many is not about it`() {
    #expect(route(.post, ["api", "v1", "tasks", "cancel"]) == "cancelMany")
    #expect(route(.get, ["api", "v1", "tasks", "cancel"]).hasPrefix("task("))
    #expect(route(.post, ["api", "v1", "tasks", "cancel", "cancel"]).hasPrefix("cancel("))
    #expect(route(.post, ["api", "v1", "tasks", "cancel", "progress"]).hasPrefix("progress("))
    #expect(route(.post, ["api", "v1", "tasks", "cancel", "nodes", "n"]).hasPrefix("node("))
  }

  // MARK: Reports, told by their bytes

  private func report(_ path: String) -> String? {
    let bytes = Array(path.utf8)
    return RestRouter.report(bytes.span).map { "\($0)" }
  }

  @Test(arguments: ["progress", "complete", "error", "heartbeat"])
  func `a report is recognised by its path's bytes`(_ word: String) {
    for name in ["t", "a-b_c.d:e", String(repeating: "x", count: 128)] {
      let expected = route(.post, ["api", "v1", "tasks", name, word])
      #expect(report("/api/v1/tasks/\(name)/\(word)") == expected)
    }
  }

  @Test func `a bulk publish is recognised by its path's bytes`() {
    #expect(report("/api/v1/publish") == "publish")
  }

  @Test(arguments: [
    "", "/", "/api/v1/tasks", "/api/v1/tasks/", "/api/v1/tasks/t", "/api/v1/tasks//progress", "/api/v1/tasks/t/",
    "/api/v1/tasks/t/progress/", "/api/v1/tasks/t/progres", "/api/v1/tasks/t%31/progress", "/api/v1/tasks/t/%70rogress",
    "/api/v1/tasks/a b/progress", "/api/v1/tasks/é/progress", "/api/v1/publish/", "/api/v1/publis", "/api/v2/publish",
    "//api/v1/publish", "/api/v1/tasks/\(String(repeating: "x", count: 129))/progress",
  ])
  func `other paths are left to the segments`(_ path: String) {
    #expect(report(path) == nil)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `the bytes and the segments never differ`(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "api", "v1", "tasks", "publish", "progress", "complete", "error", "heartbeat", "t", "t-1", "%74", "%2F", "é", "",
      "..",
      "cancel", "echo", "e%63ho",
    ]
    var recognisedCount = 0
    for round in 0..<20_000 {
      var segments = ["api", "v1", "tasks", "t\(round % 7)", pieces.randomElement(using: &random) ?? ""]
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        let piece = pieces.randomElement(using: &random) ?? ""
        let place = Int.random(in: 0..<segments.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: segments[place] = piece
        case 1: segments.insert(piece, at: place)
        default: segments.removeSubrange(place...)
        }
        if segments.isEmpty { segments = [piece] }
      }
      let path = "/" + segments.joined(separator: "/")
      let bytes = Array(path.utf8)
      let decoded = splitPath(bytes.span)
      let isEcho = RestRouter.isEcho(bytes.span)
      #expect(isEcho == (decoded == ["echo"]), "seed \(seed): \(path)")
      guard let recognised = report(path) else { continue }
      recognisedCount += 1
      #expect(recognised == decoded.map { route(.post, $0) }, "seed \(seed): \(path)")
    }
    #expect(recognisedCount > 500)
  }

  @Test(arguments: ["/echo", "/%65cho", "/e%63h%6F"]) func `the echo is the echo however it is written`(_ path: String)
  {
    let bytes = Array(path.utf8)
    let isEcho = RestRouter.isEcho(bytes.span)
    #expect(isEcho)
  }
}
