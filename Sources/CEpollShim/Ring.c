// Sends that enter the kernel together, through io_uring's raw interface (io_uring(7)). Readiness comes from epoll as
// ever: an entry never waits in the kernel, because every send is asked not to block, so all completions are there when
// io_uring_enter returns, and no bytes are read afterwards.
#define _GNU_SOURCE
#include "CEpollShim.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux 6.0; older headers lack it, and older kernels refuse it.
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif

struct signalbox_ring {
  int descriptor;
  unsigned entry_count;
  unsigned submission_mask, completion_mask;
  _Atomic unsigned *submission_tail, *completion_head, *completion_tail;
  struct io_uring_sqe *entries;
  struct io_uring_cqe *completions;
  void *rings;
  size_t rings_byte_count, entries_byte_count;
};

void signalbox_ring_close(struct signalbox_ring *ring) {
  if (ring == NULL) return;
  if (ring->rings != MAP_FAILED) munmap(ring->rings, ring->rings_byte_count);
  if ((void *)ring->entries != MAP_FAILED) munmap(ring->entries, ring->entries_byte_count);
  if (ring->descriptor >= 0) close(ring->descriptor);
  free(ring);
}

static void *map(int descriptor, size_t byte_count, off_t offset) {
  return mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, offset);
}

struct signalbox_ring *signalbox_ring_open(unsigned entry_count) {
  struct signalbox_ring *ring = calloc(1, sizeof *ring);
  if (ring == NULL) return NULL;
  ring->rings = MAP_FAILED;
  ring->entries = MAP_FAILED;
  // One thread submits, and completions need not interrupt it: it looks at them itself.
  struct io_uring_params parameters = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN};
  ring->descriptor = (int)syscall(SYS_io_uring_setup, entry_count, &parameters);
  if (ring->descriptor < 0 && errno == EINVAL) {
    parameters = (struct io_uring_params){0};
    ring->descriptor = (int)syscall(SYS_io_uring_setup, entry_count, &parameters);
  }
  // Without these features the layout, or what happens to completions that find no room, is another.
  unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP;
  if (ring->descriptor < 0 || (parameters.features & needed) != needed) {
    signalbox_ring_close(ring);
    return NULL;
  }
  size_t submission_byte_count = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
  size_t completion_byte_count = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
  ring->rings_byte_count = submission_byte_count > completion_byte_count ? submission_byte_count : completion_byte_count;
  ring->entries_byte_count = parameters.sq_entries * sizeof(struct io_uring_sqe);
  ring->rings = map(ring->descriptor, ring->rings_byte_count, IORING_OFF_SQ_RING);
  ring->entries = map(ring->descriptor, ring->entries_byte_count, IORING_OFF_SQES);
  if (ring->rings == MAP_FAILED || (void *)ring->entries == MAP_FAILED) {
    signalbox_ring_close(ring);
    return NULL;
  }
  uint8_t *base = ring->rings;
  ring->entry_count = parameters.sq_entries;
  ring->submission_tail = (void *)(base + parameters.sq_off.tail);
  ring->submission_mask = *(unsigned *)(base + parameters.sq_off.ring_mask);
  ring->completion_head = (void *)(base + parameters.cq_off.head);
  ring->completion_tail = (void *)(base + parameters.cq_off.tail);
  ring->completion_mask = *(unsigned *)(base + parameters.cq_off.ring_mask);
  ring->completions = (void *)(base + parameters.cq_off.cqes);
  // Each place of the ring holds the entry of the same number, for good.
  unsigned *order = (void *)(base + parameters.sq_off.array);
  for (unsigned index = 0; index < parameters.sq_entries; index++) order[index] = index;
  return ring;
}

/// Takes what has completed; the number of completions.
static unsigned take_completions(struct signalbox_ring *ring, struct signalbox_send *sends, unsigned count) {
  unsigned head = atomic_load_explicit(ring->completion_head, memory_order_relaxed);
  unsigned tail = atomic_load_explicit(ring->completion_tail, memory_order_acquire);
  unsigned taken = tail - head;
  for (; head != tail; head++) {
    struct io_uring_cqe *completion = &ring->completions[head & ring->completion_mask];
    if (completion->user_data < count) sends[completion->user_data].result = completion->res;
  }
  atomic_store_explicit(ring->completion_head, head, memory_order_release);
  return taken;
}

unsigned signalbox_ring_send(struct signalbox_ring *ring, struct signalbox_send *sends, unsigned count) {
  if (count > ring->entry_count) count = ring->entry_count;
  unsigned tail = atomic_load_explicit(ring->submission_tail, memory_order_relaxed);
  for (unsigned index = 0; index < count; index++) {
    struct io_uring_sqe *entry = &ring->entries[(tail + index) & ring->submission_mask];
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_SEND;
    entry->fd = sends[index].descriptor;
    entry->addr = (uint64_t)(uintptr_t)sends[index].bytes;
    entry->len = sends[index].byte_count;
    entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    entry->user_data = index;
    // Should the kernel never say, the stream counts as dead: nobody knows how much of it has left.
    sends[index].result = -EIO;
  }
  atomic_store_explicit(ring->submission_tail, tail + count, memory_order_release);
  unsigned submitted = 0, completed = 0;
  while (completed < count) {
    long taken = syscall(SYS_io_uring_enter, ring->descriptor, count - submitted, submitted < count ? 0 : count - completed,
                         IORING_ENTER_GETEVENTS, NULL, 0);
    if (taken > 0) submitted += (unsigned)taken;
    unsigned done = take_completions(ring, sends, count);
    completed += done;
    if (taken < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) break;
    // The kernel takes no more and has nothing to give back: the rest must go another way.
    if (taken <= 0 && done == 0 && submitted == completed && submitted < count && errno != EINTR) break;
  }
  return submitted;
}
