/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer on its way out over HTTP/1: bytes that are written here (heads, chunk sizes, trailers)
 * before bytes that the source lends. It knows neither sockets nor sessions: it shows what may be
 * sent next and is told how much of it went.
 *
 *	sending_interim*  ->  sending_begin, sending_end_head  ->  (sending_gather, sending_took)*
 *	                                                           until sending_is_done
 *
 * How the end of a body is told (RFC 9112 6.3), and what a body that fails half-way looks like:
 *
 *	BY_NOTHING  there is no body
 *	BY_LENGTH   Content-Length                short of it: the client sees that it was cut
 *	BY_CHUNKS   one chunk for each gathering  no last chunk: the client sees that it was cut
 *	BY_CLOSE    the connection ends           looks whole: the session must reset the connection
 *	BY_TUNNEL   the connection ends, too      what was switched to has an end of its own
 *
 * The body's bytes are never copied, and a chunk is announced only once the source has shown its
 * bytes: so whatever was announced is there.
 */
#pragma once

#include <sys/uio.h>

#include "edge/base/buf.h"
#include "edge/wire/wire.h"

enum { SENDING_IOVECS = 34 };

enum delimiter { BY_NOTHING, BY_LENGTH, BY_CHUNKS, BY_CLOSE, BY_TUNNEL };

struct sending {
	struct buf out; /* heads, chunk sizes: goes out before the source's bytes */
	size_t out_sent;
	struct source *source; /* borrowed; NULL = no body */
	enum delimiter delimiter;
	uint64_t left;   /* BY_LENGTH: of the body; BY_CHUNKS: of the current chunk */
	uint8_t version; /* the request's: 10, 11 */
	bool is_begun;   /* the final head was written */
	bool source_ended;
};

/* What may be sent next: count iovecs from `at`, which hold until sending_took. */
struct gathered {
	struct iovec space[SENDING_IOVECS]; /* the first is kept for `out` */
	struct iovec *at;
	int count;
	uint64_t bytes;
};

void sending_init(struct sending *);
/* Empties it for the next answer. */
void sending_reset(struct sending *);
void sending_fini(struct sending *);

/* Writes an interim head. rfc: 9110 15.2. */
void sending_interim(struct sending *, const struct answer *);
/* Writes the final head, but for its end, and decides on the delimiter. version: the request's.
 * source: stays until the reset. rfc: 9112 6.3. */
void sending_begin(struct sending *, const struct answer *, struct source *source, uint8_t version);
/* Ends the head with what becomes of the connection. rfc: 9112 9.3. */
void sending_end_head(struct sending *, bool closes);

/*
 * Shows what can be sent now; a count of 0 when there is nothing, now or ever.
 * fail: ERR_ORIGIN_TRUNCATED when the source failed or ended early, ERR_NO_MEMORY.
 */
enum err sending_gather(struct sending *, struct gathered *ret);
/* Counts bytes that went out off the answer: first what is in `out`, then the source's. */
void sending_took(struct sending *, uint64_t bytes);

/* Whether all of the final answer is out. */
bool sending_is_done(const struct sending *);
/* Whether the client takes the connection's end for the answer's. */
static inline bool sending_ends_by_close(const struct sending *s)
{
	return s->is_begun && s->delimiter == BY_CLOSE;
}
