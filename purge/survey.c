/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/survey.h"

#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cache/purging.h"
#include "cache/tier/journal.h"
#include "cache/tier/stroll.h"
#include "edge/base/thread.h"

enum {
	RECORDS = 2000, /* of one part; then the store may be closed */
	SETTLE_US = 1000,
	SETTLE_MS = 60 * 1000,
	MINUTE_S = 60,
	REST = 10, /* times as long as it went */
	REST_MS = 30 * 1000,
	NOTES = 10000,                   /* that may wait for the disk */
	PLACES_BYTES = 16 * 1024 * 1024, /* of hashes of one URL's variants */
	MARKS = 4096,                    /* of scopes that the disk was asked for */
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
	enum surveyor_kind kind;
	pthread_t thread;
	/* under lock */
	struct lock lock;
	pthread_cond_t more;
	struct survey *waiting;
	unsigned count;
	struct mono rests_until;
	/* atomic */
	_Atomic bool is_ending;
	/* its thread, for one go */
	uint64_t known; /* as of its beginning: what is recalled is not older */
	struct recalled recalled[MARKS];
};

/* ---- what stands ---- */

static bool recall(void *arg, struct scope scope, struct purge_mark *ret_mark)
{
	struct surveyor *s = arg;
	struct recalled *r = &s->recalled[(scope.id + scope.kind) % MARKS];
	role_worker();
	if (scope.kind == SCOPE_ALL) /* is in RAM */
		return cold_recall(s->cache->cold, scope, ret_mark);
	if (!r->is_set || r->scope.id != scope.id || r->scope.kind != scope.kind) {
		r->is_set = cold_recall(s->cache->cold, scope, &r->mark);
		r->scope = scope;
	}
	*ret_mark = r->mark;
	return r->is_set;
}

/* Of one from the disk, which alone knows of former lives, and of patterns that were swept. */
static struct fence_ruling judge_cold(struct surveyor *s, struct object *o) ON_WORKER
{
	return fence_recall(s->cache->fence, o, recall, s, s->known);
}

/* Of one in RAM, which remembers what is found: so the disk is asked, and not what was recalled. */
static struct fence_ruling judge_hot(struct surveyor *s, struct object *o) ON_WORKER
{
	struct fence_ruling ruling = fence_judge(s->cache->fence, o);
	if (ruling.is_unsure && s->cache->cold)
		ruling = cache_ask_disk(s->cache, o);
	return ruling;
}

/* Whether a purge would leave less of it: what was purged softly is served stale, and can go. */
static bool stands(const struct survey *v, struct fence_ruling ruling)
{
	return ruling.stands || ruling.mode < v->order->mode;
}

/* What is past its time is as if it were not stored. */
static bool is_live(const struct object *o, struct wall now)
{
	return !wall_before(o->life.keep_until, now);
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

/* Of all that stands; otherwise of what was there when it was purged. */
static bool is_preview(const struct survey *v)
{
	return v->before == UINT64_MAX;
}

/* ---- sweeping ---- */

/* Waits for the disk to take what was noted. False: it does not, and the pattern stays. */
static bool may_note(struct cold *cold, struct survey *v)
{
	while (cold_note_depth(cold) > NOTES && cold_state(cold) == COLD_OK)
		usleep(SETTLE_US);
	v->is_unsettled |= cold_state(cold) != COLD_OK;
	return !v->is_unsettled;
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
		v->is_unsettled = true; /* the pattern stays */
		return;
	}
	e->scopes[0] = scope;
	e->act = act;
	e->number = v->before;
	e->is_of_before = true;
	cold_note(c->cold, e);
}

/* What the store's writer had in hands when the pattern came is on disk when this returns: a
 * removal of nothing went all the way behind it. */
static void await_writer(struct surveyor *s, struct survey *v)
{
	struct cold *cold = s->cache->cold;
	struct hash128 nothing = { v->before, ~v->before };
	struct mono began = mono_now();
	if (!cold)
		return;
	if (cold_state(cold) == COLD_OK)
		cold_forget(cold, nothing);
	/* A disk that is not well may not be waited for: others wait, too, and some for RAM
	 * alone. */
	while (!v->is_unsettled && !v->is_cancelled && !s->is_ending) {
		if (cold_state(cold) != COLD_OK || mono_ms_since(began, mono_now()) > SETTLE_MS)
			v->is_unsettled = true;
		else if (cold_is_forgotten(cold, nothing))
			return;
		else
			usleep(SETTLE_US);
	}
}

