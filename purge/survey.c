/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/survey.h"

#include <math.h>
#include <signal.h>
#include <unistd.h>

#include "cache/tier/journal.h"
#include "cache/tier/stroll.h"

enum {
	RECORDS = 2000, /* of one part; then the store may be closed */
	SETTLE_US = 1000,
	SETTLE_MS = 60 * 1000,
	MINUTE_S = 60,
	REST = 10, /* times as long as it went */
	REST_MS = 30 * 1000,
	NOTES = 10000, /* that may wait for the disk */
	URL_BYTES = 64 * 1024,
	MARKS = 4096, /* of scopes that the disk was asked for */
};

/* What the disk has of a scope: hosts, prefixes and tags are many objects'. */
struct recalled {
	struct scope scope;
	struct purge_mark mark;
	bool is_set;
};

struct surveyor {
	/* fixed */
	struct cache *cache;
	pthread_t thread;
	/* under lock */
	struct lock lock;
	pthread_cond_t more;
	struct survey *waiting;
	unsigned count;
	struct mono rests_until;
	/* atomic */
	_Atomic bool is_ending;
	/* its thread; forgotten when a go is over */
	struct recalled recalled[MARKS];
};

/* ---- what stands ---- */

static bool recall(void *arg, struct scope scope, struct purge_mark *ret_mark)
{
	struct surveyor *s = arg;
	struct recalled *r = &s->recalled[(scope.id + scope.kind) % MARKS];
	role_worker();
	if (!r->is_set || r->scope.id != scope.id || r->scope.kind != scope.kind) {
		r->is_set = cold_recall(s->cache->cold, scope, &r->mark);
		r->scope = scope;
	}
	*ret_mark = r->mark;
	return r->is_set;
}

/* Whether an object from the disk was not purged already. Of former lives the disk alone knows. */
static bool stands(struct surveyor *s, struct object *o) ON_WORKER
{
	struct fence_ruling ruling = fence_judge(s->cache->fence, o);
	if (ruling.is_unsure)
		ruling = fence_recall(s->cache->fence, o, recall, s, cold_noted(s->cache->cold));
	return ruling.stands;
}

/* ---- what is counted ---- */

static void add_sample(struct survey *v, struct slice url)
{
	if (v->sample_count == SURVEY_SAMPLES)
		return;
	snprintf(v->samples[v->sample_count++], SURVEY_SAMPLE_BYTES, "%.*s",
	    (int)min_size(url.len, SURVEY_SAMPLE_BYTES - 1), url.at);
}

static void count(struct survey *v, const struct object *o, uint64_t bytes)
{
	v->objects++;
	v->variants += o->spec.len > 0;
	v->bytes += bytes;
	add_sample(v, key_url(o->key));
}

static void count_rate(struct survey *v, const struct object *o, struct wall now)
{
	int64_t ms = now.ms - o->life.response_time.ms;
	double rate = (double)o->hits / ((double)(ms > 1000 ? ms : 1000) / 1000);
	v->in_ram++;
	v->requests_per_s += rate;
	v->origin_per_minute += -expm1(-rate * MINUTE_S);
}

/* Whether it is one of those that the survey is about. */
static bool is_meant(struct survey *v, const struct object *o)
{
	return o->seq < v->before && order_matches(v->order, o);
}

/* ---- the hottest: a heap, the least asked for on top ---- */

static void sink(struct survey_item *heap, size_t count, size_t at)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && heap[child + 1].hits < heap[child].hits)
			child++;
		if (heap[at].hits <= heap[child].hits)
			return;
		struct survey_item one = heap[at];
		heap[at] = heap[child];
		heap[child] = one;
	}
}

static void rise(struct survey_item *heap, size_t at)
{
	for (size_t above; at > 0 && heap[above = (at - 1) / 2].hits > heap[at].hits; at = above) {
		struct survey_item one = heap[at];
		heap[at] = heap[above];
		heap[above] = one;
	}
}

static void keep_hottest(struct survey *v, struct object *o)
{
	uint32_t hits = o->hits;
	if (v->hottest == 0 || !v->items)
		return;
	if (v->item_count < v->hottest) {
		v->items[v->item_count] = (struct survey_item){ hits, object_ref(o) };
		rise(v->items, v->item_count++);
	} else if (v->items[0].hits < hits) {
		object_unref(&v->items[0].object);
		v->items[0] = (struct survey_item){ hits, object_ref(o) };
		sink(v->items, v->item_count, 0);
	}
}

