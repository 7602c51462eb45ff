import GatewayDomain
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
    (["api", "v1", "users", "u", "connections"], "DELETE"),
    (["api", "v1", "confirmations", "c"], "GET, HEAD, DELETE"),
  ])
  func `another method is told what the path allows`(_ segments: [String], _ allow: String) {
    #expect(route(.other, segments) == "allows \(allow)")
  }

  @Test(arguments: [
    [], ["x"], ["livez", ""], ["echo"], ["api"], ["api", "v1"], ["api", "v2", "tasks"], ["api", "v1", ""],
    ["api", "v1", "tasks", "t", "x"], ["api", "v1", "tasks", "t", "cancel", "x"],
    ["api", "v1", "tasks", "t", "progress", ""],
  ])
  func `nothing is at other paths`(_ segments: [String]) {
    #expect(route(.get, segments) == "not found")
  }

  @Test(arguments: [
    ["api", "v1", "tasks", "a b"], ["api", "v1", "tasks", ""], ["api", "v1", "executions", "a/b"],
    ["api", "v1", "users", "\u{1}", "messages"],
  ])
  func `a name that breaks its rule is a bad request`(_ segments: [String]) {
    #expect(route(.get, segments) == "bad_request")
  }
}
