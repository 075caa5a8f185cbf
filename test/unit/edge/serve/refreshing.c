/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/refreshing.c"

#include "test/unit/edge/http/kit.h"

enum { SENT_MAX = 20000, WORKERS = 3 };

/* What went out, in its order; the test answers for the workers. */
static struct refresher *sent[SENT_MAX];
static size_t sent_count;

void refresher_send(struct refresher *r)
{
	sent[sent_count++] = r;
}

/* The log: what it was told last, of each of the first purges. */
enum { PURGES = 4 };
struct seen {
	uint64_t queued, done, failed;
	unsigned calls;
};
static struct seen seen[PURGES];
static purge_refresh_f *refresh;
static void *refresh_arg;

void purge_log_set_refresh(UNUSED struct purge_log *log, purge_refresh_f *f, void *arg)
{
	refresh = f;
	refresh_arg = arg;
}

void purge_refreshed(
    UNUSED struct purge_log *log, uint64_t seq, uint64_t queued, uint64_t done, uint64_t failed)
{
	seen[seq] = (struct seen){ queued, done, failed, seen[seq].calls + 1 };
}

uint64_t purge_number(UNUSED struct purge_log *log, uint64_t seq)
{
	return seq + 100;
}

static struct loop home;
static struct worker workers[WORKERS];

static struct refreshing *begin(void) ON_LOOP
{
	sent_count = 0;
	memset(seen, 0, sizeof(seen));
	CU_ASSERT_EQUAL_FATAL(loop_init(&home, "test", 0, NULL), ERR_NONE);
	struct refreshing *r = refreshing_new(&home, NULL, WORKERS);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	for (unsigned i = 0; i < WORKERS; i++)
		refreshing_add(r, &workers[i]);
	return r;
}

static void end(struct refreshing *r) ON_LOOP
{
	refreshing_free(&r);
	loop_fini(&home);
}

/* URLs "u0", "u1", ...: texts that are gone when they were given. */
static size_t add(struct refreshing *r, size_t count, uint64_t rate, uint64_t seq) ON_LOOP
{
	struct refresh_item *items = calloc(count, sizeof(*items));
	char(*urls)[16] = calloc(count, sizeof(*urls));
	for (size_t i = 0; i < count; i++) {
		snprintf(urls[i], sizeof(urls[i]), "u%zu", i);
		items[i] = (struct refresh_item){ slice_str(urls[i]), SL("foo"), SL(":1\n") };
	}
	size_t taken = refreshing_begin(r,
	    &(struct refresh_spec){
		.items = items,
		.count = count,
		.rate = rate,
		.seq = seq,
		.number = seq + 100,
	    });
	free(items);
	free(urls);
	return taken;
}

static void tick(struct refreshing *r, int64_t ms) ON_LOOP
{
	home.now.us += ms * 1000;
	on_tick(home.ev, &r->tick, 0);
}

/* The workers answer all that is out from `from` on. */
static void answer(size_t from, size_t to, enum refresh_outcome outcome) ON_LOOP
{
	for (size_t i = from; i < to; i++) {
		sent[i]->outcome = outcome;
		sent[i]->done(sent[i]);
	}
}

static void test_rate(void)
{
	role_loop();
	struct refreshing *r = begin();
	CU_ASSERT_EQUAL(add(r, 200, 100, 1), 200);
	size_t answered = 0;
	int64_t ms = 0;
	for (; seen[1].done < 200 && ms < 10000; ms += TICK_MS) {
		tick(r, TICK_MS);
		size_t out = sent_count;
		for (size_t i = answered; i < out; i++) {
			char url[16];
			snprintf(url, sizeof(url), "u%zu", i);
			CHECK_SLICE("hottest first", sent[i]->item.url, url);
			CHECK_SLICE("whole", sent[i]->item.values, ":1\n");
			CHECK("in turn", sent[i]->worker == &workers[i % WORKERS]);
			CHECK("since", sent[i]->number == 101);
		}
		CHECK("no faster", out <= (size_t)(ms + TICK_MS) / 10 + 1);
		answer(answered, out, REFRESH_DONE);
		answered = out;
	}
	CU_ASSERT(ms >= 1900 && ms <= 2100);
	CU_ASSERT_EQUAL(seen[1].calls, 200);
	CU_ASSERT_EQUAL(seen[1].done, 200);
	CU_ASSERT_FALSE(ev_is_active(&r->tick));
	CU_ASSERT_EQUAL(r->bytes, 0);
	end(r);
}

