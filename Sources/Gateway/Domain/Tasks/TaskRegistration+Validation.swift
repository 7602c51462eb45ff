import Protocol

extension TaskRegistration {
  /// Users who may watch beside the owner; walked on every look at the task.
  package static let viewerCountMax = 256
  package static let dependsOnCountMax = 256
  /// Characters.
  package static let kindCharacterCountMax = 128
  /// Characters.
  package static let titleCharacterCountMax = 1024
  /// Seconds: a week.
  package static let leaseSecondsMax = 604_800.0

  func validate() throws(Problem) {
    guard viewers.count <= Self.viewerCountMax else {
      throw Problem(.badRequest, "viewers has \(viewers.count) entries, at most \(Self.viewerCountMax)")
    }
    guard dependsOn.count <= Self.dependsOnCountMax else {
      throw Problem(.badRequest, "depends_on has \(dependsOn.count) entries, at most \(Self.dependsOnCountMax)")
    }
    if let kind, kind.unicodeScalars.count > Self.kindCharacterCountMax {
      throw Problem(
        .badRequest, "kind has \(kind.unicodeScalars.count) characters, at most \(Self.kindCharacterCountMax)")
    }
    if let title, title.unicodeScalars.count > Self.titleCharacterCountMax {
      throw Problem(
        .badRequest, "title has \(title.unicodeScalars.count) characters, at most \(Self.titleCharacterCountMax)")
    }
    if parent == identifier {
      throw Problem(.badRequest, "parent_id is \(identifier.text), the task itself")
    }
    if let weight { try TaskPart.validate(weight: weight.double ?? .nan) }
    if let leaseSeconds, !(leaseSeconds > 0 && leaseSeconds <= Self.leaseSecondsMax) {
      throw Problem(
        .badRequest, "lease_seconds is \(leaseSeconds), must be more than 0 and at most \(Self.leaseSecondsMax)")
    }
  }

  /// At least what it adds to a snapshot.
  var byteCount: Int {
    var count = (total?.byteCount ?? 0) + (weight?.byteCount ?? 0) + (metadata?.byteCount ?? 0)
    count += (kind?.utf8.count ?? 0) + (title?.utf8.count ?? 0)
    return count + (viewers.count + dependsOn.count) * TaskIdentifier.characterCountMax
  }

  /// Writes what only a registration says.
  func describe(_ snapshot: inout TaskSnapshot) {
    snapshot.owner = owner
    snapshot.viewers = viewers
    snapshot.kind = kind
    snapshot.title = title
    snapshot.parent = parent
    snapshot.weight = weight
    snapshot.dependsOn = dependsOn
    snapshot.leaseSeconds = leaseSeconds
    snapshot.metadata = metadata
    snapshot.isExecution = isExecution
  }
}
