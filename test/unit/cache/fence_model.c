/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence against a list of all purges that is gone through for each question: histories made
 * from a seed, and threads that raise, judge and recall at the same time. The disk is an array
 * here.
 */
#include "cache/fence.c"
#include "test/unit/cache/samples.h"

/* ---- a history ---- */

enum { STEPS = 150, OBJECTS = 12, HOSTS = 2, TAGS = 24 };

struct past_purge {
	uint64_t number;
	struct scope scope;
	struct purge_act act;
};

struct history {
	uint64_t random, seed;
	struct fence *fence;
	struct past_purge purges[STEPS];
	size_t count;
	uint64_t known;  /* of the disk */
	bool is_crowded; /* more scopes than their sets take */
	struct object *objects[OBJECTS];
};

static uint64_t next(struct history *h, uint64_t below)
{
	return sample_hash(h->random++).lo % below;
}

/* In a crowded history all are of one set. */
static uint64_t tag_id(const struct history *h, uint64_t n)
{
	return h->is_crowded ? 7 + (n + 1) * SETS : sample_hash(n).hi;
}

static struct object *some_answer(struct history *h)
{
	char url[64];
	int len = snprintf(
	    url, sizeof(url), "http://host%" PRIu64 ":81/a/%" PRIu64, next(h, HOSTS), next(h, 4));
	struct key key = { slice_of(url, (size_t)len), sample_hash(1) };
	struct object *o = object_new(
	    OBJECT_ANSWER, key, (struct object_texts){ .tags = SL("a\nb\nc") }, 0);
	for (uint32_t i = 0; i < o->tags->count; i++)
		o->tags->ids[i] = tag_id(h, next(h, TAGS));
	o->seq = fence_now(h->fence) - next(h, fence_now(h->fence));
	return o;
}

static struct scope some_scope(struct history *h)
{
	char url[64];
	uint64_t host = next(h, HOSTS), page = next(h, 4), tag = tag_id(h, next(h, TAGS));
	snprintf(url, sizeof(url), "http://host%" PRIu64 ":81/a/%" PRIu64, host, page);
	struct slice all = slice_str(url), authority, path;
	scope_split(all, &authority, &path);
	switch (next(h, 20)) {
	case 0: return next(h, 4) ? scope_url(all) : scope_all();
	case 1: return scope_host(authority);
	case 2: return scope_host(slice_first(authority, 5));
	case 3: return scope_prefix(next(h, 2) ? authority : SLICE_NONE, path);
	case 4: return scope_group(authority, tag);
	case 5:
	case 6: return scope_url(all);
	}
	return scope_tag(tag);
}

static void raise_some(struct history *h)
{
	/* Mostly weak ones: else nothing is left to fall. */
	static const enum purge_mode modes[] = { PURGE_SOFT, PURGE_SOFT, PURGE_INVALID,
		PURGE_HARD };
	struct past_purge *p = &h->purges[h->count++];
	p->scope = some_scope(h);
	p->act = (struct purge_act){ modes[next(h, 4)], { (int64_t)h->count } };
	p->number = fence_raise(h->fence, &p->scope, 1, p->act, NULL, NULL);
}

/* ---- what is right ---- */

static bool is_in(const struct object *o, struct scope scope)
{
	struct scope scopes[SCOPES_OF_URL];
	struct slice authority, path;
	size_t count = scopes_of_url(o->key, scope.kind, scopes);
	scope_split(o->key, &authority, &path);
	for (size_t i = 0; i < count; i++)
		if (scopes[i].id == scope.id)
			return true;
	for (uint32_t i = 0; i < o->tags->count; i++)
		if ((scope.kind == SCOPE_TAG && o->tags->ids[i] == scope.id) ||
		    (scope.kind == SCOPE_GROUP &&
			scope_group(authority, o->tags->ids[i]).id == scope.id))
			return true;
	return false;
}

struct truth {
	bool stands;
	enum purge_mode mode;
	int64_t first, last; /* of the soft ones */
};

