/// A closed list whose cases each have one word in the API and in the store.
package protocol WordedCase: CaseIterable {
  var word: StaticString { get }
}

extension WordedCase {
  /// The case of a word; nil for any other text.
  package init?(word: String) {
    guard let known = Self.allCases.first(where: { $0.word.description == word }) else { return nil }
    self = known
  }
}
