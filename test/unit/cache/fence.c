/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/fence.c"

#include "test/unit/cache/samples.h"

static void test_order(void)
{
	struct fence *f = fence_new(100);
	struct hash128 a = sample_hash(1), b = sample_hash(2);
	uint64_t before = fence_now(f);
	CU_ASSERT(before >= 100);
	/* What is left of a former life holds until it is invalidated. */
	CU_ASSERT(fence_holds(f, a, 5));
	uint64_t raised = fence_raise(f, a);
	CU_ASSERT(raised > before);
	CU_ASSERT(!fence_holds(f, a, 5));
	/* A request that was under way is overtaken, one that starts now is not. */
	CU_ASSERT(!fence_holds(f, a, before));
	CU_ASSERT(fence_holds(f, a, fence_now(f)));
	CU_ASSERT(fence_holds(f, b, before));
	fence_raise(f, b);
	CU_ASSERT(fence_holds(f, a, raised));
	fence_free(&f);
	CU_ASSERT_PTR_NULL(f);
}

/* A key of a set. Tag 0 is one as any other. */
static struct hash128 key_in(uint64_t set, uint64_t tag)
{
	return (struct hash128){ set | tag << 32, tag };
}

static void test_neighbours(void)
{
	struct fence *f = fence_new(100);
	/* What six others of its set do is nothing to a key. */
	for (uint64_t own = 0; own < 7; own++) {
		uint64_t raised = fence_raise(f, key_in(5, own));
		for (int times = 0; times < 3; times++)
			for (uint64_t tag = 0; tag < 7; tag++)
				if (tag != own)
					fence_raise(f, key_in(5, tag));
		CU_ASSERT(fence_holds(f, key_in(5, own), raised));
		CU_ASSERT(!fence_holds(f, key_in(5, own), raised - 1));
		CU_ASSERT_EQUAL(fence_number(f, key_in(5, own)), raised);
	}
	CU_ASSERT_EQUAL(fence_number(f, key_in(5, 7)), 0);
	CU_ASSERT(fence_holds(f, key_in(5, 7), 1));
	/* An eighth takes the place of the oldest: what was fetched before that is overtaken for all
	 * of the set, what was fetched after it is not. */
	uint64_t oldest = fence_number(f, key_in(5, 0));
	for (uint64_t tag = 1; tag < 7; tag++)
		oldest = min_u64(oldest, fence_number(f, key_in(5, tag)));
	fence_raise(f, key_in(5, 7));
	CU_ASSERT(!fence_holds(f, key_in(5, 8), oldest - 1));
	CU_ASSERT(fence_holds(f, key_in(5, 8), oldest));
	CU_ASSERT(fence_holds(f, key_in(6, 8), 1));
	fence_free(&f);
}

/* ---- against a model ---- */

enum { MODEL_SETS = 4, MODEL_TAGS = 20 };

/* The newest number of each key, and how many keys of a set have one. */
struct model {
	uint64_t numbers[MODEL_SETS][MODEL_TAGS];
	unsigned count[MODEL_SETS];
	uint64_t random;
};

static uint64_t next(struct model *m, uint64_t below)
{
	return sample_hash(m->random++).lo % below;
}

/* The first set gets 4 keys, the next 7; then 8 and 20, which are too many. */
static struct hash128 some_key(struct model *m, uint64_t *ret_set, uint64_t *ret_tag)
{
	static const uint64_t tags[MODEL_SETS] = { 4, 7, 8, MODEL_TAGS };
	*ret_set = next(m, MODEL_SETS);
	*ret_tag = next(m, tags[*ret_set]);
	return key_in(*ret_set, *ret_tag);
}

static void raise_some(struct model *m, struct fence *f)
{
	uint64_t set, tag;
	struct hash128 key = some_key(m, &set, &tag);
	m->count[set] += m->numbers[set][tag] == 0;
	m->numbers[set][tag] = fence_raise(f, key);
}

/* A set's seven newest are exact, always; in a set that has no more, so is every key. */
static bool is_exact(const struct model *m, uint64_t set, uint64_t tag)
{
	unsigned newer = 0;
	for (uint64_t other = 0; other < MODEL_TAGS; other++)
		newer += m->numbers[set][other] > m->numbers[set][tag];
	return m->count[set] < CELLS || newer < CELLS - 1;
}

