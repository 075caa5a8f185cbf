/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer on a client's connection, whatever the protocol. A session (HTTP/1 in
 * session, HTTP/2 in h2) makes a stream for each request, hands it up through stream_events, and is
 * told what to send through stream_ops; a journey never asks which protocol it serves.
 *
 * Life: on_request -> (interim | want_body)* -> answer -> on_done. on_done comes exactly once, also
 * when the client goes away at any moment; after it the stream, its request and its arena are gone.
 *
 * A request that asks to switch to another protocol (request.upgrade) is a request like any other
 * until it is answered with 101: from then on the stream is a tunnel. The client's bytes flow into
 * stream->body as they come, until it has finished writing; the answer's source lends the bytes for
 * it, and its end closes the stream. HTTP/2 says 200 where HTTP/1 says 101 (RFC 8441 5).
 */
#pragma once

#include "edge/base/arena.h"
#include "edge/base/meter.h"
#include "edge/http/msg.h"
#include "edge/loop/conn.h"
#include "edge/loop/flow.h"
#include "edge/wire/limits.h"

enum source_state {
	SOURCE_MORE, /* iovecs were given */
	SOURCE_WAIT, /* nothing now: stream_resume will be called */
	SOURCE_END,  /* all was taken */
	SOURCE_FAIL, /* what was sent must not look whole: the session cuts it visibly */
};

/* Where an answer's body bytes come from. Embedded in what the owner keeps. */
struct source {
	/* Shows the next bytes as iovecs, which stay until advance. */
	enum source_state (*peek)(struct source *, struct iovec *, int max, int *ret_count);
	void (*advance)(struct source *, uint64_t bytes);
	/* Field lines to send after the last byte, or empty. May be NULL. */
	struct slice (*trailers)(struct source *);
	/* The session's: it holds what was shown beyond the call that asked. */
	bool is_lent;
};

/* The head of an answer. Lines are "Name: value\r\n" each, with no framing or connection fields. */
struct answer {
	uint16_t status;
	struct slice lines[3];
	bool has_body;   /* false: no body bytes follow, whatever the length says (HEAD, 304) */
	bool has_length; /* `length` is sent as Content-Length; else the session frames the body */
	uint64_t length;
};

struct stream;

struct stream_ops {
	void (*interim)(struct stream *, const struct answer *);
	void (*want_body)(struct stream *);
	void (*answer)(struct stream *, const struct answer *, struct source *);
	void (*resume)(struct stream *);
	void (*cut)(struct stream *, enum err);
};

struct stream_events {
	/* A request's head is complete: stream->request is set. */
	void (*on_request)(struct stream *);
	/* The request is refused for what it is; stream->request may hold parts of it. The user
	 * answers, as with on_request; the connection is closed after that. */
	void (*on_refused)(struct stream *, enum err);
	/* The answer was sent whole (ERR_NONE), or why it was not. */
	void (*on_done)(struct stream *, enum err);
};

struct stream {
	const struct stream_ops *ops;
	struct request request;
	struct arena arena;
	struct loop *home;
	struct flow *body; /* the request's body, NULL when it has none; a window */
	const struct address *peer;
	const struct secure *secure; /* NULL = the connection is plain */
	bool is_early;               /* the request may be a replay: it came as early data */
	struct mono began;           /* first byte of the request */
	uint64_t bytes_out;          /* of the answer, head included */
	uint64_t bytes_in;           /* of the request, head included */
	void *journey;               /* the user's */
	void *front;                 /* the session's front: see front.h */
};

/* Sends an interim answer (RFC 9110 15.2). Not to HTTP/1.0 clients. */
static inline void stream_interim(struct stream *s, const struct answer *a)
{
	s->ops->interim(s, a);
}
/* Lets the request's body flow into stream->body; sends 100 (Continue) when it was asked for. */
static inline void stream_want_body(struct stream *s)
{
	s->ops->want_body(s);
}
/* Sends the final answer. source: NULL when has_body is false; stays until on_done. The answer and
 * its lines are borrowed for the call. on_done may come before this returns. */
static inline void stream_answer(struct stream *s, const struct answer *a, struct source *source)
{
	s->ops->answer(s, a, source);
}
/* The source has more (or an end) after SOURCE_WAIT. on_done may come before this returns. */
static inline void stream_resume(struct stream *s)
{
	s->ops->resume(s);
}
/* Ends the stream without a (whole) answer: the client must see that it was cut. */
static inline void stream_cut(struct stream *s, enum err why)
{
	s->ops->cut(s, why);
}