static int by_hits(const void *a, const void *b)
{
	const struct survey_item *x = a, *y = b;
	return (x->hits < y->hits) - (x->hits > y->hits);
}

/* ---- sweeping ---- */

/* Waits for the disk to take what was noted. False: it does not, and the pattern stays. */
static bool may_note(struct cold *cold, struct survey *v)
{
	while (cold_note_depth(cold) > NOTES && cold_state(cold) == COLD_OK)
		usleep(SETTLE_US);
	if (cold_state(cold) != COLD_OK)
		v->err = ERR_STORE_IO;
	return !v->err;
}

/* Puts a URL down for what the pattern says, where it stays. */
static void put_down(struct surveyor *s, struct survey *v, const struct object *o)
{
	struct scope scope = scope_url(key_url(o->key));
	struct purge_act act = { v->order->mode, v->at };
	struct cache *c = s->cache;
	fence_put(c->fence, scope, act, v->before);
	if (!c->cold || !may_note(c->cold, v))
		return;
	struct journal_entry *e = journal_entry_new(1, SLICE_NONE);
	if (!e) {
		v->err = ERR_NO_MEMORY; /* the pattern stays */
		return;
	}
	e->scopes[0] = scope;
	e->act = act;
	e->number = v->before;
	e->is_of_before = true;
	cold_note(c->cold, e);
}

/* What the store's writer had in hands when the pattern came is on disk when this returns: a removal of
 * nothing went all the way behind it. */
static void await_writer(struct surveyor *s, struct survey *v)
{
	struct cold *cold = s->cache->cold;
	struct hash128 nothing = { v->before, ~v->before };
	struct mono began = mono_now();
	if (!cold)
		return;
	if (cold_state(cold) == COLD_OK)
		cold_forget(cold, nothing);
	/* A disk that is not well may not be waited for: others wait, too, and some for RAM alone. */
	while (!v->err && !v->is_cancelled && !s->is_ending) {
		if (cold_state(cold) != COLD_OK || mono_ms_since(began, mono_now()) > SETTLE_MS)
			v->err = ERR_STORE_IO;
		else if (cold_is_forgotten(cold, nothing))
			return;
		else
			usleep(SETTLE_US);
	}
}

/* ---- the way ---- */

static void meet_hot(struct surveyor *s, struct survey *v, struct object *o, struct wall now)
{
	uint64_t bytes = 0;
	bool stands = fence_judge(s->cache->fence, o).stands;
	if (o->kind != OBJECT_ANSWER || (v->before == UINT64_MAX && !stands) || !is_meant(v, o))
		return;
	(void)object_length(o, &bytes);
	count(v, o, bytes);
	count_rate(v, o, now);
	keep_hottest(v, o);
	if (v->sweeps)
		put_down(s, v, o);
}

/* What is gone need not take RAM. */
static void remove_hot(
    struct surveyor *s, struct survey *v, struct object *o, UNUSED struct wall now)
{
	if (v->before != UINT64_MAX && v->order->mode == PURGE_HARD && is_meant(v, o))
		hot_remove(s->cache->hot, o);
}

static bool goes_on(const struct survey *v)
{
	return !v->err && !v->is_cancelled;
}

typedef void meet_f(struct surveyor *, struct survey *, struct object *, struct wall now);

static void go_through_hot(struct surveyor *s, struct survey *all, meet_f *meet)
{
	struct hot_place place = { 0, 0 };
	struct wall now = wall_now();
	struct object **part = malloc(HOT_PAGE * sizeof(struct object *));
	while (part && !hot_place_is_end(&place) && !s->is_ending) {
		size_t found = hot_page(s->cache->hot, &place, part, HOT_PAGE / 2);
		for (size_t i = 0; i < found; i++) {
			for (struct survey *v = all; v; v = v->next)
				if (goes_on(v))
					meet(s, v, part[i], now);
			object_unref(&part[i]);
		}
	}
	for (struct survey *v = all; v && !part; v = v->next)
		v->err = ERR_NO_MEMORY;
	free(part);
}

struct walk {
	struct surveyor *surveyor;
	struct survey *all;
};

