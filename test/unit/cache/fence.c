/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/fence.c"

#include "test/unit/cache/samples.h"

#define URL "http://shop.example:8080/a/b?c"

/* An answer that was asked for when `seq` held. tags: one a line. */
static struct object *answer(const char *url, const char *tags, uint64_t seq)
{
	struct key key = { slice_str(url), sample_hash(1) };
	struct object_texts texts = { .tags = slice_str(tags) };
	struct object *o = object_new(OBJECT_ANSWER, key, texts, 0);
	o->seq = seq;
	return o;
}

/* One whose only tag has that number. */
static struct object *numbered(uint64_t tag_id, uint64_t seq)
{
	struct object *o = answer(URL, "t", seq);
	o->tags->ids[0] = tag_id;
	return o;
}

static struct purge_act act_of(enum purge_mode mode, int64_t at_ms)
{
	return (struct purge_act){ mode, { at_ms } };
}

static uint64_t raise_one(struct fence *f, struct scope scope, enum purge_mode mode)
{
	return fence_raise(f, &scope, 1, act_of(mode, 1000), NULL, NULL);
}

/* How an answer fares that nobody looked at before. */
static struct fence_ruling judge_new(
    struct fence *f, const char *url, const char *tags, uint64_t seq)
{
	struct object *o = answer(url, tags, seq);
	struct fence_ruling ruling = fence_judge(f, o);
	object_unref(&o);
	return ruling;
}

static bool stands_new(struct fence *f, const char *url, const char *tags, uint64_t seq)
{
	return judge_new(f, url, tags, seq).stands;
}

/* ---- scopes and modes ---- */

struct example {
	struct scope scope;
	const char *inside[2][2], *outside[2]; /* URL, tags */
};

static void check_example(const struct example *e, enum purge_mode mode)
{
	struct fence *f = fence_new(100);
	uint64_t before = fence_now(f), number = raise_one(f, e->scope, mode);
	CU_ASSERT_EQUAL(number, before + 1);
	CU_ASSERT_EQUAL(fence_now(f), number);
	for (size_t i = 0; i < 2; i++) {
		const char *url = e->inside[i][0], *tags = e->inside[i][1];
		struct fence_ruling ruling = judge_new(f, url, tags, before);
		CU_ASSERT(!ruling.stands && ruling.mode == mode && !ruling.is_unsure);
		CU_ASSERT(mode != PURGE_SOFT || ruling.soft_at.ms == 1000);
		/* What was asked for since then stands. */
		CU_ASSERT(stands_new(f, url, tags, number));
	}
	if (e->outside[0])
		CU_ASSERT(stands_new(f, e->outside[0], e->outside[1], before));
	fence_free(&f);
	CU_ASSERT_PTR_NULL(f);
}

static void test_kinds(void)
{
	const struct example examples[] = {
		{ scope_all(), { { URL, "" }, { "https://other/", "x" } }, { NULL, NULL } },
		{ scope_host(SL("Shop.example")), { { URL, "" }, { "http://shop.example/", "" } },
		    { "http://example/", "" } },
		{ scope_host(SL("shop.example:8080")), { { URL, "" }, { URL "&d", "" } },
		    { "http://shop.example/a/b", "" } },
		{ scope_prefix(SL("shop.example"), SL("/a")),
		    { { URL, "" }, { "http://shop.example/a", "" } },
		    { "http://shop.example/ab", "" } },
		{ scope_prefix(SLICE_NONE, SL("/a/b/")),
		    { { URL, "" }, { "https://other/a/b/c", "" } },
		    { "http://shop.example/a", "" } },
		{ scope_url(SL(URL)), { { URL, "" }, { URL "\nen", "" } }, { URL "&d", "" } },
		{ scope_tag(scope_tag_id(SL("Red"))),
		    { { URL, "red" }, { "http://x/", "a\nRED\nb" } }, { URL, "redder\nblue" } },
		{ scope_group(SL("shop.example:8080"), scope_tag_id(SL("red"))),
		    { { URL, "red" }, { URL "x", "blue\nRed" } }, { "http://other/", "red" } },
	};
	for (size_t i = 0; i < COUNT_OF(examples); i++)
		for (enum purge_mode mode = 0; mode < PURGE_MODES; mode++)
			check_example(&examples[i], mode);
}

