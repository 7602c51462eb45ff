/// One reading of both clocks, taken once per turn and passed as an argument: the domain never asks for the time.
package struct Moment: Sendable, Equatable {
  /// Unix seconds; shown and stored, never compared with a deadline.
  package var wall: Double
  /// Seconds of a clock that never steps; runs every deadline.
  package var monotonic: Double

  package init(wall: Double, monotonic: Double) {
    self.wall = wall
    self.monotonic = monotonic
  }
}
