/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An origin that says exactly what a test wrote: a script of acts, played once by a thread of its
 * own, one connection at a time.
 */
#pragma once

#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "edge/base/buf.h"
#include "edge/loop/conn.h"

enum deed {
	DO_OVER,
	DO_ACCEPT,
	DO_HEAR,
	DO_TAKE,
	DO_SAY,
	DO_DRIP,
	DO_FLOOD,
	DO_PAUSE,
	DO_SHUT,
	DO_RESET,
	DO_HOLD,
};

struct act {
	enum deed deed;
	const char *bytes;
	size_t count;
};

enum { ACTS = 24 };
#define PLAY(...) ((const struct act[ACTS]){ __VA_ARGS__ })

/* clang-format off */
#define ACCEPT       { DO_ACCEPT, NULL, 0 }    /* the next connection */
#define HEAR         { DO_HEAR, NULL, 0 }      /* a request's head */
#define TAKE(count)  { DO_TAKE, NULL, count }  /* so many bytes more */
#define SAY(bytes)   { DO_SAY, bytes, 0 }
#define DRIP(bytes)  { DO_DRIP, bytes, 0 }     /* each byte in a packet of its own */
#define FLOOD(count) { DO_FLOOD, NULL, count } /* so many 'x' */
#define PAUSE(ms)    { DO_PAUSE, NULL, ms }
#define SHUT         { DO_SHUT, NULL, 0 }      /* close the connection */
#define RESET        { DO_RESET, NULL, 0 }     /* close it with a reset */
#define HOLD         { DO_HOLD, NULL, 0 }      /* until the other side closes, then close */
/* clang-format on */

struct server {
	pthread_t thread;
	int door, fd;
	uint16_t port;
	struct act script[ACTS];
	struct buf heard; /* all bytes, of all connections */
};

static inline void server_hear(struct server *s)
{
	size_t from = s->heard.len;
	while (slice_find_slice(slice_from(buf_slice(&s->heard), from), SL("\r\n\r\n")) ==
	    s->heard.len - from) {
		char c;
		if (read(s->fd, &c, 1) != 1)
			return;
		buf_add_char(&s->heard, c);
	}
}

static inline void server_take(struct server *s, size_t count)
{
	char bytes[16384];
	while (count > 0) {
		ssize_t n = read(s->fd, bytes, min_size(count, sizeof(bytes)));
		if (n <= 0)
			return;
		buf_add(&s->heard, slice_of(bytes, (size_t)n));
		count -= (size_t)n;
	}
}

static inline void server_say(struct server *s, struct slice bytes, size_t step)
{
	while (bytes.len > 0) {
		ssize_t n = send(s->fd, bytes.at, min_size(step, bytes.len), MSG_NOSIGNAL);
		if (n <= 0)
			return;
		bytes = slice_from(bytes, (size_t)n);
		if (step == 1)
			usleep(300);
	}
}

static inline void server_flood(struct server *s, size_t count)
{
	static char xs[65536];
	memset(xs, 'x', sizeof(xs));
	for (; count > 0; count -= min_size(count, sizeof(xs)))
		server_say(s, slice_of(xs, min_size(count, sizeof(xs))), sizeof(xs));
}

static inline void server_accept(struct server *s)
{
	int on = 1;
	s->fd = accept(s->door, NULL, NULL);
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static inline void server_close(struct server *s, bool resets)
{
	struct linger linger = { .l_onoff = resets };
	if (s->fd < 0)
		return;
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(s->fd);
	s->fd = -1;
}

static inline void server_hold(struct server *s)
{
	char bytes[4096];
	while (read(s->fd, bytes, sizeof(bytes)) > 0)
		continue;
	server_close(s, false);
}

static inline void server_play(struct server *s, const struct act *act)
{
	switch (act->deed) {
	case DO_ACCEPT: server_accept(s); break;
	case DO_HEAR: server_hear(s); break;
	case DO_TAKE: server_take(s, act->count); break;
	case DO_SAY: server_say(s, slice_str(act->bytes), SIZE_MAX); break;
	case DO_DRIP: server_say(s, slice_str(act->bytes), 1); break;
	case DO_FLOOD: server_flood(s, act->count); break;
	case DO_PAUSE: usleep((useconds_t)act->count * 1000); break;
	case DO_SHUT: server_close(s, false); break;
	case DO_RESET: server_close(s, true); break;
	case DO_HOLD: server_hold(s); break;
	case DO_OVER: break;
	}
}

static inline void *server_main(void *arg)
{
	struct server *s = arg;
	for (const struct act *act = s->script; act->deed != DO_OVER; act++)
		server_play(s, act);
	server_close(s, false);
	return NULL;
}

/* Listens on a port of its own on 127.0.0.1, and plays the script. */
static inline void server_start(struct server *s, const struct act *script)
{
	struct address a = { .v4.sin_family = AF_INET };
	socklen_t len = sizeof(a.v4);
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*s = (struct server){ .fd = -1 };
	buf_init(&s->heard, 0);
	(void)buf_room(&s->heard, 1); /* its slice is never NULL */
	memcpy(s->script, script, sizeof(s->script));
	s->door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(s->door, &a.any, len) == 0 && listen(s->door, 16) == 0);
	must(getsockname(s->door, &a.any, &len) == 0);
	s->port = ntohs(a.v4.sin_port);
	must(pthread_create(&s->thread, NULL, server_main, s) == 0);
}

/* Waits for the end of the script: what was heard is nobody else's any more. */
static inline void server_join(struct server *s)
{
	shutdown(s->door, SHUT_RDWR); /* an accept that nobody comes to */
	pthread_join(s->thread, NULL);
}

static inline void server_fini(struct server *s)
{
	close(s->door);
	buf_fini(&s->heard);
}

static inline void server_stop(struct server *s)
{
	server_join(s);
	server_fini(s);
}

/* A port of 127.0.0.1 that refuses. */
static inline uint16_t closed_port(void)
{
	struct address a = { .v4.sin_family = AF_INET };
	socklen_t len = sizeof(a.v4);
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(fd, &a.any, len) == 0 && getsockname(fd, &a.any, &len) == 0);
	close(fd);
	return ntohs(a.v4.sin_port);
}
