import Glibc

/// A thread that runs a closure, for tests of what threads share.
final class TestThread: Sendable {
  struct Failure: Error {}

  private let thread: pthread_t

  init(_ body: @escaping @Sendable () -> Void) throws {
    var thread = pthread_t()
    // SAFETY: the retained box is taken over by runTestThread, which the new thread calls once.
    let box = unsafe Unmanaged.passRetained(TestThreadBody(body))
    guard unsafe pthread_create(&thread, nil, runTestThread, box.toOpaque()) == 0 else {
      unsafe box.release()
      throw Failure()
    }
    self.thread = thread
  }

  /// Waits for the end. Called once.
  func join() { pthread_join(thread, nil) }
}

private final class TestThreadBody: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func runTestThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let context = unsafe context else { return nil }
  // SAFETY: the context is the box that init retained for this call.
  unsafe Unmanaged<TestThreadBody>.fromOpaque(context).takeRetainedValue().body()
  return nil
}