/* Of several the strongest counts, whatever came last; soft, from the first on. */
static void test_strongest(void)
{
	struct fence *f = fence_new(1);
	struct scope url = scope_url(SL(URL)), tag = scope_tag(scope_tag_id(SL("red")));
	struct object *o = answer(URL, "red", 1);
	fence_raise(f, &tag, 1, act_of(PURGE_SOFT, 500), NULL, NULL);
	fence_raise(f, &url, 1, act_of(PURGE_SOFT, 700), NULL, NULL);
	struct fence_ruling ruling = fence_judge(f, o);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_SOFT && ruling.soft_at.ms == 500);
	raise_one(f, tag, PURGE_INVALID);
	CU_ASSERT_EQUAL(fence_judge(f, o).mode, PURGE_INVALID);
	raise_one(f, url, PURGE_SOFT);
	CU_ASSERT_EQUAL(fence_judge(f, o).mode, PURGE_INVALID);
	raise_one(f, url, PURGE_HARD);
	raise_one(f, url, PURGE_SOFT);
	CU_ASSERT_EQUAL(fence_judge(f, o).mode, PURGE_HARD);
	CU_ASSERT_EQUAL(judge_new(f, URL, "red", 1).mode, PURGE_HARD);
	CU_ASSERT_EQUAL(judge_new(f, "http://x/", "red", 1).mode, PURGE_INVALID);
	object_unref(&o);
	/* One number for many scopes; none is a number, too. */
	struct scope both[] = { url, tag };
	uint64_t number = fence_raise(f, both, 2, act_of(PURGE_HARD, 0), NULL, NULL);
	CU_ASSERT(!stands_new(f, URL, "", number - 1));
	CU_ASSERT(!stands_new(f, "http://x/", "red", number - 1));
	CU_ASSERT_EQUAL(fence_raise(f, NULL, 0, act_of(PURGE_SOFT, 0), NULL, NULL), number + 1);
	CU_ASSERT(stands_new(f, URL, "red", number));
	fence_free(&f);
}

/* What is older than the number that holds waits for nothing. */
static void test_numbers(void)
{
	struct fence *f = fence_new(100);
	CU_ASSERT_EQUAL(fence_number(f, SL(URL)), 0);
	uint64_t number = raise_one(f, scope_prefix(SLICE_NONE, SL("/a")), PURGE_SOFT);
	CU_ASSERT_EQUAL(fence_number(f, SL(URL)), number);
	CU_ASSERT_EQUAL(fence_number(f, SL("http://shop.example/b")), 0);
	raise_one(f, scope_tag(7), PURGE_HARD);
	CU_ASSERT_EQUAL(fence_number(f, SL(URL)), number);
	number = raise_one(f, scope_all(), PURGE_SOFT);
	CU_ASSERT_EQUAL(fence_number(f, SL("http://shop.example/b")), number);
	/* Lifting overtakes nothing, and only lifts. */
	fence_lift(f, 5000);
	fence_lift(f, 50);
	CU_ASSERT_EQUAL(fence_now(f), 5000);
	CU_ASSERT(stands_new(f, URL, "", number));
	/* A number of before is in force for what is older than that, and takes nothing back. */
	fence_put(f, scope_url(SL(URL)), act_of(PURGE_HARD, 0), 4000);
	fence_put(f, scope_url(SL(URL)), act_of(PURGE_HARD, 0), 3000);
	CU_ASSERT_EQUAL(judge_new(f, URL, "", 3999).mode, PURGE_HARD);
	CU_ASSERT(stands_new(f, URL, "", 4000));
	CU_ASSERT_EQUAL(fence_now(f), 5000);
	fence_free(&f);
}

struct then {
	struct fence *fence;
	uint64_t number, held; /* the one that comes, and what held for the URL meanwhile */
};

static void note_then(void *arg, uint64_t number)
{
	struct then *then = arg;
	then->number = number;
	then->held = fence_number(then->fence, SL(URL));
}