/* ---- the way ---- */

static void meet_hot(struct surveyor *s, struct survey *v, struct object *o, struct wall now)
    ON_WORKER
{
	uint64_t bytes = 0;
	/* Whatever it is: what was not looked at while a pattern was in force is validated. */
	(void)fence_judge(s->cache->fence, o);
	if (o->kind != OBJECT_ANSWER || !is_meant(v, o))
		return;
	if (v->sweeps)
		put_down(s, v, o);
	if (object_is_broken(o) || !is_live(o, now) ||
	    (is_preview(v) && !stands(v, judge_hot(s, o))))
		return;
	(void)object_length(o, &bytes);
	count(v, o, bytes);
	count_rate(v, o, now);
	if (v->items)
		hottest_keep(v->items, &v->item_count, v->hottest, o);
}

/* What is gone need not take RAM. */
static void remove_hot(
    struct surveyor *s, struct survey *v, struct object *o, UNUSED struct wall now)
{
	if (!is_preview(v) && v->order->mode == PURGE_HARD && is_meant(v, o))
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
	struct wall now;
};

/* Whether it is in RAM, too, and was met there. Of what is not purged yet, RAM's decides. */
static bool is_hot(struct surveyor *s, struct survey *v, const struct object *o)
{
	struct object *hot = hot_peek(s->cache->hot, o->hash);
	bool is_same = hot && hot->kind == OBJECT_ANSWER && slice_eq(hot->key, o->key) &&
	    hot->seq < v->before && !object_is_broken(hot);
	object_unref(&hot);
	return is_same;
}

static bool counts_cold(struct surveyor *s, struct survey *v, struct object *o, struct wall now)
    ON_WORKER
{
	return is_live(o, now) && !is_hot(s, v, o) &&
	    (!is_preview(v) || stands(v, judge_cold(s, o)));
}

static void meet_cold(void *arg, struct object *o, uint64_t bytes)
{
	const struct walk *w = arg;
	role_worker();
	for (struct survey *v = w->all; v; v = v->next) {
		if (!goes_on(v) || !is_meant(v, o))
			continue;
		if (counts_cold(w->surveyor, v, o, w->now))
			count(v, o, bytes);
		if (v->sweeps)
			put_down(w->surveyor, v, o);
	}
}

static void go_through_cold(struct surveyor *s, struct survey *all) ON_WORKER
{
	struct stroll stroll;
	struct walk walk = { s, all, wall_now() };
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

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash128));
}

static void add_place(struct buf *places, struct hash128 hash)
{
	buf_add(places, slice_of((const char *)&hash, sizeof(hash)));
}

/* Orders places, each once; they are at places->at. */
static size_t sort_places(struct buf *places, struct hash128 **ret_at)
{
	struct hash128 *at = (struct hash128 *)(void *)places->at;
	size_t count = places->len / sizeof(*at), kept = 0;
	if (count > 0)
		qsort(at, count, sizeof(*at), by_hash);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !hash128_eq(at[i], at[kept - 1]))
			at[kept++] = at[i];
	*ret_at = at;
	return kept;
}

/* Where a URL's variants are. RAM's marker and the disk's need not name the same. */
static enum err find_variants(struct surveyor *s, struct hash128 hash, struct buf *places) ON_WORKER
{
	struct object *marker = hot_peek(s->cache->hot, hash);
	for (uint32_t i = 0; marker && i < marker->variant_count; i++)
		add_place(places, marker->variants[i]);
	object_unref(&marker);
	return s->cache->cold ? stroll_variants(s->cache->cold, hash, places) : ERR_NONE;
}

/* In the order of go_through_all, for the same reason. */
static enum err look_up_place(struct walk *w, struct stroll *stroll, struct hash128 hash) ON_WORKER
{
	struct surveyor *s = w->surveyor;
	enum err err = ERR_NONE;
	struct object *o = hot_peek(s->cache->hot, hash);
	if (o)
		meet_hot(s, w->all, o, w->now);
	if (s->cache->cold)
		err = stroll_at(s->cache->cold, stroll, hash, meet_cold, w);
	if (o)
		remove_hot(s, w->all, o, w->now);
	object_unref(&o);
	return err;
}

