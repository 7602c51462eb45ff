#pragma once
#include <stddef.h>
#include <stdint.h>

// What Swift cannot import or cannot read well: the packed `struct epoll_event` with its union, accept4 behind
// _GNU_SOURCE, flags that are enums. Only plain types cross: system headers included here with other feature
// macros than Swift's Glibc module would define the same types twice. Everything else of Glibc is called from Swift.

/// The layout of the kernel's `struct epoll_event` on every architecture we build for (asserted in the .c file).
#if defined(__x86_64__)
struct __attribute__((packed)) signalbox_epoll_event {
#else
struct signalbox_epoll_event {
#endif
  uint32_t events;
  uint64_t token;
};

#define SIGNALBOX_EPOLL_IN ((uint32_t)0x001)
#define SIGNALBOX_EPOLL_OUT ((uint32_t)0x004)
#define SIGNALBOX_EPOLL_ERROR ((uint32_t)0x008)
#define SIGNALBOX_EPOLL_HANGUP ((uint32_t)0x010)
#define SIGNALBOX_EPOLL_READ_HANGUP ((uint32_t)0x2000)
#define SIGNALBOX_EPOLL_EDGE 0x80000000u

#define SIGNALBOX_EPOLL_ADD 1
#define SIGNALBOX_EPOLL_REMOVE 2
#define SIGNALBOX_EPOLL_CHANGE 3

int signalbox_epoll_make(void);
int signalbox_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token);
int signalbox_epoll_wait(int epoll, struct signalbox_epoll_event *events, int count_max, int milliseconds);

/// Accepts a non-blocking, close-on-exec socket, without Nagle's delay as its listener is; the peer's address as IPv6
/// (IPv4 mapped), in network order. -1 and errno on failure.
int signalbox_accept(int listener, uint64_t *address_high, uint64_t *address_low);
void signalbox_close(int descriptor);
int signalbox_wake_descriptor(void);
void signalbox_wake(int descriptor);

/// A bound, listening TCP socket without Nagle's delay; port 0 takes any, the bound one is returned through `bound_port`.
/// -1 and errno on failure; -2 where the host cannot be resolved.
int signalbox_listen(const char *host, uint16_t port, int backlog, int probes, uint16_t *bound_port);

/// Bytes moved, or -errno; 0 of receive: the peer ended its half.
int64_t signalbox_send(int descriptor, const void *bytes, size_t byte_count);
int64_t signalbox_receive(int descriptor, void *bytes, size_t byte_count);
void signalbox_shutdown_sending(int descriptor);

int signalbox_descriptor_limit(uint64_t *soft, uint64_t *hard);
int signalbox_set_descriptor_limit(uint64_t soft, uint64_t hard);

/// Blocks SIGTERM, SIGINT and SIGHUP in the calling thread and those it starts, and ignores SIGPIPE and SIGXFSZ.
void signalbox_block_signals(void);
/// Waits for one of the three.
int signalbox_wait_signal(void);
/// Waits so long at most; 0 where none came.
int signalbox_wait_signal_for(int milliseconds);

/// Lets go of the pages of code and constants that are mapped, of the program and its libraries: what is needed again
/// comes back from the page cache. Not while a debugger is attached: its breakpoints are in those pages. The bytes of the
/// mappings, not of what was resident.
size_t signalbox_release_code(void);
