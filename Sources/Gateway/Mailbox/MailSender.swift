/// One thread's way to one mailbox: gathers the mail of a turn and hands it over in one batch.
///
/// Every sender has its own, so that sending counts no reference that another thread counts too: the only memory that
/// both ends touch is the block of mail and the mailbox's one cache line. One thread only.
final class MailSender<Message: Sendable> {
  private let mailbox: Mailbox<Message>
  private let pool: MailBlockPool<Message>
  private var block: MailBlock<Message>?

  init(to mailbox: Mailbox<Message>, pool: MailBlockPool<Message>) {
    self.mailbox = mailbox
    self.pool = pool
  }

  deinit { block?.free() }

  var isEmpty: Bool { block == nil }

  func append(_ message: consuming Message) {
    var block = self.block ?? pool.take()
    if block.count == block.capacity { block = block.grown() }
    block.append(message)
    self.block = block
  }

  /// Hands over what was gathered, if anything.
  func flush() {
    guard let block else { return }
    self.block = nil
    mailbox.post(block)
  }
}
