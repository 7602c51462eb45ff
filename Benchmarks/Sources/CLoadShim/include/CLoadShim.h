#pragma once
#include <stdint.h>

// What Swift's Glibc module does not offer: epoll with its packed event, timers that are descriptors.

struct
#if defined(__x86_64__)
    __attribute__((packed))
#endif
    load_event {
  uint32_t events;
  uint64_t token;
};

#define LOAD_EVENT_IN ((uint32_t)0x001)
#define LOAD_EVENT_OUT ((uint32_t)0x004)

int load_epoll_make(void);
/// Adds the descriptor, or changes what is waited for where it is there already.
int load_epoll_watch(int epoll, int descriptor, uint32_t events, uint64_t token);
int load_epoll_wait(int epoll, struct load_event *events, int count_max, int milliseconds);

int load_timer_make(void);
/// Absolute, on the monotonic clock; the timer reads as ready from then until it is set again.
int load_timer_set(int timer, uint64_t nanoseconds);

/// A non-blocking TCP connection under way to 127.0.0.1, without Nagle's delay, that is reset when it is closed: no
/// port is left in TIME_WAIT. -1 on failure. A positive `receive_byte_count` fixes how much the kernel keeps unread.
int load_connect(uint16_t port, int receive_byte_count);
/// Raises the soft limit of descriptors to the hard one, which is returned.
uint64_t load_raise_descriptor_limit(void);
