/// A task's place in the stable order of listings: the newest first, those of one moment by name.
package struct TaskSortKey: Comparable, Sendable {
  /// Unix seconds.
  package let createdAt: Double
  package let identifier: TaskIdentifier

  package init(createdAt: Double, identifier: TaskIdentifier) {
    self.createdAt = createdAt
    self.identifier = identifier
  }

  package init(_ snapshot: TaskSnapshot) {
    self.init(createdAt: snapshot.createdAt, identifier: snapshot.identifier)
  }

  /// Whether `left` is listed before `right`.
  package static func < (left: TaskSortKey, right: TaskSortKey) -> Bool {
    if left.createdAt != right.createdAt { return left.createdAt > right.createdAt }
    return left.identifier.text < right.identifier.text
  }

  /// The opaque `cursor`: characters that stand in a URL as they are.
  package var cursor: String {
    String(createdAt.bitPattern, radix: 16) + "." + identifier.text
  }

  /// Nil where it is no cursor of ours.
  package init?(cursor: String) {
    guard let dot = cursor.firstIndex(of: "."), let bits = UInt64(cursor[..<dot], radix: 16),
      let identifier = TaskIdentifier(validating: String(cursor[cursor.index(after: dot)...]))
    else { return nil }
    let createdAt = Double(bitPattern: bits)
    guard createdAt.isFinite else { return nil }
    self.init(createdAt: createdAt, identifier: identifier)
  }
}

/// Which tasks a listing shows; nil asks nothing.
package struct TaskFilter: Sendable {
  package var status: TaskStatus?
  package var owner: UserIdentifier?
  package var kind: String?
  package var parent: TaskIdentifier?
  /// A user's JWT: only its own.
  package var restrictedTo: UserIdentifier?

  package init() {}

  func matches(_ snapshot: TaskSnapshot) -> Bool {
    if let status, snapshot.status != status { return false }
    if let owner, snapshot.owner != owner { return false }
    if let kind, snapshot.kind != kind { return false }
    if let parent, snapshot.parent != parent { return false }
    if let restrictedTo, snapshot.owner != restrictedTo { return false }
    return true
  }
}

/// A page of a listing.
package struct TaskPage: Sendable {
  package var tasks: [TaskSnapshot]
  /// Where the next page begins, exclusive: every task up to here was looked at. Nil: nothing is left.
  package var end: TaskSortKey?

  package var nextCursor: String? { end?.cursor }

  /// One page of those that the shards gave for the same filter, cursor and limit.
  package static func merged(_ pages: [TaskPage], limit: Int) -> TaskPage {
    // Beyond the nearest end some shard has not looked yet.
    let end = pages.compactMap(\.end).min()
    var tasks: [TaskSnapshot] = []
    for page in pages { tasks += page.tasks }
    if let end { tasks.removeAll { TaskSortKey($0) > end } }
    tasks.sort { TaskSortKey($0) < TaskSortKey($1) }
    guard tasks.count > limit else {
      return TaskPage(tasks: tasks, end: end)
    }
    tasks.removeSubrange(limit...)
    return TaskPage(tasks: tasks, end: tasks.last.map { TaskSortKey($0) })
  }
}

extension TaskDesk {
  /// A page of this desk's tasks after `cursor`, newest first: a cursor walks into the past. Looks at
  /// `TaskDeskSettings.listScanCountMax` tasks at most, so a page may be short, even empty, and still have an `end`.
  package func list(_ filter: TaskFilter, after cursor: TaskSortKey?, limit: Int, at moment: Moment? = nil) -> TaskPage
  {
    let limit = min(max(limit, 1), TaskDeskSettings.listCountMax)
    var page = TaskPage(tasks: [], end: nil)
    // The records lie in the order of creation, so the listing goes through them backwards.
    let start = cursor.map { countListed(after: $0) } ?? creationOrder.count
    var remainingCount = start
    while remainingCount > 0 {
      let record = creationOrder[remainingCount - 1]
      if !record.isRemoved, filter.matches(record.snapshot) {
        // One more than the page holds: it is not the last.
        if page.tasks.count == limit {
          page.end = page.tasks.last.map { TaskSortKey($0) }
          return page
        }
        page.tasks.append(shown(record, at: moment))
      }
      remainingCount -= 1
      if start - remainingCount >= TaskDeskSettings.listScanCountMax, remainingCount > 0 {
        page.end = TaskSortKey(record.snapshot)
        return page
      }
    }
    return page
  }
}
