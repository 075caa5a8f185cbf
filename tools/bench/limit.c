/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit: the least work in which an HTTP/1.1 request can be answered through a socket, as the
 * measure for every server of the bench; and, with --origin, the cheap origin behind them.
 *
 *	limit PORT            /1k /16k /128k /1m, each one prepared answer
 *	limit --origin PORT   the same sizes, also /1k/ANYTHING: cacheable, another body for each path;
 *	                      /tagged/NUMBER: 1 KiB with the tag list-(NUMBER modulo 100), whose first
 *	                      16 digits tell which answer of the origin's life this is
 *
 * One thread, one epoll, and per request two calls: a read that nearly always brings the whole
 * request, and a write that nearly always takes the whole answer. No field is looked at and no
 * time is told, so no server that has to can be faster. /-/count tells how many other requests
 * came: the bench's proof that hits were hits and misses were misses.
 *
 * It shares no line with Larder, as a measure should not.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	REQUEST_BYTES = 4096,
	HEAD_BYTES = 512,
	TAG_BYTES = 16, /* the path's hash, at the front of an origin's body */
	EVENTS = 256,
	BACKLOG = 4096,
	/* What is written waits in the cache, not in memory, until a reader on this machine takes
	   it: halves the price of 128 KiB. Over a long way it would be too little. */
	SEND_BUFFER_BYTES = 64 << 10,
	TAGS = 100, /* of which a /tagged/ path has one */
};

/* What a path's first segment names. `bytes` is head and body in one piece. */
struct answer {
	const char *name;
	size_t body_len;
	char *bytes;
	size_t head_len;
};

/* A connection; what is left to write is `out`, which points into an answer or into own[]. */
struct conn {
	int fd;
	int outs;
	size_t got;
	struct iovec out[3];
	char in[REQUEST_BYTES];
	char own[HEAD_BYTES + TAG_BYTES];
};

static struct answer answers[] = {
	{ .name = "/1k", .body_len = 1 << 10 },
	{ .name = "/4k", .body_len = 4 << 10 },
	{ .name = "/16k", .body_len = 16 << 10 },
	{ .name = "/128k", .body_len = 128 << 10 },
	{ .name = "/1m", .body_len = 1 << 20 },
};
static bool is_origin;
static uint64_t served;
static int loop_fd;

static const char cacheable[] = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
				"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
				"ETag: \"bench\"\r\n"
				"Cache-Control: max-age=3600\r\n";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Date is left out for an origin: one that is never updated would age the answer. */
static size_t put_head(char *to, size_t room, size_t body_len)
{
	const char *fields = is_origin ? strstr(cacheable, "Last-Modified") : cacheable;
	int len = snprintf(to, room,
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n",
	    body_len, fields);

	return (size_t)len;
}

static void prepare(struct answer *a)
{
	a->bytes = malloc(HEAD_BYTES + a->body_len);
	if (!a->bytes)
		die("malloc");
	a->head_len = put_head(a->bytes, HEAD_BYTES, a->body_len);
	for (size_t i = 0; i < a->body_len; i++)
		a->bytes[a->head_len + i] = (char)('a' + i % 26);
}

/* FNV-1a: the body has to differ between paths, not to resist anybody. */
static uint64_t hash(const char *at, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)at[i]) * 0x100000001b3;
	return h;
}

static const struct answer *find(const char *path, size_t len)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		size_t n = strlen(answers[i].name);

		if (len >= n && memcmp(path, answers[i].name, n) == 0 &&
		    (len == n || (is_origin && path[n] == '/')))
			return &answers[i];
	}
	return NULL;
}

static void add_out(struct conn *c, char *at, size_t len)
{
	c->out[c->outs++] = (struct iovec){ .iov_base = at, .iov_len = len };
}

static void answer_text(struct conn *c, const char *status, const char *text)
{
	int len = snprintf(c->own, sizeof(c->own),
	    "HTTP/1.1 %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n\r\n%s", status,
	    strlen(text), text);

	add_out(c, c->own, (size_t)len);
}

/* The prepared answer with the first bytes of its body replaced: no copy of the rest. */
static void answer_path(struct conn *c, const struct answer *a, const char *path, size_t len)
{
	char tag[TAG_BYTES + 1];

	snprintf(tag, sizeof(tag), "%016llx", (unsigned long long)hash(path, len));
	memcpy(c->own, tag, TAG_BYTES);
	add_out(c, a->bytes, a->head_len);
	add_out(c, c->own, TAG_BYTES);
	add_out(c, a->bytes + a->head_len + TAG_BYTES, a->body_len - TAG_BYTES);
}

/* Who asks again and gets another serial number knows that the origin was asked again. */
static void answer_tagged(struct conn *c, const char *number)
{
	const struct answer *a = find("/1k", 3);
	int head = snprintf(c->own, HEAD_BYTES,
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
	    "Surrogate-Key: all list-%lu own\r\n%s\r\n",
	    a->body_len, strtoul(number, NULL, 10) % TAGS, strstr(cacheable, "Last-Modified"));
	char serial[TAG_BYTES + 1];

	snprintf(serial, sizeof(serial), "%016llu", (unsigned long long)served);
	memcpy(c->own + head, serial, TAG_BYTES);
	add_out(c, c->own, (size_t)head + TAG_BYTES);
	add_out(c, a->bytes + a->head_len + TAG_BYTES, a->body_len - TAG_BYTES);
}

