/*
 * The client of the end-to-end benchmark. One thread, epoll, HTTP/1.1 keep-alive; prints one JSON object.
 *
 *   load --port N --body FILE [--header 'name: value']… [--connections N] [--seconds S] [--max-requests N]
 *        [--rate R] [--stream EVENTS] [--spread-ms M] [--marker TEXT] [--parent PID]
 *
 * Closed loop without --rate: every connection sends its next request when the answer is complete. With --rate the
 * requests start at fixed moments and latency counts from that moment, whether or not a connection was free, so a proxy
 * that stalls cannot hide it (no coordinated omission). After the given time no request starts, and those under way are
 * awaited and counted, so that "CPU of the proxy / requests" has no unfinished rest.
 * Right is only: status 200, complete framing, and either the marker in the body or EVENTS stamps and [DONE].
 */
#include "loop.h"
#include <sys/prctl.h>

enum { HEAD_MAX = 16384, BODY_KEPT = 8192, SAMPLES_MAX = 1 << 21 };
#define REQUEST_TIMEOUT 20000000000u

struct conn {
  int fd;
  enum { IDLE, CONNECTING, BUSY } state;
  size_t sent;
  nanos start; /* when the request was due */
  nanos begin; /* not before this moment (staggered first request) */
  char head[HEAD_MAX + 1];
  size_t head_bytes;
  int in_body, is_chunked, closes;
  size_t left;
  struct dechunker chunks;
  char kept[BODY_KEPT];
  size_t kept_bytes;
  int stamp_at, done_at, is_done, events; /* progress inside "@digits;" and "[DONE]" */
  nanos stamp;
};

/* Times in tenths of a microsecond, so that 7 minutes fit 32 bits and nothing is rounded into buckets. */
struct samples { uint32_t *at; size_t count; };

static int epoll, timer, port, is_stopping, want_events;
static char *request, *marker = "";
static size_t request_bytes;
static struct conn *conns;
static int conn_count = 1;
static double seconds = 1, rate;
static uint64_t max_requests = UINT64_MAX, started, completed, in_window, errors, stamps, reconnects;
static nanos t0, stop_at, now;
static struct samples latency, first_event, event_delay;
static char first_error[200];

static void note(struct samples *s, nanos ns) {
  uint64_t v = ns / 100;
  if (s->count < SAMPLES_MAX) s->at[s->count++] = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static void dial(struct conn *c) {
  struct sockaddr_in a = loopback(port);
  if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0) die("socket");
  tune(c->fd);
  if (connect(c->fd, (struct sockaddr *)&a, sizeof a) && errno != EINPROGRESS) die("connect");
  c->state = CONNECTING;
  watch(epoll, EPOLL_CTL_ADD, c->fd, EPOLLOUT, c);
}

static void redial(struct conn *c) {
  close(c->fd);
  reconnects++;
  dial(c);
}

/* Counts an error; the connection is no longer usable. */
static void fail(struct conn *c, const char *why, const char *detail) {
  if (!errors++) snprintf(first_error, sizeof first_error, "%s %.120s", why, detail);
  for (char *p = first_error; *p; p++) if (*p < ' ' || *p == '"' || *p == '\\') *p = ' ';
  if (errors > 1000) is_stopping = 1;
  redial(c);
}

static void send_more(struct conn *c) {
  while (c->sent < request_bytes) {
    ssize_t n = send(c->fd, request + c->sent, request_bytes - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLOUT, c);
    if (n < 0) return fail(c, "closed while sending", strerror(errno));
    c->sent += (size_t)n;
  }
  watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
}

static void begin(struct conn *c, nanos due) {
  c->state = BUSY;
  c->start = due;
  c->sent = c->head_bytes = c->kept_bytes = c->left = 0;
  c->in_body = c->is_chunked = c->closes = c->stamp_at = c->done_at = c->is_done = c->events = 0;
  memset(&c->chunks, 0, sizeof c->chunks);
  started++;
  send_more(c);
}

static int may_start(void) { return !is_stopping && started < max_requests; }

/* Moment at which request number `started` of an open loop is due. */
static nanos due_next(void) { return t0 + (nanos)((double)started * 1e9 / rate); }

static void on_idle(struct conn *c) {
  c->state = IDLE;
  if (!may_start()) return;
  if (rate > 0 ? due_next() <= now : c->begin <= now) begin(c, rate > 0 ? due_next() : now);
}

static void finish(struct conn *c) {
  if (want_events ? c->events != want_events || !c->is_done : !memmem(c->kept, c->kept_bytes, marker, strlen(marker))) {
    char what[80];
    snprintf(what, sizeof what, "%d events, done %d, %zu bytes", c->events, c->is_done, c->kept_bytes);
    return fail(c, "wrong answer:", what);
  }
  completed++;
  if (now <= stop_at) in_window++;
  note(&latency, now - c->start);
  if (c->closes) redial(c);
  else on_idle(c);
}

