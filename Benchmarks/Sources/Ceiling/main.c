#define _GNU_SOURCE
#include "ceiling.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection connections[DESCRIPTOR_COUNT_MAX];
bool is_batching, is_remembering, is_compressed, uses_uring;
enum fault fault;
static int epoll;

void watch(int descriptor, uint32_t events, bool is_new) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event);
}

static int listen_on_loopback(uint16_t port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, LISTEN_BACKLOG) != 0) {
    perror("ceiling: listen");
    exit(1);
  }
  getsockname(listener, (struct sockaddr *)&address, &length);
  fprintf(stderr, "listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  return listener;
}

static void accept_all(int listener) {
  for (;;) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    if (descriptor >= DESCRIPTOR_COUNT_MAX) {
      close(descriptor);
      continue;
    }
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections[descriptor].state = CONNECTION_OPENING;
    watch(descriptor, EPOLLIN, true);
  }
}

int main(int argument_count, char **arguments) {
  uint16_t port = 0;
  for (int i = 1; i < argument_count; i++) {
    if (strcmp(arguments[i], "--batch") == 0) {
      is_batching = true;
    } else if (strcmp(arguments[i], "--history") == 0) {
      is_remembering = true;
    } else if (strcmp(arguments[i], "--deflate") == 0) {
      is_compressed = true;
    } else if (strcmp(arguments[i], "--uring") == 0) {
      uses_uring = true;
    } else if (strcmp(arguments[i], "--port") == 0 && i + 1 < argument_count) {
      port = (uint16_t)atoi(arguments[++i]);
    } else if (strcmp(arguments[i], "--fault") == 0 && i + 1 < argument_count) {
      static const char *const names[] = {"none", "drop", "repeat", "swap", "flip", "cut"};
      i++;
      for (int kind = FAULT_DROP; kind <= FAULT_CUT; kind++) {
        if (strcmp(arguments[i], names[kind]) == 0) fault = (enum fault)kind;
      }
    } else {
      fprintf(stderr, "usage: ceiling [--port N] [--batch] [--uring] [--history] [--deflate] [--fault drop|repeat|swap|flip|cut]\n");
      return 64;
    }
  }
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  signal(SIGPIPE, SIG_IGN);

  if (uses_uring) uring_open();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_on_loopback(port);
  watch(listener, EPOLLIN, true);
  struct epoll_event events[EVENT_COUNT_MAX];
  for (;;) {
    int count = epoll_wait(epoll, events, EVENT_COUNT_MAX, -1);
    for (int i = 0; i < count; i++) {
      int descriptor = events[i].data.fd;
      if (descriptor == listener) {
        accept_all(listener);
        continue;
      }
      // A connection closed earlier in this turn can have no event left: each descriptor is reported once, and only
      // its own event closes it.
      if (events[i].events & EPOLLOUT) connection_send_rest(descriptor);
      if (events[i].events & ~(uint32_t)EPOLLOUT) connection_read(descriptor);
    }
    if (is_batching) topics_flush();
  }
}
