/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_stream.h"

enum {
	ARENA_BYTES = 512 * 1024,
	SPARE_STREAMS = 256,
	BODY_WINDOW_BYTES = 256 * 1024, /* of a request's body under way to the origin */
	PEEK_IOVECS = 24,
};

static void stream_free(struct h2_stream *t)
{
	arena_fini(&t->stream.arena);
	buf_fini(&t->early);
	free(t);
}

/* ---- from request to request ---- */

void h2_pool_init(struct h2_pool *pool)
{
	pool->count = 0;
	list_init(&pool->spare);
}

void h2_pool_fini(struct h2_pool *pool)
{
	LIST_EACH (link, &pool->spare)
		stream_free(LIST_OF(link, struct h2_stream, link));
	h2_pool_init(pool);
}

static void on_room(struct mail *m)
{
	struct h2_stream *t = CONTAINER_OF(m, struct h2_stream, room);
	if (t->session)
		t->on_room(t);
	else
		stream_free(t);
}

static struct h2_stream *stream_new(void)
{
	struct h2_stream *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	arena_init(&t->stream.arena, ARENA_BYTES);
	buf_init(&t->early, BODY_WINDOW_BYTES);
	mail_init(&t->room, on_room);
	list_init(&t->link);
	list_init(&t->touched);
	return t;
}

struct h2_stream *h2_stream_take(struct h2_pool *pool)
{
	struct list *link = list_take_first(&pool->spare);
	if (!link)
		return stream_new();
	pool->count--;
	return LIST_OF(link, struct h2_stream, link);
}

static void drop_body(struct h2_stream *t)
{
	if (!t->stream.body)
		return;
	flow_filler_leave(t->stream.body);
	if (!t->body_ended)
		flow_fail(t->stream.body, ERR_CANCELLED);
	flow_unref(&t->stream.body);
}

/* Empties a stream for its next request: all but what it keeps to use again. */
static void reset(struct h2_stream *t)
{
	struct arena arena;
	drop_body(t);
	arena_reset(&t->stream.arena);
	buf_fini(&t->early);
	arena = t->stream.arena;
	t->stream = (struct stream){ .arena = arena };
	t->session = NULL;
	t->head = (struct h2_head){ 0 };
	t->trailers = SLICE_NONE;
	t->body_bytes = 0;
	t->held = 0;
	t->source = NULL;
	t->left = t->taken = 0;
	t->failure = ERR_NONE;
	t->is_told = t->wants_body = t->body_ended = t->has_ended = false;
	t->is_answered = t->is_tunnel = t->waits = t->is_whole = false;
}

void h2_stream_give(struct h2_pool *pool, struct h2_stream *t)
{
	deadline_clear(&t->deadline);
	list_drop(&t->link);
	list_drop(&t->touched);
	reset(t);
	if (mail_is_posted(&t->room))
		return;
	if (pool->count >= SPARE_STREAMS) {
		stream_free(t);
		return;
	}
	pool->count++;
	list_prepend(&pool->spare, &t->link);
}

/* ---- the request's body ---- */

enum err h2_stream_fill(struct h2_stream *t, struct slice bytes, uint64_t body_bytes)
{
	t->body_bytes += bytes.len;
	t->stream.bytes_in += bytes.len;
	if (body_bytes && t->body_bytes > body_bytes && !t->is_tunnel)
		return ERR_BODY_TOO_LARGE;
	t->held += bytes.len;
	if (t->wants_body)
		return flow_write(t->stream.body, bytes);
	buf_add(&t->early, bytes);
	return t->early.overflow ? ERR_NO_MEMORY : ERR_NONE;
}

enum err h2_stream_open_body(struct h2_stream *t)
{
	t->wants_body = true;
	enum err e = flow_write(t->stream.body, buf_slice(&t->early));
	buf_fini(&t->early);
	return e;
}

void h2_stream_fail_body(struct h2_stream *t, enum err why)
{
	t->body_ended = true;
	buf_fini(&t->early);
	flow_fail(t->stream.body, why);
}

size_t h2_stream_release(struct h2_stream *t)
{
	size_t bytes = t->held;
	if (!t->wants_body || t->body_ended ||
	    flow_is_full(t->stream.body, &t->room, t->stream.home))
		return 0;
	t->held = 0;
	return bytes;
}

/* ---- the answer's body ---- */

/* Drops the first `skip` bytes and what is past `limit`; returns the count that is left. */
static int iov_window(struct iovec *iov, int count, uint64_t skip, size_t limit, size_t *ret_bytes)
{
	int to = 0;
	*ret_bytes = 0;
	for (int i = 0; i < count && *ret_bytes < limit && to < H2_OUT_FRAME_IOVECS; i++) {
		size_t skipped = min_size(skip, iov[i].iov_len);
		size_t len = min_size(iov[i].iov_len - skipped, limit - *ret_bytes);
		skip -= skipped;
		if (len == 0)
			continue;
		iov[to++] = (struct iovec){ (char *)iov[i].iov_base + skipped, len };
		*ret_bytes += len;
	}
	return to;
}

enum source_state h2_stream_show(struct h2_stream *t, size_t limit, struct h2_shown *ret)
{
	struct iovec iov[PEEK_IOVECS];
	int count = 0;
	ret->bytes = 0;
	ret->count = 0;
	if (t->left == 0)
		return SOURCE_END;
	enum source_state state = t->source->peek(t->source, iov, PEEK_IOVECS, &count);
	if (state == SOURCE_END && t->left != UINT64_MAX)
		return SOURCE_FAIL;
	if (state != SOURCE_MORE)
		return state;
	ret->count = iov_window(iov, count, t->taken, (size_t)min_u64(limit, t->left), &ret->bytes);
	memcpy(ret->iov, iov, (size_t)ret->count * sizeof(*iov));
	return SOURCE_MORE;
}

void h2_stream_put(struct h2_stream *t, const struct h2_shown *shown, struct h2_out *out)
{
	if (t->left != UINT64_MAX)
		t->left -= shown->bytes;
	t->stream.bytes_out += shown->bytes;
	if (t->taken > 0 || shown->bytes > H2_COPY_BYTES) {
		h2_out_lend(out, shown->iov, shown->count);
		t->taken += shown->bytes;
		t->source->is_lent = true;
		return;
	}
	for (int i = 0; i < shown->count; i++)
		h2_out_add(out, slice_of(shown->iov[i].iov_base, shown->iov[i].iov_len));
	t->source->advance(t->source, shown->bytes);
}

void h2_stream_took(struct h2_stream *t)
{
	uint64_t taken = t->taken;
	t->taken = 0;
	if (taken == 0)
		return;
	t->source->is_lent = false;
	t->source->advance(t->source, taken);
}