static void on_stamp(struct conn *c) {
  nanos sent = c->stamp * 1000;
  if (!c->events++) note(&first_event, now - c->start);
  stamps++;
  note(&event_delay, now > sent ? now - sent : 0);
}

static void on_body(void *owner, const char *p, size_t n) {
  static const char DONE[] = "[DONE]";
  struct conn *c = owner;
  size_t take = BODY_KEPT - c->kept_bytes < n ? BODY_KEPT - c->kept_bytes : n;
  memcpy(c->kept + c->kept_bytes, p, take);
  c->kept_bytes += take;
  if (!want_events) return;
  for (size_t i = 0; i < n; i++) {
    char b = p[i];
    if (b == '@') { c->stamp_at = 1; c->stamp = 0; }
    else if (c->stamp_at >= 1 && c->stamp_at <= 16 && b >= '0' && b <= '9') { c->stamp = c->stamp * 10 + (nanos)(b - '0'); c->stamp_at++; }
    else { if (c->stamp_at == 17 && b == ';') on_stamp(c); c->stamp_at = 0; }
    c->done_at = b == DONE[c->done_at] ? c->done_at + 1 : b == '[';
    if (c->done_at == 6) { c->is_done = 1; c->done_at = 0; }
  }
}

/* Reads the response head once it is whole; bytes of `p` consumed, or -1 after a failure. */
static ssize_t take_head(struct conn *c, const char *p, size_t n) {
  size_t before = c->head_bytes, take = HEAD_MAX - before < n ? HEAD_MAX - before : n;
  memcpy(c->head + before, p, take);
  c->head[c->head_bytes += take] = 0;
  char *end = memmem(c->head, c->head_bytes, "\r\n\r\n", 4);
  if (!end) return c->head_bytes < HEAD_MAX ? (ssize_t)take : (fail(c, "endless head", ""), -1);
  end[2] = 0;
  if (strncmp(c->head, "HTTP/1.1 200", 12)) return fail(c, "status", c->head), -1;
  const char *length = header(c->head, "content-length"), *connection = header(c->head, "connection");
  c->is_chunked = header(c->head, "transfer-encoding") != NULL;
  if (!length && !c->is_chunked) return fail(c, "no framing", c->head), -1;
  c->left = length ? strtoul(length, NULL, 10) : 0;
  c->closes = connection && !strncasecmp(connection, "close", 5);
  c->in_body = 1;
  return (ssize_t)((size_t)(end + 4 - c->head) - before);
}

static int body_ended(const struct conn *c) { return c->in_body && (c->is_chunked ? c->chunks.state == FINISHED : !c->left); }

static void on_readable(struct conn *c) {
  static char buffer[1 << 18];
  ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
  if (n < 0 && errno == EAGAIN) return;
  now = now_ns();
  if (n <= 0) {
    if (c->state == BUSY) return fail(c, "closed", n ? strerror(errno) : "end of stream");
    return redial(c);
  }
  for (ssize_t at = 0; at < n;) {
    if (c->state != BUSY) return fail(c, "bytes after the answer", "");
    ssize_t took;
    if (!c->in_body) took = take_head(c, buffer + at, (size_t)(n - at));
    else if (c->is_chunked) took = (ssize_t)dechunk(&c->chunks, buffer + at, (size_t)(n - at), on_body, c);
    else {
      took = (ssize_t)((size_t)(n - at) < c->left ? (size_t)(n - at) : c->left);
      on_body(c, buffer + at, (size_t)took);
      c->left -= (size_t)took;
    }
    if (took < 0) return;
    at += took;
    if (body_ended(c)) {
      int rest = at < n;
      finish(c);
      if (rest) return fail(c, "bytes after the answer", "");
    }
  }
}

static void on_ready(struct conn *c, uint32_t events) {
  if (c->state == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) { errno = error; die("connect"); }
    watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
    return on_idle(c);
  }
  if (events & ~(uint32_t)EPOLLOUT) return on_readable(c);
  send_more(c);
}

/* Starts what is due, fails what waits too long; gives the moment to look again. */
static nanos on_time(void) {
  if (now >= stop_at) is_stopping = 1;
  nanos next = is_stopping ? now + 100000000u : stop_at;
  for (int i = 0; i < conn_count; i++) {
    struct conn *c = &conns[i];
    if (c->state == BUSY && now > c->start + REQUEST_TIMEOUT) fail(c, "timeout", "");
    if (c->state == IDLE) on_idle(c);
    if (c->state != BUSY && rate == 0 && c->begin > now && c->begin < next) next = c->begin;
  }
  if (rate > 0 && may_start() && due_next() > now && due_next() < next) next = due_next();
  return next;
}

