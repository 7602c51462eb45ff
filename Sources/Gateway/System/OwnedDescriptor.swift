import Glibc

/// A descriptor that is closed when its owner ends.
package struct OwnedDescriptor: ~Copyable {
  package let number: Int32

  package init(_ number: Int32) {
    self.number = number
  }

  deinit {
    if number >= 0 { _ = Glibc.close(number) }
  }
}

/// A system call that failed at start-up: what was tried, and why it failed.
package struct SystemCallError: Error, Sendable {
  package let operation: String
  package let reason: String

  package init(_ operation: String, reason: String) {
    self.operation = operation
    self.reason = reason
  }

  /// The reason is that of `errno`.
  package init(_ operation: String, code: Int32 = errno) {
    self.operation = operation
    // SAFETY: strerror returns a C string that stays valid until the next call on this thread.
    reason = unsafe String(cString: strerror(code))
  }

  package var text: String { "\(operation): \(reason)" }
}
