/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/turn.h"

#include "edge/wire/front.h"

enum {
	ARENA_BYTES = 512 * 1024,
	SPARE_TURNS = 64,
	BODY_WINDOW_BYTES = 256 * 1024, /* of a request's body under way to the origin */
};

static void turn_free(struct turn *t)
{
	arena_fini(&t->stream.arena);
	sending_fini(&t->sending);
	free(t);
}

/* ---- letters ---- */

static bool awaits_letter(const struct turn *t)
{
	return mail_is_posted(&t->room) || mail_is_posted(&t->later);
}

static void on_letter(struct turn *t, turn_event_f *tell)
{
	if (t->session)
		tell(t);
	else if (!awaits_letter(t))
		turn_free(t);
}

static void on_room(struct mail *m)
{
	struct turn *t = CONTAINER_OF(m, struct turn, room);
	on_letter(t, t->events->on_room);
}

static void on_later(struct mail *m)
{
	struct turn *t = CONTAINER_OF(m, struct turn, later);
	on_letter(t, t->events->on_later);
}

/* ---- the request ---- */

void turn_begin(struct turn *t, struct front *front)
{
	struct stream *stream = &t->stream;
	stream->home = front->home;
	stream->front = front;
	stream->began = front->home->now;
	stream->is_early = stream->secure && stream->secure->is_early;
	stream->request.scheme = stream->secure ? SL("https") : SL("http");
	h1_reader_begin(&t->reader, H1_REQUEST, &front->h1_limits, &stream->arena);
}

enum err turn_make_body(struct turn *t)
{
	struct request *request = &t->stream.request;
	if (request->framing == FRAMING_LENGTH && request->content_length == 0)
		request->framing = FRAMING_NONE;
	if (request->upgrade.len > 0)
		t->switching = SWITCH_ASKED;
	else if (request->framing == FRAMING_NONE)
		return ERR_NONE;
	uint64_t length = request->framing == FRAMING_LENGTH ? request->content_length
							     : FLOW_LENGTH_UNKNOWN;
	t->stream.body = flow_new(length, 0, BODY_WINDOW_BYTES);
	return t->stream.body ? ERR_NONE : ERR_NO_MEMORY;
}

void turn_end_body(struct turn *t)
{
	t->body_ended = true;
	flow_finish(t->stream.body, t->reader.trailers);
}

/* What nobody reads any more is dropped: the tunnel's other end has gone, and its last bytes are on
 * their way. */
static enum err take_raw(struct turn *t, struct slice bytes, size_t *ret_used)
{
	struct front *front = t->stream.front;
	enum err e = flow_write(t->stream.body, bytes);
	*ret_used = bytes.len;
	meter_add(&front->meters.tunnel_in, bytes.len);
	return e == ERR_CANCELLED ? ERR_NONE : e;
}

static enum err take_framed(struct turn *t, struct slice bytes, size_t *ret_used)
{
	enum h1_event event = h1_read_body(&t->reader, bytes, ret_used, t->stream.body);
	if (event == H1_END)
		turn_end_body(t);
	return event == H1_BAD ? t->reader.failure : ERR_NONE;
}

enum err turn_take_body(struct turn *t, struct slice bytes, size_t *ret_used)
{
	*ret_used = 0;
	enum err e = turn_is_tunnel(t) ? take_raw(t, bytes, ret_used)
				       : take_framed(t, bytes, ret_used);
	t->stream.bytes_in += *ret_used;
	return e;
}

/* ---- the answer ---- */

void turn_open_tunnel(struct turn *t)
{
	struct front *front = t->stream.front;
	must(t->switching == SWITCH_ASKED);
	t->switching = SWITCH_MADE;
	t->wants_body = true;
	meter_add(&front->meters.tunnels, 1);
	meter_add(&front->meters.tunnels_open, 1);
}

static void close_tunnel(struct turn *t)
{
	struct front *front = t->stream.front;
	t->switching = SWITCH_NONE;
	meter_sub(&front->meters.tunnels_open, 1);
}

