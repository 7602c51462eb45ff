// The ceiling: what an epoll loop costs that does nothing but what the kernel forces on it. No limits, no tasks, no
// history, no answers: a measure for the gateway, not a server for anybody.
//
//   GET /t/7      a WebSocket that receives what is published to topic 7; with ?since=3 and --history, first what was
//                 published to it from message 3 on, counted from 0
//   GET /echo     a WebSocket that gets every message back, and pings answered
//   GET /publish  the control connection: answered like a WebSocket, then records of
//                 topic (u32), byte count (u32), payload; little-endian, no answer. The byte count's highest bit
//                 marks a payload that is compressed already (--deflate)
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  DESCRIPTOR_COUNT_MAX = 65536,
  TOPIC_COUNT_MAX = 65536,
  READ_BYTE_COUNT = 1 << 20,
  EVENT_COUNT_MAX = 1024,
  LISTEN_BACKLOG = 4096,
  FRAME_HEADER_BYTE_COUNT_MAX = 10,
  // The message of the run that a fault strikes.
  FAULTY_MESSAGE = 50,
  // The client that comes back and is struck.
  FAULTY_RESUMPTION = 5,
};

/// Bytes that wait: a frame cut off by a read, or output the kernel did not take.
struct bytes {
  size_t start, end, capacity;
  uint8_t at[];
};

enum connection_state { CONNECTION_FREE, CONNECTION_OPENING, CONNECTION_SUBSCRIBER, CONNECTION_ECHO, CONNECTION_CONTROL };

/// Indexed by its descriptor, in zeroed pages that exist once they are touched: 24 bytes are all it takes to be idle.
struct connection {
  struct bytes *unread, *unsent;
  int32_t topic;
  uint8_t state;
};

/// Those who receive a topic, and in batch mode the frames of this turn one behind the other.
struct topic {
  int32_t *subscribers;
  uint32_t subscriber_count, subscriber_capacity;
  struct bytes *turn;
  // With --history: all its frames, and where each one starts.
  struct bytes *history;
  size_t *starts;
  uint32_t message_count, start_capacity;
};

extern struct connection connections[DESCRIPTOR_COUNT_MAX];
extern bool is_batching, is_remembering, is_compressed, uses_uring;

/// What `--fault` breaks for one subscriber, so that the load generator can be shown to notice. Not while batching.
enum fault { FAULT_NONE, FAULT_DROP, FAULT_REPEAT, FAULT_SWAP, FAULT_FLIP, FAULT_CUT };
extern enum fault fault;

// handshake.c
/// Writes the answer to an opening handshake (RFC 6455 §4.2.2), and agrees to permessage-deflate with --deflate; 0 where
/// the head has no key.
size_t handshake_answer(const char *head, size_t byte_count, char answer[256]);

// fanout.c
void topic_subscribe(int32_t topic, int descriptor);
void topic_unsubscribe(int32_t topic, int descriptor);
/// Sends at once, or at the turn's end in batch mode.
void topic_publish(int32_t topic, const uint8_t *payload, size_t byte_count, bool is_deflated);
/// Sends what a topic has had from this message on.
void topic_resume(int32_t topic, int descriptor, uint32_t since);
/// Writes what the turn published, one call for each subscriber.
void topics_flush(void);

// output.c
/// Sends, and keeps what the kernel does not take.
void connection_send(int descriptor, const uint8_t *bytes, size_t byte_count);
void connection_send_rest(int descriptor);
/// Keeps what the kernel did not take, until it says that there is room.
void connection_keep(int descriptor, const uint8_t *bytes, size_t byte_count);
struct bytes *bytes_append(struct bytes *bytes, const uint8_t *more, size_t byte_count);

// uring.c: sends that are handed to the kernel together; for the record.
/// Prints why and ends the program where the kernel does not offer it.
void uring_open(void);
/// Sends with the others at the next `uring_submit`, or earlier where many wait. The bytes must stay until then, and no
/// connection may have two sends in between: the kernel need not keep their order.
void uring_send(int descriptor, const uint8_t *bytes, size_t byte_count);
void uring_submit(void);

// input.c
void connection_read(int descriptor);
void connection_close(int descriptor);

// main.c
void watch(int descriptor, uint32_t events, bool is_new);