/* While a number is written, it does not hold: who asks meanwhile waits with the others. */
static void test_then(void)
{
	struct fence *f = fence_new(1);
	struct then then = { .fence = f };
	struct scope scopes[] = { scope_all(), scope_url(SL(URL)) };
	for (size_t i = 0; i < COUNT_OF(scopes); i++) {
		uint64_t before = fence_number(f, SL(URL));
		uint64_t number = fence_raise(
		    f, &scopes[i], 1, act_of(PURGE_SOFT, 0), note_then, &then);
		CU_ASSERT_EQUAL(then.number, number);
		CU_ASSERT(then.held < number && then.held >= before);
		CU_ASSERT_EQUAL(fence_number(f, SL(URL)), number);
	}
	fence_free(&f);
}

/* ---- what is remembered ---- */

/* As long as nothing newer comes, what was found is not looked for again. */
static void test_memory(void)
{
	struct fence *f = fence_new(1);
	struct object *o = answer(URL, "red", 1), *fallen = answer(URL, "red", 1);
	raise_one(f, scope_tag(1), PURGE_HARD);
	CU_ASSERT(fence_judge(f, o).stands);
	CU_ASSERT_EQUAL(o->checked, fence_now(f));
	/* Had it looked at the scopes, it would have fallen: this number came from nowhere. */
	struct scope tag = scope_tag(scope_tag_id(SL("red")));
	lock_take(&f->raising);
	put_locked(f, tag, act_of(PURGE_HARD, 0), fence_now(f));
	lock_drop(&f->raising);
	CU_ASSERT(fence_judge(f, o).stands);
	CU_ASSERT_EQUAL(fence_judge(f, fallen).mode, PURGE_HARD);
	/* What fell stays so, when the table has long forgotten why. */
	memset(&f->sets, 0, sizeof(f->sets));
	raise_one(f, scope_tag(1), PURGE_SOFT);
	CU_ASSERT_EQUAL(fence_judge(f, fallen).mode, PURGE_HARD);
	CU_ASSERT(fence_judge(f, o).stands);
	object_unref(&o);
	object_unref(&fallen);
	fence_free(&f);
}

/* ---- a table that is full ---- */

/* Tags of one set. */
static struct scope crowded(uint64_t n)
{
	return scope_tag(5 + (n + 1) * SETS);
}

static void test_overflow(void)
{
	struct fence *f = fence_new(1);
	uint64_t numbers[20];
	/* Eight are exact, as often as they come. */
	for (uint64_t n = 0; n < 3 * CELLS; n++)
		numbers[n % CELLS] = raise_one(f, crowded(n % CELLS), PURGE_SOFT);
	struct object *other = numbered(crowded(19).id, 1), *o;
	CU_ASSERT(fence_judge(f, other).stands);
	/* A ninth puts out the oldest. */
	numbers[8] = raise_one(f, crowded(8), PURGE_SOFT);
	o = numbered(crowded(0).id, numbers[0] - 1);
	struct fence_ruling ruling = fence_judge(f, o);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_INVALID && ruling.is_unsure);
	/* It is not remembered: the disk may say more. */
	CU_ASSERT(o->checked == 0 && o->fallen == 0);
	object_unref(&o);
	for (uint64_t n = 1; n < 9; n++) {
		o = numbered(crowded(n).id, numbers[0]);
		ruling = fence_judge(f, o);
		CU_ASSERT(!ruling.stands && ruling.mode == PURGE_SOFT && !ruling.is_unsure);
		object_unref(&o);
	}
	/* Who was looked at before it went out, or came after it, is sure; who is older, is not. */
	CU_ASSERT(fence_judge(f, other).stands);
	object_unref(&other);
	other = numbered(crowded(19).id, numbers[0]);
	CU_ASSERT(fence_judge(f, other).stands);
	object_unref(&other);
	other = numbered(crowded(19).id, numbers[0] - 1);
	CU_ASSERT(fence_judge(f, other).is_unsure);
	object_unref(&other);
	/* Not being sure hides nothing that is known to be stronger. */
	raise_one(f, scope_url(SL(URL)), PURGE_HARD);
	other = numbered(crowded(19).id, 1);
	ruling = fence_judge(f, other);
	CU_ASSERT(ruling.mode == PURGE_HARD && !ruling.is_unsure);
	object_unref(&other);
	fence_free(&f);
}

