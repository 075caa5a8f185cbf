/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/fence.h"

enum { SETS = 16 * 1024, CELLS = 8 };

struct cell {
	_Atomic uint64_t id; /* the scope's; 0 = empty */
	_Atomic uint64_t numbers[PURGE_MODES];
	_Atomic int64_t soft_at;
};

struct set {
	_Atomic uint64_t lost; /* the newest number of a scope that was left out */
	struct cell cells[CELLS];
};

struct fence {
	/* atomic; written under `raising` */
	_Atomic uint64_t now;
	_Atomic uint64_t newest[SCOPE_KINDS]; /* of each kind */
	_Atomic uint64_t newest_pattern;
	_Atomic uint64_t retired; /* the newest pattern that is not in force any more */
	_Atomic uint64_t begin;   /* what is older is not known here, but on disk */
	struct cell all;          /* of SCOPE_ALL */
	struct set sets[SETS];

	struct lock raising;
	/* under `looking`, too */
	pthread_rwlock_t looking;
	unsigned pattern_count;
	struct fence_pattern patterns[FENCE_PATTERNS];
};

/* ---- life ---- */

struct fence *fence_new(uint64_t first)
{
	struct fence *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->now = first;
	lock_init(&f->raising);
	pthread_rwlock_init(&f->looking, NULL);
	return f;
}

void fence_free(struct fence **fence)
{
	struct fence *f = *fence;
	*fence = NULL;
	if (!f)
		return;
	lock_fini(&f->raising);
	pthread_rwlock_destroy(&f->looking);
	free(f);
}

uint64_t fence_now(const struct fence *f)
{
	return atomic_load_explicit(&f->now, memory_order_acquire);
}

static void lift(_Atomic uint64_t *number, uint64_t to)
{
	if (*number < to)
		*number = to;
}

void fence_lift(struct fence *f, uint64_t first)
{
	lock_take(&f->raising);
	lift(&f->now, first);
	lock_drop(&f->raising);
}

void fence_begin(struct fence *f, uint64_t first)
{
	lock_take(&f->raising);
	lift(&f->begin, first);
	lock_drop(&f->raising);
}

/* ---- cells ---- */

static size_t set_of(uint64_t id)
{
	return (id ^ id >> 32) % SETS;
}

/* 0 says that a cell is empty: the scope with that number shares with another. */
static uint64_t cell_id(struct scope scope)
{
	return scope.id ? scope.id : 1;
}

static uint64_t newest_of(const struct cell *c)
{
	uint64_t newest = 0;
	for (int mode = 0; mode < PURGE_MODES; mode++)
		newest = max_u64(newest, c->numbers[mode]);
	return newest;
}

/* The cell of that scope, or else the oldest: an empty one, while there is one. */
static struct cell *cell_for(struct set *set, uint64_t id)
{
	struct cell *oldest = &set->cells[0];
	for (struct cell *c = oldest; c < set->cells + CELLS; c++) {
		if (c->id == id)
			return c;
		if (newest_of(c) < newest_of(oldest))
			oldest = c;
	}
	return oldest;
}

/*
 * Readers take no lock. They read a cell's id, its numbers, its id again, and the set's `lost`
 * last; here `lost` comes first and the id is taken away before the numbers change hands. So who
 * does not find its scope any more finds its number in `lost`, and who finds it has no other's
 * numbers.
 */
static struct cell *claim_cell_locked(struct fence *f, uint64_t id)
{
	struct set *set = &f->sets[set_of(id)];
	struct cell *c = cell_for(set, id);
	if (c->id == id)
		return c;
	lift(&set->lost, newest_of(c));
	c->id = 0;
	for (int mode = 0; mode < PURGE_MODES; mode++)
		c->numbers[mode] = 0;
	c->soft_at = 0;
	return c;
}

static void put_locked(struct fence *f, struct scope scope, struct purge_act act, uint64_t number)
{
	uint64_t id = cell_id(scope);
	struct cell *c = scope.kind == SCOPE_ALL ? &f->all : claim_cell_locked(f, id);
	if (act.mode == PURGE_SOFT && c->numbers[PURGE_SOFT] < number)
		c->soft_at = act.at.ms;
	lift(&c->numbers[act.mode], number);
	c->id = id;
	lift(&f->newest[scope.kind], number);
}

