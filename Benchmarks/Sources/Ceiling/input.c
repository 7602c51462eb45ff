#define _GNU_SOURCE
#include "ceiling.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/// What is read comes here, behind what an earlier read left over.
static uint8_t input[READ_BYTE_COUNT];

void connection_close(int descriptor) {
  struct connection *connection = &connections[descriptor];
  if (connection->state == CONNECTION_SUBSCRIBER) topic_unsubscribe(connection->topic, descriptor);
  free(connection->unread);
  free(connection->unsent);
  memset(connection, 0, sizeof *connection);
  close(descriptor);
}

/// The functions below consume what is complete and return how many bytes that was; -1 closes the connection.
static ssize_t read_head(int descriptor, size_t byte_count) {
  struct connection *connection = &connections[descriptor];
  const uint8_t *end = memmem(input, byte_count, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t head_byte_count = (size_t)(end - input) + 4;
  char answer[256];
  size_t answer_byte_count = handshake_answer((const char *)input, head_byte_count, answer);
  if (answer_byte_count == 0) return -1;

  if (memcmp(input, "GET /t/", 7) == 0) {
    char *rest;
    connection->topic = (int32_t)(strtoul((const char *)input + 7, &rest, 10) % TOPIC_COUNT_MAX);
    connection->state = CONNECTION_SUBSCRIBER;
    topic_subscribe(connection->topic, descriptor);
    if (memcmp(rest, "?since=", 7) == 0) {
      connection_send(descriptor, (const uint8_t *)answer, answer_byte_count);
      topic_resume(connection->topic, descriptor, (uint32_t)strtoul(rest + 7, NULL, 10));
      return (ssize_t)head_byte_count;
    }
  } else if (memcmp(input, "GET /echo", 9) == 0) {
    connection->state = CONNECTION_ECHO;
  } else if (memcmp(input, "GET /publish", 12) == 0) {
    connection->state = CONNECTION_CONTROL;
  } else {
    return -1;
  }
  connection_send(descriptor, (const uint8_t *)answer, answer_byte_count);
  return (ssize_t)head_byte_count;
}

/// Turns masked frames into plain ones where they stand (a header without a key is four bytes shorter), moved together.
static ssize_t read_echo(int descriptor, size_t byte_count) {
  size_t position = 0, written = 0;
  while (byte_count - position >= 6) {
    uint8_t *frame = input + position;
    size_t length = frame[1] & 127, header_byte_count = 6;
    if (length == 126) {
      if (byte_count - position < 8) break;
      length = (size_t)frame[2] << 8 | frame[3];
      header_byte_count = 8;
    } else if (length == 127) {
      return -1;
    }
    if (byte_count - position < header_byte_count + length) break;
    if ((frame[0] & 15) == 8) return -1;

    uint32_t key;
    memcpy(&key, frame + header_byte_count - 4, 4);
    uint64_t wide_key = (uint64_t)key << 32 | key;
    uint8_t *to = input + written;
    memmove(to, frame, header_byte_count - 4);
    if ((to[0] & 15) == 9) to[0] = 0x8A;
    to[1] &= 127;
    to += header_byte_count - 4;
    // Eight bytes at a time: a word written here ends at most four bytes into the word it was read from, because
    // every frame shrinks by four.
    const uint8_t *from = frame + header_byte_count;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
      uint64_t word;
      memcpy(&word, from + i, 8);
      word ^= wide_key;
      memcpy(to + i, &word, 8);
    }
    for (; i < length; i++) to[i] = from[i] ^ (uint8_t)(key >> (8 * (i & 3)));
    written += header_byte_count - 4 + length;
    position += header_byte_count + length;
  }
  if (written > 0) connection_send(descriptor, input, written);
  return (ssize_t)position;
}

static ssize_t read_control(size_t byte_count) {
  size_t position = 0;
  while (byte_count - position >= 8) {
    uint32_t topic, length;
    memcpy(&topic, input + position, 4);
    memcpy(&length, input + position + 4, 4);
    bool is_deflated = length >> 31;
    length &= INT32_MAX;
    if (topic >= TOPIC_COUNT_MAX || length > READ_BYTE_COUNT / 2) return -1;
    if (byte_count - position - 8 < length) break;
    topic_publish((int32_t)topic, input + position + 8, length, is_deflated);
    position += 8 + length;
  }
  return (ssize_t)position;
}

/// Nobody sends anything to a topic but its own end.
static ssize_t read_subscriber(size_t byte_count) { return (input[0] & 15) == 8 ? -1 : (ssize_t)byte_count; }

/// Reads once; false where nothing was left or the connection is gone.
static bool read_once(int descriptor) {
  struct connection *connection = &connections[descriptor];
  size_t kept = 0;
  if (connection->unread) {
    kept = connection->unread->end;
    memcpy(input, connection->unread->at, kept);
  }
  ssize_t received = recv(descriptor, input + kept, READ_BYTE_COUNT - kept, MSG_DONTWAIT);
  if (received < 0 && errno == EAGAIN) return false;
  if (received <= 0) {
    connection_close(descriptor);
    return false;
  }

  size_t byte_count = kept + (size_t)received;
  ssize_t consumed = -1;
  switch (connection->state) {
    case CONNECTION_OPENING: consumed = read_head(descriptor, byte_count); break;
    case CONNECTION_ECHO: consumed = read_echo(descriptor, byte_count); break;
    case CONNECTION_CONTROL: consumed = read_control(byte_count); break;
    case CONNECTION_SUBSCRIBER: consumed = read_subscriber(byte_count); break;
  }
  if (consumed < 0 || byte_count - (size_t)consumed == READ_BYTE_COUNT) {
    connection_close(descriptor);
    return false;
  }
  if (connection->unread == NULL && (size_t)consumed == byte_count) return true;
  free(connection->unread);
  connection->unread = NULL;
  if ((size_t)consumed < byte_count) {
    connection->unread = bytes_append(NULL, input + consumed, byte_count - (size_t)consumed);
  }
  return true;
}

void connection_read(int descriptor) {
  // What has arrived to be published belongs to one turn.
  bool is_drained = is_batching && connections[descriptor].state == CONNECTION_CONTROL;
  while (read_once(descriptor) && is_drained) continue;
}
