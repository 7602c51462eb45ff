/// The allowed range of every ranged setting, each with the reason of its ends. Tests try both ends and one past.
package enum ConfigurationBounds {
  /// TCP's ports; 0 asks the system for a free one.
  package static let port = 0...65_535
  /// More loops than this only contend for the same accept queues and caches.
  package static let threadCount = 1...256
  /// At least one; a million sockets is past what one machine's kernel memory holds.
  package static let connectionCount = 1...1_000_000
  /// Seconds. Under 10 ms the timer wheel's tick is coarser than the value; a day is as good as off.
  package static let keepAliveSeconds = 0.01...86_400.0
  /// Seconds a task, a question or a stop may take: 0 is at once, the longest is 30 days.
  package static let waitSeconds = 0.0...2_592_000.0
  /// Seconds a question may stay open: it needs some time, and its deadline must be worth keeping.
  package static let callbackSeconds = 0.01...2_592_000.0
  /// Seconds between repeated statuses: below 10 ms it is a busy loop.
  package static let statusIntervalSeconds = 0.01...3600.0
  /// Seconds a token's clocks may disagree: more than an hour makes `exp` meaningless.
  package static let leewaySeconds = 0.0...3600.0
  /// Bytes of a client's message: a control frame's 125 must fit; more than 64 MiB pins memory per connection.
  package static let messageByteCount = 125...(64 << 20)
  /// Bytes of an HTTP body: enough for the smallest report; at most the largest that is assembled in memory.
  package static let requestByteCount = 1024...(1 << 30)
  /// Bytes waiting for one reader: under 4 KiB not even one large event fits.
  package static let sendBufferByteCount = 4096...(1 << 30)
  /// Events kept per task: resuming needs one; memory per task grows with the number.
  package static let historyEventCount = 1...65_536
  /// Bytes of a text value: a path or a URL is shorter.
  package static let textByteCount = 1...4096
  /// Bytes of a shared secret. Below `ConfigurationRelations.strongSecretByteCount` it is warned of, no more: the
  /// systems that hand their tokens over have short ones.
  package static let jwtSecretByteCount = 1...4096
  /// Bytes of a publisher key: it must fit a header.
  package static let apiKeyByteCount = 1...1024
  /// Entries of a list: they are compared one by one.
  package static let listCount = 1...256
}

/// How many connections the descriptor limit leaves room for.
package enum ConnectionBudget {
  /// Descriptors that belong to the process whatever its threads: standard streams, signals, the log, the
  /// reserve that accepts and closes at the limit, a scrape of `/proc`.
  package static let processDescriptorCount = 16
  /// Descriptors of each event loop: epoll set, wake-up, timer, public and internal listener.
  package static let threadDescriptorCount = 5
  /// Descriptors of a store in a file: the database, its log and the index of that, the lock, the thread's wake-up.
  package static let storeDescriptorCount = 5
  /// Connections over the cap that are parked at once to be told 1013, where the limit allows so many.
  package static let parkedDescriptorCount = 256

  /// The default of `--max-connections`. Never less than 1, and under a small limit the parked ones take a
  /// quarter at most.
  package static func connectionCountMax(descriptorLimit: UInt64, threadCount: Int, store: StorePlace) -> Int {
    let bound = ConfigurationBounds.connectionCount.upperBound
    // One descriptor per connection, so a limit above this changes nothing.
    let limit = Int(min(descriptorLimit, UInt64(bound) * 2))
    let storeCount = if case .sqlite = store { storeDescriptorCount } else { 0 }
    let reserve =
      processDescriptorCount + threadDescriptorCount * threadCount + storeCount + min(parkedDescriptorCount, limit / 4)
    return min(max(ConfigurationBounds.connectionCount.lowerBound, limit - reserve), bound)
  }
}
