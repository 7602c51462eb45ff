import CMicroFloor
import Glibc
import GatewayDomain
import Synchronization

/// What a shard keeps: subscriptions, mail, deadlines, places. Compiled in this module from the gateway's own files, so that
/// generics are made for their elements as they are there.
enum ShardSubjects {
  static func all() -> [Subject] {
    [
      subscribe(), lookUp(), mail(batchCount: 1), mail(batchCount: 16), mailBetweenThreads(batchCount: 1),
      mailBetweenThreads(batchCount: 16), fileDeadline(), sweepDeadlines(), takePlace(),
    ]
  }

  private static let topicCount = 1000
  private static let keys: [TopicKey] = (0..<topicCount).map { number in
    guard let task = TaskIdentifier(validating: "task-\(number)") else { fail("task-\(number) is no name") }
    return .task(task)
  }

  /// A table with ten subscriptions for each of a thousand tasks.
  private static func filled() -> ShardTopics {
    let topics = ShardTopics()
    for index in 0..<10 * topicCount {
      var head: Int32 = -1
      guard topics.subscribe(Int32(index), to: keys[index % topicCount], audience: .native, listHead: &head) else {
        fail("the table is full")
      }
    }
    return topics
  }

  private static func subscribe() -> Subject {
    let topics = filled()
    return Subject("subscribe and unsubscribe, 1,000 tasks, 10,000 there") { count in
      var head: Int32 = -1
      for index in 0..<count {
        guard topics.subscribe(20_000, to: keys[index % topicCount], audience: .native, listHead: &head) else {
          fail("the table is full")
        }
        guard topics.unsubscribeFirst(listHead: &head) != nil else { fail("nothing to unsubscribe") }
      }
    }
  }

  private static func lookUp() -> Subject {
    let topics = filled()
    return Subject("look a task's subscribers up") { count in
      for index in 0..<count {
        guard let topic = topics.topic(keys[index % topicCount]) else { fail("a topic is missing") }
        consume(topic.watchers.count)
      }
    }
  }

  private static func mail(batchCount: Int) -> Subject {
    let mailbox = Mailbox<Int>()
    let batch = [Int](repeating: 7, count: batchCount)
    // Sixteen posts, then one drain; the wake of the first is a system call.
    return Subject(
      "mail to oneself, batches of \(batchCount)", floorName: "a node in C, no wake"
    ) { count in
      var sum = 0
      for index in 0..<count / batchCount {
        mailbox.post(batch)
        if index & 15 == 15 { mailbox.drain { _ in sum &+= 1 } }
      }
      mailbox.drain { _ in sum &+= 1 }
      if sum != count / batchCount * batchCount { fail("\(sum) messages of \(count) arrived") }
      consume(sum)
    } floor: { count in
      var sum: UInt64 = 0
      for index in 0..<count / batchCount {
        micro_push(UInt64(batchCount))
        if index & 15 == 15 { sum &+= micro_pop_all() }
      }
      consume(Int(sum &+ micro_pop_all()))
    }
  }

  /// What a sending thread is given. It sleeps while there is nothing to send, so that it disturbs no other subject.
  private final class Sending: @unchecked Sendable {
    // SENDABLE: the semaphore is made before the thread is, and made for threads.
    let mailbox = Mailbox<Int>()
    let batch: [Int]
    let batchesToSend = Atomic<Int>(0)
    let order = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init(batchCount: Int) {
      batch = [Int](repeating: 7, count: batchCount)
      sem_init(order, 0, 0)
    }

    func send(_ batchCount: Int) {
      batchesToSend.store(batchCount, ordering: .releasing)
      sem_post(order)
    }

    func run() -> Never {
      while true {
        sem_wait(order)
        for _ in 0..<batchesToSend.exchange(0, ordering: .acquiring) { mailbox.post(batch) }
      }
    }
  }

  private static func mailBetweenThreads(batchCount: Int) -> Subject {
    let sending = Sending(batchCount: batchCount)
    // One sender that stays, started when it is first needed: under callgrind it never is.
    var isStarted = false
    return Subject("mail from another thread, batches of \(batchCount)", isOneThread: false) { count in
      if !isStarted {
        isStarted = true
        startThread(sending)
      }
      let expected = count / batchCount * batchCount
      sending.send(count / batchCount)
      var received = 0
      while received < expected {
        let before = received
        sending.mailbox.drain { _ in received += 1 }
        // Where there is one core for both, looking again is in the sender's way.
        if received == before { sched_yield() }
      }
      consume(received)
    }
  }

  private static func startThread(_ sending: Sending) {
    var thread = pthread_t()
    let status = pthread_create(&thread, nil, runSending, Unmanaged.passRetained(sending).toOpaque())
    if status != 0 { fail("no thread: \(status)") }
    pthread_detach(thread)
  }

  fileprivate static func run(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<Sending>.fromOpaque(context).takeUnretainedValue().run()
  }

  /// Ten thousand connections, each filed 30 s ahead; an operation is one of them.
  private static func fileDeadline() -> Subject {
    let wheel = Owned(TimerWheel(nowMilliseconds: 0))
    var due: [TimerWheel.Entry] = []
    var now: Int64 = 0
    return Subject("file a deadline", floorName: "") { count in
      for index in 0..<count {
        wheel.value.file(
          TimerWheel.Entry(slot: Int32(truncatingIfNeeded: index), generation: 1), deadlineMilliseconds: now + 30_000)
        // So that buckets have a steady size: time goes on by a tick for every thousand.
        if index % 1000 == 999 {
          now += TimerWheel.tickMilliseconds
          due.removeAll(keepingCapacity: true)
          wheel.value.advance(nowMilliseconds: now, into: &due)
        }
      }
      consume(due.count)
    }
  }

  /// Time goes on by a tick, with a hundred deadlines in it, and they are filed again; an operation is one of them.
  private static func sweepDeadlines() -> Subject {
    let wheel = Owned(TimerWheel(nowMilliseconds: 0))
    for tick in 0..<600 {
      for index in 0..<100 {
        wheel.value.file(
          TimerWheel.Entry(slot: Int32(tick * 100 + index), generation: 1),
          deadlineMilliseconds: Int64(tick) * TimerWheel.tickMilliseconds)
      }
    }
    var due: [TimerWheel.Entry] = []
    var now: Int64 = 0
    return Subject("sweep and file again, 60,000 deadlines", floorName: "") { count in
      var swept = 0
      while swept < count {
        now += TimerWheel.tickMilliseconds
        due.removeAll(keepingCapacity: true)
        wheel.value.advance(nowMilliseconds: now, into: &due)
        for entry in due { wheel.value.file(entry, deadlineMilliseconds: now + 30_000) }
        swept += max(1, due.count)
      }
      consume(swept)
    }
  }

  private struct Place {
    var words = InlineArray<8, UInt64>(repeating: 0)
  }

  private static func takePlace() -> Subject {
    let slab = Slab<Place>(countMax: 4096) { Place() }
    for _ in 0..<1000 { _ = slab.take() }
    micro_slab_prepare(4096)
    return Subject("take a place, touch it, give it back", floorName: "a free list in C") { count in
      for index in 0..<count {
        guard let place = slab.take() else { fail("the slab is full") }
        slab[place].words[0] = UInt64(index)
        slab.give(place)
      }
    } floor: { count in
      for _ in 0..<count {
        let place = micro_slab_take()
        consume(Int(place))
        micro_slab_give(place)
      }
    }
  }
}

/// A closure here would inherit the main actor.
private func runSending(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  ShardSubjects.run(context)
  return nil
}