/* As many as a site changes at once: all are known, and hardly anybody else notices. */
static void test_many(void)
{
	enum { RAISED = 10000, ASKED = 10000 };
	struct fence *f = fence_new(1);
	for (uint64_t n = 0; n < RAISED; n++)
		raise_one(f, scope_tag(sample_hash(n).lo), PURGE_HARD);
	unsigned missed = 0, disturbed = 0;
	for (uint64_t n = 0; n < RAISED + ASKED; n++) {
		struct object *o = numbered(sample_hash(n).lo, 1);
		bool stands = fence_judge(f, o).stands;
		missed += n < RAISED && stands;
		disturbed += n >= RAISED && !stands;
		object_unref(&o);
	}
	CU_ASSERT_EQUAL(missed, 0);
	CU_ASSERT(disturbed < ASKED / 1000);
	fence_free(&f);
}

/* ---- the disk is asked ---- */

/* What is on disk of tags: by the last digits of their numbers. */
struct disk {
	struct purge_mark marks[32], all;
	unsigned asked;
	bool fails;
};

static bool recall_mark(void *arg, struct scope scope, struct purge_mark *ret_mark)
{
	struct disk *d = arg;
	d->asked++;
	if (d->fails)
		return false;
	*ret_mark = scope.kind == SCOPE_ALL ? d->all
	    : scope.kind == SCOPE_TAG       ? d->marks[scope.id / SETS % 32]
					    : (struct purge_mark){ 0 };
	return true;
}

static void test_recall(void)
{
	role_worker();
	struct fence *f = fence_new(1);
	struct disk disk = { 0 };
	/* This life begins at 1000: what is older, only the disk knows. */
	fence_lift(f, 1000);
	fence_begin(f, 1000);
	disk.marks[3] = (struct purge_mark){ { 500, 0, 400 }, { 77 } };
	struct object *o = numbered(crowded(2).id, 300);
	struct fence_ruling ruling = fence_judge(f, o);
	CU_ASSERT(!ruling.stands && ruling.is_unsure && ruling.mode == PURGE_INVALID);
	ruling = fence_recall(f, o, recall_mark, &disk, 1000);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_HARD && !ruling.is_unsure);
	/* It is remembered: nobody asks again. */
	unsigned asked = disk.asked;
	CU_ASSERT_EQUAL(fence_judge(f, o).mode, PURGE_HARD);
	object_unref(&o);
	o = numbered(crowded(2).id, 450);
	ruling = fence_recall(f, o, recall_mark, &disk, 1000);
	CU_ASSERT(ruling.mode == PURGE_SOFT && ruling.soft_at.ms == 77);
	ruling = fence_judge(f, o);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_SOFT && ruling.soft_at.ms == 77);
	object_unref(&o);
	o = numbered(crowded(2).id, 500);
	CU_ASSERT(fence_recall(f, o, recall_mark, &disk, 1000).stands);
	CU_ASSERT(disk.asked > asked);
	asked = disk.asked;
	CU_ASSERT(fence_judge(f, o).stands);
	CU_ASSERT_EQUAL(disk.asked, asked);
	object_unref(&o);
	/* Everything. */
	disk.all.numbers[PURGE_HARD] = 700;
	o = numbered(crowded(2).id, 699);
	CU_ASSERT_EQUAL(fence_recall(f, o, recall_mark, &disk, 1000).mode, PURGE_HARD);
	object_unref(&o);
	fence_free(&f);
}

