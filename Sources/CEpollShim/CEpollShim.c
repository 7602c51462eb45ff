#define _GNU_SOURCE
#include "CEpollShim.h"
#include <arpa/inet.h>
#include <errno.h>
#include <link.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(struct signalbox_epoll_event) == sizeof(struct epoll_event), "epoll_event layout");
_Static_assert(
  offsetof(struct signalbox_epoll_event, token) == offsetof(struct epoll_event, data), "epoll_event layout");
_Static_assert(SIGNALBOX_EPOLL_READ_HANGUP == EPOLLRDHUP && SIGNALBOX_EPOLL_EDGE == EPOLLET, "epoll flags");

int signalbox_epoll_make(void) { return epoll_create1(EPOLL_CLOEXEC); }

int signalbox_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(epoll, operation, descriptor, &event);
}

// The calls of every turn go to the kernel by syscall(): the C library's own are cancellation points, which in a program
// of several threads costs more instructions than the rest of the call. No thread here is ever cancelled.

int signalbox_epoll_wait(int epoll, struct signalbox_epoll_event *events, int count_max, int milliseconds) {
  return (int)syscall(SYS_epoll_pwait, epoll, events, count_max, milliseconds, NULL, 0);
}

static uint64_t network_word(const uint8_t *bytes, int count) {
  uint64_t word = 0;
  for (int index = 0; index < count; index++) word = word << 8 | bytes[index];
  return word;
}

int signalbox_accept(int listener, uint64_t *address_high, uint64_t *address_low) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  int descriptor = (int)syscall(SYS_accept4, listener, &address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return -1;
  *address_high = *address_low = 0;
  if (address.ss_family == AF_INET) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
    *address_low = UINT64_C(0xFFFF) << 32 | network_word((const uint8_t *)&four->sin_addr, 4);
  } else if (address.ss_family == AF_INET6) {
    const uint8_t *six = ((const struct sockaddr_in6 *)&address)->sin6_addr.s6_addr;
    *address_high = network_word(six, 8);
    *address_low = network_word(six + 8, 8);
  }
  return descriptor;
}

void signalbox_close(int descriptor) { syscall(SYS_close, descriptor); }

int signalbox_wake_descriptor(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void signalbox_wake(int descriptor) {
  uint64_t one = 1;
  ssize_t ignored = write(descriptor, &one, sizeof one);
  (void)ignored;
}

static int bound_socket(const struct addrinfo *information, int shares_port) {
  int descriptor = socket(information->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  int one = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (shares_port) setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (bind(descriptor, information->ai_addr, information->ai_addrlen) != 0) {
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
  }
  return descriptor;
}

int signalbox_listen(const char *host, uint16_t port, int backlog, int probes, uint16_t *bound_port) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *information = NULL;
  char service[8];
  snprintf(service, sizeof service, "%u", (unsigned)port);
  if (getaddrinfo(host, service, &hints, &information) != 0 || information == NULL) return -2;
  // SO_REUSEPORT hides that another process of this user has the port, so the address is first bound without it. Not
  // listened to: whoever connected to the probe would be reset when it closes.
  if (probes && port != 0) {
    int probe = bound_socket(information, 0);
    if (probe < 0) {
      int code = errno;
      freeaddrinfo(information);
      errno = code;
      return -1;
    }
    close(probe);
  }
  int descriptor = bound_socket(information, 1);
  freeaddrinfo(information);
  if (descriptor < 0) return -1;
  // Frames leave when they are written: the gateway batches by turn, Nagle's algorithm would only add a delay. What is
  // accepted inherits it on Linux.
  int one = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (listen(descriptor, backlog) != 0 || getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) {
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
  }
  *bound_port = address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                              : ntohs(((struct sockaddr_in *)&address)->sin_port);
  return descriptor;
}

int64_t signalbox_send(int descriptor, const void *bytes, size_t byte_count) {
  long count = syscall(SYS_sendto, descriptor, bytes, byte_count, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
  return count >= 0 ? count : -(int64_t)errno;
}

int64_t signalbox_receive(int descriptor, void *bytes, size_t byte_count) {
  long count = syscall(SYS_recvfrom, descriptor, bytes, byte_count, MSG_DONTWAIT, NULL, NULL);
  return count >= 0 ? count : -(int64_t)errno;
}

void signalbox_shutdown_sending(int descriptor) { shutdown(descriptor, SHUT_WR); }

int signalbox_descriptor_limit(uint64_t *soft, uint64_t *hard) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
  *soft = limit.rlim_cur;
  *hard = limit.rlim_max;
  return 0;
}

int signalbox_set_descriptor_limit(uint64_t soft, uint64_t hard) {
  struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
  return setrlimit(RLIMIT_NOFILE, &limit);
}

static void fill_signals(sigset_t *signals) {
  sigemptyset(signals);
  sigaddset(signals, SIGTERM);
  sigaddset(signals, SIGINT);
  sigaddset(signals, SIGHUP);
}

void signalbox_block_signals(void) {
  sigset_t signals;
  fill_signals(&signals);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  signal(SIGPIPE, SIG_IGN);
  // A write beyond the limit of a file's size then fails as on a full disk.
  signal(SIGXFSZ, SIG_IGN);
}

int signalbox_wait_signal(void) {
  sigset_t signals;
  int number = 0;
  fill_signals(&signals);
  while (sigwait(&signals, &number) != 0) {
  }
  return number;
}

int signalbox_wait_signal_for(int milliseconds) {
  sigset_t signals;
  struct timespec patience = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
  fill_signals(&signals);
  int number = sigtimedwait(&signals, NULL, &patience);
  return number > 0 ? number : 0;
}

static int has_text_relocations(const struct dl_phdr_info *object, const ElfW(Phdr) *segment) {
  for (const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + segment->p_vaddr); entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL)) return 1;
  }
  return 0;
}

static int release_object(struct dl_phdr_info *object, size_t size, void *released) {
  (void)size;
  // The kernel's own page of code is no file's.
  if (object->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) return 0;
  for (int index = 0; index < object->dlpi_phnum; index++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
    // A loader that wrote into code, which none does for an object built as position-independent, would lose it.
    if (segment->p_type == PT_DYNAMIC && has_text_relocations(object, segment)) return 0;
  }
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int index = 0; index < object->dlpi_phnum; index++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
    if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
    uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
    uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
    if (madvise((void *)start, end - start, MADV_DONTNEED) == 0) *(size_t *)released += end - start;
  }
  return 0;
}

size_t signalbox_release_code(void) {
  size_t released = 0;
  dl_iterate_phdr(release_object, &released);
  return released;
}
