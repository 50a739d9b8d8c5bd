/*
 * A provider that costs next to nothing: the upstream of the end-to-end benchmark. One thread, epoll, HTTP/1.1 keep-alive.
 *
 *   mock PORT PARENT       serves on 127.0.0.1:PORT (0: a free one) and prints it; ends when process PARENT is gone
 *
 * Everything is chosen by the request body, so that every proxy in between sees the same path:
 *   "stream":true          60 events of about 300 bytes, one each 20 ms, then [DONE]; usage before it when asked for
 *   model holds delay-50ms the plain answer, 50 ms later
 *   model holds check      answers with the length and CRC-32 of the body it got
 *   otherwise              a canned 1.4 KB chat completion at once
 * Each streamed event carries "@<16 digits>;", the monotonic nanosecond / 1000 at which it was written.
 */
#include "loop.h"
#include <sys/prctl.h>

enum { HEAD_MAX = 32768, KEPT = 16384, EVENTS = 60, OUT_MAX = 1 << 20 };
#define GAP 20000000u
#define DELAY 50000000u

struct conn {
  int fd;
  char head[HEAD_MAX + 1];
  size_t head_bytes;
  int in_body, is_chunked;
  size_t body_left;
  struct dechunker chunks;
  char kept[KEPT + 1]; /* first bytes of the body: enough for model and flags */
  size_t kept_bytes, body_bytes;
  uint32_t crc;
  int is_streaming, wants_usage, sent_events;
  nanos due;      /* 0: nothing pending */
  size_t heap_at; /* place in the timer heap */
  char *out;      /* what the socket would not take */
  size_t out_bytes;
};

static int epoll, timer;
static struct conn **heap;
static size_t heap_size, heap_room;
static uint32_t crc_table[256];
static char answer[4096];
static size_t answer_bytes;

static void place(size_t i, struct conn *c) { heap[i] = c; c->heap_at = i; }

static void sift(size_t i) {
  struct conn *c = heap[i];
  while (i && heap[(i - 1) / 2]->due > c->due) { place(i, heap[(i - 1) / 2]); i = (i - 1) / 2; }
  for (;;) {
    size_t k = 2 * i + 1;
    if (k >= heap_size) break;
    if (k + 1 < heap_size && heap[k + 1]->due < heap[k]->due) k++;
    if (heap[k]->due >= c->due) break;
    place(i, heap[k]);
    i = k;
  }
  place(i, c);
}

static void schedule(struct conn *c, nanos due) {
  if (!c->due) {
    if (heap_size == heap_room) heap = need(realloc(heap, sizeof *heap * (heap_room = heap_room * 2 + 64)));
    place(heap_size++, c);
  }
  c->due = due;
  sift(c->heap_at);
}

static void unschedule(struct conn *c) {
  if (!c->due) return;
  c->due = 0;
  struct conn *last = heap[--heap_size];
  if (last == c) return;
  place(c->heap_at, last);
  sift(c->heap_at);
}

static void hang_up(struct conn *c) {
  unschedule(c);
  close(c->fd);
  free(c->out);
  free(c);
}

/* Writes all, keeping what the socket does not take. 0: the connection is lost. */
static int put(struct conn *c, const char *p, size_t n) {
  ssize_t sent = 0;
  if (!c->out_bytes && (sent = send(c->fd, p, n, MSG_NOSIGNAL)) < 0) {
    if (errno != EAGAIN) return 0;
    sent = 0;
  }
  if ((size_t)sent == n) return 1;
  if (c->out_bytes + n > OUT_MAX) return 0; /* nobody reads */
  if (!c->out) c->out = need(malloc(OUT_MAX));
  memcpy(c->out + c->out_bytes, p + sent, n - (size_t)sent);
  c->out_bytes += n - (size_t)sent;
  watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLOUT, c);
  return 1;
}

