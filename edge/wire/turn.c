/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/turn.h"

enum {
	ARENA_BYTES = 512 * 1024,
	SPARE_TURNS = 64,
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
