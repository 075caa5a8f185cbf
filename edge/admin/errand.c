/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/errand.h"

static void on_gone(void *waits)
{
	struct errand *e = waits;
	e->reply = NULL;
	if (e->left)
		e->left(e);
}

void *errand_new(struct admin *admin, struct reply *r, size_t bytes, void (*drop)(struct errand *))
{
	must(bytes >= sizeof(struct errand));
	struct errand *e = calloc(1, bytes);
	if (!e) {
		reply_problem(r, 503, SL("out of memory"));
		return NULL;
	}
	e->admin = admin;
	e->reply = r;
	e->drop = drop;
	arena_init(&e->arena, ERRAND_BYTES);
	list_append(&admin->errands, &e->link);
	r->waits = e;
	r->gone = on_gone;
	return e;
}

void errand_end(struct errand *e)
{
	if (e->reply)
		e->reply->waits = NULL;
	e->drop(e);
	list_drop(&e->link);
	arena_fini(&e->arena);
	free(e);
}

void errands_drop(struct admin *admin)
{
	LIST_EACH (link, &admin->errands)
		errand_end(LIST_OF(link, struct errand, link));
}