uint64_t fence_raise(struct fence *f, const struct scope *scopes, size_t count,
    struct purge_act act, fence_then_f *then, void *arg)
{
	lock_take(&f->raising);
	uint64_t number = f->now + 1;
	for (size_t i = 0; i < count; i++)
		put_locked(f, scopes[i], act, number);
	if (then)
		then(arg, number);
	/* Last: who sees it finds all that belongs to it. */
	atomic_store_explicit(&f->now, number, memory_order_release);
	lock_drop(&f->raising);
	return number;
}

void fence_put(struct fence *f, struct scope scope, struct purge_act act, uint64_t number)
{
	lock_take(&f->raising);
	must(number <= f->now);
	put_locked(f, scope, act, number);
	lock_drop(&f->raising);
}

/* ---- patterns ---- */

static bool add_locked(struct fence *f, const struct fence_pattern *p)
{
	pthread_rwlock_wrlock(&f->looking);
	bool has_room = f->pattern_count < FENCE_PATTERNS;
	if (has_room)
		f->patterns[f->pattern_count++] = *p;
	pthread_rwlock_unlock(&f->looking);
	if (has_room)
		lift(&f->newest_pattern, p->number);
	return has_room;
}

bool fence_add(struct fence *f, struct fence_pattern *p, fence_then_f *then, void *arg)
{
	lock_take(&f->raising);
	p->number = f->now + 1;
	bool added = add_locked(f, p);
	if (added && then)
		then(arg, p->number);
	if (added)
		atomic_store_explicit(&f->now, p->number, memory_order_release);
	lock_drop(&f->raising);
	return added;
}

bool fence_readd(struct fence *f, const struct fence_pattern *p)
{
	lock_take(&f->raising);
	bool added = add_locked(f, p);
	lock_drop(&f->raising);
	return added;
}

void fence_retire(struct fence *f, uint64_t number)
{
	lock_take(&f->raising);
	pthread_rwlock_wrlock(&f->looking);
	unsigned kept = 0;
	for (unsigned i = 0; i < f->pattern_count; i++)
		if (f->patterns[i].number != number)
			f->patterns[kept++] = f->patterns[i];
	f->pattern_count = kept;
	lift(&f->retired, number);
	pthread_rwlock_unlock(&f->looking);
	lock_drop(&f->raising);
}

/* ---- asking ---- */

/* What is asked of an object, and what is found. */
struct inquiry {
	struct fence *fence;
	struct object *object;
	uint64_t since; /* up to this number it was looked at, and stood */
	fence_recall_f *recall;
	void *arg;
	uint64_t known;
	struct fence_ruling ruling;
	bool is_unsure;
};

static void find(struct inquiry *q, enum purge_mode mode, struct wall at)
{
	struct fence_ruling *r = &q->ruling;
	if (r->stands || mode > r->mode)
		*r = (struct fence_ruling){ .mode = mode, .soft_at = at };
	else if (mode == PURGE_SOFT && r->mode == PURGE_SOFT && wall_before(at, r->soft_at))
		r->soft_at = at;
}

static void apply_mark(struct inquiry *q, const struct purge_mark *mark)
{
	for (enum purge_mode mode = 0; mode < PURGE_MODES; mode++)
		if (mark->numbers[mode] > q->since)
			find(q, mode, mark->soft_at);
}

/* Reads a cell as a whole. False when it is not that scope's, or not any more. */
static bool read_cell(const struct cell *c, uint64_t id, struct purge_mark *ret_mark)
{
	if (c->id != id)
		return false;
	for (int mode = 0; mode < PURGE_MODES; mode++)
		ret_mark->numbers[mode] = c->numbers[mode];
	ret_mark->soft_at.ms = c->soft_at;
	return c->id == id;
}

