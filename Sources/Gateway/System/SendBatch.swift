internal import CEpollShim
import Glibc

/// Sends of one turn on their way to the kernel together, each to another connection. Filled, carried out and emptied by
/// one thread.
@safe package final class SendBatch {
  /// The bound: who has filled it carries it out.
  static let countMax = 256

  private(set) var count = 0
  let sends: UnsafeMutablePointer<signalbox_send>

  package init() {
    unsafe sends = .allocate(capacity: Self.countMax)
    unsafe sends.initialize(repeating: signalbox_send(), count: Self.countMax)
  }

  deinit { unsafe sends.deallocate() }

  var isFull: Bool { count == Self.countMax }

  /// The bytes must stay where they are until the batch is carried out; at most 2^31 − 1 of them are sent.
  @inline(__always)
  func append(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) {
    precondition(!isFull)
    let byteCount = UInt32(clamping: min(bytes.count, Int(Int32.max)))
    // SAFETY: the count is below the bound, checked above.
    unsafe sends[count] = signalbox_send(
      bytes: bytes.baseAddress, byte_count: byteCount, descriptor: descriptor, result: 0)
    count += 1
  }

  func removeAll() { count = 0 }

  func descriptor(_ index: Int) -> Int32 { unsafe sends[checked(index)].descriptor }

  func bytes(_ index: Int) -> UnsafeRawBufferPointer {
    let send = unsafe sends[checked(index)]
    return unsafe UnsafeRawBufferPointer(start: send.bytes, count: Int(send.byte_count))
  }

  func byteCount(_ index: Int) -> Int { unsafe Int(sends[checked(index)].byte_count) }

  /// Whether a send took all its bytes, once the batch is carried out.
  func hasLeft(_ index: Int) -> Bool {
    let send = unsafe sends + checked(index)
    return unsafe Int(send.pointee.result) == Int(send.pointee.byte_count)
  }

  /// What a send came to, once the batch is carried out.
  func outcome(_ index: Int) -> StreamOutcome {
    let result = unsafe sends[checked(index)].result
    if result >= 0 { return .moved(Int(result)) }
    return result == -EAGAIN || result == -EINTR ? .wouldBlock : .failed(-result)
  }

  func setOutcome(_ index: Int, _ outcome: StreamOutcome) {
    let result: Int32 =
      switch outcome {
      case .moved(let count): Int32(clamping: count)
      case .wouldBlock: -EAGAIN
      case .ended: -EPIPE
      case .failed(let code): -code
      }
    unsafe sends[checked(index)].result = result
  }

  private func checked(_ index: Int) -> Int {
    precondition(index >= 0 && index < count)
    return index
  }
}

extension GatewayEnvironment {
  /// One system call for each send, from a place on.
  func sendOneByOne(_ batch: SendBatch, from first: Int = 0) {
    for index in first..<batch.count {
      unsafe batch.setOutcome(index, send(batch.descriptor(index), batch.bytes(index)))
    }
  }
}
