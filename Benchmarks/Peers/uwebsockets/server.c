// uWebSockets by the C interface of PyPI's socketify, which brings it as a shared library: `uwebsockets-server PORT
// [--deflate]`. Versions and settings: ../README.md.
//
// The interface has no header of its own in that package. What is used of it is declared here, as the package declares
// it for Python (socketify/native.py).
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct uws_app_s uws_app_t;
typedef struct uws_req_s uws_req_t;
typedef struct uws_res_s uws_res_t;
typedef struct uws_socket_context_s uws_socket_context_t;
typedef struct uws_websocket_s uws_websocket_t;
struct us_listen_socket_t;

struct us_socket_context_options_t {
  const char *key_file_name, *cert_file_name, *passphrase, *dh_params_file_name, *ca_file_name, *ssl_ciphers;
  int ssl_prefer_low_memory_usage;
};

typedef struct {
  int port;
  const char *host;
  int options;
} uws_app_listen_config_t;

enum { UWS_COMPRESSION_OFF = 0, UWS_SHARED_COMPRESSOR = 1, UWS_SHARED_DECOMPRESSOR = 1 << 8 };

typedef struct {
  int compression;
  unsigned int max_payload_length;
  unsigned short idle_timeout;
  unsigned int max_backpressure;
  bool close_on_backpressure_limit;
  bool reset_idle_timeout_on_send;
  bool send_pings_automatically;
  unsigned short max_lifetime;
  void (*upgrade)(uws_res_t *, uws_req_t *, uws_socket_context_t *, void *);
  void (*open)(uws_websocket_t *, void *);
  void (*message)(uws_websocket_t *, const char *, size_t, int, void *);
  void (*drain)(uws_websocket_t *, void *);
  void (*ping)(uws_websocket_t *, const char *, size_t, void *);
  void (*pong)(uws_websocket_t *, const char *, size_t, void *);
  void (*close)(uws_websocket_t *, int, const char *, size_t, void *);
  void (*subscription)(uws_websocket_t *, const char *, size_t, int, int, void *);
} uws_socket_behavior_t;

uws_app_t *uws_create_app(int ssl, struct us_socket_context_options_t options);
void uws_app_listen_with_config(
    int ssl, uws_app_t *app, uws_app_listen_config_t config,
    void (*handler)(struct us_listen_socket_t *, uws_app_listen_config_t, void *), void *user_data);
void uws_app_run(int ssl, uws_app_t *app);
bool uws_publish(
    int ssl, uws_app_t *app, const char *topic, size_t topic_length, const char *message, size_t message_length,
    int opcode, bool compress);
size_t uws_req_get_parameter(uws_req_t *request, unsigned short index, const char **value);
size_t uws_req_get_header(uws_req_t *request, const char *name, size_t name_length, const char **value);
void uws_res_upgrade(
    int ssl, uws_res_t *response, void *data, const char *key, size_t key_length, const char *protocol,
    size_t protocol_length, const char *extensions, size_t extensions_length, uws_socket_context_t *context);
void uws_ws(int ssl, uws_app_t *app, const char *pattern, uws_socket_behavior_t behavior, void *user_data);
void *uws_ws_get_user_data(int ssl, uws_websocket_t *ws);
int uws_ws_send(int ssl, uws_websocket_t *ws, const char *message, size_t length, int opcode);
bool uws_ws_subscribe(int ssl, uws_websocket_t *ws, const char *topic, size_t length);

static uws_app_t *app;
static bool is_compressing;

static size_t header(uws_req_t *request, const char *name, const char **value) {
  return uws_req_get_header(request, name, strlen(name), value);
}

/// Answers the handshake; what belongs to the connection is the number of its topic.
static void upgrade(uws_res_t *response, uws_req_t *request, uws_socket_context_t *context, void *unused) {
  (void)unused;
  const char *topic, *key, *protocol, *extensions;
  size_t topic_length = uws_req_get_parameter(request, 0, &topic);
  uintptr_t number = topic_length > 0 ? strtoul(topic, NULL, 10) : 0;
  size_t key_length = header(request, "sec-websocket-key", &key);
  size_t protocol_length = header(request, "sec-websocket-protocol", &protocol);
  size_t extensions_length = header(request, "sec-websocket-extensions", &extensions);
  uws_res_upgrade(
      0, response, (void *)number, key, key_length, protocol, protocol_length, extensions, extensions_length, context);
}

static void subscribe(uws_websocket_t *ws, void *unused) {
  (void)unused;
  char topic[24];
  int length = snprintf(topic, sizeof topic, "%lu", (unsigned long)(uintptr_t)uws_ws_get_user_data(0, ws));
  uws_ws_subscribe(0, ws, topic, (size_t)length);
}

/// A publication is its topic, a space, and what is delivered.
static void publish(uws_websocket_t *ws, const char *message, size_t length, int opcode, void *unused) {
  (void)ws, (void)unused;
  const char *space = memchr(message, ' ', length);
  if (space == NULL) return;
  size_t topic_length = (size_t)(space - message);
  uws_publish(0, app, message, topic_length, space + 1, length - topic_length - 1, opcode, is_compressing);
}

static void echo(uws_websocket_t *ws, const char *message, size_t length, int opcode, void *unused) {
  (void)unused;
  uws_ws_send(0, ws, message, length, opcode);
}

static void listening(struct us_listen_socket_t *socket, uws_app_listen_config_t config, void *unused) {
  (void)unused;
  if (socket) return;
  fprintf(stderr, "uwebsockets-server: cannot listen on %d\n", config.port);
  exit(1);
}

int main(int argument_count, char **arguments) {
  if (argument_count < 2) {
    fprintf(stderr, "usage: uwebsockets-server PORT [--deflate]\n");
    return 64;
  }
  is_compressing = argument_count > 2 && strcmp(arguments[2], "--deflate") == 0;
  app = uws_create_app(0, (struct us_socket_context_options_t){0});
  const uws_socket_behavior_t common = {
      .compression = is_compressing ? UWS_SHARED_COMPRESSOR | UWS_SHARED_DECOMPRESSOR : UWS_COMPRESSION_OFF,
      .max_payload_length = 16 * 1024,
      .max_backpressure = 1024 * 1024,
      .upgrade = upgrade,
  };
  uws_socket_behavior_t subscriber = common, publisher = common, echoing = common;
  subscriber.open = subscribe;
  publisher.message = publish;
  echoing.message = echo;
  uws_ws(0, app, "/t/:topic", subscriber, NULL);
  uws_ws(0, app, "/publish", publisher, NULL);
  uws_ws(0, app, "/echo", echoing, NULL);
  uws_app_listen_with_config(
      0, app, (uws_app_listen_config_t){.port = atoi(arguments[1]), .host = "127.0.0.1"}, listening, NULL);
  uws_app_run(0, app);
  return 0;
}