/* An origin that does not answer gets no more than two seconds' worth. */
static void test_ahead(void)
{
	role_loop();
	static const struct {
		uint64_t rate, ahead;
	} rows[] = { { 1, 2 }, { 10, 20 }, { 1000, 128 } };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct refreshing *r = begin();
		add(r, 1000, rows[i].rate, 1);
		for (int64_t ms = 0; ms < 20000; ms += TICK_MS)
			tick(r, TICK_MS);
		CU_ASSERT_EQUAL(sent_count, rows[i].ahead);
		CU_ASSERT_EQUAL(seen[1].calls, 0);
		answer(0, 1, REFRESH_FAILED);
		CU_ASSERT_EQUAL(seen[1].failed, 1);
		tick(r, TICK_MS);
		CU_ASSERT_EQUAL(sent_count, rows[i].ahead + 1);
		end(r);
	}
}

/* A loop that was busy for a second does not send a second's worth. */
static void test_late(void)
{
	role_loop();
	struct refreshing *r = begin();
	add(r, 1000, 100, 1);
	tick(r, 1000);
	CU_ASSERT_EQUAL(sent_count, 10);
	end(r);
}

static void test_beside(void)
{
	role_loop();
	struct refreshing *r = begin();
	add(r, 1000, 20, 1);
	add(r, 1000, 40, 2);
	for (int64_t ms = 0; ms < 1000; ms += TICK_MS) {
		size_t from = sent_count;
		tick(r, TICK_MS);
		answer(from, sent_count, REFRESH_UNNEEDED);
	}
	CU_ASSERT(seen[1].calls >= 20 && seen[1].calls <= 21);
	CU_ASSERT(seen[2].calls >= 40 && seen[2].calls <= 41);
	CU_ASSERT_EQUAL(seen[1].done, seen[1].calls);
	end(r);
}

static void test_bounds(void)
{
	role_loop();
	struct refreshing *r = begin();
	CU_ASSERT_EQUAL(add(r, 0, 10, 1), 0);
	CU_ASSERT_EQUAL(add(r, REFRESH_ITEMS + 5, 10, 1), REFRESH_ITEMS);
	/* The coldest are left out when there is no room for all; then nothing is taken. */
	r->bytes = REFRESH_BYTES - r->bytes / 2;
	size_t taken = add(r, REFRESH_ITEMS, 10, 1);
	CU_ASSERT(taken > REFRESH_ITEMS / 3 && taken < REFRESH_ITEMS);
	CU_ASSERT(r->bytes <= REFRESH_BYTES);
	CU_ASSERT_EQUAL(add(r, REFRESH_ITEMS, 10, 1), 0);
	end(r);
}

/* What is out comes back after the stop, or never. */
static void test_stop(void)
{
	role_loop();
	struct refreshing *r = begin();
	add(r, 100, 100, 1);
	tick(r, 100);
	CU_ASSERT_EQUAL(sent_count, 10);
	refreshing_stop(r);
	answer(0, 4, REFRESH_DONE);
	tick(r, 100);
	CU_ASSERT_EQUAL(sent_count, 10);
	CU_ASSERT_EQUAL(add(r, 1, 1, 1), 0);
	end(r);
}

/* What a survey found, as its purge passes it on. */
static void test_purges(void)
{
	role_loop();
	struct refreshing *r = begin();
	struct key keys[] = { { SL("http://h/1"), { 1, 1 } },
		{ SL("http://h/2\n:1\n"), { 2, 2 } } };
	struct object_texts texts[] = { { 0 }, { .spec = SL("foo"), .values = SL(":1\n") } };
	struct survey_item found[COUNT_OF(keys)];
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		found[i].object = object_new(OBJECT_ANSWER, keys[i], texts[i], 0);
	refresh(refresh_arg, 3, 1000, found, COUNT_OF(found));
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		object_unref(&found[i].object);
	CU_ASSERT_EQUAL(seen[3].queued, 2);
	tick(r, TICK_MS);
	CU_ASSERT_EQUAL_FATAL(sent_count, 2);
	CHECK_SLICE("one", sent[0]->item.url, "http://h/1");
	CHECK_SLICE("one", sent[0]->item.values, "");
	CHECK_SLICE("a variant", sent[1]->item.url, "http://h/2");
	CHECK_SLICE("a variant", sent[1]->item.spec, "foo");
	CHECK_SLICE("a variant", sent[1]->item.values, ":1\n");
	CU_ASSERT_EQUAL(sent[1]->number, 103);
	answer(0, 1, REFRESH_UNNEEDED);
	answer(1, 2, REFRESH_FAILED);
	CU_ASSERT(seen[3].done == 1 && seen[3].failed == 1);
	/* Of nothing: it is over at once. */
	refresh(refresh_arg, 2, 1000, NULL, 0);
	CU_ASSERT(seen[2].calls == 1 && seen[2].queued == 0);
	end(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "at its rate, hottest first", test_rate },
		{ "not far ahead", test_ahead },
		{ "late", test_late },
		{ "beside each other", test_beside },
		{ "bounds", test_bounds },
		{ "stop", test_stop },
		{ "what purges ask for", test_purges },
		CU_TEST_INFO_NULL,
	};
	return kit_run("serve/refreshing", tests);
}