static struct truth truth_of(const struct history *h, const struct object *o)
{
	struct truth t = { true, PURGE_SOFT, INT64_MAX, 0 };
	for (size_t i = 0; i < h->count; i++) {
		const struct past_purge *p = &h->purges[i];
		if (p->number <= o->seq || !is_in(o, p->scope))
			continue;
		t.stands = false;
		t.mode = p->act.mode > t.mode ? p->act.mode : t.mode;
		t.first = p->act.at.ms < t.first ? p->act.at.ms : t.first;
		t.last = p->act.at.ms;
	}
	return t;
}

static bool is_right(const struct fence_ruling *r, const struct truth *t)
{
	if (r->is_unsure)
		return !r->stands && r->mode == PURGE_INVALID;
	if (r->stands || t->stands)
		return r->stands == t->stands;
	bool is_in_time = r->mode != PURGE_SOFT ||
	    (r->soft_at.ms >= t->first && r->soft_at.ms <= t->last);
	return r->mode == t->mode && is_in_time;
}

/* The disk has all up to `known`. */
static bool recall_past(void *arg, struct scope scope, struct purge_mark *ret_mark)
{
	const struct history *h = arg;
	*ret_mark = (struct purge_mark){ 0 };
	for (size_t i = 0; i < h->count; i++) {
		const struct past_purge *p = &h->purges[i];
		if (p->number > h->known || p->scope.kind != scope.kind || p->scope.id != scope.id)
			continue;
		ret_mark->numbers[p->act.mode] = p->number;
		if (p->act.mode == PURGE_SOFT)
			ret_mark->soft_at = p->act.at;
	}
	return true;
}

/* Answers how many are wrong. */
static unsigned ask_some(struct history *h)
{
	role_worker();
	struct object **o = &h->objects[next(h, OBJECTS)];
	if (!*o || next(h, 8) == 0) {
		object_unref(o);
		*o = some_answer(h);
	}
	struct truth truth = truth_of(h, *o);
	bool recalls = next(h, 3) == 0;
	struct fence_ruling ruling = recalls ? fence_recall(h->fence, *o, recall_past, h, h->known)
					     : fence_judge(h->fence, *o);
	bool may_be_unsure = h->is_crowded && (!recalls || h->known < fence_now(h->fence));
	return !is_right(&ruling, &truth) || (ruling.is_unsure && !may_be_unsure);
}

static unsigned play(uint64_t seed, unsigned *ret_unsure)
{
	struct history h = { .random = seed << 20, .seed = seed, .is_crowded = seed % 2 };
	unsigned wrong = 0;
	h.fence = fence_new(1);
	while (h.count < STEPS) {
		raise_some(&h);
		if (next(&h, 16) == 0)
			h.known = fence_now(h.fence);
		for (int i = 0; i < 6; i++)
			wrong += ask_some(&h);
	}
	for (size_t i = 0; i < OBJECTS; i++) {
		*ret_unsure += h.objects[i] && fence_judge(h.fence, h.objects[i]).is_unsure;
		object_unref(&h.objects[i]);
	}
	fence_free(&h.fence);
	return wrong;
}

static void test_histories(void)
{
	unsigned unsure = 0;
	for (uint64_t seed = 0; seed < (is_slow() ? 100 : 2000); seed++) {
		unsigned wrong = play(seed, &unsure);
		if (wrong)
			printf("seed %" PRIu64 ": %u wrong\n", seed, wrong);
		CU_ASSERT_EQUAL(wrong, 0);
	}
	CU_ASSERT(unsure > 0); /* it came to that */
}

/* ---- threads ---- */

enum { RACE_TAGS = 12, RACE_OBJECTS = 24 };

/* Raisers raise tags of one set, more than it takes; who judges knows what was raised before. */
struct race {
	struct fence *fence;
	struct object *objects[RACE_OBJECTS]; /* of tag n % RACE_TAGS */
	_Atomic uint64_t raised[RACE_TAGS];   /* hard */
	_Atomic uint64_t disk[RACE_TAGS], known;
	_Atomic unsigned begun, judging, raisers;
	unsigned rounds;
};

static uint64_t race_tag(uint64_t n)
{
	return 9 + (n + 1) * SETS;
}

static struct object *race_answer(uint64_t tag, uint64_t seq)
{
	struct key key = { SL("http://race/"), sample_hash(1) };
	struct object *o = object_new(
	    OBJECT_ANSWER, key, (struct object_texts){ .tags = SL("t") }, 0);
	o->tags->ids[0] = race_tag(tag);
	o->seq = seq;
	return o;
}

