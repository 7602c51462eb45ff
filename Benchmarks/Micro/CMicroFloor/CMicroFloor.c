#define _GNU_SOURCE
#include "CMicroFloor.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

static volatile uint64_t sink;

void micro_consume(uint64_t value) { sink = value; }

__attribute__((noinline)) void micro_mark(void) { __asm__ volatile("" ::: "memory"); }

uint64_t micro_nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void micro_unmask(uint8_t *bytes, size_t count, uint32_t key) {
  uint64_t wide = (uint64_t)key << 32 | key;
  size_t offset = 0;
  for (; offset + 8 <= count; offset += 8) {
    uint64_t word;
    memcpy(&word, bytes + offset, 8);
    word ^= wide;
    memcpy(bytes + offset, &word, 8);
  }
  for (; offset < count; offset++) bytes[offset] ^= (uint8_t)(key >> 8 * (offset & 3));
}

size_t micro_read_frame(uint8_t *bytes, size_t count) {
  if (count < 6) return 0;
  size_t length = bytes[1] & 0x7f, offset = 2;
  if (length == 126) {
    if (count < 8) return 0;
    length = (size_t)bytes[2] << 8 | bytes[3];
    offset = 4;
  }
  if (count < offset + 4 + length) return 0;
  uint32_t key;
  memcpy(&key, bytes + offset, 4);
  micro_unmask(bytes + offset + 4, length, key);
  return offset + 4 + length;
}

size_t micro_write_frame(uint8_t *target, const uint8_t *payload, size_t count) {
  size_t offset = 2;
  target[0] = 0x81;
  if (count < 126) {
    target[1] = (uint8_t)count;
  } else {
    target[1] = 126;
    target[2] = (uint8_t)(count >> 8);
    target[3] = (uint8_t)count;
    offset = 4;
  }
  memcpy(target + offset, payload, count);
  return offset + count;
}

int micro_is_ascii(const uint8_t *bytes, size_t count) {
  uint64_t all = 0;
  size_t offset = 0;
  for (; offset + 8 <= count; offset += 8) {
    uint64_t word;
    memcpy(&word, bytes + offset, 8);
    all |= word;
  }
  for (; offset < count; offset++) all |= bytes[offset];
  return (all & 0x8080808080808080u) == 0;
}

// Bytes to classes, then state + class to state (bjoern.hoehrmann.de/utf-8/decoder/dfa, MIT License).
static const uint8_t automaton[] = {
    0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,
    8,8,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,10,3,3,3,3,3,3,3,3,3,3,3,3,4,3,3,11,6,6,6,5,8,8,8,8,8,8,8,8,8,8,8,
    0,12,24,36,60,96,84,12,12,12,48,72,12,12,12,12,12,12,12,12,12,12,12,12,12,0,12,12,12,12,12,0,12,0,12,12,
    12,24,12,12,12,12,12,24,12,24,12,12,12,12,12,12,12,12,12,24,12,12,12,12,12,24,12,12,12,12,12,12,12,24,12,12,
    12,12,12,12,12,12,12,36,12,36,12,12,12,36,12,12,12,12,12,36,12,36,12,12,12,36,12,12,12,12,12,12,12,12,12,12};

int micro_is_utf8(const uint8_t *bytes, size_t count) {
  uint32_t state = 0;
  for (size_t index = 0; index < count; index++) state = automaton[256 + state + automaton[bytes[index]]];
  return state == 0;
}

size_t micro_walk_json(const uint8_t *bytes, size_t count) {
  size_t structural = 0;
  int is_in_string = 0;
  for (size_t index = 0; index < count; index++) {
    uint8_t byte = bytes[index];
    if (is_in_string) {
      if (byte == '\\') index++;
      else if (byte == '"') is_in_string = 0;
    } else if (byte == '"') {
      is_in_string = 1;
    } else if (byte == '{' || byte == '}' || byte == ':' || byte == ',' || byte == '[' || byte == ']') {
      structural++;
    }
  }
  return structural;
}

void micro_copy(uint8_t *target, const uint8_t *source, size_t count) { memcpy(target, source, count); }

size_t micro_head_end(const uint8_t *bytes, size_t count) {
  const uint8_t *end = memmem(bytes, count, "\r\n\r\n", 4);
  return end ? (size_t)(end - bytes) + 4 : 0;
}

size_t micro_deflate(const uint8_t *bytes, size_t count, uint8_t *target, size_t capacity) {
  static z_stream stream;
  if (!stream.state) {
    if (deflateInit2(&stream, 6, Z_DEFLATED, -12, 5, Z_DEFAULT_STRATEGY) != Z_OK) abort();
  } else {
    deflateReset(&stream);
  }
  stream.next_in = (Bytef *)bytes;
  stream.avail_in = (uInt)count;
  stream.next_out = target;
  stream.avail_out = (uInt)capacity;
  deflate(&stream, Z_SYNC_FLUSH);
  return capacity - stream.avail_out - 4;
}

size_t micro_inflate(const uint8_t *bytes, size_t count, uint8_t *target, size_t capacity) {
  static z_stream stream;
  static Bytef tail[4] = {0, 0, 0xff, 0xff};
  if (!stream.state) {
    if (inflateInit2(&stream, -15) != Z_OK) abort();
  } else {
    inflateReset(&stream);
  }
  stream.next_in = (Bytef *)bytes;
  stream.avail_in = (uInt)count;
  stream.next_out = target;
  stream.avail_out = (uInt)capacity;
  inflate(&stream, Z_SYNC_FLUSH);
  stream.next_in = tail;
  stream.avail_in = sizeof tail;
  inflate(&stream, Z_SYNC_FLUSH);
  return capacity - stream.avail_out;
}

void micro_sha1(const uint8_t *bytes, size_t count, uint8_t *digest) {
  unsigned length;
  EVP_Digest(bytes, count, digest, &length, EVP_sha1(), NULL);
}

struct node {
  struct node *next;
  uint64_t value;
};
static _Atomic(struct node *) top;

void micro_push(uint64_t value) {
  struct node *node = malloc(sizeof *node);
  if (!node) abort();
  node->value = value;
  node->next = atomic_load_explicit(&top, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(&top, &node->next, node, memory_order_acq_rel, memory_order_relaxed)) {}
}

uint64_t micro_pop_all(void) {
  uint64_t sum = 0;
  struct node *node = atomic_exchange_explicit(&top, NULL, memory_order_acq_rel);
  while (node) {
    struct node *next = node->next;
    sum += node->value;
    free(node);
    node = next;
  }
  return sum;
}

static int32_t *free_list;
static int32_t free_count;

void micro_slab_prepare(int32_t count) {
  free_list = malloc((size_t)count * sizeof *free_list);
  if (!free_list) abort();
  for (int32_t index = 0; index < count; index++) free_list[index] = count - 1 - index;
  free_count = count;
}

int32_t micro_slab_take(void) { return free_count > 0 ? free_list[--free_count] : -1; }

void micro_slab_give(int32_t index) { free_list[free_count++] = index; }
