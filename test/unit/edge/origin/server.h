/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An origin that says exactly what a test wrote: a script of acts, played once by a thread of its
 * own, one connection at a time. From SECURE on a connection speaks TLS; SHUT then says nothing of
 * the end, which NOTIFY does.
 */
#pragma once

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "edge/base/buf.h"
#include "edge/loop/conn.h"

enum deed {
	DO_OVER,
	DO_ACCEPT,
	DO_SECURE,
	DO_NOTIFY,
	DO_REKEY,
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
#define SECURE       { DO_SECURE, NULL, 0 }    /* shake hands */
#define NOTIFY       { DO_NOTIFY, NULL, 0 }    /* TLS's word that this is the end */
#define REKEY        { DO_REKEY, NULL, 0 }     /* a message of TLS 1.3 for itself */
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
	SSL_CTX *tls;     /* for SECURE, borrowed */
	SSL *ssl;         /* of the connection; NULL = plain */
	unsigned shaken, resumed;
	char name[256]; /* last asked for by SNI */
};

static inline ssize_t server_read(struct server *s, void *to, size_t room)
{
	return s->ssl ? SSL_read(s->ssl, to, (int)room) : read(s->fd, to, room);
}

static inline ssize_t server_write(struct server *s, const void *from, size_t count)
{
	return s->ssl ? SSL_write(s->ssl, from, (int)count)
		      : send(s->fd, from, count, MSG_NOSIGNAL);
}

static inline void server_secure(struct server *s)
{
	s->ssl = SSL_new(s->tls);
	SSL_set_fd(s->ssl, s->fd);
	bool is_done = SSL_accept(s->ssl) == 1;
	const char *name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
	snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
	s->shaken += is_done;
	s->resumed += is_done && SSL_session_reused(s->ssl);
}

static inline void server_rekey(struct server *s)
{
	SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
	SSL_do_handshake(s->ssl);
}

static inline void server_hear(struct server *s)
{
	size_t from = s->heard.len;
	while (slice_find_slice(slice_from(buf_slice(&s->heard), from), SL("\r\n\r\n")) ==
	    s->heard.len - from) {
		char c;
		if (server_read(s, &c, 1) != 1)
			return;
		buf_add_char(&s->heard, c);
	}
}

static inline void server_take(struct server *s, size_t count)
{
	char bytes[16384];
	while (count > 0) {
		ssize_t n = server_read(s, bytes, min_size(count, sizeof(bytes)));
		if (n <= 0)
			return;
		buf_add(&s->heard, slice_of(bytes, (size_t)n));
		count -= (size_t)n;
	}
}

static inline void server_say(struct server *s, struct slice bytes, size_t step)
{
	while (bytes.len > 0) {
		ssize_t n = server_write(s, bytes.at, min_size(step, bytes.len));
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
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd < 0)
		return;
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(s->fd);
	s->fd = -1;
}

static inline void server_hold(struct server *s)
{
	char bytes[4096];
	while (server_read(s, bytes, sizeof(bytes)) > 0)
		continue;
	server_close(s, false);
}

static inline void server_play(struct server *s, const struct act *act)
{
	switch (act->deed) {
	case DO_ACCEPT: server_accept(s); break;
	case DO_SECURE: server_secure(s); break;
	case DO_NOTIFY: SSL_shutdown(s->ssl); break;
	case DO_REKEY: server_rekey(s); break;
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
static inline void server_start_tls(struct server *s, const struct act *script, SSL_CTX *tls)
{
	struct address a = { .v4.sin_family = AF_INET };
	socklen_t len = sizeof(a.v4);
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	signal(SIGPIPE, SIG_IGN); /* of SSL_write */
	*s = (struct server){ .fd = -1, .tls = tls };
	buf_init(&s->heard, 0);
	(void)buf_room(&s->heard, 1); /* its slice is never NULL */
	memcpy(s->script, script, sizeof(s->script));
	s->door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(s->door, &a.any, len) == 0 && listen(s->door, 16) == 0);
	must(getsockname(s->door, &a.any, &len) == 0);
	s->port = ntohs(a.v4.sin_port);
	must(pthread_create(&s->thread, NULL, server_main, s) == 0);
}

static inline void server_start(struct server *s, const struct act *script)
{
	server_start_tls(s, script, NULL);
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