/* As if nobody had looked at it. */
static void set_question(struct object *o, uint64_t tag, uint64_t seq)
{
	o->seq = seq;
	o->checked = 0;
	o->fallen = 0;
	o->tags->ids[0] = race_tag(tag);
}

/* It is on disk before it holds. */
struct writing {
	struct race *race;
	uint64_t tag;
};

static void write_number(void *arg, uint64_t number)
{
	const struct writing *w = arg;
	w->race->disk[w->tag] = number;
	w->race->known = number;
}

static bool recall_race(void *arg, struct scope scope, struct purge_mark *ret_mark)
{
	struct race *r = arg;
	*ret_mark = (struct purge_mark){ 0 };
	if (scope.kind == SCOPE_TAG)
		ret_mark->numbers[PURGE_HARD] = r->disk[scope.id / SETS - 1];
	return true;
}

static void *race_to_raise(void *arg)
{
	struct race *r = arg;
	const struct purge_act act = { PURGE_HARD, { 1 } };
	uint64_t own = r->begun++ % 2;
	struct object *o = race_answer(0, 0);
	for (unsigned i = 0; i < r->rounds; i++) {
		uint64_t tag = sample_hash(i).lo % (RACE_TAGS / 2) * 2 + own;
		struct scope scope = scope_tag(race_tag(tag));
		struct writing w = { r, tag };
		uint64_t number = fence_raise(r->fence, &scope, 1, act, write_number, &w);
		r->raised[tag] = number;
		/* Nobody else raises that tag: others' numbers are not its. */
		set_question(o, tag, number);
		struct fence_ruling ruling = fence_judge(r->fence, o);
		must(ruling.stands || ruling.is_unsure);
	}
	object_unref(&o);
	r->raisers--;
	return NULL;
}

/* One that is older than the tag's last purge, and looked at for the first time; and one that all
 * look at. */
static void judge_both(struct race *r, struct object *own, uint64_t n, bool recalls)
{
	role_worker();
	struct object *shared = r->objects[n % RACE_OBJECTS];
	uint64_t tag = n % RACE_OBJECTS % RACE_TAGS, last = r->raised[tag];
	if (last == 0)
		return;
	set_question(own, tag, last - 1);
	struct object *asked[] = { own, shared };
	for (size_t i = 0; i < COUNT_OF(asked); i++) {
		if (asked[i]->seq >= last)
			continue;
		struct fence_ruling ruling = recalls
		    ? fence_recall(r->fence, asked[i], recall_race, r, r->known)
		    : fence_judge(r->fence, asked[i]);
		must(!ruling.stands);
		must(ruling.is_unsure || ruling.mode == PURGE_HARD);
	}
}

static void *race_to_judge(void *arg)
{
	struct race *r = arg;
	bool recalls = r->judging++ % 2;
	struct object *own = race_answer(0, 0);
	for (uint64_t n = recalls; r->raisers > 0; n++)
		judge_both(r, own, n, recalls);
	object_unref(&own);
	return NULL;
}

static void race_once(uint64_t round, unsigned rounds)
{
	struct race r = { .fence = fence_new(1), .raisers = 2, .rounds = rounds };
	pthread_t threads[6];
	for (uint64_t n = 0; n < RACE_OBJECTS; n++)
		r.objects[n] = race_answer(n % RACE_TAGS, sample_hash(round + n).lo % rounds);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		must(pthread_create(&threads[i], NULL, i < 2 ? race_to_raise : race_to_judge, &r) ==
		    0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(fence_now(r.fence), 1 + 2 * rounds);
	for (uint64_t n = 0; n < RACE_OBJECTS; n++)
		object_unref(&r.objects[n]);
	fence_free(&r.fence);
}

static void test_race(void)
{
	for (uint64_t round = 0; round < (is_slow() ? 10 : 200); round++)
		race_once(round, 500);
	race_once(0, is_slow() ? 5000 : 100000);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "histories", test_histories },
		{ "raised, judged, recalled", test_race },
		CU_TEST_INFO_NULL,
	};
	return run_tests("cache/fence, against a model", tests);
}