static int flush(struct conn *c) {
  ssize_t sent = send(c->fd, c->out, c->out_bytes, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  memmove(c->out, c->out + sent, c->out_bytes -= (size_t)sent);
  if (!c->out_bytes) watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
  return 1;
}

#define COMMON \
  "openai-organization: bench\r\nopenai-processing-ms: 312\r\nopenai-version: 2020-10-01\r\n" \
  "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\n" \
  "x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 1999714\r\n" \
  "x-ratelimit-reset-requests: 6ms\r\nx-ratelimit-reset-tokens: 8ms\r\nx-request-id: req_7f3a9be0c1d24e5f8a6b\r\n"

static size_t completion(char *to, size_t room, const char *text) {
  char body[3072];
  int n = snprintf(body, sizeof body,
    "{\n  \"id\": \"chatcmpl-BenchA1b2C3d4E5f6G7h8I9j0K\",\n  \"object\": \"chat.completion\",\n  \"created\": 1763856000,\n"
    "  \"model\": \"upstream-model\",\n  \"choices\": [\n    {\n      \"index\": 0,\n      \"message\": {\n        \"role\": \"assistant\",\n"
    "        \"content\": \"%s\",\n        \"refusal\": null,\n        \"annotations\": []\n      },\n      \"logprobs\": null,\n"
    "      \"finish_reason\": \"stop\"\n    }\n  ],\n  \"usage\": {\n    \"prompt_tokens\": 286,\n    \"completion_tokens\": 121,\n"
    "    \"total_tokens\": 407,\n    \"prompt_tokens_details\": {\n      \"cached_tokens\": 0,\n      \"audio_tokens\": 0\n    },\n"
    "    \"completion_tokens_details\": {\n      \"reasoning_tokens\": 0,\n      \"audio_tokens\": 0,\n"
    "      \"accepted_prediction_tokens\": 0,\n      \"rejected_prediction_tokens\": 0\n    }\n  },\n"
    "  \"service_tier\": \"default\",\n  \"system_fingerprint\": \"fp_bench_answer\"\n}\n", text);
  return (size_t)snprintf(to, room, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" COMMON "\r\n%s", n, body);
}

static const char PROSE[] =
  "A reverse proxy keeps a pool of connections to each upstream, so that a request does not wait for a handshake. "
  "What it must not do is send a request twice: the first copy may have been carried out even though its answer was lost. "
  "It should therefore tell apart a connection that was refused, one that was closed before the head, and one that broke in the middle. "
  "Only the first of these is always safe to repeat.\\n\\n1. Bound every buffer.\\n2. Keep every deadline.\\n3. Say what happened.";

/* One event as an HTTP chunk. */
static size_t event(char *to, size_t room, const char *payload, int n) {
  return (size_t)snprintf(to, room, "%x\r\ndata: %s\n\n\r\n", n + 8, payload);
}

static int send_event(struct conn *c) {
  char json[1024], frame[2048];
  int n = snprintf(json, sizeof json,
    "{\"id\":\"chatcmpl-BenchA1b2C3d4E5f6G7h8I9j0K\",\"object\":\"chat.completion.chunk\",\"created\":1763856000,"
    "\"model\":\"upstream-model\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench_answer\",\"choices\":[{\"index\":0,"
    "\"delta\":{\"content\":\" @%016llu;%02d\"},\"logprobs\":null,\"finish_reason\":null}],\"obfuscation\":\"kX3vQ9\"}",
    (unsigned long long)(now_ns() / 1000), c->sent_events);
  return put(c, frame, event(frame, sizeof frame, json, n));
}

static int send_last(struct conn *c) {
  static const char FINISH[] =
    "{\"id\":\"chatcmpl-BenchA1b2C3d4E5f6G7h8I9j0K\",\"object\":\"chat.completion.chunk\",\"created\":1763856000,"
    "\"model\":\"upstream-model\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench_answer\","
    "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]%s}";
  static const char USAGE[] =
    "{\"id\":\"chatcmpl-BenchA1b2C3d4E5f6G7h8I9j0K\",\"object\":\"chat.completion.chunk\",\"created\":1763856000,"
    "\"model\":\"upstream-model\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench_answer\",\"choices\":[],"
    "\"usage\":{\"prompt_tokens\":286,\"completion_tokens\":60,\"total_tokens\":346}}";
  char json[1024], frames[4096];
  size_t at = event(frames, sizeof frames, json, snprintf(json, sizeof json, FINISH, c->wants_usage ? ",\"usage\":null" : ""));
  if (c->wants_usage) at += event(frames + at, sizeof frames - at, USAGE, (int)sizeof USAGE - 1);
  at += event(frames + at, sizeof frames - at, "[DONE]", 6);
  memcpy(frames + at, "0\r\n\r\n", 5);
  return put(c, frames, at + 5);
}

static int tick(struct conn *c) {
  if (!c->is_streaming) {
    unschedule(c);
    return put(c, answer, answer_bytes);
  }
  int ok = send_event(c);
  if (++c->sent_events < EVENTS) {
    schedule(c, c->due + GAP);
    return ok;
  }
  unschedule(c);
  return ok && send_last(c);
}

static void absorb(void *owner, const char *p, size_t n) {
  struct conn *c = owner;
  size_t take = KEPT - c->kept_bytes < n ? KEPT - c->kept_bytes : n;
  memcpy(c->kept + c->kept_bytes, p, take);
  c->kept_bytes += take;
  c->kept[c->kept_bytes] = 0;
  c->body_bytes += n;
  /* Only small bodies are checked on the way; a big one is worth it only when its first bytes ask. */
  if (c->body_bytes > n ? c->crc == 0 : !strstr(c->kept, "-check\"")) return;
  uint32_t crc = c->body_bytes > n ? c->crc : ~0u;
  for (size_t i = 0; i < n; i++) crc = crc_table[(crc ^ (unsigned char)p[i]) & 255] ^ crc >> 8;
  c->crc = crc;
}

static int respond(struct conn *c) {
  int ok = 1;
  c->is_streaming = strstr(c->kept, "\"stream\":true") || strstr(c->kept, "\"stream\": true");
  c->wants_usage = strstr(c->kept, "\"include_usage\":true") || strstr(c->kept, "\"include_usage\": true");
  c->sent_events = 0;
  if (c->is_streaming) {
    static const char HEAD[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n" COMMON "\r\n";
    ok = put(c, HEAD, sizeof HEAD - 1);
    if (ok) schedule(c, now_ns() + GAP);
  } else if (strstr(c->kept, "delay-50ms")) {
    schedule(c, now_ns() + DELAY);
  } else if (c->crc) {
    char text[64], whole[4096];
    snprintf(text, sizeof text, "%zu %08x", c->body_bytes, ~c->crc);
    ok = put(c, whole, completion(whole, sizeof whole, text));
  } else {
    ok = put(c, answer, answer_bytes);
  }
  c->in_body = c->is_chunked = 0;
  c->kept_bytes = c->body_bytes = c->body_left = c->head_bytes = c->crc = 0;
  memset(&c->chunks, 0, sizeof c->chunks);
  return ok;
}

/* Takes one head or one piece of a body; bytes consumed, or -1 when the request is not one we understand. */
static ssize_t consume(struct conn *c, const char *p, size_t n) {
  if (c->in_body) {
    if (c->is_chunked) return (ssize_t)dechunk(&c->chunks, p, n, absorb, c);
    size_t take = n < c->body_left ? n : c->body_left;
    absorb(c, p, take);
    c->body_left -= take;
    return (ssize_t)take;
  }
  size_t before = c->head_bytes, take = HEAD_MAX - before < n ? HEAD_MAX - before : n;
  memcpy(c->head + before, p, take);
  c->head[before + take] = 0;
  char *end = memmem(c->head, before + take, "\r\n\r\n", 4);
  if (!end) {
    c->head_bytes += take;
    return c->head_bytes == HEAD_MAX ? -1 : (ssize_t)take;
  }
  end[2] = 0;
  const char *length = header(c->head, "content-length"), *coding = header(c->head, "transfer-encoding");
  if (strncmp(c->head, "POST ", 5) || !strstr(c->head, "/chat/completions")) return -1;
  c->is_chunked = coding != NULL;
  c->body_left = length ? strtoul(length, NULL, 10) : 0;
  c->kept_bytes = 0;
  c->in_body = 1;
  return (ssize_t)((size_t)(end + 4 - c->head) - before);
}

static int is_complete(const struct conn *c) {
  return c->in_body && (c->is_chunked ? c->chunks.state == FINISHED : c->body_left == 0);
}

/* 0: the connection ended. */
static int on_readable(struct conn *c) {
  static char buffer[1 << 18];
  ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
  if (n <= 0) return n < 0 && errno == EAGAIN;
  for (ssize_t at = 0; at < n;) {
    ssize_t took = consume(c, buffer + at, (size_t)(n - at));
    if (took < 0) return 0;
    at += took;
    if (is_complete(c) && !respond(c)) return 0;
  }
  return 1;
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept(listener, NULL, NULL)) >= 0) {
    tune(fd);
    struct conn *c = need(calloc(1, sizeof *c));
    c->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, c);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) { fprintf(stderr, "usage: mock PORT PARENT\n"); return 2; }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != atoi(argv[2])) return 0;
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t v = i;
    for (int k = 0; k < 8; k++) v = v & 1 ? v >> 1 ^ 0xedb88320u : v >> 1;
    crc_table[i] = v;
  }
  answer_bytes = completion(answer, sizeof answer, PROSE);
  struct sockaddr_in a = loopback(atoi(argv[1]));
  socklen_t size = sizeof a;
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&a, size) || listen(listener, 1024)) die("listen");
  getsockname(listener, (struct sockaddr *)&a, &size);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  epoll = epoll_create1(0);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
  watch(epoll, EPOLL_CTL_ADD, timer, EPOLLIN, &timer);
  nanos armed = 0;
  for (;;) {
    struct epoll_event ready[256];
    nanos next = heap_size ? heap[0]->due : 0;
    if (next != armed) arm(timer, armed = next);
    int n = epoll_wait(epoll, ready, 256, -1);
    for (int i = 0; i < n; i++) {
      struct conn *c = ready[i].data.ptr;
      if ((void *)c == &listener) { accept_all(listener); continue; }
      if ((void *)c == &timer) { uint64_t fired; if (read(timer, &fired, sizeof fired) > 0) armed = 0; continue; }
      if (((ready[i].events & EPOLLOUT) && !flush(c)) || ((ready[i].events & ~(uint32_t)EPOLLOUT) && !on_readable(c))) hang_up(c);
    }
    nanos now = now_ns();
    while (heap_size && heap[0]->due <= now) {
      struct conn *c = heap[0];
      if (!tick(c)) hang_up(c);
    }
  }
}
