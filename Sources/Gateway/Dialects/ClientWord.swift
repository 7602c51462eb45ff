import Protocol

/// A client's `type` or `action` as an error message repeats it.
enum ClientWord {
  /// A string as it is; what is no string as the seeds' Python shows it (`None`, `True`, `False`), else as JSON.
  static func text(of member: JSONMember?, in bytes: Span<UInt8>) -> String {
    guard let member else { return "None" }
    switch member.kind {
    case .null: return "None"
    case .true: return "True"
    case .false: return "False"
    case .string:
      if let text = JSONDecode.string(member, in: bytes) { return text }
    case .object, .array, .number: break
    }
    return String(decoding: JSONText(normalising: member.value, of: bytes).bytes, as: UTF8.self)
  }
}