static void answer(struct conn *c, const char *path, size_t len)
{
	static const char tagged[] = "/tagged/";
	const struct answer *a = find(path, len);
	char count[24];

	if (len == 8 && memcmp(path, "/-/count", 8) == 0) {
		snprintf(count, sizeof(count), "%llu\n", (unsigned long long)served);
		answer_text(c, "200 OK", count);
		return;
	}
	served++;
	if (is_origin && len >= strlen(tagged) && memcmp(path, tagged, strlen(tagged)) == 0)
		answer_tagged(c, path + strlen(tagged));
	else if (!a)
		answer_text(c, "404 Not Found", "");
	else if (is_origin)
		answer_path(c, a, path, len);
	else
		add_out(c, a->bytes, a->head_len + a->body_len);
}

/* Takes one request off the input and prepares its answer; false when none is complete. */
static bool take_request(struct conn *c)
{
	const char *end = memmem(c->in, c->got, "\r\n\r\n", 4);
	const char *path, *space;

	if (!end)
		return false;
	path = memchr(c->in, ' ', c->got);
	space = path && path < end ? memchr(path + 1, ' ', (size_t)(end - path)) : NULL;
	if (space)
		answer(c, path + 1, (size_t)(space - path - 1));
	else
		answer_text(c, "400 Bad Request", "");
	c->got -= (size_t)(end + 4 - c->in);
	memmove(c->in, end + 4, c->got);
	return true;
}

/* Forgets the bytes that went out. */
static void drop_out(struct conn *c, size_t len)
{
	int done = 0;

	while (done < c->outs && len >= c->out[done].iov_len)
		len -= c->out[done++].iov_len;
	c->outs -= done;
	memmove(c->out, c->out + done, (size_t)c->outs * sizeof(*c->out));
	if (c->outs) {
		c->out->iov_base = (char *)c->out->iov_base + len;
		c->out->iov_len -= len;
	}
}

static void wait_for(struct conn *c, uint32_t events, int op)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(loop_fd, op, c->fd, &e) < 0)
		die("epoll_ctl");
}

static void conn_free(struct conn *c)
{
	close(c->fd);
	free(c);
}

/* Writes what it can. Returns 1 when all went out, 0 when the socket is full, -1 on an error. */
static int flush(struct conn *c)
{
	while (c->outs) {
		ssize_t n = c->outs == 1 ? write(c->fd, c->out->iov_base, c->out->iov_len)
					 : writev(c->fd, c->out, c->outs);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		drop_out(c, (size_t)n);
	}
	return 1;
}

/* Answers what has come. While an answer is stuck no other is begun: epoll says when. */
static void answer_all(struct conn *c)
{
	while (take_request(c)) {
		int sent = flush(c);

		if (sent < 0)
			conn_free(c);
		if (sent == 0)
			wait_for(c, EPOLLOUT, EPOLL_CTL_MOD);
		if (sent <= 0)
			return;
	}
}

static void on_readable(struct conn *c)
{
	ssize_t n = read(c->fd, c->in + c->got, sizeof(c->in) - c->got);

	if (n > 0) {
		c->got += (size_t)n;
		answer_all(c);
	} else if (n == 0 || errno != EAGAIN) {
		conn_free(c);
	}
}

static void on_writable(struct conn *c)
{
	int sent = flush(c);

	if (sent < 0) {
		conn_free(c);
	} else if (sent > 0) {
		wait_for(c, EPOLLIN, EPOLL_CTL_MOD);
		answer_all(c);
	}
}

static void on_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

	if (!c) {
		if (fd >= 0)
			close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ SEND_BUFFER_BYTES }, sizeof(int));
	c->fd = fd;
	wait_for(c, EPOLLIN, EPOLL_CTL_ADD);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in where = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int));
	if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		die("listen");
	return fd;
}

static void loop(int listener)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(loop_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				on_accept(listener);
			else if (events[i].events & EPOLLOUT)
				on_writable(events[i].data.ptr);
			else
				on_readable(events[i].data.ptr);
		}
	}
}

int main(int argc, char **argv)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct rlimit files;
	int listener;

	is_origin = argc == 3 && strcmp(argv[1], "--origin") == 0;
	if (argc != 2 && !is_origin) {
		fprintf(stderr, "usage: %s [--origin] PORT\n", argv[0]);
		return 64;
	}
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		prepare(&answers[i]);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	loop_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on((uint16_t)strtoul(argv[argc - 1], NULL, 10));
	if (epoll_ctl(loop_fd, EPOLL_CTL_ADD, listener, &e) < 0)
		die("epoll_ctl");
	loop(listener);
}
