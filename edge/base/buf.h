/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only thing in the house that grows and is written to: bytes on the heap, up to a limit.
 * Running over the limit (or out of memory) sets a sticky flag that is tested once, when the
 * writing is done; until then further writes are ignored, so writers need no checks between.
 */
#pragma once

#include "edge/base/slice.h"

struct buf {
	char *at;
	size_t len;
	size_t cap;
	size_t max; /* never grows past this */
	bool overflow;
};

/* Makes an empty buf that allocates nothing yet. max: bytes, 0 = no limit of its own (1 GiB). */
void buf_init(struct buf *, size_t max);
/* Frees the bytes; the buf is as after buf_init. */
void buf_fini(struct buf *);

/* Makes room for `more` bytes after len. Null and overflow when that passes the limit. */
MUST_USE char *buf_room(struct buf *, size_t more);
void buf_add(struct buf *, struct slice);
void buf_add_char(struct buf *, char);
void buf_add_u64(struct buf *, uint64_t);
void buf_addf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Writes a string as JSON: quoted; control bytes, quotes, backslashes and bad UTF-8 escaped. */
void buf_add_json(struct buf *, struct slice);
/* Drops the first n bytes and moves the rest to the front. */
void buf_consume(struct buf *, size_t n);

static inline void buf_clear(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
}
static inline struct slice buf_slice(const struct buf *b)
{
	return slice_of(b->at, b->len);
}