/* Whether it is in RAM, too, and was counted there. Of what is not purged yet, RAM's decides. */
static bool is_hot(struct surveyor *s, struct survey *v, const struct object *o)
{
	struct object *hot = hot_peek(s->cache->hot, o->hash);
	bool is_same = hot && hot->kind == OBJECT_ANSWER && slice_eq(hot->key, o->key) &&
	    hot->seq < v->before;
	object_unref(&hot);
	return is_same;
}

static void meet_cold(void *arg, struct object *o, uint64_t bytes)
{
	const struct walk *w = arg;
	struct surveyor *s = w->surveyor;
	role_worker();
	for (struct survey *v = w->all; v; v = v->next) {
		if (!goes_on(v) || !is_meant(v, o))
			continue;
		if (!is_hot(s, v, o) && (v->before != UINT64_MAX || stands(s, o)))
			count(v, o, bytes);
		if (v->sweeps)
			put_down(s, v, o);
	}
}

static void go_through_cold(struct surveyor *s, struct survey *all) ON_WORKER
{
	struct stroll stroll;
	struct walk walk = { s, all };
	enum err err = ERR_NONE;
	stroll_init(&stroll);
	while (s->cache->cold && !stroll.is_over && !err && !s->is_ending)
		err = stroll_on(s->cache->cold, &stroll, RECORDS, meet_cold, &walk);
	stroll_fini(&stroll);
	for (struct survey *v = all; v && err; v = v->next)
		v->err = err;
}

static void go_through_all(struct surveyor *s, struct survey *all) ON_WORKER
{
	for (struct survey *v = all; v; v = v->next)
		if (v->sweeps)
			await_writer(s, v);
	go_through_hot(s, all, meet_hot);
	go_through_cold(s, all);
	/* Last: what is in RAM was not counted on disk. */
	go_through_hot(s, all, remove_hot);
}

/* ---- certain URLs ---- */

static void look_up_hot(struct surveyor *s, struct survey *v, struct hash128 hash, bool is_variant)
{
	struct object *o = hot_peek(s->cache->hot, hash);
	for (uint32_t i = 0; o && !is_variant && i < o->variant_count; i++)
		look_up_hot(s, v, o->variants[i], true);
	if (o) {
		meet_hot(s, v, o, wall_now());
		remove_hot(s, v, o, wall_now());
	}
	object_unref(&o);
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash128));
}

/* Where the URLs are, in order, each of both schemes: an order is for both. own: free. */
static struct hash128 *hashes_of(struct surveyor *s, const struct order *o, size_t *ret_count)
{
	struct hash_secret secret = cache_secret(s->cache);
	struct hash128 *hashes = malloc(2 * o->files.count * sizeof(*hashes));
	struct arena arena;
	arena_init(&arena, URL_BYTES);
	for (size_t i = 0; hashes && i < o->files.count; i++) {
		struct slice url = o->files.at[i];
		hashes[2 * i] = hash_siphash(secret, url);
		hashes[2 * i + 1] = hash_siphash(secret, order_other_scheme(url, &arena));
		arena_reset(&arena);
	}
	arena_fini(&arena);
	*ret_count = hashes ? 2 * o->files.count : 0;
	if (hashes)
		qsort(hashes, *ret_count, sizeof(*hashes), by_hash);
	return hashes;
}

static void look_up(struct surveyor *s, struct survey *v) ON_WORKER
{
	struct stroll stroll;
	struct walk walk = { s, v };
	size_t count;
	struct hash128 *hashes = hashes_of(s, v->order, &count);
	stroll_init(&stroll);
	if (!hashes)
		v->err = ERR_NO_MEMORY;
	for (size_t i = 0; i < count && goes_on(v) && !s->is_ending; i++) {
		if (i > 0 && hash128_eq(hashes[i], hashes[i - 1]))
			continue;
		if (s->cache->cold)
			v->err = stroll_at(s->cache->cold, &stroll, hashes[i], meet_cold, &walk);
		look_up_hot(s, v, hashes[i], false);
	}
	stroll_fini(&stroll);
	free(hashes);
}

/* ---- the thread ---- */

static void end(struct surveyor *s, struct survey *v)
{
	if (v->is_cancelled || s->is_ending)
		v->err = ERR_CANCELLED;
	if (v->items)
		qsort(v->items, v->item_count, sizeof(v->items[0]), by_hits);
	mail_post(v->home, &v->mail);
}