/* A disk that cannot be asked, or does not have all yet, says nothing. */
static void test_recall_fails(void)
{
	role_worker();
	struct fence *f = fence_new(1);
	struct disk disk = { .fails = true };
	fence_lift(f, 1000);
	fence_begin(f, 1000);
	struct object *o = numbered(crowded(2).id, 300);
	struct fence_ruling ruling = fence_recall(f, o, recall_mark, &disk, 1000);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_INVALID && ruling.is_unsure);
	/* Nor does it stand now that it is in RAM, though the table has nothing against it. */
	CU_ASSERT(fence_judge(f, o).is_unsure);
	disk.fails = false;
	CU_ASSERT(fence_recall(f, o, recall_mark, &disk, 1000).stands);
	CU_ASSERT(fence_judge(f, o).stands);
	object_unref(&o);
	/* One more than fit: its number is put out, and is not on disk yet. */
	uint64_t first = raise_one(f, crowded(0), PURGE_HARD);
	for (uint64_t n = 1; n < CELLS + 1; n++)
		raise_one(f, crowded(n), PURGE_HARD);
	o = numbered(crowded(0).id, 1000);
	CU_ASSERT(fence_recall(f, o, recall_mark, &disk, first - 1).is_unsure);
	disk.marks[1].numbers[PURGE_HARD] = first;
	ruling = fence_recall(f, o, recall_mark, &disk, first);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_HARD && !ruling.is_unsure);
	object_unref(&o);
	fence_free(&f);
}

/* ---- patterns ---- */

struct pattern_test {
	const char *tag;
	unsigned *asked;
};

static bool has_tag(const void *what, const struct object *o)
{
	const struct pattern_test *t = what;
	++*t->asked;
	return slice_find_slice(object_tags(o), slice_str(t->tag)) < object_tags(o).len;
}

static void test_patterns(void)
{
	role_worker();
	struct fence *f = fence_new(1);
	unsigned count = 0;
	struct pattern_test red = { "red", &count };
	struct fence_pattern p = { act_of(PURGE_SOFT, 300), has_tag, &red, 0 };
	struct object *o = answer(URL, "darkred", 1), *blue = answer(URL, "blue", 1);
	struct then then = { .fence = f };
	CU_ASSERT(fence_judge(f, o).stands);
	CU_ASSERT(fence_add(f, &p, note_then, &then));
	CU_ASSERT(p.number == 2 && then.number == 2 && then.held < 2 && fence_now(f) == 2);
	struct fence_ruling ruling = fence_judge(f, o);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_SOFT && ruling.soft_at.ms == 300);
	CU_ASSERT(fence_judge(f, blue).stands);
	CU_ASSERT(stands_new(f, URL, "red", 2));
	CU_ASSERT_EQUAL(fence_number(f, SL("http://any/")), 2);
	/* Each is asked once, whatever comes. */
	unsigned asked = count;
	for (int i = 0; i < 3; i++) {
		raise_one(f, scope_tag(1), PURGE_HARD);
		CU_ASSERT_EQUAL(fence_judge(f, o).mode, PURGE_SOFT);
		CU_ASSERT(fence_judge(f, blue).stands);
	}
	CU_ASSERT_EQUAL(count, asked);
	/* Retired: it is asked no more; whom it never asked has to be validated. */
	struct object *late = answer(URL, "blue", 1), *stored = answer(URL, "blue", 1);
	fence_retire(f, p.number);
	ruling = fence_judge(f, late);
	CU_ASSERT(!ruling.stands && ruling.mode == PURGE_INVALID && !ruling.is_unsure);
	CU_ASSERT(fence_judge(f, blue).stands);
	CU_ASSERT(stands_new(f, URL, "red", 2));
	CU_ASSERT_EQUAL(count, asked);
	/* On disk is nothing that it did not ask, or that was not gone through. */
	struct disk disk = { 0 };
	CU_ASSERT(fence_recall(f, stored, recall_mark, &disk, fence_now(f)).stands);
	object_unref(&late);
	object_unref(&stored);
	object_unref(&o);
	object_unref(&blue);
	fence_free(&f);
}

/* A pattern says nothing about what was asked for after it, when another one comes. */
static void test_two_patterns(void)
{
	struct fence *f = fence_new(1);
	unsigned count = 0;
	struct pattern_test red = { "red", &count }, blue = { "blue", &count };
	struct fence_pattern p = { act_of(PURGE_HARD, 0), has_tag, &red, 0 }, q = p;
	q.what = &blue;
	CU_ASSERT(fence_add(f, &p, NULL, NULL));
	uint64_t between = fence_now(f);
	CU_ASSERT(fence_add(f, &q, NULL, NULL));
	CU_ASSERT(stands_new(f, URL, "red", between));
	CU_ASSERT(!stands_new(f, URL, "red", between - 1));
	CU_ASSERT(!stands_new(f, URL, "blue", between));
	fence_free(&f);
}