static void count_sent(struct turn *t, size_t bytes)
{
	struct front *front = t->stream.front;
	t->stream.bytes_out += bytes;
	meter_add(&front->meters.bytes_out, bytes);
	if (turn_is_tunnel(t))
		meter_add(&front->meters.tunnel_out, bytes);
}

bool turn_write_head(
    struct turn *t, const struct answer *a, struct source *source, bool closes, bool has_ahead)
{
	sending_begin(&t->sending, a, source, t->stream.request.version);
	/* What comes behind a request to switch before its answer is meant for one protocol or the
	 * other, and only its sender knows for which: as a request it is never read. */
	bool is_unclear = t->switching == SWITCH_ASKED && has_ahead;
	closes |= sending_ends_by_close(&t->sending) || turn_lacks_body(t) || is_unclear;
	sending_end_head(&t->sending, closes);
	return closes;
}

bool turn_is_taking(const struct turn *t, const struct conn *c, uint32_t *unsent)
{
	uint32_t before = *unsent;
	if (!turn_is_tunnel(t))
		return conn_is_taking(c, unsent);
	*unsent = conn_unsent(c) + (uint32_t)flow_unread(t->stream.body);
	bool is_idle = *unsent == 0 && before == UINT32_MAX;
	return *unsent < before && !is_idle;
}

enum err turn_send(struct turn *t, struct conn *c, size_t *ret_sent, bool *ret_blocked)
{
	struct gathered next;
	*ret_sent = 0;
	enum err e = sending_gather(&t->sending, &next);
	if (e != ERR_NONE || next.count == 0)
		return e;
	enum io io = conn_writev(c, next.at, next.count, ret_sent);
	if (io != IO_OK && io != IO_AGAIN)
		return ERR_CLIENT_GONE;
	count_sent(t, *ret_sent);
	sending_took(&t->sending, *ret_sent);
	*ret_blocked = *ret_sent < next.bytes;
	return ERR_NONE;
}

/* ---- from request to request ---- */

void turn_pool_init(struct turn_pool *pool)
{
	*pool = (struct turn_pool){ 0 };
	list_init(&pool->spare);
}

static struct turn *turn_new(void)
{
	struct turn *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	arena_init(&t->stream.arena, ARENA_BYTES);
	sending_init(&t->sending);
	list_init(&t->spare_link);
	mail_init(&t->room, on_room);
	mail_init(&t->later, on_later);
	return t;
}

struct turn *turn_take(struct turn_pool *pool)
{
	struct list *link = list_take_first(&pool->spare);
	if (!link)
		return turn_new();
	pool->count--;
	return LIST_OF(link, struct turn, spare_link);
}

/* Empties a turn for its next request. */
static void turn_reset(struct turn *t)
{
	struct stream *stream = &t->stream;
	if (turn_is_tunnel(t))
		close_tunnel(t);
	if (stream->body) {
		flow_filler_leave(stream->body);
		if (!t->body_ended)
			flow_fail(stream->body, ERR_CANCELLED);
		flow_unref(&stream->body);
	}
	arena_reset(&stream->arena);
	stream->request = (struct request){ 0 };
	stream->journey = NULL;
	stream->bytes_in = stream->bytes_out = 0;
	t->wants_body = t->body_ended = false;
	t->switching = SWITCH_NONE;
	sending_reset(&t->sending);
}

void turn_give(struct turn_pool *pool, struct turn *t)
{
	turn_reset(t);
	t->session = NULL;
	if (awaits_letter(t))
		return;
	if (pool->count >= SPARE_TURNS) {
		turn_free(t);
		return;
	}
	pool->count++;
	list_prepend(&pool->spare, &t->spare_link);
}

void turn_pool_fini(struct turn_pool *pool)
{
	LIST_EACH (link, &pool->spare)
		turn_free(LIST_OF(link, struct turn, spare_link));
	turn_pool_init(pool);
}