static void look_up_url(struct walk *w, struct stroll *stroll, struct hash128 hash) ON_WORKER
{
	struct survey *v = w->all;
	struct buf places;
	struct hash128 *at;
	buf_init(&places, PLACES_BYTES);
	add_place(&places, hash);
	v->err = find_variants(w->surveyor, hash, &places);
	if (!v->err && places.overflow)
		v->err = ERR_NO_MEMORY;
	size_t count = sort_places(&places, &at);
	for (size_t i = 0; i < count && goes_on(v); i++)
		v->err = look_up_place(w, stroll, at[i]);
	buf_fini(&places);
}

/* Where the URLs are, each of both schemes: an order is for both. */
static enum err find_urls(struct surveyor *s, const struct order *o, struct buf *places)
{
	struct hash_secret secret = cache_secret(s->cache);
	struct arena arena;
	bool overflow = false;
	arena_init(&arena, ORDER_JSON_BYTES);
	for (size_t i = 0; i < o->files.count; i++) {
		struct slice url = o->files.at[i];
		add_place(places, hash_siphash(secret, url));
		add_place(places, hash_siphash(secret, order_other_scheme(url, &arena)));
		overflow |= arena.overflow;
		arena_reset(&arena);
	}
	arena_fini(&arena);
	return overflow || places->overflow ? ERR_NO_MEMORY : ERR_NONE;
}

static void look_up(struct surveyor *s, struct survey *v) ON_WORKER
{
	struct stroll stroll;
	struct walk walk = { s, v, wall_now() };
	struct hash128 *at;
	struct buf places;
	buf_init(&places, 2 * ORDER_ITEMS * sizeof(*at));
	stroll_init(&stroll);
	v->err = find_urls(s, v->order, &places);
	size_t count = sort_places(&places, &at);
	for (size_t i = 0; i < count && goes_on(v) && !s->is_ending; i++)
		look_up_url(&walk, &stroll, at[i]);
	stroll_fini(&stroll);
	buf_fini(&places);
}

/* ---- the thread ---- */

static void end(struct surveyor *s, struct survey *v)
{
	if (v->is_cancelled || s->is_ending)
		v->err = ERR_CANCELLED;
	else if (v->is_unsettled && !v->err)
		v->err = ERR_STORE_IO;
	if (v->items)
		hottest_sort(v->items, v->item_count);
	mail_post(v->home, &v->mail);
}

/* Who asked may have gone. */
static bool has_cancelled(const struct survey *v)
{
	while (v && !v->is_cancelled)
		v = v->next;
	return v;
}

/* How long a patient one rests yet. */
static int64_t rest_ms_locked(const struct surveyor *s)
{
	bool rests = s->kind == SURVEYOR_PATIENT && !has_cancelled(s->waiting);
	return rests ? mono_ms_since(mono_now(), s->rests_until) : 0;
}

/* Waits until there is something to do, and the rest is over. */
static bool has_turn_locked(struct surveyor *s)
{
	int64_t rest_ms = 0;
	while (!s->is_ending && (!s->waiting || (rest_ms = rest_ms_locked(s)) > 0)) {
		struct timespec until;
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

/* Of this thread alone, as Linux has it. */
static void yield_to_all(void)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
}

static void *thread_main(void *arg)
{
	struct surveyor *s = arg;
	role_worker();
	bool is_patient = s->kind == SURVEYOR_PATIENT;
	pthread_setname_np(pthread_self(), is_patient ? "purge-count" : "purge-survey");
	if (is_patient)
		yield_to_all();
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
		s->known = s->cache->cold ? cold_noted(s->cache->cold) : 0;
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

struct surveyor *surveyor_new(struct cache *cache, enum surveyor_kind kind)
{
	struct surveyor *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->cache = cache;
	s->kind = kind;
	lock_init(&s->lock);
	cond_init_mono(&s->more);
	if (thread_start(&s->thread, thread_main, s))
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
	if (v->hottest && !v->items)
		v->err = ERR_NO_MEMORY;
	lock_take(&s->lock);
	bool fits = s->count < SURVEYS || v->sweeps || s->kind == SURVEYOR_PROMPT;
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
