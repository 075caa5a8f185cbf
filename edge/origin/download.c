/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/download.h"

enum {
	HELD_READ_BYTES = 16 * 1024,
	STRAIGHT_BYTES = 16 * 1024, /* from so many on, a copy costs more than a further read */
	READS_IN_TURN = 16,         /* then the others of the loop have theirs */
	ARENA_BASE_BYTES = 64 * 1024,
};

void download_init(struct download *d)
{
	/* A head is copied, its field table grows by doubling, and trailers come on top. */
	arena_init(&d->arena, ARENA_BASE_BYTES + 4 * d->limits->head_bytes);
	buf_init(&d->held, 0);
}

void download_fini(struct download *d)
{
	arena_fini(&d->arena);
	buf_fini(&d->held);
}

void download_begin(struct download *d, bool answers_head)
{
	d->answers_head = answers_head;
	d->is_raw = false;
	d->shown = slice_of(d->scratch, 0);
	d->bytes = 0;
	d->is_ready = false;
	d->failure = ERR_NONE;
	download_next(d);
}

void download_next(struct download *d)
{
	arena_reset(&d->arena);
	h1_reader_begin(&d->reader, H1_ANSWER, d->limits, &d->arena);
	d->reader.answers_head = d->answers_head;
}

void download_switch(struct download *d)
{
	d->is_raw = true;
	d->response.framing = FRAMING_TUNNEL;
}

void download_end(struct download *d, enum err failure)
{
	if (!d->into)
		return;
	flow_filler_leave(d->into);
	if (failure == ERR_NONE)
		flow_finish(d->into, d->reader.trailers);
	else
		flow_fail(d->into, failure);
	flow_unref(&d->into);
}

bool download_is_clean(const struct download *d)
{
	return !d->is_raw && d->reader.at_end && d->reader.keeps_alive && !d->reader.needs_eof &&
	    d->shown.len == 0;
}

static enum pull fail(struct download *d, enum err why)
{
	d->failure = why;
	return PULL_BAD;
}

/* The reader speaks of its peer, which here is the origin. */
static enum pull fail_as_read(struct download *d)
{
	switch (d->reader.failure) {
	case ERR_LINE_TOO_LONG:
	case ERR_HEAD_TOO_LARGE:
	case ERR_TOO_MANY_FIELDS: return fail(d, ERR_ORIGIN_HEAD_LARGE);
	case ERR_NO_MEMORY: return fail(d, ERR_NO_MEMORY);
	default: return fail(d, ERR_ORIGIN_MALFORMED);
	}
}

/* ---- reading ---- */

static enum pull receive(struct download *d, struct conn *c, char *to, size_t room, size_t *ret_got)
    ON_LOOP
{
	enum io io = conn_read(c, to, room, ret_got);
	d->bytes += *ret_got;
	meter_add(d->count, *ret_got);
	d->is_ready = io == IO_OK && *ret_got == room;
	if (io == IO_OK || io == IO_AGAIN)
		return PULL_AGAIN;
	if (io == IO_EOF && h1_read_eof(&d->reader) == H1_END)
		return PULL_END;
	return fail(d, d->bytes ? ERR_ORIGIN_TRUNCATED : ERR_ORIGIN_CLOSED);
}

/* Keeps what is shown over the end of the call, in `held`, where it may be already. */
static bool hold(struct download *d)
{
	bool is_held = d->held.at && d->shown.at >= d->held.at &&
	    d->shown.at < d->held.at + d->held.len;
	if (is_held) {
		buf_consume(&d->held, (size_t)(d->shown.at - d->held.at));
	} else {
		buf_clear(&d->held);
		buf_add(&d->held, d->shown);
	}
	d->shown = buf_slice(&d->held);
	return !d->held.overflow;
}

