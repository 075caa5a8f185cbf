/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections to one address of an origin: those in use, and those kept for the next request,
 * newest first, so that few stay warm and the rest grow idle and go.
 *
 * A kept connection is watched. When the origin closes it, or says anything before it was asked, it
 * is closed: such bytes are nobody's answer (RFC 9112 9.2). The same is asked once more when it is
 * taken, since the loop may not have told yet; so bytes behind the end of one answer never become
 * the next one.
 *
 *	pool_connect -> in use -> pool_keep -> kept -> pool_take -> in use -> ... -> pool_close
 */
#pragma once

#include "edge/loop/conn.h"
#include "edge/origin/options.h"

struct origin_meters;
struct pool;

/* A connection in use became readable or writable (EV_READ | EV_WRITE). Runs ON_LOOP. */
typedef void pooled_ready_f(void *user, int events);

struct pooled {
	struct conn conn;
	struct pool *pool;
	struct list link; /* among the kept ones */
	struct deadline idle;
	pooled_ready_f *ready;
	void *user; /* NULL = kept */
};

enum { POOL_TEXT_BYTES = INET6_ADDRSTRLEN + sizeof("[]:65535") };

struct pool {
	/* fixed after pool_init */
	struct loop *home;
	const struct origin_options *options;
	struct origin_meters *meters;
	/* home loop */
	struct address address;
	struct slice text; /* "127.0.0.1:8000", "[::1]:8000" */
	char text_bytes[POOL_TEXT_BYTES];
	bool is_listed; /* the operator or the resolver names this address now */
	struct list kept;
	uint64_t kept_count, used_count;
	struct mono refused; /* when it last took no connection; 0 = never */
};

/* Makes a pool without an address: it serves nothing until it is listed. */
void pool_init(struct pool *, struct loop *, const struct origin_options *, struct origin_meters *);
/* Puts an address into service. The pool must be free. */
void pool_list(struct pool *, const struct address *) ON_LOOP;
/* Out of service: closes what is kept, and keeps nothing more. */
void pool_unlist(struct pool *) ON_LOOP;
void pool_close_kept(struct pool *) ON_LOOP;
/* Whether another address may move in. */
static inline bool pool_is_free(const struct pool *p)
{
	return !p->is_listed && p->used_count == 0;
}

/* Takes the newest kept connection that is still good; NULL when there is none. */
struct pooled *pool_take(struct pool *, pooled_ready_f *, void *user) ON_LOOP;
/*
 * Starts a new connection; when it is writable, conn_connected tells how it went.
 * own: pool_keep or pool_close. fail: ERR_NO_MEMORY, ERR_NO_FDS, ERR_ORIGIN_CONNECT.
 */
enum err pool_connect(struct pool *, pooled_ready_f *, void *user, struct pooled **ret) ON_LOOP;
/* Keeps a connection for the next request, or closes it when enough are kept. Nulls it. */
void pool_keep(struct pooled **) ON_LOOP;
/* Closes a connection, in use or kept. Accepts NULL; nulls it. */
void pool_close(struct pooled **) ON_LOOP;
