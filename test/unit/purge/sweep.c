/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeps, after which a pattern may go: what it was for stays purged, and nothing else is. */
#include "test/unit/purge/surveys.h"

struct sweeping {
	struct order *order;
	struct fence_pattern pattern;
	struct asking asking;
};

static bool matches(const void *what, const struct object *o)
{
	return order_matches(what, o);
}

static void add_pattern(struct sweeping *w, const char *json)
{
	*w = (struct sweeping){ .order = order_of(json) };
	struct wall at = wall_add(wall_now(), -5000);
	w->pattern = (struct fence_pattern){ { w->order->mode, at }, matches, w->order, 0 };
	struct cache_purge p = {
		.act = w->pattern.act, .text = slice_str(json), .pattern = &w->pattern
	};
	uint64_t number;
	CU_ASSERT_EQUAL_FATAL(cache_purge(&cache, &p, &number), ERR_NONE);
	CU_ASSERT_EQUAL(number, w->pattern.number);
}

static void sweep(struct sweeping *w)
{
	w->asking.survey.sweeps = true;
	w->asking.survey.at = w->pattern.act.at;
	ask(&w->asking, w->order, w->pattern.number);
}

/* What a sweep put down is on disk when a pattern is retired: the table may have lost it by
 * then. */
static void on_retired(UNUSED void *arg, enum err err, UNUSED uint64_t number, UNUSED uint64_t seq)
{
	CU_ASSERT_EQUAL(err, ERR_NONE);
	CU_ASSERT(!cache.cold || cold_note_depth(cache.cold) <= 1); /* its own */
	told++;
}

static void retire(struct sweeping *w)
{
	CU_ASSERT_EQUAL(w->asking.survey.err, ERR_NONE);
	told = 0;
	cache_begin_retirement(
	    &cache, &(struct cache_retirement){ w->pattern.number, on_retired, NULL });
	while (!told)
		usleep(500);
	cache_retire(&cache, w->pattern.number);
	survey_fini(&w->asking.survey);
	order_unref(&w->order);
}

/* Puts down, sweeps and retires a pattern; returns how many it was for. */
static uint64_t sweep_out(const char *json)
{
	struct sweeping w;
	add_pattern(&w, json);
	sweep(&w);
	uint64_t objects = w.asking.survey.objects;
	retire(&w);
	return objects;
}

/* What a load from disk gives. Waits until nothing that shares its place in the table of what is
 * being removed is: what was purged hard is, once it was loaded. own: a ref, or NULL. */
static struct object *loaded(unsigned n)
{
	char text[64];
	snprintf(text, sizeof(text), "%s", url_of(n));
	while (!cold_is_forgotten(cache.cold, key_at(text).hash))
		usleep(500);
	return load_key(cache.cold, key_at(text));
}

static struct fence_ruling judged(unsigned n)
{
	char text[64];
	snprintf(text, sizeof(text), "%s", url_of(n));
	struct object *o = hot_peek(cache.hot, key_at(text).hash);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	struct fence_ruling ruling = fence_judge(cache.fence, o);
	object_unref(&o);
	return ruling;
}

/* ---- sweeping ---- */

static void test_sweep_ram(void)
{
	begin(RAM);
	put_many(100, RAM);
	struct object *late = answer(url_of(107), "", 10);
	CU_ASSERT_EQUAL(sweep_out(SEVENS_SOFT), 10);
	for (unsigned i = 0; i < 100; i++) {
		struct fence_ruling r = judged(i);
		CU_ASSERT_EQUAL(r.stands, i % 10 != 7);
		CU_ASSERT(r.stands || r.mode == PURGE_SOFT);
	}
	/* What was on its way all the time is not taken for fresh. */
	put(late, RAM);
	CU_ASSERT(!judged(107).stands);
	put(answer(url_of(117), "", 10), RAM);
	CU_ASSERT(judged(117).stands);
	CU_ASSERT_EQUAL(sweep_out(SEVENS), 12);
	CU_ASSERT_EQUAL(meter_read(&hot_meters(cache.hot)->objects), 90);
	end_all();
}

/* How many of 0 to count - 1 are not what they should be: all there, but for those with a 7. */
static unsigned count_wrong(unsigned count)
{
	unsigned wrong = 0;
	for (unsigned i = 0; i < count; i++) {
		struct object *o = loaded(i);
		wrong += !o != (i % 10 == 7);
		object_unref(&o);
	}
	return wrong;
}

static void test_sweep_disk(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(200, RAM | DISK);
	put_many(300, DISK);
	CU_ASSERT_EQUAL(sweep_out(SEVENS), 30);
	CU_ASSERT_EQUAL(count_wrong(300), 0);
	/* What came since stays, and what is put down is not more than there was. */
	put(answer(url_of(7), "", 1), DISK);
	settle(cache.cold);
	struct object *o = loaded(7);
	CU_ASSERT_PTR_NOT_NULL(o);
	object_unref(&o);
	cold_forget(cache.cold, key_at(url_of(7)).hash);
	restart();
	CU_ASSERT_EQUAL(count_wrong(300), 0);
	CU_ASSERT_EQUAL(previewed(ALL), 270);
	end_all();
}

