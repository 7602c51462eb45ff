import GatewayDomain
import Testing

@Suite("Executions: who is told of a task")
struct WorkerDirectoryTests {
  private let first = WorkerIdentifier(number: 1)
  private let second = WorkerIdentifier(number: 2)

  private func task(_ name: String) throws -> TaskIdentifier { try #require(TaskIdentifier(validating: name)) }

  @Test func `the last reporter is told, and each watcher once`() throws {
    var directory = WorkerDirectory()
    let task = try task("t")
    #expect(directory.workers(of: task) == [])
    directory.reported(task, by: first)
    directory.reported(task, by: second)
    #expect(directory.workers(of: task) == [second])
    try directory.watched(task, by: first)
    try directory.watched(task, by: second)
    try directory.watched(task, by: second)
    #expect(directory.workers(of: task) == [second, first])
  }

  @Test func `the end of the task forgets it, whatever was known`() throws {
    var directory = WorkerDirectory()
    let task = try task("t")
    directory.reported(task, by: first)
    try directory.watched(task, by: first)
    try directory.watched(task, by: second)
    directory.forget(task)
    #expect(directory.isEmpty && directory.workers(of: task) == [])
    directory.left(first)
    directory.left(second)
    #expect(directory.isEmpty)
  }

  @Test func `the end of a worker forgets it in all tasks`() throws {
    var directory = WorkerDirectory()
    for name in ["a", "b", "c"] { directory.reported(try task(name), by: first) }
    try directory.watched(try task("c"), by: second)
    directory.reported(try task("b"), by: second)
    directory.left(first)
    #expect(directory.workers(of: try task("a")) == [])
    #expect(directory.workers(of: try task("b")) == [second])
    #expect(directory.workers(of: try task("c")) == [second])
    #expect(directory.taskCount == 2)
    directory.left(second)
    #expect(directory.isEmpty)
  }

  @Test func `a worker watches so many tasks and not one more, until one of them ends`() throws {
    var directory = WorkerDirectory()
    for number in 0..<WorkerDirectory.watchCountMax { try directory.watched(try task("t\(number)"), by: first) }
    let more = try task("more")
    let refusal = #expect(throws: Problem.self) { try directory.watched(more, by: first) }
    #expect(refusal?.code == .overCapacity)
    try directory.watched(try task("t7"), by: first)
    try directory.watched(more, by: second)
    directory.forget(try task("t7"))
    try directory.watched(more, by: first)
    #expect(directory.workers(of: more) == [second, first])
  }

  @Test func `so many workers watch a task and not one more`() throws {
    var directory = WorkerDirectory()
    let task = try task("t")
    for number in 0..<WorkerDirectory.watcherCountMax {
      try directory.watched(task, by: WorkerIdentifier(number: UInt64(number)))
    }
    #expect(throws: Problem.self) { try directory.watched(task, by: WorkerIdentifier(number: 1000)) }
    directory.left(WorkerIdentifier(number: 3))
    try directory.watched(task, by: WorkerIdentifier(number: 1000))
  }
}
