#pragma once
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

// Swift cannot import the packed `union epoll_data` in a way that reads well, nor flags that are
// enums or macros with casts. Everything else of Glibc is called from Swift directly.

static inline uint64_t signalbox_epoll_token(const struct epoll_event *event) { return event->data.u64; }
static inline uint32_t signalbox_epoll_events(const struct epoll_event *event) { return event->events; }
static inline void signalbox_epoll_set(struct epoll_event *event, uint32_t events, uint64_t token) {
  event->events = events;
  event->data.u64 = token;
}
static inline int signalbox_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event;
  event.events = events;
  event.data.u64 = token;
  return epoll_ctl(epoll, operation, descriptor, &event);
}

#define SIGNALBOX_EPOLL_IN ((uint32_t)EPOLLIN)
#define SIGNALBOX_EPOLL_OUT ((uint32_t)EPOLLOUT)
#define SIGNALBOX_EPOLL_ERROR ((uint32_t)EPOLLERR)
#define SIGNALBOX_EPOLL_HANGUP ((uint32_t)EPOLLHUP)
#define SIGNALBOX_EPOLL_READ_HANGUP ((uint32_t)EPOLLRDHUP)
#define SIGNALBOX_EPOLL_EDGE ((uint32_t)EPOLLET)

int signalbox_accept(int listener, struct sockaddr_storage *address);
int signalbox_wake_descriptor(void);
int signalbox_socket_stream(int family);
int64_t signalbox_send(int descriptor, const void *bytes, size_t byte_count);
int signalbox_descriptor_limit(uint64_t *soft, uint64_t *hard);
int signalbox_set_descriptor_limit(uint64_t soft, uint64_t hard);
