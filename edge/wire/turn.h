/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request on an HTTP/1 session, and its answer: the stream that the journey sees, and beside it
 * what the wire needs to read the one and send the other. A session has one turn at a time, and
 * none while it is idle: turns go from session to session through a pool, so that what a request
 * needs (arena, reader, buffers) is paid for by the requests under way, not by the connections.
 *
 *	turn_take  ->  a request and its answer  ->  turn_give  ->  the pool's, or freed
 *
 * Two letters may be on their way to a turn: there is room in its body again, and there is
 * something to send at the end of the round. The memory around a letter must stay until it is
 * delivered; a turn that was given back before that belongs to nobody, waits for its letters
 * without a session, and is freed by the last of them.
 */
#pragma once

#include "edge/wire/h1_read.h"
#include "edge/wire/sending.h"
#include "edge/wire/wire.h"

struct front;
struct session;
struct turn;
/* Runs ON_LOOP, while the turn has its session. */
typedef void turn_event_f(struct turn *);

struct turn_events {
	turn_event_f *on_room;  /* there is room in stream.body again */
	turn_event_f *on_later; /* there is something to send, at the end of the round */
};

/* What becomes of a request to switch to another protocol (RFC 9110 7.8). */
enum switching {
	SWITCH_NONE,
	SWITCH_ASKED, /* stream.body is for what follows the 101; until that, nothing is of it */
	SWITCH_MADE,  /* a tunnel: stream.body takes what comes as it is, until the client ends */
};

struct turn {
	struct stream stream; /* first: what the journey sees */
	/* the session's, set by it; session: NULL = given back */
	struct session *session;
	const struct turn_events *events;
	struct list spare_link; /* in the pool */
	struct h1_reader reader;
	struct mail room, later;
	bool wants_body, body_ended;
	enum switching switching;
	struct sending sending;
};

/* Turns that wait for their next request. */
struct turn_pool {
	struct list spare;
	unsigned count;
};

void turn_pool_init(struct turn_pool *);
/* Takes a spare turn or makes one. All of the request's and the answer's is empty; whose it is, and
 * what the stream borrows, is for the taker to set. fail: NULL without memory. */
struct turn *turn_take(struct turn_pool *);
/* Empties the turn and gives it back. A request body that is not whole fails with ERR_CANCELLED. */
void turn_give(struct turn_pool *, struct turn *);
/* Frees the spare turns. */
void turn_pool_fini(struct turn_pool *);

/* Begins with the request that comes now; the stream's peer and secure are set. */
void turn_begin(struct turn *, struct front *);
/* Makes the body that the request's head announces, or that a tunnel will need. */
enum err turn_make_body(struct turn *);
/* Takes bytes of the body, and its end. ret_used: as h1_read_body says. fail: as h1_read_body,
 * ERR_NO_MEMORY. */
enum err turn_take_body(struct turn *, struct slice, size_t *ret_used);
/* The body is whole, trailers and all. */
void turn_end_body(struct turn *);

/* The switch was asked for and is answered with 101: the body takes what comes from now on. */
void turn_open_tunnel(struct turn *);
/*
 * Writes what there is of the answer, once. ret_blocked: the socket did not take all of it.
 * fail: as sending_gather; ERR_CLIENT_GONE.
 */
enum err turn_send(struct turn *, struct conn *, size_t *ret_sent, bool *ret_blocked) ON_LOOP;

static inline bool turn_is_tunnel(const struct turn *t)
{
	return t->switching == SWITCH_MADE;
}
/* Writes the head, which says whether the connection may go on after the body (RFC 9112 9.3).
 * closes: it may not; returns whether it closes now. has_ahead: bytes came behind the request
 * already. */
bool turn_write_head(
    struct turn *, const struct answer *, struct source *, bool closes, bool has_ahead);
/* Whether the client took a byte since the last look; in a tunnel, also whether the origin did.
 * unsent: as conn_is_taking. */
bool turn_is_taking(const struct turn *, const struct conn *, uint32_t *unsent) ON_LOOP;

/* Whether some of the request is still to come. */
static inline bool turn_lacks_body(const struct turn *t)
{
	return t->stream.body && !t->body_ended && t->switching != SWITCH_ASKED;
}
/* Whether it is wanted. */
static inline bool turn_awaits_body(const struct turn *t)
{
	return t->wants_body && turn_lacks_body(t);
}
