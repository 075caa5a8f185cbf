/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connected, non-blocking stream socket on a loop. Reading and writing tell an outcome, never an
 * errno; interest in readiness is one watcher whose mask changes only when it must, so a connection
 * that serves hit after hit makes no call but read and write.
 *
 * A layer (TLS) may lie between a connection and its socket, beneath the I/O functions, with nobody
 * above the wiser. It may hold bytes both ways: what it read and nobody took yet is told by another
 * readiness event; what was written and the socket has not taken goes out by itself, and
 * conn_is_flushed tells when it is all gone.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "edge/base/slice.h"
#include "edge/loop/loop.h"

/* An address of either family, small enough to be kept per connection. A peer on a unix socket has
 * none; what the kernel knows of it stands in its place. */
struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct {
			sa_family_t family; /* AF_UNIX */
			bool is_known;
			uid_t uid; /* who had connected */
		} local;
	};
};

struct conn;
/* events: EV_READ and EV_WRITE, OR-ed. Runs ON_LOOP. */
typedef void conn_ready_f(struct conn *, int events);

enum io {
	IO_OK,
	IO_AGAIN,  /* not now: watch */
	IO_EOF,    /* the peer has finished writing */
	IO_BROKEN, /* reset, or any other error: close */
};

/* What lies between a connection and its socket. All functions run ON_LOOP. */
struct conn_layer {
	enum io (*read)(struct conn *, void *to, size_t room, size_t *ret_bytes);
	/* Takes all or some; less than all only when the socket is full. */
	enum io (*writev)(struct conn *, struct iovec *, int count, size_t *ret_bytes);
	/* Sends what it holds. IO_OK: all gone; IO_AGAIN: the socket is full. */
	enum io (*flush)(struct conn *);
	/* Bytes written above and still held. */
	size_t (*held)(const struct conn *);
	/* Whether it has bytes for the reader that the socket will not tell of. */
	bool (*has_unread)(const struct conn *);
	/* Tells the peer that we have finished writing, once what is held has gone. */
	void (*shut)(struct conn *);
	/* Frees its state; the socket is closed after that. is_reset: the peer must not take what
	 * it got for the whole, so nothing is said to it. */
	void (*close)(struct conn *, bool is_reset);
};

struct conn {
	struct ev_io io;
	struct loop *home;
	conn_ready_f *ready;
	const struct conn_layer *layer; /* NULL = the bare socket */
	void *layer_state;              /* the layer's */
	uint8_t wanted;                 /* what the user watches for; the layer may need more */
};

/*
 * What is known of a client's connection that is safe on its way; who made it so keeps it as long
 * as the connection is open.
 */
struct secure {
	struct slice
	    server_name; /* that the client asked for, lower case; empty = none (RFC 6066 3) */
	struct slice certificate; /* the client's, verified, as DER; empty = none */
	struct slice version;     /* "TLSv1.3" */
	bool is_early;            /* what is read now may be a replay (RFC 8470 2) */
	/* Whether the certificate that was shown speaks for a host, too (RFC 9110 7.4). */
	bool (*speaks_for)(const struct secure *, struct slice host);
};

/* Takes over a socket. own: conn_close closes it. */
void conn_open(struct conn *, struct loop *home, int fd, conn_ready_f *ready) ON_LOOP;
/* Moves an open connection into another struct, with another to tell; `from` is closed then. What
 * was watched is not any more. */
void conn_move(struct conn *to, struct conn *from, conn_ready_f *ready) ON_LOOP;
/* Starts a non-blocking connect; writable = conn_connected tells how it went.
 * fail: ERR_NO_FDS, ERR_ORIGIN_CONNECT. */
enum err conn_connect(struct conn *, struct loop *home, const struct address *, conn_ready_f *ready)
    ON_LOOP;
/* After the first EV_WRITE of a connect: ERR_NONE or ERR_ORIGIN_CONNECT. */
enum err conn_connected(struct conn *) ON_LOOP;
/* Closes; safe when not open. */
void conn_close(struct conn *) ON_LOOP;
static inline bool conn_is_open(const struct conn *c)
{
	return c->io.fd >= 0;
}

/* Closes so that the peer sees a reset: what it got must not look whole. */
void conn_reset(struct conn *) ON_LOOP;
/* Whether all that was written is the kernel's. */
static inline bool conn_is_flushed(const struct conn *c)
{
	return !c->layer || c->layer->held(c) == 0;
}
/* Bytes written that the peer has not acknowledged yet. */
uint32_t conn_unsent(const struct conn *) ON_LOOP;
/* Whether the peer took a byte since the last look: the kernel says that a socket is writable only
 * once a third of its buffer is free, which a slow peer may need minutes for. unsent: kept between
 * looks; UINT32_MAX before the first. */
bool conn_is_taking(const struct conn *, uint32_t *unsent) ON_LOOP;

/* Watches for these events (EV_READ | EV_WRITE, 0 = none) from now on. */
void conn_watch(struct conn *, int events) ON_LOOP;
enum io conn_read(struct conn *, void *to, size_t room, size_t *ret_bytes) ON_LOOP;
enum io conn_writev(struct conn *, struct iovec *, int count, size_t *ret_bytes) ON_LOOP;
/*
 * Readies a socket for many bytes. To a near peer (round trip under half a millisecond) it gets a
 * small send buffer: what was copied there is then still in the processor's cache when the kernel
 * hands it on, which halves the cost of a large body. To a far one the kernel's own growing buffer
 * stays, since a small one would cap its throughput at one buffer a round trip.
 */
void conn_ready_bulk(struct conn *) ON_LOOP;
/* Tells the peer that we have finished writing. */
void conn_shut(struct conn *) ON_LOOP;
/* For a layer, when it has read or written outside of these functions: in a handshake. */
void conn_stirred(struct conn *) ON_LOOP;

/* "192.0.2.1" or "2001:db8::1", no port, no brackets. Returns the length written. */
size_t address_print(const struct address *, char *to, size_t room);
uint16_t address_port(const struct address *);
socklen_t address_len(const struct address *);
/* Parses a literal IPv4 or IPv6 address (no name) and a port. */
bool address_parse(struct slice host, uint16_t port, struct address *ret);
