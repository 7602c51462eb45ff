#define _GNU_SOURCE
#include "ceiling.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct bytes *bytes_append(struct bytes *bytes, const uint8_t *more, size_t byte_count) {
  size_t end = bytes ? bytes->end : 0;
  if (bytes == NULL || end + byte_count > bytes->capacity) {
    size_t capacity = (end + byte_count) * 3 / 2;
    bytes = realloc(bytes, sizeof *bytes + capacity);
    if (bytes == NULL) abort();
    bytes->capacity = capacity;
    if (end == 0) bytes->start = 0;
  }
  memcpy(bytes->at + end, more, byte_count);
  bytes->end = end + byte_count;
  return bytes;
}

void connection_send(int descriptor, const uint8_t *bytes, size_t byte_count) {
  struct connection *connection = &connections[descriptor];
  if (connection->unsent == NULL) {
    ssize_t sent = send(descriptor, bytes, byte_count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == (ssize_t)byte_count) return;
    if (sent < 0) {
      // A broken connection is closed by the read event that comes with it.
      if (errno != EAGAIN) return;
      sent = 0;
    }
    bytes += sent;
    byte_count -= (size_t)sent;
  }
  connection_keep(descriptor, bytes, byte_count);
}

void connection_keep(int descriptor, const uint8_t *bytes, size_t byte_count) {
  struct connection *connection = &connections[descriptor];
  if (connection->unsent == NULL) watch(descriptor, EPOLLIN | EPOLLOUT, false);
  connection->unsent = bytes_append(connection->unsent, bytes, byte_count);
}

void connection_send_rest(int descriptor) {
  struct connection *connection = &connections[descriptor];
  struct bytes *unsent = connection->unsent;
  if (unsent == NULL) return;
  ssize_t sent = send(descriptor, unsent->at + unsent->start, unsent->end - unsent->start, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return;
  unsent->start += (size_t)sent;
  if (unsent->start < unsent->end) return;
  free(unsent);
  connection->unsent = NULL;
  watch(descriptor, EPOLLIN, false);
}
