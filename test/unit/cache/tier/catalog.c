/* SPDX-License-Identifier: Apache-2.0 */
/* What is on disk, looked up and walked: every record once, filters, what does not count. */
#include "cache/tier/catalog.c"

#include "test/unit/cache/tier/stores.h"

static void test_keys(void)
{
	static const struct {
		const char *host, *prefix, *key;
		bool fits;
	} rows[] = {
		{ "", "", "http://a/x", true },
		{ "a", "", "http://a/x", true },
		{ "A", "", "http://a/x", true },
		{ "a", "", "http://a:8080/x", true },
		{ "a:8080", "", "http://a:8080/x", true },
		{ "a:80", "", "http://a:8080/x", false },
		{ "a", "", "http://ab/x", false },
		{ "a", "", "http://b/a", false },
		{ "", "/x", "http://a/xy", true },
		{ "", "/y", "http://a/xy", false },
		{ "", "http://a/x", "http://a/xy", true },
		{ "", "https://a/x", "http://a/xy", false },
		{ "", "/x\n", "http://a/x\n:de\n", false },
		{ "a", "/x", "http://a/x\n:de\n", true },
		{ "a", "", "no url", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct key_filter filter = { slice_str(rows[i].host), slice_str(rows[i].prefix) };
		CU_ASSERT_EQUAL(key_fits(&filter, slice_str(rows[i].key)), rows[i].fits);
	}
	CU_ASSERT(slice_eq(key_url(SL("http://a/x\n:de\n")), SL("http://a/x")));
}

struct look {
	struct catalog catalog;
	struct mail start;
	struct cold *cold;
	bool (*begin)(struct cold *, struct catalog *);
	sem_t done;
	bool is_begun;
};

static void on_look_done(struct catalog *c)
{
	sem_post(&CONTAINER_OF(c, struct look, catalog)->done);
}

static void on_look_start(struct mail *m)
{
	role_loop();
	struct look *l = CONTAINER_OF(m, struct look, start);
	l->is_begun = l->begin(l->cold, &l->catalog);
	if (!l->is_begun)
		sem_post(&l->done);
}

static void look(struct look *l)
{
	sem_init(&l->done, 0, 0);
	l->catalog.home = &home;
	l->catalog.done = on_look_done;
	mail_init(&l->start, on_look_start);
	mail_post(&home, &l->start);
	while (sem_wait(&l->done) != 0)
		;
	sem_destroy(&l->done);
}

/* Walks in parts; returns how many of the samples 0..count-1 came exactly once. */
static unsigned walk_all(struct cold *c, size_t limit, struct key_filter filter, unsigned count)
{
	unsigned seen[1000] = { 0 }, once = 0, parts = 0;
	struct look l = { .cold = c, .begin = catalog_walk };
	l.catalog.limit = limit;
	l.catalog.filter = filter;
	do {
		look(&l);
		CU_ASSERT_FATAL(l.is_begun && l.catalog.err == ERR_NONE && parts++ < 2000);
		for (size_t i = 0; i < l.catalog.count; i++) {
			unsigned n;
			char text[64];
			snprintf(
			    text, sizeof(text), "%.*s", SLICE_ARG(l.catalog.items[i].object->key));
			CU_ASSERT_FATAL(
			    sscanf(text, "http://sample.example/%u", &n) == 1 && n < 1000);
			CU_ASSERT_EQUAL(l.catalog.items[i].body_bytes, n);
			seen[n]++;
		}
		catalog_fini(&l.catalog);
	} while (!l.catalog.is_over);
	for (unsigned n = 0; n < count; n++)
		once += seen[n] == 1;
	return once;
}

/* The store, as a look got it. */
static struct store *store_of(struct cold *c)
{
	struct look l = { .cold = c, .begin = catalog_walk };
	look(&l);
	catalog_fini(&l.catalog);
	return l.catalog.store;
}

static void test_walk(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	struct key_filter all = { SLICE_NONE, SLICE_NONE };
	CU_ASSERT_EQUAL(walk_all(c, 10, all, 10), 0);
	for (uint64_t n = 0; n < 500; n++)
		store_sample(c, n, n);
	settle(c);
	CU_ASSERT_EQUAL(walk_all(c, 1, all, 500), 500);
	CU_ASSERT_EQUAL(walk_all(c, 7, all, 500), 500);
	CU_ASSERT_EQUAL(walk_all(c, 1000, all, 500), 500);
	CU_ASSERT_EQUAL(walk_all(c, 10, (struct key_filter){ SLICE_NONE, SL("/4") }, 500), 111);
	CU_ASSERT_EQUAL(walk_all(c, 10, (struct key_filter){ SL("other"), SLICE_NONE }, 500), 0);
	/* What was forgotten is not there, and not what is being forgotten, its record still on
	 * disk. */
	for (uint64_t n = 0; n < 100; n++)
		cold_forget(c, sample_hash(n));
	while (meter_read(&cold_meters(c)->forgotten) < 100)
		usleep(500);
	CU_ASSERT_EQUAL(walk_all(c, 1000, all, 100), 0);
	CU_ASSERT_EQUAL(walk_all(c, 1000, all, 500), 400);
	struct store *s = store_of(c);
	forgets_begin(&s->forgets, sample_hash(200));
	CU_ASSERT_EQUAL(walk_all(c, 1000, all, 500), 399);
	forgets_end(&s->forgets, sample_hash(200));
	CU_ASSERT_EQUAL(walk_all(c, 1000, all, 500), 400);
	cold_close(&c);
}

static void store_marker(struct cold *c, uint64_t n, uint32_t variants)
{
	char text[48];
	struct object *o = object_new(
	    OBJECT_VARY, sample_key(n, text), (struct object_texts){ .spec = SL("foo") }, variants);
	for (uint32_t i = 0; i < variants; i++)
		o->variants[i] = sample_hash(n + 1 + i);
	CU_ASSERT(cold_store(c, o, true));
	object_unref(&o);
}

static void test_find(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	store_marker(c, 10, 3);
	for (uint64_t n = 11; n < 14; n++)
		store_sample(c, n, n);
	settle(c);
	/* A variant that is asked for, too, comes once; one that is nowhere does not come. */
	struct hash128 hashes[] = { sample_hash(10), sample_hash(12), sample_hash(99) };
	struct look l = { .cold = c, .begin = catalog_find };
	l.catalog.hashes = hashes;
	l.catalog.hash_count = COUNT_OF(hashes);
	look(&l);
	CU_ASSERT_EQUAL_FATAL(l.catalog.count, 4);
	unsigned found = 0;
	for (size_t i = 0; i < l.catalog.count; i++)
		for (uint64_t n = 10; n < 14; n++)
			if (hash128_eq(l.catalog.items[i].object->hash, sample_hash(n)))
				found |= 1U << (n - 10);
	CU_ASSERT_EQUAL(found, 15);
	catalog_fini(&l.catalog);
	cold_close(&c);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "keys", test_keys },
		{ "walk", test_walk },
		{ "find", test_find },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("cache/tier/catalog", tests);
}
