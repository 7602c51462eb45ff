/// The text of the `Date` field, made once a second: a busy server answers thousands of times in between.
package struct HTTPDateCache {
  private var unixSeconds = Int.min
  private var bytes: [UInt8] = []

  package init() {}

  /// The field's value at that moment.
  package mutating func text(unixSeconds: Int) -> [UInt8] {
    if unixSeconds != self.unixSeconds {
      self.unixSeconds = unixSeconds
      bytes = Array(HTTPDate.text(unixSeconds: unixSeconds).utf8)
    }
    return bytes
  }
}
