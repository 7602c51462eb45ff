#define _GNU_SOURCE
#include "CLoadShim.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

_Static_assert(sizeof(struct load_event) == sizeof(struct epoll_event), "the kernel's layout");

int load_epoll_make(void) { return epoll_create1(EPOLL_CLOEXEC); }

int load_epoll_watch(int epoll, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  int result = epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
  if (result != 0 && errno == ENOENT) result = epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
  return result;
}

int load_epoll_wait(int epoll, struct load_event *events, int count_max, int milliseconds) {
  int count = epoll_wait(epoll, (struct epoll_event *)events, count_max, milliseconds);
  return count < 0 && errno == EINTR ? 0 : count;
}

int load_timer_make(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

int load_timer_set(int timer, uint64_t nanoseconds) {
  struct itimerspec at = {.it_value = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)}};
  return timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

int load_connect(uint16_t port, int receive_byte_count) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  int on = 1;
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (receive_byte_count > 0) {
    // With the segments of 64 KiB that loopback has, the kernel would keep megabytes for a sender whose peer does not
    // read; with those of an Ethernet it keeps what it keeps there.
    int segment_byte_count = 1460;
    setsockopt(descriptor, IPPROTO_TCP, TCP_MAXSEG, &segment_byte_count, sizeof segment_byte_count);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_byte_count, sizeof receive_byte_count);
  }
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS) return descriptor;
  close(descriptor);
  return -1;
}

uint64_t load_raise_descriptor_limit(void) {
  struct rlimit limit = {0};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}
