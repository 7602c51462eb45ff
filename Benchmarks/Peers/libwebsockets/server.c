// libwebsockets: `libwebsockets-server PORT [--deflate]`. Versions and settings: ../README.md.
//
// A message is allocated once, with room for the frame's header, and counted by those who still have to get it. Every
// connection has a queue of such messages, from which each "writeable" callback takes one.
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  TOPIC_COUNT_MAX = 65536,
  PATH_BYTE_COUNT_MAX = 64,
};

struct message {
  size_t byte_count;
  uint32_t reference_count;
  uint8_t at[];
};

/// First in, first out; grows to a power of two that holds what is under way.
struct queue {
  struct message **at;
  uint32_t start, count, capacity;
};

enum role { ROLE_SUBSCRIBER, ROLE_PUBLISHER, ROLE_ECHO };

/// libwebsockets keeps one of these with every connection, zeroed.
struct connection {
  struct lws *wsi;
  struct connection *previous, *next;
  struct queue queue;
  struct message *unfinished;
  uint32_t topic;
  enum role role;
};

static struct connection *subscribers[TOPIC_COUNT_MAX];

static struct message *message_append(struct message *message, const void *bytes, size_t byte_count) {
  size_t before = message ? message->byte_count : 0;
  message = realloc(message, sizeof *message + LWS_PRE + before + byte_count);
  if (message == NULL) abort();
  memcpy(message->at + LWS_PRE + before, bytes, byte_count);
  message->byte_count = before + byte_count;
  message->reference_count = 0;
  return message;
}

static void message_release(struct message *message) {
  if (--message->reference_count == 0) free(message);
}

static void enqueue(struct connection *connection, struct message *message) {
  struct queue *queue = &connection->queue;
  if (queue->count == queue->capacity) {
    uint32_t capacity = queue->capacity ? queue->capacity * 2 : 4;
    struct message **larger = malloc(capacity * sizeof *larger);
    if (larger == NULL) abort();
    for (uint32_t i = 0; i < queue->count; i++) larger[i] = queue->at[(queue->start + i) % queue->capacity];
    free(queue->at);
    *queue = (struct queue){.at = larger, .count = queue->count, .capacity = capacity};
  }
  queue->at[(queue->start + queue->count++) % queue->capacity] = message;
  message->reference_count++;
  lws_callback_on_writable(connection->wsi);
}

/// Sends the oldest message; false where the connection is to be closed.
static bool write_one(struct connection *connection) {
  struct queue *queue = &connection->queue;
  if (queue->count == 0) return true;
  struct message *message = queue->at[queue->start];
  queue->start = (queue->start + 1) % queue->capacity;
  queue->count--;
  // What the kernel does not take, libwebsockets keeps a copy of.
  int written = lws_write(connection->wsi, message->at + LWS_PRE, message->byte_count, LWS_WRITE_TEXT);
  bool is_written = written >= (int)message->byte_count;
  message_release(message);
  if (queue->count > 0) lws_callback_on_writable(connection->wsi);
  return is_written;
}

/// A publication is its topic, a space, and what is delivered.
static bool publish(const struct message *publication) {
  const uint8_t *start = publication->at + LWS_PRE;
  const uint8_t *space = memchr(start, ' ', publication->byte_count);
  if (space == NULL) return false;
  uint32_t topic = (uint32_t)strtoul((const char *)start, NULL, 10) % TOPIC_COUNT_MAX;
  if (subscribers[topic] == NULL) return true;
  size_t prefix_byte_count = (size_t)(space + 1 - start);
  struct message *message = message_append(NULL, space + 1, publication->byte_count - prefix_byte_count);
  for (struct connection *connection = subscribers[topic]; connection; connection = connection->next) {
    enqueue(connection, message);
  }
  return true;
}

static bool open_connection(struct connection *connection, struct lws *wsi) {
  char path[PATH_BYTE_COUNT_MAX];
  connection->wsi = wsi;
  if (lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0) return false;
  if (strcmp(path, "/publish") == 0) {
    connection->role = ROLE_PUBLISHER;
  } else if (strcmp(path, "/echo") == 0) {
    connection->role = ROLE_ECHO;
  } else if (strncmp(path, "/t/", 3) == 0) {
    connection->role = ROLE_SUBSCRIBER;
    connection->topic = (uint32_t)strtoul(path + 3, NULL, 10) % TOPIC_COUNT_MAX;
    struct connection **first = &subscribers[connection->topic];
    connection->next = *first;
    if (*first) (*first)->previous = connection;
    *first = connection;
  } else {
    return false;
  }
  return true;
}

static void close_connection(struct connection *connection) {
  if (connection->role == ROLE_SUBSCRIBER && connection->wsi) {
    if (connection->next) connection->next->previous = connection->previous;
    if (connection->previous) {
      connection->previous->next = connection->next;
    } else if (subscribers[connection->topic] == connection) {
      subscribers[connection->topic] = connection->next;
    }
  }
  struct queue *queue = &connection->queue;
  for (; queue->count > 0; queue->count--) {
    message_release(queue->at[queue->start]);
    queue->start = (queue->start + 1) % queue->capacity;
  }
  free(queue->at);
  free(connection->unfinished);
}

/// Takes a piece of a message; false where the connection is to be closed.
static bool receive(struct connection *connection, const void *bytes, size_t byte_count) {
  if (connection->role == ROLE_SUBSCRIBER) return true;
  struct message *message = message_append(connection->unfinished, bytes, byte_count);
  connection->unfinished = message;
  if (lws_remaining_packet_payload(connection->wsi) > 0 || !lws_is_final_fragment(connection->wsi)) return true;
  connection->unfinished = NULL;
  if (connection->role == ROLE_ECHO) {
    enqueue(connection, message);
    return true;
  }
  // The digits that strtoul reads end at a space, which `publish` has looked for.
  bool is_published = publish(message);
  free(message);
  return is_published;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *bytes, size_t byte_count) {
  struct connection *connection = user;
  switch (reason) {
    case LWS_CALLBACK_ESTABLISHED: return open_connection(connection, wsi) ? 0 : -1;
    case LWS_CALLBACK_CLOSED: close_connection(connection); return 0;
    case LWS_CALLBACK_RECEIVE: return receive(connection, bytes, byte_count) ? 0 : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE: return write_one(connection) ? 0 : -1;
    default: return 0;
  }
}

int main(int argument_count, char **arguments) {
  if (argument_count < 2) {
    fprintf(stderr, "usage: libwebsockets-server PORT [--deflate]\n");
    return 64;
  }
  lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
  static const struct lws_protocols protocols[] = {
      {.name = "benchmark", .callback = callback, .per_session_data_size = sizeof(struct connection)},
      {.name = NULL},
  };
  static const struct lws_extension deflate[] = {
      {.name = "permessage-deflate", .callback = lws_extension_callback_pm_deflate,
       .client_offer = "permessage-deflate"},
      {.name = NULL},
  };
  bool is_compressing = argument_count > 2 && strcmp(arguments[2], "--deflate") == 0;
  struct lws_context_creation_info information = {
      .port = atoi(arguments[1]),
      .iface = "127.0.0.1",
      .protocols = protocols,
      .extensions = is_compressing ? deflate : NULL,
      .gid = -1,
      .uid = -1,
      .options = LWS_SERVER_OPTION_LIBUV,
  };
  struct lws_context *context = lws_create_context(&information);
  if (context == NULL) return 1;
  // Until a signal ends the process.
  while (lws_service(context, 0) >= 0) continue;
  lws_context_destroy(context);
  return 0;
}
