// Submitting many sends by one system call, through io_uring's raw interface (io_uring(7)). Events come from epoll as
// ever: this is about what entering the kernel costs for each send, and nothing else.
#define _GNU_SOURCE
#include "ceiling.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SEND_COUNT_MAX = 512 };

static int ring = -1;
static struct io_uring_sqe *entries;
static _Atomic unsigned *submission_tail, *completion_head, *completion_tail;
static unsigned submission_mask, completion_mask;
static struct io_uring_cqe *completions;
static unsigned waiting_count;

static void *map(size_t byte_count, off_t offset) {
  void *at = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);
  if (at == MAP_FAILED) {
    perror("ceiling: io_uring mmap");
    exit(1);
  }
  return at;
}

void uring_open(void) {
  // One thread submits, and completions need not interrupt it: they are all there when the call returns.
  struct io_uring_params parameters = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN};
  ring = (int)syscall(SYS_io_uring_setup, SEND_COUNT_MAX, &parameters);
  if (ring < 0 || !(parameters.features & IORING_FEAT_SINGLE_MMAP)) {
    perror("ceiling: io_uring_setup");
    exit(1);
  }
  size_t submission_byte_count = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
  size_t completion_byte_count = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
  uint8_t *rings =
      map(submission_byte_count > completion_byte_count ? submission_byte_count : completion_byte_count, IORING_OFF_SQ_RING);
  entries = map(parameters.sq_entries * sizeof *entries, IORING_OFF_SQES);
  submission_tail = (void *)(rings + parameters.sq_off.tail);
  submission_mask = *(unsigned *)(rings + parameters.sq_off.ring_mask);
  completion_head = (void *)(rings + parameters.cq_off.head);
  completion_tail = (void *)(rings + parameters.cq_off.tail);
  completion_mask = *(unsigned *)(rings + parameters.cq_off.ring_mask);
  completions = (void *)(rings + parameters.cq_off.cqes);
  // Each place of the ring holds the entry of the same number, for good.
  unsigned *order = (void *)(rings + parameters.sq_off.array);
  for (unsigned i = 0; i < parameters.sq_entries; i++) order[i] = i;
}

void uring_send(int descriptor, const uint8_t *bytes, size_t byte_count) {
  if (connections[descriptor].unsent != NULL) {
    connection_keep(descriptor, bytes, byte_count);
    return;
  }
  unsigned tail = atomic_load_explicit(submission_tail, memory_order_relaxed);
  struct io_uring_sqe *entry = &entries[tail & submission_mask];
  memset(entry, 0, sizeof *entry);
  entry->opcode = IORING_OP_SEND;
  entry->fd = descriptor;
  entry->addr = (uint64_t)(uintptr_t)bytes;
  entry->len = (uint32_t)byte_count;
  entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  // To find the entry again, of which the kernel keeps nothing but this.
  entry->user_data = tail & submission_mask;
  atomic_store_explicit(submission_tail, tail + 1, memory_order_release);
  if (++waiting_count == SEND_COUNT_MAX) uring_submit();
}

/// Works off what the kernel says about the sends; the rest of a short one is kept.
static unsigned take_completions(void) {
  unsigned head = atomic_load_explicit(completion_head, memory_order_relaxed);
  unsigned tail = atomic_load_explicit(completion_tail, memory_order_acquire);
  unsigned count = tail - head;
  for (; head != tail; head++) {
    struct io_uring_cqe *completion = &completions[head & completion_mask];
    struct io_uring_sqe *entry = &entries[completion->user_data];
    // A broken connection is closed by the read event that comes with it.
    if (completion->res < 0 && completion->res != -EAGAIN) continue;
    uint32_t sent = completion->res < 0 ? 0 : (uint32_t)completion->res;
    if (sent < entry->len) connection_keep(entry->fd, (const uint8_t *)(uintptr_t)entry->addr + sent, entry->len - sent);
  }
  atomic_store_explicit(completion_head, head, memory_order_release);
  return count;
}

void uring_submit(void) {
  unsigned unsubmitted = waiting_count;
  while (waiting_count > 0) {
    long taken = syscall(SYS_io_uring_enter, ring, unsubmitted, waiting_count, IORING_ENTER_GETEVENTS, NULL, 0);
    if (taken < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) {
      perror("ceiling: io_uring_enter");
      exit(1);
    }
    if (taken > 0) unsubmitted -= (unsigned)taken;
    waiting_count -= take_completions();
  }
}
