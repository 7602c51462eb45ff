import Glibc

/// A pthread mutex with its two conditions. The standard library's `Mutex` has no condition to wait for, and is not
/// instrumented for the thread sanitizer, which knows this one.
// SAFETY of `@unchecked Sendable`: the pointers are set once and freed by deinit; pthread objects are made for sharing.
@safe
final class LogMonitor: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let filled: UnsafeMutablePointer<pthread_cond_t>
  private let written: UnsafeMutablePointer<pthread_cond_t>

  init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe filled = .allocate(capacity: 1)
    unsafe written = .allocate(capacity: 1)
    // SAFETY: freshly allocated, initialised once and destroyed in deinit; null attributes are the defaults.
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(filled, nil)
    unsafe pthread_cond_init(written, nil)
  }

  deinit {
    // SAFETY: nobody holds the object any more, so nobody waits.
    unsafe pthread_cond_destroy(written)
    unsafe pthread_cond_destroy(filled)
    unsafe pthread_mutex_destroy(mutex)
    unsafe written.deallocate()
    unsafe filled.deallocate()
    unsafe mutex.deallocate()
  }

  /// Runs the body with the lock held.
  func withLock<Result>(_ body: () -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Waits until there is something to write. The lock is held, and let go of meanwhile.
  func waitUntilFilled() { unsafe pthread_cond_wait(filled, mutex) }

  /// Waits until something was written. The lock is held, and let go of meanwhile.
  func waitUntilWritten() { unsafe pthread_cond_wait(written, mutex) }

  /// Wakes the writer.
  func signalFilled() { unsafe pthread_cond_signal(filled) }

  /// Wakes everybody who waits for the writer.
  func signalWritten() { unsafe pthread_cond_broadcast(written) }
}