/* Whether what the fence says of a key and an object is as it must be: never too little. */
static bool is_as_modelled(struct model *m, const struct fence *f)
{
	uint64_t set, tag;
	struct hash128 key = some_key(m, &set, &tag);
	uint64_t number = m->numbers[set][tag], seq = next(m, fence_now(f) + 1);
	bool overtaken = seq < number, holds = fence_holds(f, key, seq);
	if (is_exact(m, set, tag))
		return holds == !overtaken && fence_number(f, key) == number;
	return !(holds && overtaken) && fence_number(f, key) >= number &&
	    fence_holds(f, key, fence_now(f)) && fence_number(f, key) <= fence_now(f);
}

static void check_model(struct model *m, const struct fence *f)
{
	unsigned wrong = 0;
	for (int i = 0; i < 200; i++)
		wrong += !is_as_modelled(m, f);
	CU_ASSERT_EQUAL(wrong, 0);
}

static void test_model(void)
{
	for (uint64_t seed = 0; seed < (is_slow() ? 10 : 100); seed++) {
		struct model m = { .random = seed << 32 };
		struct fence *f = fence_new(1);
		for (int round = 0; round < 120; round++) {
			raise_some(&m, f);
			check_model(&m, f);
		}
		CU_ASSERT(m.count[0] < CELLS && m.count[MODEL_SETS - 1] > CELLS);
		fence_free(&f);
	}
}

/* As many as a site changes: nobody else notices, but in the few sets that are full. */
static void test_many(void)
{
	enum { RAISED = 10000, ASKED = 10000 };
	struct fence *f = fence_new(1);
	for (uint64_t n = 0; n < RAISED; n++)
		fence_raise(f, sample_hash(n));
	unsigned overtaken = 0, missed = 0;
	for (uint64_t n = 0; n < ASKED; n++)
		overtaken += !fence_holds(f, sample_hash(RAISED + n), 1);
	for (uint64_t n = 0; n < RAISED; n++)
		missed += fence_holds(f, sample_hash(n), n);
	CU_ASSERT(overtaken < ASKED / 1000);
	CU_ASSERT_EQUAL(missed, 0);
	fence_free(&f);
}

/* ---- from life to life ---- */

static void keep_and_restore(struct fence *from, uint32_t set, struct fence *to)
{
	struct buf kept;
	buf_init(&kept, 0);
	fence_keep(from, set, &kept);
	fence_restore(to, buf_slice(&kept));
	buf_fini(&kept);
}

static void test_restore(void)
{
	struct model m = { 0 };
	struct fence *f = fence_new(1);
	for (int life = 0; life < 20; life++) {
		for (int i = 0; i < 8; i++)
			raise_some(&m, f);
		struct fence *after = fence_new(fence_now(f) + 1000);
		for (uint32_t set = MODEL_SETS; set-- > 0;)
			keep_and_restore(f, set, after);
		fence_free(&f);
		f = after;
		check_model(&m, f);
	}
	/* A key far from the others is as it was. */
	CU_ASSERT(fence_holds(f, key_in(8191, 1), 0));
	CU_ASSERT(fence_set_of(sample_hash(1)) < 8192);
	/* Twice, or over what is newer, does no harm. */
	uint64_t before = fence_number(f, key_in(1, 0));
	keep_and_restore(f, 1, f);
	CU_ASSERT_EQUAL(fence_number(f, key_in(1, 0)), before);
	check_model(&m, f);
	fence_free(&f);
}

/* What a fence kept that knew no tags holds for all keys it may have been for. */
static void test_restore_slots(void)
{
	struct fence *f = fence_new(1000);
	struct {
		uint32_t slot, unused;
		uint64_t number;
	} const former = { 3 * 8192 + 5, 0xdeadbeef, 500 };
	fence_restore(f, slice_of((const char *)&former, sizeof(former)));
	for (uint64_t tag = 0; tag < 20; tag++) {
		struct hash128 key = { former.slot | tag << 16, tag };
		CU_ASSERT(!fence_holds(f, key, 499));
		CU_ASSERT(fence_holds(f, key, 500));
	}
	CU_ASSERT(fence_holds(f, key_in(6, 1), 1));
	/* What is of no known size says nothing. */
	fence_restore(f, SL("something else"));
	fence_restore(f, SLICE_NONE);
	CU_ASSERT(fence_holds(f, key_in(0, 1), 1));
	CU_ASSERT(fence_holds(f, key_in(5, 1), 500));
	fence_free(&f);
}