/* Reads on behind what is shown. */
static enum pull read_on(struct download *d, struct conn *c) ON_LOOP
{
	bool is_behind = d->shown.len > 0;
	size_t room = is_behind ? HELD_READ_BYTES : DOWNLOAD_SCRATCH_BYTES, got;
	char *to = is_behind ? buf_room(&d->held, room) : d->scratch;
	if (!to)
		return fail(d, ERR_NO_MEMORY);
	enum pull pull = receive(d, c, to, room, &got);
	if (is_behind) {
		d->held.len += got;
		d->shown = buf_slice(&d->held);
	} else {
		d->shown = slice_of(d->scratch, got);
	}
	return pull;
}

/* Reads body bytes to where they stay. */
static enum pull read_straight(struct download *d, struct conn *c) ON_LOOP
{
	size_t room, got;
	char *to = flow_room(d->into, &room);
	if (!to)
		return fail(d, ERR_NO_MEMORY);
	if (!d->is_raw)
		room = (size_t)min_u64(room, h1_read_left(&d->reader));
	enum pull pull = receive(d, c, to, room, &got);
	if (got > 0)
		flow_wrote(d->into, got);
	if (got > 0 && !d->is_raw)
		h1_read_past(&d->reader, got);
	return pull;
}

/* ---- heads ---- */

static enum pull parse_head(struct download *d)
{
	size_t used;
	if (d->shown.len == 0)
		return PULL_AGAIN;
	switch (h1_read_head(&d->reader, d->shown, &used, NULL, &d->response)) {
	case H1_HEAD: d->shown = slice_from(d->shown, used); return PULL_HEAD;
	case H1_MORE: return hold(d) ? PULL_AGAIN : fail(d, ERR_NO_MEMORY);
	default: return fail_as_read(d);
	}
}

enum pull download_head(struct download *d, struct conn *c)
{
	enum pull pull = parse_head(d);
	while (pull == PULL_AGAIN && d->is_ready) {
		pull = read_on(d, c);
		if (pull == PULL_AGAIN)
			pull = parse_head(d);
	}
	return pull;
}

/* ---- bodies ---- */

/* Whether more of a body that nobody wants is worth reading, for the connection's sake. */
static bool is_worth_reading(const struct download *d)
{
	uint64_t left = d->response.framing == FRAMING_LENGTH ? h1_read_left(&d->reader) : 0;
	return left <= DOWNLOAD_PAST_BYTES && d->reader.body_bytes <= DOWNLOAD_PAST_BYTES &&
	    !d->reader.needs_eof;
}

/* What came behind the head that switched is the tunnel's already. */
static enum pull take_raw(struct download *d)
{
	struct slice shown = d->shown;
	d->shown = slice_of(d->scratch, 0);
	if (!d->into)
		return PULL_END;
	return flow_write(d->into, shown) == ERR_NONE ? PULL_AGAIN : fail(d, ERR_NO_MEMORY);
}

static enum pull parse_body(struct download *d)
{
	size_t used;
	if (d->is_raw)
		return take_raw(d);
	if (!d->into && !is_worth_reading(d))
		return PULL_END;
	if (d->shown.len == 0 && !d->reader.at_end)
		return PULL_AGAIN;
	switch (h1_read_body(&d->reader, d->shown, &used, d->into)) {
	case H1_MORE: d->shown = slice_of(d->scratch, 0); return PULL_AGAIN;
	case H1_END: d->shown = slice_from(d->shown, used); return PULL_END;
	default: return fail_as_read(d);
	}
}

static enum pull read_body(struct download *d, struct conn *c) ON_LOOP
{
	bool is_straight = d->into && d->response.framing == FRAMING_LENGTH &&
	    h1_read_left(&d->reader) >= STRAIGHT_BYTES;
	return is_straight || d->is_raw ? read_straight(d, c) : read_on(d, c);
}

enum pull download_body(struct download *d, struct conn *c)
{
	enum pull pull = parse_body(d);
	for (int reads = 0; pull == PULL_AGAIN && d->is_ready && reads < READS_IN_TURN; reads++) {
		if (d->into && flow_is_full(d->into, d->wake, d->home))
			return PULL_FULL;
		pull = read_body(d, c);
		if (pull == PULL_AGAIN)
			pull = parse_body(d);
	}
	return pull;
}
