/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/purging.h"

#include "cache/tier/journal.h"

/* ---- purging ---- */

/* A purge on its way: whoever gets its number has the entry noted before anybody else gets one. */
struct noting {
	struct cold *cold; /* NULL = nobody notes it */
	struct journal_entry *entry;
};

static void note(void *arg, uint64_t number)
{
	struct noting *n = arg;
	if (!n->entry)
		return;
	n->entry->number = number;
	cold_note(n->cold, n->entry);
	n->entry = NULL;
}

static void remember_early(struct cache *c, enum purge_mode mode)
{
	int had = atomic_load(&c->early);
	while (had < (int)mode + 1 && !atomic_compare_exchange_weak(&c->early, &had, (int)mode + 1))
		;
}

/* Makes an entry of a part of a purge. */
static bool begin_noting(
    struct noting *n, struct cache *c, const struct cache_purge *p, size_t scopes, bool is_last)
{
	n->cold = c->cold;
	n->entry = NULL;
	if (!c->cold)
		return true;
	n->entry = journal_entry_new(scopes, p->text);
	if (!n->entry)
		return false;
	for (size_t i = 0; i < scopes; i++)
		n->entry->scopes[i] = p->scopes[i];
	n->entry->act = p->act;
	n->entry->is_logged = is_last && p->text.len > 0;
	n->entry->told = is_last ? p->told : NULL;
	n->entry->arg = p->arg;
	return true;
}

/* What a pattern is for, in force before its scopes are: of all there is, only this may be
 * refused. */
static enum err add_pattern(struct cache *c, const struct cache_purge *p)
{
	struct noting n;
	if (!begin_noting(&n, c, p, 0, p->scope_count == 0))
		return ERR_NO_MEMORY;
	if (n.entry)
		n.entry->is_pattern = true;
	bool added = fence_add(c->fence, p->pattern, note, &n);
	free(n.entry);
	return added ? ERR_NONE : ERR_BUSY;
}

static enum err purge(struct cache *c, const struct cache_purge *p, uint64_t *ret_number)
{
	struct noting n = { 0 };
	if (p->scope_count > 0 && !begin_noting(&n, c, p, p->scope_count, true))
		return ERR_NO_MEMORY;
	enum err err = p->pattern ? add_pattern(c, p) : ERR_NONE;
	if (err) {
		free(n.entry);
		return err;
	}
	if (p->scope_count > 0)
		*ret_number = fence_raise(c->fence, p->scopes, p->scope_count, p->act, note, &n);
	else
		*ret_number = p->pattern ? p->pattern->number : 0;
	return ERR_NONE;
}

enum err cache_purge(struct cache *c, const struct cache_purge *p, uint64_t *ret_number)
{
	/* Before we look: a store that opens now either sees it, or has its numbers in use
	 * already. */
	remember_early(c, p->act.mode);
	enum err err = purge(c, p, ret_number);
	if (!err && !c->cold && p->told)
		p->told(p->arg, ERR_NONE, *ret_number, atomic_fetch_add(&c->purges, 1) + 1);
	return err;
}

void cache_begin_retirement(struct cache *c, const struct cache_retirement *r)
{
	struct journal_entry *e = c->cold ? journal_entry_new(0, SLICE_NONE) : NULL;
	if (!e) {
		r->told(r->arg, c->cold ? ERR_NO_MEMORY : ERR_NONE, r->number, 0);
		return;
	}
	/* Written in its turn, which is behind all that was put down. */
	struct noting n = { c->cold, e };
	e->retires = r->number;
	e->told = r->told;
	e->arg = r->arg;
	fence_raise(c->fence, NULL, 0, (struct purge_act){ 0 }, note, &n);
}

void cache_retire(struct cache *c, uint64_t number)
{
	fence_retire(c->fence, number);
}

/* ---- asking the disk ---- */

static bool work_recall(void *arg, struct scope scope, struct purge_mark *ret_mark)
{
	struct cache *c = arg;
	return cold_recall(c->cold, scope, ret_mark);
}

struct fence_ruling cache_ask_disk(struct cache *c, struct object *o)
{
	return fence_recall(c->fence, o, work_recall, c, cold_noted(c->cold));
}

static void work_check(struct job *job)
{
	role_worker();
	struct cache_check *check = CONTAINER_OF(job, struct cache_check, job);
	struct cache *c = check->cache;
	(void)cache_ask_disk(c, check->object);
	mail_post(check->home, &check->mail);
}

static void on_checked(struct mail *m)
{
	struct cache_check *check = CONTAINER_OF(m, struct cache_check, mail);
	object_unref(&check->object);
	check->done(check);
}

bool cache_recall(struct cache *c, struct cache_check *check, struct object *o)
{
	struct store *unused;
	if (!c->cold)
		return false;
	check->cache = c;
	check->job = (struct job){ .work = work_check };
	mail_init(&check->mail, on_checked);
	check->object = object_ref(o);
	bool posted = cold_look(c->cold, &check->job, &unused);
	if (!posted)
		object_unref(&check->object);
	return posted;
}