/* The table does not know of a scope as far back as this object is old. */
static void ask_disk(struct inquiry *q, struct scope scope, uint64_t lost)
{
	struct purge_mark mark = { 0 };
	if (q->recall && lost <= q->known && q->recall(q->arg, scope, &mark))
		apply_mark(q, &mark);
	else
		q->is_unsure = true;
}

static void ask(struct inquiry *q, struct scope scope)
{
	const struct set *set = &q->fence->sets[set_of(cell_id(scope))];
	struct purge_mark mark = { 0 };
	for (int i = 0; i < CELLS; i++)
		if (read_cell(&set->cells[i], cell_id(scope), &mark))
			apply_mark(q, &mark);
	uint64_t lost = set->lost;
	if (lost > q->since || (q->recall && q->fence->begin > q->since))
		ask_disk(q, scope, lost);
}

static void ask_all(struct inquiry *q)
{
	struct purge_mark mark = { 0 };
	if (read_cell(&q->fence->all, cell_id(scope_all()), &mark))
		apply_mark(q, &mark);
	if (q->recall)
		ask_disk(q, scope_all(), 0);
}

static void ask_url(struct inquiry *q, enum scope_kind kind)
{
	struct scope scopes[SCOPES_OF_URL];
	struct slice key = q->object->key;
	size_t count = scopes_of_url(key_url(key), kind, scopes);
	for (size_t i = 0; i < count; i++)
		ask(q, scopes[i]);
}

static void ask_tags(struct inquiry *q, enum scope_kind kind)
{
	const struct object_tags *tags = q->object->tags;
	struct slice authority, path;
	if (!tags)
		return;
	scope_split(key_url(q->object->key), &authority, &path);
	for (uint32_t i = 0; i < tags->count; i++)
		ask(q,
		    kind == SCOPE_TAG ? scope_tag(tags->ids[i])
				      : scope_group(authority, tags->ids[i]));
}

static void ask_patterns(struct inquiry *q)
{
	struct fence *f = q->fence;
	pthread_rwlock_rdlock(&f->looking);
	for (unsigned i = 0; i < f->pattern_count; i++) {
		const struct fence_pattern *p = &f->patterns[i];
		if (p->number > q->since && p->matches(p->what, q->object))
			find(q, p->act.mode, p->act.at);
	}
	/* What matched it and was stored by then is put down elsewhere. In RAM alone may be what
	 * was not; what is on disk is looked at before it is written. */
	if (f->retired > q->since && !q->recall)
		find(q, PURGE_INVALID, WALL_NEVER);
	pthread_rwlock_unlock(&f->looking);
}

/* Whether there may be anything of a kind that the object was not asked about. */
static bool is_open(const struct inquiry *q, enum scope_kind kind)
{
	return q->fence->newest[kind] > q->since || (q->recall && q->fence->begin > q->since);
}

static void inquire(struct inquiry *q)
{
	struct fence *f = q->fence;
	/* The disk may have it for reasons of its own (journal.h). */
	if (q->recall || is_open(q, SCOPE_ALL))
		ask_all(q);
	/* Before the scopes: what it is for is put down at those before it is retired. */
	if (f->newest_pattern > q->since || f->retired > q->since)
		ask_patterns(q);
	for (enum scope_kind kind = SCOPE_HOST; kind <= SCOPE_URL; kind++)
		if (is_open(q, kind))
			ask_url(q, kind);
	for (enum scope_kind kind = SCOPE_TAG; kind <= SCOPE_GROUP; kind++)
		if (is_open(q, kind))
			ask_tags(q, kind);
}

/* What was found when it was looked at before. Who finds a new `checked` finds what it is about. */
static void begin(struct inquiry *q)
{
	const struct object *o = q->object;
	q->since = max_u64(o->seq, atomic_load_explicit(&o->checked, memory_order_acquire));
	unsigned fallen = atomic_load_explicit(&o->fallen, memory_order_acquire);
	q->ruling = (struct fence_ruling){ .stands = true };
	if (unlikely(fallen > 0))
		find(q, (enum purge_mode)(fallen - 1), (struct wall){ o->soft_at });
}