static int is_finished(void) {
  if (may_start()) return 0;
  if (now > stop_at + REQUEST_TIMEOUT + 1000000000u) return 1;
  for (int i = 0; i < conn_count; i++) if (conns[i].state == BUSY) return 0;
  return 1;
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void print(const char *name, struct samples *s) {
  qsort(s->at, s->count, sizeof *s->at, ascending);
#define AT(q) (s->count ? (double)s->at[(size_t)((double)(s->count - 1) * (q))] / 10 : 0.0)
  printf(",\"%s\":{\"count\":%zu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, s->count, AT(.5), AT(.9), AT(.99), AT(1));
}

static char *read_body(const char *path, size_t *bytes) {
  FILE *f = fopen(path, "rb");
  if (!f) die(path);
  fseek(f, 0, SEEK_END);
  *bytes = (size_t)ftell(f);
  rewind(f);
  char *body = need(malloc(*bytes));
  if (fread(body, 1, *bytes, f) != *bytes) die(path);
  fclose(f);
  return body;
}

int main(int argc, char **argv) {
  char head[8192], extra[6144] = "", *body = NULL;
  size_t body_bytes = 0;
  double spread_ms = 0;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  for (int i = 1; i + 1 < argc; i += 2) {
    char *k = argv[i], *v = argv[i + 1];
    if (!strcmp(k, "--port")) port = atoi(v);
    else if (!strcmp(k, "--body")) body = read_body(v, &body_bytes);
    else if (!strcmp(k, "--header")) { size_t at = strlen(extra); snprintf(extra + at, sizeof extra - at, "%s\r\n", v); }
    else if (!strcmp(k, "--connections")) conn_count = atoi(v);
    else if (!strcmp(k, "--seconds")) seconds = atof(v);
    else if (!strcmp(k, "--max-requests")) max_requests = strtoull(v, NULL, 10);
    else if (!strcmp(k, "--rate")) rate = atof(v);
    else if (!strcmp(k, "--stream")) want_events = atoi(v);
    else if (!strcmp(k, "--spread-ms")) spread_ms = atof(v);
    else if (!strcmp(k, "--marker")) marker = v;
    else if (!strcmp(k, "--parent")) { if (getppid() != atoi(v)) return 0; }
    else { fprintf(stderr, "unknown option %s\n", k); return 2; }
  }
  if (!port || !body || seconds <= 0 || seconds > 120 || conn_count < 1 || conn_count > 4000) { fprintf(stderr, "see the head of load.c\n"); return 2; }
  int n = snprintf(head, sizeof head, "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n%scontent-length: %zu\r\n\r\n", port, extra, body_bytes);
  request_bytes = (size_t)n + body_bytes;
  request = need(malloc(request_bytes));
  memcpy(request, head, (size_t)n);
  memcpy(request + n, body, body_bytes);
  struct samples *all[] = {&latency, &first_event, &event_delay};
  for (int i = 0; i < 3; i++) all[i]->at = need(malloc(SAMPLES_MAX * sizeof(uint32_t)));
  epoll = epoll_create1(0);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  watch(epoll, EPOLL_CTL_ADD, timer, EPOLLIN, NULL);
  conns = need(calloc((size_t)conn_count, sizeof *conns));
  now = t0 = now_ns();
  stop_at = t0 + (nanos)(seconds * 1e9);
  for (int i = 0; i < conn_count; i++) {
    conns[i].begin = t0 + (nanos)(spread_ms * 1e6 * i / conn_count);
    dial(&conns[i]);
  }
  for (nanos look = 0, armed = 0; !is_finished();) {
    if (now >= look) look = on_time();
    if (rate > 0 && may_start() && due_next() < look) look = due_next();
    if (look != armed) arm(timer, armed = look);
    struct epoll_event ready[256];
    int count = epoll_wait(epoll, ready, 256, -1);
    now = now_ns();
    for (int i = 0; i < count; i++) {
      uint64_t fired;
      if (ready[i].data.ptr) on_ready(ready[i].data.ptr, ready[i].events);
      else if (read(timer, &fired, sizeof fired) > 0) armed = 0;
    }
  }
  printf("{\"completed\":%llu,\"inWindow\":%llu,\"errors\":%llu,\"firstError\":\"%s\",\"reconnects\":%llu,\"events\":%llu,\"windowMs\":%.1f",
    (unsigned long long)completed, (unsigned long long)in_window, (unsigned long long)errors, first_error,
    (unsigned long long)reconnects, (unsigned long long)stamps, (double)((now < stop_at ? now : stop_at) - t0) / 1e6);
  print("latencyUs", &latency);
  print("firstEventUs", &first_event);
  print("eventDelayUs", &event_delay);
  printf("}\n");
  return 0;
}
