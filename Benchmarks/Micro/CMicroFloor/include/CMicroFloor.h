#ifndef CMICROFLOOR_H
#define CMICROFLOOR_H

#include <stddef.h>
#include <stdint.h>

// What each piece of work costs at least: the same in plain C, or the part of it that nobody can leave out.

// Takes a value where the optimiser cannot see that it goes unused.
void micro_consume(uint64_t value);
// Where callgrind is told to write down what was counted since it was called last.
void micro_mark(void);
// Monotonic.
uint64_t micro_nanoseconds(void);

// XOR with a four-byte key, eight bytes at a time.
void micro_unmask(uint8_t *bytes, size_t count, uint32_t key);
// Head, key and payload of one masked frame of fewer than 64 KiB: unmasks it in place, returns where its payload ends.
size_t micro_read_frame(uint8_t *bytes, size_t count);
// A text frame's header and a memcpy; returns the frame's length.
size_t micro_write_frame(uint8_t *target, const uint8_t *payload, size_t count);
// Whether no byte has its top bit, eight at a time.
int micro_is_ascii(const uint8_t *bytes, size_t count);
// UTF-8 by Björn Höhrmann's automaton: one table look-up for each byte.
int micro_is_utf8(const uint8_t *bytes, size_t count);
// Looks at each byte once, counting structural ones outside strings.
size_t micro_walk_json(const uint8_t *bytes, size_t count);
void micro_copy(uint8_t *target, const uint8_t *source, size_t count);
// Where the head of an HTTP request ends.
size_t micro_head_end(const uint8_t *bytes, size_t count);

// zlib itself, with the gateway's parameters and a stream that is reset for each message.
size_t micro_deflate(const uint8_t *bytes, size_t count, uint8_t *target, size_t capacity);
size_t micro_inflate(const uint8_t *bytes, size_t count, uint8_t *target, size_t capacity);
// The SHA-1 of 60 bytes by libcrypto, which the accept key is made of.
void micro_sha1(const uint8_t *bytes, size_t count, uint8_t *digest);

// A linked node with one payload word: malloc, exchange, and by `micro_pop_all` a free.
void micro_push(uint64_t value);
uint64_t micro_pop_all(void);

// A free list of indices in an array.
void micro_slab_prepare(int32_t count);
int32_t micro_slab_take(void);
void micro_slab_give(int32_t index);

#endif
