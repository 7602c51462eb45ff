/// A node's or a child's share of its task's progress.
struct TaskPart: Sendable, Equatable {
  /// Above 0, at most `weightMax`.
  var weight: Double
  /// 0–100.
  var progress: Double

  /// Far above any sensible proportion, and so far below infinity that no sum of weights comes near it.
  static let weightMax = 1e9

  static func validate(weight: Double) throws(Problem) {
    guard weight > 0, weight <= weightMax else {
      throw Problem(.badRequest, "weight is \(weight), must be above 0 and at most \(Int(weightMax))")
    }
  }
}

/// The parts of one task, made with the first of them: most tasks have none.
///
/// The shares lie side by side in arrays of their own, because every report of a part adds all of them up anew: two
/// thousand additions, a microsecond, and no sum that drifts.
final class TaskFamily {
  /// Places in the snapshot's `nodes` and in `nodeParts`.
  private var nodePlaces: [TaskIdentifier: Int] = [:]
  private var nodeParts: [TaskPart] = []
  private var childPlaces: [TaskIdentifier: Int] = [:]
  private var children: [TaskIdentifier] = []
  private var childParts: [TaskPart] = []
  private var childIsFinished: [Bool] = []
  /// Some child has run.
  var hasBegun = false

  /// - Parameter nodes: those that the task's snapshot has already.
  init(nodes: [TaskNode]) {
    for (place, node) in nodes.enumerated() {
      nodePlaces[node.identifier] = place
      nodeParts.append(node.part)
    }
  }

  var nodeCount: Int { nodeParts.count }
  var childCount: Int { children.count }

  func place(ofNode node: TaskIdentifier) -> Int? { nodePlaces[node] }

  /// Enters the node that the snapshot has at this place, the next one where it is new.
  func setNode(_ node: TaskIdentifier, at place: Int, to part: TaskPart) {
    if place < nodeParts.count {
      nodeParts[place] = part
    } else {
      nodePlaces[node] = nodeParts.count
      nodeParts.append(part)
    }
  }

  func hasChild(_ child: TaskIdentifier) -> Bool { childPlaces[child] != nil }

  func setChild(_ child: TaskIdentifier, to part: TaskPart, isFinished: Bool) {
    if let place = childPlaces[child] {
      childParts[place] = part
      childIsFinished[place] = isFinished
      return
    }
    childPlaces[child] = children.count
    children.append(child)
    childParts.append(part)
    childIsFinished.append(isFinished)
  }

  /// False where it was none.
  func removeChild(_ child: TaskIdentifier) -> Bool {
    guard let place = childPlaces.removeValue(forKey: child) else { return false }
    let last = children.count - 1
    if place != last {
      children.swapAt(place, last)
      childParts.swapAt(place, last)
      childIsFinished.swapAt(place, last)
      childPlaces[children[place]] = place
    }
    children.removeLast()
    childParts.removeLast()
    childIsFinished.removeLast()
    return true
  }

  /// Children that may still be asked to stop, in no order.
  var unfinishedChildren: [TaskIdentifier] {
    children.indices.compactMap { childIsFinished[$0] ? nil : children[$0] }
  }

  /// The weighted mean of all parts in hundredths, 0–10,000; nil where there is none.
  var hundredths: Int? {
    var weight = 0.0
    var progress = 0.0
    for part in nodeParts {
      weight += part.weight
      progress += part.weight * part.progress
    }
    for part in childParts {
      weight += part.weight
      progress += part.weight * part.progress
    }
    let mean = progress / weight
    // No part at all is not a number, and neither are weights too small to be multiplied.
    guard mean.isFinite else { return nil }
    return Int((min(max(mean, 0), 100) * 100).rounded())
  }
}

/// What a parent's home is told of a child.
package struct ChildChange: Sendable, Equatable {
  package let parent: TaskIdentifier
  package let child: TaskIdentifier
  /// 0–100.
  package let progress: Double
  package let weight: Double
  package let status: TaskStatus
  /// Gone from its desk: it leaves the parent's sum.
  package let isRemoved: Bool
}
