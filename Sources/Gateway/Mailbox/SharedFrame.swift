package import Protocol

/// One message encoded once, as the WebSocket frames that leave: plain, and compressed where somebody negotiated it.
///
/// Immutable, so it crosses threads freely. A shard holds one reference however many of its connections wait for
/// the frame (`FramePool`); and one that goes to several shards goes to each as an object of its own (`handedOver`), so that
/// handling it there counts on memory that no other core writes.
@safe package final class SharedFrame: @unchecked Sendable {
  // SENDABLE: the bytes are written in init only, before anybody else sees the object.
  let plain: UnsafeRawBufferPointer
  /// Empty where there is no compressed form.
  let compressed: UnsafeRawBufferPointer
  /// Messages in it: more than one where the events of a turn were joined.
  let messageCount: Int32
  /// Whose bytes these are; nil where they are its own.
  private let origin: SharedFrame?

  /// Copies whole frames.
  package init(plain: Span<UInt8>, compressed: Span<UInt8>) {
    unsafe self.plain = Self.copy(plain)
    unsafe self.compressed = Self.copy(compressed)
    messageCount = 1
    origin = nil
  }

  /// The frames of one topic and one turn behind each other, so that whoever follows it takes them as one.
  /// - Parameter plainly, compressedly: which of the two forms somebody reads. Where a frame has no compressed form its
  ///   plain one takes its place: each frame says itself which it is.
  init(joining frames: [SharedFrame], plainly: Bool, compressedly: Bool) {
    unsafe plain = Self.join(frames, isWanted: plainly) { unsafe $0.plain }
    unsafe compressed = Self.join(frames, isWanted: compressedly) {
      unsafe $0.compressed.isEmpty ? $0.plain : $0.compressed
    }
    messageCount = Int32(clamping: frames.count)
    origin = nil
  }

  private static func join(
    _ frames: [SharedFrame], isWanted: Bool, _ bytes: (SharedFrame) -> UnsafeRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    guard isWanted else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
    let byteCount = frames.reduce(0) { unsafe $0 + bytes($1).count }
    let target = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    var offset = 0
    for frame in frames {
      let part = unsafe bytes(frame)
      // SAFETY: the target has room for the sum of all parts; offset is the sum of those before.
      unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset..<(offset + part.count)]).copyMemory(from: part)
      offset += part.count
    }
    return UnsafeRawBufferPointer(target)
  }

  /// Takes over an allocated block: `FrameBuffer` gives it away.
  init(adopting plain: UnsafeRawBufferPointer, compressed: Span<UInt8>) {
    unsafe self.plain = plain
    unsafe self.compressed = Self.copy(compressed)
    messageCount = 1
    origin = nil
  }

  private init(bytesOf origin: SharedFrame) {
    unsafe plain = origin.plain
    unsafe compressed = origin.compressed
    messageCount = origin.messageCount
    self.origin = origin
  }

  /// The same bytes as an object for another thread: whatever is done with it there, of what all have in common only the
  /// one count falls, once, when that thread has no more use for it.
  func handedOver() -> SharedFrame { SharedFrame(bytesOf: origin ?? self) }

  deinit {
    guard origin == nil else { return }
    unsafe plain.deallocate()
    unsafe compressed.deallocate()
  }

  private static func copy(_ bytes: Span<UInt8>) -> UnsafeRawBufferPointer {
    guard !bytes.isEmpty else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
    let target = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    // SAFETY: the target has room for exactly the bytes copied.
    unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
    return UnsafeRawBufferPointer(target)
  }

  /// A native event as one connection gets it that missed the `skipped` events before it: the message with one member
  /// more at its end. The frame is a single text frame that holds a JSON object, as `text` makes it.
  func skipping(_ skipped: Int) -> SharedFrame {
    guard skipped > 0 else { return self }
    // SAFETY: every frame of a text message has at least its two header bytes, and one of 126 or 127 there has more.
    let lengthByte = unsafe plain.count > 1 ? plain[1] : 0
    let headerByteCount = lengthByte == 127 ? 10 : lengthByte == 126 ? 4 : 2
    guard unsafe plain.count > headerByteCount + 2 else { return self }
    var payload = unsafe [UInt8](plain[headerByteCount..<(plain.count - 1)])
    payload.append(",\"skipped\":")
    payload.append(decimal: skipped)
    payload.append("}")
    return .text(payload)
  }

  /// A text message as an uncompressed frame only.
  package static func text(_ payload: [UInt8]) -> SharedFrame {
    frame(.text, payload)
  }

  package static func frame(_ opcode: Opcode, _ payload: [UInt8]) -> SharedFrame {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(payload.count + 10)
    FrameWriter.appendFrame(opcode: opcode, payload: payload.span, into: &bytes)
    return SharedFrame(plain: bytes.span, compressed: [UInt8]().span)
  }

  /// Bytes that are no frame: an HTTP response on its way through the same queue.
  package static func raw(_ bytes: [UInt8]) -> SharedFrame {
    SharedFrame(plain: bytes.span, compressed: [UInt8]().span)
  }
}