static void test_many_patterns(void)
{
	struct fence *f = fence_new(1000);
	unsigned count = 0;
	struct pattern_test red = { "red", &count };
	struct fence_pattern p = { act_of(PURGE_HARD, 0), has_tag, &red, 500 };
	/* Of a former life: in force for what is older, and no new number. */
	CU_ASSERT(fence_readd(f, &p));
	CU_ASSERT_EQUAL(fence_now(f), 1000);
	CU_ASSERT_EQUAL(judge_new(f, URL, "red", 499).mode, PURGE_HARD);
	CU_ASSERT(stands_new(f, URL, "red", 500));
	for (int i = 1; i < FENCE_PATTERNS; i++)
		CU_ASSERT(fence_add(f, &p, NULL, NULL));
	uint64_t now = fence_now(f);
	struct then then = { .fence = f };
	CU_ASSERT(!fence_add(f, &p, note_then, &then));
	CU_ASSERT(!fence_readd(f, &p));
	CU_ASSERT(then.number == 0 && fence_now(f) == now);
	/* A place for each that goes; the others stay in force. */
	fence_retire(f, 500);
	CU_ASSERT_EQUAL(judge_new(f, URL, "red", 1000).mode, PURGE_HARD);
	CU_ASSERT(fence_add(f, &p, NULL, NULL));
	fence_free(&f);
}

/* ---- the life that is left ---- */

static void test_life(void)
{
	const struct life life = { .fresh_until = { 10000 },
		.swr_until = { 13000 },
		.sie_until = { 60000 },
		.keep_until = { 90000 },
		.immutable = true };
	struct fence_ruling soft = { .mode = PURGE_SOFT, .soft_at = { 4000 } };
	struct life l = fence_life(life, &soft);
	CU_ASSERT(l.fresh_until.ms == 4000 && l.swr_until.ms == 7000 && l.sie_until.ms == 54000);
	CU_ASSERT(l.keep_until.ms == 90000 && !l.immutable && !l.no_cache && !l.must_revalidate);
	/* A loop's clock may be a moment behind the purge's. */
	CU_ASSERT(!life_is_fresh(&l, (struct wall){ 3999 }));
	CU_ASSERT(life_is_fresh(&life, (struct wall){ 3999 }));
	/* It was stale before: nothing is longer than it was. */
	soft.soft_at.ms = 11000;
	l = fence_life(life, &soft);
	CU_ASSERT(l.fresh_until.ms == 10000 && l.swr_until.ms == 13000 && l.sie_until.ms == 60000);
	CU_ASSERT(!l.immutable);
	struct life endless = life;
	endless.fresh_until = endless.swr_until = endless.sie_until = WALL_FOREVER;
	soft.soft_at.ms = 4000;
	l = fence_life(endless, &soft);
	CU_ASSERT(l.fresh_until.ms == 4000 && l.swr_until.ms == WALL_FOREVER.ms);
	for (enum purge_mode mode = PURGE_INVALID; mode <= PURGE_HARD; mode++) {
		l = fence_life(life, &(struct fence_ruling){ .mode = mode });
		CU_ASSERT(l.no_cache && l.must_revalidate && !l.immutable);
	}
	l = fence_life(life, &(struct fence_ruling){ .stands = true });
	CU_ASSERT(l.immutable && l.fresh_until.ms == 10000);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "kinds of scopes, modes", test_kinds },
		{ "the strongest counts", test_strongest },
		{ "numbers", test_numbers },
		{ "told before it holds", test_then },
		{ "what is remembered", test_memory },
		{ "nine in a set of eight", test_overflow },
		{ "many scopes", test_many },
		{ "the disk is asked", test_recall },
		{ "the disk cannot tell", test_recall_fails },
		{ "patterns", test_patterns },
		{ "two patterns", test_two_patterns },
		{ "as many patterns as there may be", test_many_patterns },
		{ "the life that is left", test_life },
		CU_TEST_INFO_NULL,
	};
	return run_tests("cache/fence", tests);
}
