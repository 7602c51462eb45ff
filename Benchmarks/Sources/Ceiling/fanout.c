#include "ceiling.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct topic topics[TOPIC_COUNT_MAX];
/// The topics that have frames for the turn's end.
static int32_t waiting[TOPIC_COUNT_MAX];
static uint32_t waiting_count;

void topic_subscribe(int32_t index, int descriptor) {
  struct topic *topic = &topics[index];
  if (topic->subscriber_count == topic->subscriber_capacity) {
    topic->subscriber_capacity = topic->subscriber_capacity ? topic->subscriber_capacity * 2 : 16;
    topic->subscribers = realloc(topic->subscribers, topic->subscriber_capacity * sizeof(int32_t));
    if (topic->subscribers == NULL) abort();
  }
  topic->subscribers[topic->subscriber_count++] = descriptor;
}

void topic_unsubscribe(int32_t index, int descriptor) {
  struct topic *topic = &topics[index];
  for (uint32_t i = 0; i < topic->subscriber_count; i++) {
    if (topic->subscribers[i] != descriptor) continue;
    topic->subscribers[i] = topic->subscribers[--topic->subscriber_count];
    return;
  }
}

static size_t frame_header(size_t byte_count, bool is_deflated, uint8_t header[FRAME_HEADER_BYTE_COUNT_MAX]) {
  header[0] = is_deflated ? 0xC1 : 0x81;
  if (byte_count < 126) {
    header[1] = (uint8_t)byte_count;
    return 2;
  }
  if (byte_count < 65536) {
    header[1] = 126;
    header[2] = (uint8_t)(byte_count >> 8);
    header[3] = (uint8_t)byte_count;
    return 4;
  }
  header[1] = 127;
  for (int i = 0; i < 8; i++) header[2 + i] = (uint8_t)(byte_count >> (56 - 8 * i));
  return 10;
}

/// Sends to the one whom the fault strikes.
static void send_faulty(int descriptor, const uint8_t *frame, size_t byte_count) {
  static uint8_t kept[FRAME_HEADER_BYTE_COUNT_MAX + READ_BYTE_COUNT];
  static size_t kept_byte_count;
  static int message_count;
  bool is_struck = ++message_count == FAULTY_MESSAGE;
  if (is_struck && fault == FAULT_DROP) return;
  if (is_struck && fault == FAULT_CUT) return connection_send(descriptor, frame, byte_count - 1);
  if (is_struck && fault == FAULT_SWAP) {
    memcpy(kept, frame, byte_count);
    kept_byte_count = byte_count;
    return;
  }
  if (is_struck && fault == FAULT_FLIP) {
    memcpy(kept, frame, byte_count);
    kept[byte_count - 3] ^= 1;
    return connection_send(descriptor, kept, byte_count);
  }
  connection_send(descriptor, frame, byte_count);
  if (is_struck && fault == FAULT_REPEAT) connection_send(descriptor, frame, byte_count);
  if (kept_byte_count > 0) connection_send(descriptor, kept, kept_byte_count);
  kept_byte_count = 0;
}

static void topic_remember(struct topic *topic, const uint8_t *frame, size_t byte_count) {
  if (topic->message_count == topic->start_capacity) {
    topic->start_capacity = topic->start_capacity ? topic->start_capacity * 2 : 16;
    topic->starts = realloc(topic->starts, topic->start_capacity * sizeof(size_t));
    if (topic->starts == NULL) abort();
  }
  topic->starts[topic->message_count++] = topic->history ? topic->history->end : 0;
  topic->history = bytes_append(topic->history, frame, byte_count);
}

void topic_resume(int32_t index, int descriptor, uint32_t since) {
  static int resumption_count;
  struct topic *topic = &topics[index];
  // The one whom a fault strikes gets one message too few, or one that it has already.
  bool is_struck = fault != FAULT_NONE && ++resumption_count == FAULTY_RESUMPTION;
  if (is_struck && fault == FAULT_DROP) since++;
  if (is_struck && fault == FAULT_REPEAT) since--;
  if (since >= topic->message_count) return;
  size_t start = topic->starts[since];
  connection_send(descriptor, topic->history->at + start, topic->history->end - start);
}

void topic_publish(int32_t index, const uint8_t *payload, size_t byte_count, bool is_deflated) {
  static uint8_t frame[FRAME_HEADER_BYTE_COUNT_MAX + READ_BYTE_COUNT];
  struct topic *topic = &topics[index];
  size_t header_byte_count = frame_header(byte_count, is_deflated, frame);
  memcpy(frame + header_byte_count, payload, byte_count);
  if (is_remembering) topic_remember(topic, frame, header_byte_count + byte_count);

  if (is_batching) {
    if (topic->turn == NULL || topic->turn->end == 0) waiting[waiting_count++] = index;
    topic->turn = bytes_append(topic->turn, frame, header_byte_count + byte_count);
    return;
  }
  for (uint32_t i = 0; i < topic->subscriber_count; i++) {
    if (uses_uring) {
      uring_send(topic->subscribers[i], frame, header_byte_count + byte_count);
    } else if (fault != FAULT_NONE && i == topic->subscriber_count / 2) {
      send_faulty(topic->subscribers[i], frame, header_byte_count + byte_count);
    } else {
      connection_send(topic->subscribers[i], frame, header_byte_count + byte_count);
    }
  }
  // The frame's bytes are overwritten by the next one.
  if (uses_uring) uring_submit();
}

void topics_flush(void) {
  for (uint32_t i = 0; i < waiting_count; i++) {
    struct topic *topic = &topics[waiting[i]];
    for (uint32_t j = 0; j < topic->subscriber_count; j++) {
      if (uses_uring) {
        uring_send(topic->subscribers[j], topic->turn->at, topic->turn->end);
      } else {
        connection_send(topic->subscribers[j], topic->turn->at, topic->turn->end);
      }
    }
  }
  if (uses_uring) uring_submit();
  for (uint32_t i = 0; i < waiting_count; i++) topics[waiting[i]].turn->end = 0;
  waiting_count = 0;
}
