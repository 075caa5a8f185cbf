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
 * An address that speaks TLS remembers the last session that it gave, whichever connection brought
 * it, and each new connection offers it: a handshake then costs neither a certificate nor its check
 * (RFC 8446 2.2). TLS 1.3 brings sessions whenever it likes (RFC 8446 4.6.1), so a kept connection
 * that has something to say is listened to first, and stays if that was no answer.
 *
 *	pool_connect -> [pool_begin_tls -> pool_shake ...]
 *	  -> in use -> pool_keep -> kept -> pool_take -> in use -> ... -> pool_close
 */
#pragma once

#include "edge/http/field.h"
#include "edge/loop/conn.h"
#include "edge/origin/options.h"
#include "edge/tls/line.h"

struct origin_meters;
struct pool;

/* A connection in use became readable or writable (EV_READ | EV_WRITE). Runs ON_LOOP. */
typedef void pooled_ready_f(void *user, int events);

struct pooled {
	struct conn conn;
	struct pool *pool;
	struct list link; /* among the kept ones */
	struct deadline idle;
	int64_t idle_ms; /* as the origin has it; INT64_MAX = it did not say */
	pooled_ready_f *ready;
	void *user;           /* NULL = kept */
	SSL_SESSION *offered; /* in the handshake under way; counted, NULL = none */
};

/* How an origin's connections speak TLS. */
struct origin_tls {
	struct tls_client *client;
	struct tls_local *local;
};

enum { POOL_TEXT_BYTES = INET6_ADDRSTRLEN + sizeof("[]:65535") };

struct pool {
	/* fixed after pool_init */
	struct loop *home;
	const struct origin_options *options;
	struct origin_meters *meters;
	struct origin_tls tls;    /* client NULL = plain */
	struct slice server_name; /* for SNI and the name check; the origin keeps it */
	/* home loop */
	struct address address;
	struct slice text; /* "127.0.0.1:8000", "[::1]:8000" */
	char text_bytes[POOL_TEXT_BYTES];
	bool is_listed; /* the operator or the resolver names this address now */
	struct list kept;
	uint64_t kept_count, used_count;
	struct mono refused;  /* when it last took no connection; 0 = never */
	SSL_SESSION *session; /* to resume; counted, NULL = none */
};

/* Makes a pool without an address: it serves nothing until it is listed. */
void pool_init(struct pool *, struct loop *, const struct origin_options *, struct origin_meters *);
/* From now on its connections speak TLS, to one of that name. Before the first of them. */
void pool_secure(struct pool *, const struct origin_tls *, struct slice server_name);
static inline bool pool_is_secure(const struct pool *p)
{
	return p->tls.client != NULL;
}

/* Puts an address into service. The pool must be free. */
void pool_list(struct pool *, const struct address *) ON_LOOP;
/* Out of service: closes what is kept, and keeps nothing more, no session either. */
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
/* Lays TLS under a new connection that is connected now, with the last session, if there is one, to
 * resume. fail: ERR_NO_MEMORY. */
enum err pool_begin_tls(struct pooled *) ON_LOOP;
/* Goes on with its handshake, as tls_line_shake. */
enum shake pool_shake(struct pooled *) ON_LOOP;
/* Hears from a response's head how long the origin keeps the connection when nobody uses it:
 * Keep-Alive's `timeout`, in seconds (RFC 2068 19.7.1.1). We close it before: a request that crosses
 * the origin's close is lost, and only a safe one may be sent again. */
void pool_hear(struct pooled *, const struct fields *);
/* Keeps a connection for the next request, or closes it when enough are kept. Nulls it. */
void pool_keep(struct pooled **) ON_LOOP;
/* Closes a connection, in use or kept. Accepts NULL; nulls it. */
void pool_close(struct pooled **) ON_LOOP;