/* ---- threads ---- */

static void *raise_often(void *arg)
{
	struct fence *f = arg;
	struct hash128 a = sample_hash(1);
	for (int i = 0; i < 50000; i++) {
		uint64_t before = fence_now(f), raised = fence_raise(f, a);
		must(raised > before);
		must(!fence_holds(f, a, before));
	}
	return NULL;
}

static void test_threads(void)
{
	struct fence *f = fence_new(1);
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		must(pthread_create(&threads[i], NULL, raise_often, f) == 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(fence_now(f), 1 + 4 * 50000);
	CU_ASSERT(fence_holds(f, sample_hash(1), fence_now(f)));
	CU_ASSERT(!fence_holds(f, sample_hash(1), fence_now(f) - 1));
	fence_free(&f);
}

enum { RACE_KEYS = 20 };

/* Two raise keys of one set, each its half; others see what was raised before they look. */
struct race {
	struct fence *fence;
	_Atomic uint64_t raised[RACE_KEYS];
	_Atomic unsigned begun, raisers;
	unsigned rounds;
};

static void *race_to_raise(void *arg)
{
	struct race *r = arg;
	uint64_t own = r->begun++ % 2;
	for (unsigned i = 0; i < r->rounds; i++) {
		uint64_t tag = sample_hash(i).lo % (RACE_KEYS / 2) * 2 + own;
		r->raised[tag] = fence_raise(r->fence, key_in(1, tag));
	}
	r->raisers--;
	return NULL;
}

static uint64_t kept_number(const struct kept *kept, uint64_t tag)
{
	uint64_t number = kept->cells[COARSE].number;
	for (int i = COARSE + 1; i < CELLS; i++)
		if (kept->cells[i].tag == tag)
			number = max_u64(number, kept->cells[i].number);
	return number;
}

/* Never too little: neither for who asks, nor in what is kept. */
static void *race_to_read(void *arg)
{
	struct race *r = arg;
	struct buf buf;
	buf_init(&buf, 0);
	while (r->raisers > 0) {
		uint64_t last[RACE_KEYS];
		for (uint64_t tag = 0; tag < RACE_KEYS; tag++) {
			last[tag] = r->raised[tag];
			must(fence_number(r->fence, key_in(1, tag)) >= last[tag]);
			must(last[tag] == 0 ||
			    !fence_holds(r->fence, key_in(1, tag), last[tag] - 1));
		}
		buf_clear(&buf);
		fence_keep(r->fence, 1, &buf);
		const struct kept kept = kept_of(buf_slice(&buf));
		for (uint64_t tag = 0; tag < RACE_KEYS; tag++)
			must(kept_number(&kept, tag) >= last[tag]);
	}
	buf_fini(&buf);
	return NULL;
}

static void test_race(void)
{
	struct race r = { .fence = fence_new(1), .raisers = 2 };
	r.rounds = is_slow() ? 20000 : 200000;
	pthread_t threads[3];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		must(pthread_create(&threads[i], NULL, i < 2 ? race_to_raise : race_to_read, &r) ==
		    0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	for (uint64_t tag = 0; tag < RACE_KEYS; tag++)
		CU_ASSERT(fence_number(r.fence, key_in(1, tag)) >= r.raised[tag]);
	CU_ASSERT_EQUAL(fence_now(r.fence), 1 + 2 * r.rounds);
	CU_ASSERT(fence_holds(r.fence, key_in(2, 1), 1));
	fence_free(&r.fence);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "before and after", test_order },
		{ "neighbours in a set", test_neighbours },
		{ "against a model", test_model },
		{ "many keys", test_many },
		{ "a former life", test_restore },
		{ "a former life with slots", test_restore_slots },
		{ "four threads", test_threads },
		{ "raised, read and kept", test_race },
		CU_TEST_INFO_NULL,
	};
	return run_tests("cache/fence", tests);
}