/* When it is purged softly it ages from the purge on, not from when that was swept. */
static void test_sweep_softly(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(20, DISK);
	struct sweeping w;
	add_pattern(&w, SEVENS_SOFT);
	sweep(&w);
	struct wall at = w.pattern.act.at;
	retire(&w);
	for (int life = 0; life < 2; life++) {
		struct object *o = loaded(17);
		CU_ASSERT_PTR_NOT_NULL_FATAL(o);
		struct fence_ruling r = fence_judge(cache.fence, o);
		CU_ASSERT(!r.stands && r.mode == PURGE_SOFT);
		CU_ASSERT_EQUAL(r.soft_at.ms, at.ms);
		object_unref(&o);
		restart();
	}
	end_all();
}

/* A newer purge of the same URL, of the same mode, is not undone by an older one. */
static void test_sweep_behind(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(10, DISK);
	struct sweeping w;
	add_pattern(&w, SEVENS);
	put_page("http://shop.example/p/7", DISK);
	settle(cache.cold);
	purge("{\"files\":[\"http://shop.example/p/7\"]}");
	sweep(&w);
	retire(&w);
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/7\"]}"), 0);
	restart();
	CU_ASSERT_EQUAL(previewed("{\"files\":[\"http://shop.example/p/7\"]}"), 0);
	end_all();
}

/* What the writer has in hands while the pattern comes, and is swept, does not slip through. */
static void test_sweep_while_writing(void)
{
	unsigned rounds = is_slow() ? 3 : 20, wrong = 0;
	for (unsigned round = 0; round < rounds; round++) {
		fresh_dir();
		begin(RAM | DISK);
		for (unsigned i = 0; i < 400; i++) {
			put(answer(url_of(i), "", 10), DISK);
			if (i == 100 + 10 * round)
				usleep(100 * round);
		}
		sweep_out(SEVENS);
		settle(cache.cold);
		wrong += count_wrong(400);
		end_all();
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* A store that cannot be opened: nothing is swept, and nobody has to wait for it. */
static void test_no_disk(void)
{
	struct sweeping w;
	struct mono began = mono_now();
	fresh_dir();
	char path[sizeof(dir)];
	memcpy(path, dir, sizeof(path));
	snprintf(dir, sizeof(dir), "%s", "/proc/larder-nowhere");
	begin(RAM | DISK);
	memcpy(dir, path, sizeof(path));
	put_many(10, RAM);
	add_pattern(&w, SEVENS);
	sweep(&w);
	CU_ASSERT_EQUAL(w.asking.survey.err, ERR_STORE_IO);
	survey_fini(&w.asking.survey);
	/* The pattern holds. */
	CU_ASSERT(!judged(7).stands);
	CU_ASSERT_EQUAL(counted(THIRD, UINT64_MAX).err, ERR_STORE_IO);
	end_all();
	order_unref(&w.order);
	CU_ASSERT(mono_ms_since(began, mono_now()) < 5000);
}

/* All of many: more than are written in one go. */
static void test_many_on_disk(void)
{
	enum { MANY = 3000 };
	fresh_dir();
	begin(RAM | DISK);
	for (unsigned n = 0; n < MANY; n++)
		put(answer(url_of(n), "all", 10), DISK);
	settle(cache.cold);
	CU_ASSERT_EQUAL(sweep_out("{\"regex\":\"/p/\",\"mode\":\"hard\"}"), MANY);
	for (unsigned n = 0; n < MANY; n++) {
		struct purge_mark mark;
		role_worker();
		CU_ASSERT_TRUE(cold_recall(cache.cold, scope_url(slice_str(url_of(n))), &mark));
		CU_ASSERT(mark.numbers[PURGE_HARD] > 0);
	}
	end_all();
}

/* A preview counts what is on disk alone after a pattern was retired, too. */
static void test_preview_after(void)
{
	fresh_dir();
	begin(RAM | DISK);
	put_many(300, DISK);
	CU_ASSERT_EQUAL(previewed(THIRD), 100);
	CU_ASSERT_EQUAL(sweep_out("{\"regex\":\"nothing\",\"mode\":\"hard\"}"), 0);
	CU_ASSERT_EQUAL(previewed(THIRD), 100);
	end_all();
}

/* The disk is ill: the pattern may not be retired, but what is in RAM is counted, and can be
 * refreshed. */
static void test_an_ill_disk(void)
{
	struct sweeping w;
	char path[sizeof(dir)];
	memcpy(path, dir, sizeof(path));
	snprintf(dir, sizeof(dir), "/proc/larder-nowhere");
	begin(RAM | DISK);
	memcpy(dir, path, sizeof(path));
	put_many(30, RAM);
	add_pattern(&w, SEVENS);
	w.asking.survey.hottest = 10;
	sweep(&w);
	CU_ASSERT_EQUAL(w.asking.survey.err, ERR_STORE_IO);
	CU_ASSERT_EQUAL(w.asking.survey.objects, 3);
	CU_ASSERT_EQUAL(w.asking.survey.item_count, 3);
	survey_fini(&w.asking.survey);
	order_unref(&w.order);
	end_all();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "sweep ram", test_sweep_ram },
		{ "sweep disk", test_sweep_disk },
		{ "sweep softly", test_sweep_softly },
		{ "sweep behind", test_sweep_behind },
		{ "sweep while writing", test_sweep_while_writing },
		{ "no disk", test_no_disk },
		{ "many on disk", test_many_on_disk },
		{ "a preview after", test_preview_after },
		{ "an ill disk", test_an_ill_disk },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("sweep", tests);
}