static bool is_urgent(const struct survey *v)
{
	for (; v; v = v->next)
		if (v->is_urgent || v->is_cancelled)
			return true;
	return false;
}

/* Waits until there is something to do, and, of what nobody waits for, until the rest is over. */
static bool has_turn_locked(struct surveyor *s)
{
	while (!s->is_ending && (!s->waiting || !is_urgent(s->waiting))) {
		int64_t rest_ms = mono_ms_since(mono_now(), s->rests_until);
		struct timespec until;
		if (s->waiting && rest_ms <= 0)
			break;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += s->waiting ? 1 + rest_ms / 1000 : 3600;
		pthread_cond_timedwait(&s->more, &s->lock.mutex, &until);
	}
	return s->waiting;
}

/* Looks up what can be; answers with the others. */
static struct survey *look_up_some(struct surveyor *s, struct survey *all) ON_WORKER
{
	struct survey *others = NULL;
	for (struct survey *v = all, *next; v; v = next) {
		next = v->next;
		v->next = NULL;
		if (!order_is_of_files(v->order)) {
			v->next = others;
			others = v;
			continue;
		}
		look_up(s, v);
		end(s, v);
	}
	return others;
}

static void rest_after(struct surveyor *s, struct mono began)
{
	int64_t took = mono_ms_since(began, mono_now());
	int64_t ms = took < REST_MS / REST ? took * REST : REST_MS;
	lock_take(&s->lock);
	s->rests_until = mono_add(mono_now(), ms);
	lock_drop(&s->lock);
}

static void *thread_main(void *arg)
{
	struct surveyor *s = arg;
	role_worker();
	pthread_setname_np(pthread_self(), "purge-survey");
	for (;;) {
		lock_take(&s->lock);
		bool goes_on = has_turn_locked(s);
		struct survey *all = s->waiting;
		s->waiting = NULL;
		s->count = 0;
		lock_drop(&s->lock);
		if (!goes_on)
			return NULL;
		struct mono began = mono_now();
		all = look_up_some(s, all);
		if (all)
			go_through_all(s, all);
		memset(s->recalled, 0, sizeof(s->recalled));
		rest_after(s, began);
		for (struct survey *v = all, *next; v; v = next) {
			next = v->next;
			end(s, v);
		}
	}
}

struct surveyor *surveyor_new(struct cache *cache)
{
	struct surveyor *s = calloc(1, sizeof(*s));
	sigset_t all, before;
	if (!s)
		return NULL;
	s->cache = cache;
	lock_init(&s->lock);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* Signals belong to the control loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool started = pthread_create(&s->thread, NULL, thread_main, s) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (started)
		return s;
	pthread_cond_destroy(&s->more);
	lock_fini(&s->lock);
	free(s);
	return NULL;
}

void surveyor_free(struct surveyor **surveyor)
{
	struct surveyor *s = *surveyor;
	*surveyor = NULL;
	if (!s)
		return;
	lock_take(&s->lock);
	s->is_ending = true;
	pthread_cond_signal(&s->more);
	lock_drop(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->more);
	lock_fini(&s->lock);
	free(s);
}

/* ---- surveys ---- */

static void on_done(struct mail *m)
{
	struct survey *v = CONTAINER_OF(m, struct survey, mail);
	v->done(v);
}

bool survey_begin(struct surveyor *s, struct survey *v)
{
	mail_init(&v->mail, on_done);
	v->hottest = min_size(v->hottest, SURVEY_HOTTEST);
	v->items = v->hottest ? calloc(v->hottest, sizeof(v->items[0])) : NULL;
	lock_take(&s->lock);
	bool fits = s->count < SURVEYS || v->sweeps || v->is_urgent;
	if (fits) {
		v->next = s->waiting;
		s->waiting = v;
		s->count++;
		pthread_cond_signal(&s->more);
	}
	lock_drop(&s->lock);
	if (!fits)
		survey_fini(v);
	return fits;
}

void survey_cancel(struct survey *v)
{
	v->is_cancelled = true;
}

void survey_fini(struct survey *v)
{
	for (size_t i = 0; v->items && i < v->item_count; i++)
		object_unref(&v->items[i].object);
	free(v->items);
	v->items = NULL;
	v->item_count = 0;
}
