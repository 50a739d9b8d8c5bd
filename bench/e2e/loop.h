/* What the mock upstream and the load generator share: time, sockets, one epoll loop with one precise timer. */
#ifndef LOOP_H
#define LOOP_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t nanos; /* CLOCK_MONOTONIC, shared by all processes of the machine */

static inline nanos now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (nanos)t.tv_sec * 1000000000u + (nanos)t.tv_nsec;
}

static inline void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(2);
}

static inline void *need(void *memory) {
  if (!memory) die("out of memory");
  return memory;
}

static inline void tune(int fd) {
  int one = 1;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static inline struct sockaddr_in loopback(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

static inline void watch(int epoll, int op, int fd, uint32_t events, void *owner) {
  struct epoll_event e = {.events = events, .data.ptr = owner};
  if (epoll_ctl(epoll, op, fd, &e)) die("epoll_ctl");
}

/* Arms the timer for an absolute moment; 0 disarms it. timerfd, because epoll's own timeout counts whole milliseconds. */
static inline void arm(int timer, nanos at) {
  struct itimerspec s = {.it_value = {.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)}};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &s, NULL);
}

/* Value of a header in `head` (which ends with a NUL), or NULL. */
static inline const char *header(const char *head, const char *name) {
  size_t n = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
    if (strncasecmp(line + 2, name, n) || line[2 + n] != ':') continue;
    const char *value = line + 3 + n;
    while (*value == ' ') value++;
    return value;
  }
  return NULL;
}

/* Takes the chunked coding off a body, across any split of the bytes. */
struct dechunker {
  enum { SIZE, SIZE_LINE, DATA, DATA_END, TRAILER, TRAILER_LINE, FINISHED } state;
  size_t left;
};

/* Consumes up to `n` bytes; hands payload to `sink`; returns the bytes consumed, short only when FINISHED. */
static inline size_t dechunk(struct dechunker *d, const char *p, size_t n, void (*sink)(void *, const char *, size_t), void *owner) {
  size_t i = 0;
  while (i < n && d->state != FINISHED) {
    char c = p[i];
    switch (d->state) {
      case SIZE:
        if (c == '\r' || c == ';') d->state = SIZE_LINE;
        else d->left = d->left * 16 + (size_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        i++;
        break;
      case SIZE_LINE:
        if (c == '\n') d->state = d->left ? DATA : TRAILER;
        i++;
        break;
      case DATA: {
        size_t take = n - i < d->left ? n - i : d->left;
        sink(owner, p + i, take);
        i += take;
        if (!(d->left -= take)) d->state = DATA_END;
        break;
      }
      case DATA_END:
        if (c == '\n') d->state = SIZE;
        i++;
        break;
      case TRAILER:
        d->state = c == '\r' ? TRAILER : c == '\n' ? FINISHED : TRAILER_LINE;
        i++;
        break;
      case TRAILER_LINE:
        if (c == '\n') d->state = TRAILER;
        i++;
        break;
      case FINISHED:
        break;
    }
  }
  return i;
}
#endif
