/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request on an HTTP/2 connection, and its answer: the stream that the journey sees, and beside
 * it what the wire needs to read the one and send the other. As turns do, they go from connection
 * to connection through a pool of the loop.
 *
 *	h2_stream_take  ->  a request and its answer  ->  h2_stream_give  ->  the pool's, or freed
 *
 * One letter may be on its way to it: there is room in its body again. A stream that was given back
 * before that waits for its letter without a session, and is freed by it.
 *
 * The body of a request that nobody wants yet is kept in `early`: no more than the window with
 * which a stream begins. From then on it flows, and the window is given back as the flow has room,
 * so that an upload which nobody takes holds back none but itself.
 */
#pragma once

#include "edge/wire/h2_fields.h"
#include "edge/wire/h2_out.h"

struct h2;
struct h2_stream;
/* There is room in the body again. Runs ON_LOOP, while the stream has its session. */
typedef void h2_room_f(struct h2_stream *);

struct h2_stream {
	struct stream stream; /* first: what the journey sees */
	/* the session's, set by it; session: NULL = given back */
	struct h2 *session;
	h2_room_f *on_room;
	int32_t id;
	struct list link;    /* in the session, or in the pool */
	struct list touched; /* in the write under way */
	struct mail room;
	struct deadline
	    deadline; /* of the body while it is wanted, of the answer while it goes out */
	/* request */
	struct h2_head head;
	struct slice trailers;
	struct buf early;
	uint64_t body_bytes;
	size_t held;  /* bytes of the window that are not given back yet */
	bool is_told; /* the journey knows of it: it is to learn of its end */
	bool wants_body, body_ended, has_ended; /* has_ended: the client has */
	/* answer */
	struct source *source; /* NULL = no body, or nothing answered yet */
	uint64_t left;         /* of the body; UINT64_MAX = until the source ends */
	uint64_t taken;        /* of the source's bytes, in the write under way */
	bool is_answered, is_tunnel, waits, is_whole; /* is_whole: its end has gone out */
	enum err failure;                             /* why it ended, when not whole */
};

/* Streams that wait for their next request. */
struct h2_pool {
	struct list spare;
	unsigned count;
};

/* What a DATA frame may hold. */
struct h2_shown {
	struct iovec iov[H2_OUT_FRAME_IOVECS];
	int count;
	size_t bytes; /* 0 with SOURCE_MORE: after the write under way */
};

void h2_pool_init(struct h2_pool *);
/* Frees the spare streams. */
void h2_pool_fini(struct h2_pool *);
/* Takes a spare stream or makes one, empty; whose it is is for the taker to set. fail: NULL without
 * memory. */
struct h2_stream *h2_stream_take(struct h2_pool *);
/* Empties it and gives it back. A request body that is not whole fails with ERR_CANCELLED. */
void h2_stream_give(struct h2_pool *, struct h2_stream *) ON_LOOP;

/* Takes bytes of the request's body. fail: as flow_write, ERR_BODY_TOO_LARGE. */
enum err h2_stream_fill(struct h2_stream *, struct slice, uint64_t body_bytes);
/* Lets what came early flow. fail: as flow_write. */
enum err h2_stream_open_body(struct h2_stream *);
/* The body cannot be had: whoever reads it learns why. */
void h2_stream_fail_body(struct h2_stream *, enum err);
/* How much of the window may be given back now; when the flow is full none, and `room` will
 * come. */
size_t h2_stream_release(struct h2_stream *);

/* Shows what may follow of the answer's body, at most `limit` bytes. SOURCE_FAIL: also when it
 * ended early. */
enum source_state h2_stream_show(struct h2_stream *, size_t limit, struct h2_shown *ret);
/* Puts what was shown into a frame: copied, or lent until h2_stream_took. */
void h2_stream_put(struct h2_stream *, const struct h2_shown *, struct h2_out *);
/* What was lent has been written. */
void h2_stream_took(struct h2_stream *);
