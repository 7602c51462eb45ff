import Protocol
import Testing

@testable import Gateway
@testable import GatewayDomain

/// What peers may send, as seeds of mutations.
private let specimens = [
  #"{"action":"subscribe","user_id":"u","task_id":"t","channel":"频道","since":{"epoch":"e","offset":7},"wait":true}"#,
  #"{"action":"confirm","callback_id":"c","proceed":true,"feedback":{"a":["同意",1e400]}}"#,
  #"{"action":"cancel","user_id":"u","task_id":"t","reason":"\ud83d\ude00"}"#, #"{"type":"ping"}"#,
  #"{"op":"progress","task_id":"t","progress":50.5,"status":"训练中","total":5,"message":"\u4e2d","details":{"a":[]}}"#,
  #"{"op":"register","task_id":"t","viewers":["a","b"],"depends_on":["d"],"lease_seconds":30,"metadata":{}}"#,
  #"{"op":"message","user_id":"u","body":{"a":1},"requires_ack":true}"#,
  #"{"op":"node","task_id":"t","node_id":"n","status":"训练中","progress":50.5,"weight":2,"task_progress":1}"#,
  #"{"op":"log","task_id":"t","lines":[{"level":"info","message":"\u4e2d","timestamp":1.5},{"level":"x","message":""}]}"#,
  #"{"task_id":"t","user_id":"u","step_result":{"step":"s","message":"m","status":"x"},"timeout":5}"#,
]

@Suite("Wire input never traps")
struct DialectMutationTests {
  /// Replay: run again, the seeds are the arguments.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `seeded mutations of every client message and body`(_ seed: UInt64) throws {
    var state = seed
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let alphabet = Array("{}[]\",:\\u0123456789abcdefDd8Cce-+. \n\u{1}truefalsn中😀".utf8) + [0x80, 0xFF, 0xED, 0xA0]
    var acceptedCount = 0
    for round in 0..<8_000 {
      var bytes = Array(specimens[round % specimens.count].utf8)
      for _ in 0..<(1 + random(3)) {
        let index = random(bytes.count)
        switch random(4) {
        case 0: bytes[index] = alphabet[random(alphabet.count)]
        case 1: bytes.insert(alphabet[random(alphabet.count)], at: index)
        case 2: bytes.remove(at: index)
        default: bytes.removeSubrange(index..<Swift.min(bytes.count, index + 1 + random(12)))
        }
        if bytes.isEmpty { bytes = [UInt8(ascii: "{")] }
      }
      _ = TaskDialect.isPing(bytes.span)
      _ = ExecutionDialect.refusal(of: ExecutionDialect.parse(bytes.span))
      if case .ping(let original) = ActionDialect.parse(bytes.span) { expectObject(original.bytes, seed) }
      do throws(Problem) {
        switch try RequestBodies.operation(bytes.span) {
        case .register: break
        case .progress(_, let report): expectObject(braced(report.given), seed)
        case .complete(_, let report): expectObject(braced(report.given), seed)
        case .error(_, let report): expectObject(braced(report.given), seed)
        case .heartbeat: break
        case .node(_, let report): expectObject(braced(report.given), seed)
        case .log(_, let lines):
          for line in lines { expectObject(braced(Array(#""m":"#.utf8) + line.message.bytes), seed) }
        case .message(let user, let body, _): expectObject(ActionDialect.userMessage(body, to: user), seed)
        case .broadcast(let body): expectObject(body.bytes, seed)
        case .channel(let channel, let body): expectObject(ActionDialect.channelMessage(body, channel: channel), seed)
        }
        acceptedCount += 1
      } catch {
        expectObject(ResponseBodies.problem(error), seed)
      }
      _ = try? RequestBodies.confirmation(bytes.span, timeoutSeconds: 300, defaultProceed: true)
      _ = try? RequestBodies.registration(bytes.span, fresh: Specimen.task())
      _ = try? RequestBodies.execution(bytes.span)
      _ = try? RequestBodies.logLines(bytes.span)
      _ = try? RequestBodies.cancelMany(bytes.span)
      _ = RequestBodies.lines(of: bytes.span)
    }
    #expect(acceptedCount > 100)
  }

  private func braced(_ members: [UInt8]) -> [UInt8] { [UInt8(ascii: "{")] + members + [UInt8(ascii: "}")] }

  /// What leaves is a JSON object again, in normal form.
  private func expectObject(_ bytes: [UInt8], _ seed: UInt64) {
    var object = JSONObject()
    do throws(JSONError) {
      try object.scan(bytes.span)
    } catch {
      Issue.record("seed \(seed): \(error) in \(Specimen.text(bytes))")
      return
    }
    let normalised = JSONText(normalising: 0..<bytes.count, of: bytes.span)
    #expect(normalised.bytes == bytes, "seed \(seed)")
  }
}