/* Several may find something out at a time: the strongest stays. */
static void fall(struct object *o, const struct fence_ruling *r)
{
	uint8_t had = o->fallen, found = (uint8_t)(r->mode + 1);
	if (r->mode == PURGE_SOFT)
		o->soft_at = r->soft_at.ms;
	while (had < found && !atomic_compare_exchange_weak(&o->fallen, &had, found))
		;
}

/* What was found stays found: the object remembers. */
static void remember(const struct inquiry *q, uint64_t now)
{
	struct object *o = q->object;
	if (!q->ruling.stands)
		fall(o, &q->ruling);
	/* Behind that: who sees it sees what was found. */
	atomic_store_explicit(&o->checked, now, memory_order_release);
}

/* What is not known counts as what has to be validated; only what is gone cannot fall further. */
static void end(struct inquiry *q, uint64_t now)
{
	if (!q->is_unsure) {
		remember(q, now);
	} else if (q->ruling.stands || q->ruling.mode < PURGE_HARD) {
		find(q, PURGE_INVALID, WALL_NEVER);
		q->ruling.is_unsure = true;
	}
}

static struct fence_ruling judge(struct inquiry *q)
{
	uint64_t now = fence_now(q->fence);
	begin(q);
	if (likely(q->since >= now))
		return q->ruling;
	/* It is of a former life, and the disk could not be asked when it came from there. */
	q->is_unsure = q->fence->begin > q->since;
	inquire(q);
	end(q, now);
	return q->ruling;
}

struct fence_ruling fence_judge(struct fence *f, struct object *o)
{
	struct inquiry q = { .fence = f, .object = o };
	return judge(&q);
}

struct fence_ruling fence_recall(
    struct fence *f, struct object *o, fence_recall_f *recall, void *arg, uint64_t known)
{
	struct inquiry q = {
		.fence = f, .object = o, .recall = recall, .arg = arg, .known = known
	};
	uint64_t now = fence_now(f);
	begin(&q);
	inquire(&q);
	end(&q, now);
	return q.ruling;
}

/* The newest number there is for a scope, as far as the table knows. */
static uint64_t number_of(const struct fence *f, struct scope scope)
{
	const struct set *set = &f->sets[set_of(cell_id(scope))];
	uint64_t number = 0;
	for (int i = 0; i < CELLS; i++)
		if (set->cells[i].id == cell_id(scope))
			number = newest_of(&set->cells[i]);
	return max_u64(number, set->lost);
}

uint64_t fence_number(const struct fence *f, struct slice url)
{
	uint64_t now = fence_now(f), number = max_u64(f->newest[SCOPE_ALL], f->newest_pattern);
	for (enum scope_kind kind = SCOPE_HOST; kind <= SCOPE_URL; kind++) {
		struct scope scopes[SCOPES_OF_URL];
		size_t count = f->newest[kind] > 0 ? scopes_of_url(url, kind, scopes) : 0;
		for (size_t i = 0; i < count; i++)
			number = max_u64(number, number_of(f, scopes[i]));
	}
	/* One that is being put down does not hold yet: who asks now need not ask alone. */
	return min_u64(number, now);
}

/* ---- what follows ---- */

static struct wall earlier(struct wall a, struct wall b)
{
	return wall_before(a, b) ? a : b;
}

/* A window behind the end of freshness, moved to the moment of the purge. */
static struct wall moved(const struct life *l, struct wall until, struct wall at)
{
	if (until.ms >= WALL_FOREVER.ms || l->fresh_until.ms <= WALL_NEVER.ms)
		return until;
	return earlier(until, wall_add(at, until.ms - l->fresh_until.ms));
}

struct life fence_life(struct life l, const struct fence_ruling *ruling)
{
	if (ruling->stands)
		return l;
	l.is_purged = ruling->mode == PURGE_SOFT;
	if (!l.is_purged) {
		l.no_cache = l.must_revalidate = true;
	} else if (wall_before(ruling->soft_at, l.fresh_until)) {
		l.swr_until = moved(&l, l.swr_until, ruling->soft_at);
		l.sie_until = moved(&l, l.sie_until, ruling->soft_at);
		l.fresh_until = ruling->soft_at;
	}
	l.immutable = false;
	return l;
}
