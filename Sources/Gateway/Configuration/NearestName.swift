/// The known name that a mistyped one probably meant.
enum NearestName {
  /// Mistakes (insertions, deletions, replacements, neighbours exchanged) up to which a name is proposed: a third of its letters, at
  /// least one.
  static func distanceMax(of name: String) -> Int { max(1, name.count / 3) }

  /// The nearest known name, the first of equals; nil where none is near.
  static func find(_ name: String, among known: [String]) -> String? {
    let bound = distanceMax(of: name)
    var best: (name: String, distance: Int)?
    for candidate in known {
      // A name whose end or beginning was left off is near, however much is missing.
      let isAffix = name.count >= 4 && (candidate.hasPrefix(name) || candidate.hasSuffix(name))
      let distance = isAffix ? 1 : distance(Array(name), Array(candidate))
      if distance <= bound, distance < best?.distance ?? Int.max { best = (candidate, distance) }
    }
    return best?.name
  }

  /// Damerau's distance (optimal string alignment), a row at a time.
  private static func distance(_ left: [Character], _ right: [Character]) -> Int {
    // A command line may hold anything; a name of this length is near to none.
    guard left.count <= 64 else { return Int.max }
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for (row, character) in left.enumerated() {
      var current = [row + 1]
      for (column, other) in right.enumerated() {
        let replaced = previous[column] + (character == other ? 0 : 1)
        var least = min(replaced, previous[column + 1] + 1, current[column] + 1)
        if row > 0, column > 0, character == right[column - 1], left[row - 1] == other {
          least = min(least, beforePrevious[column - 1] + 1)
        }
        current.append(least)
      }
      beforePrevious = previous
      previous = current
    }
    return previous[right.count]
  }
}
