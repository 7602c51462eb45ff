import Glibc

/// A thread that runs one closure; file-level, because a closure made in an isolated context would trap on it.
package final class PosixThread {
  private final class Start {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  private var thread = pthread_t()

  /// Starts at once. The body must not throw and ends the thread by returning.
  package init(_ body: @escaping @Sendable () -> Void) throws(SystemCallError) {
    // SAFETY: the retained object is released exactly once, by the new thread, or below when there is none.
    let start = unsafe Unmanaged.passRetained(Start(body)).toOpaque()
    let status = unsafe pthread_create(
      &thread, nil,
      { raw in
        guard let raw = unsafe raw else { return nil }
        unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue().body()
        return nil
      }, start)
    guard status == 0 else {
      unsafe Unmanaged<Start>.fromOpaque(start).release()
      throw SystemCallError("cannot start a thread", code: status)
    }
  }

  /// Waits for the thread's end.
  package func join() {
    _ = pthread_join(thread, nil)
  }
}
