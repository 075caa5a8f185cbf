/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/flow.c"

#include <CUnit/Basic.h>

static char pattern(uint64_t i)
{
	return (char)(i * 31 + i / 251);
}

static void fill(struct flow *f, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		char c = pattern(i);
		CU_ASSERT_EQUAL_FATAL(flow_write(f, slice_of(&c, 1)), ERR_NONE);
	}
}

/* Reads what is there and checks each byte. Returns how many. */
static uint64_t drain(struct flow_reader *r)
{
	struct iovec iov[4];
	enum flow_state state;
	uint64_t total = 0;
	int n;
	while ((n = flow_peek(r, iov, 4, UINT64_MAX, &state)) > 0) {
		uint64_t bytes = 0;
		for (int i = 0; i < n; i++)
			for (size_t k = 0; k < iov[i].iov_len; k++, bytes++)
				if (((char *)iov[i].iov_base)[k] != pattern(r->offset + bytes))
					CU_FAIL_FATAL("wrong byte");
		flow_advance(r, bytes);
		total += bytes;
	}
	return total;
}

static void test_lengths(void)
{
	static const uint64_t lengths[] = { 0, 1, 4095, 65536, 65537, 300000 };
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		for (int known = 0; known < 2; known++) {
			struct flow_reader r;
			struct flow *f = flow_new(
			    known ? lengths[i] : FLOW_LENGTH_UNKNOWN, FLOW_KEEP_ALL, 0);
			CU_ASSERT_TRUE_FATAL(flow_attach(&r, f, 0, NULL));
			fill(f, 0, lengths[i]);
			flow_finish(f, SLICE_NONE);
			CU_ASSERT_EQUAL(flow_state(f), FLOW_COMPLETE);
			CU_ASSERT_EQUAL(drain(&r), lengths[i]);
			flow_detach(&r);
			/* At rest it can be entered anywhere. */
			CU_ASSERT_TRUE_FATAL(flow_attach(&r, f, lengths[i] / 2, NULL));
			CU_ASSERT_EQUAL(drain(&r), lengths[i] - lengths[i] / 2);
			flow_detach(&r);
			flow_unref(&f);
		}
	}
	CU_ASSERT_EQUAL(flow_bytes_in_memory(), 0);
}

static void test_short_is_failure(void)
{
	struct flow *f = flow_new(10, FLOW_KEEP_ALL, 0);
	fill(f, 0, 9);
	flow_finish(f, SLICE_NONE);
	CU_ASSERT_EQUAL(flow_state(f), FLOW_FAILED);
	CU_ASSERT_EQUAL(flow_write(f, SL("too many")), ERR_BAD_FRAMING);
	flow_unref(&f);
}

/* A body that outgrows what may be kept turns into one that passes through, in bounded memory. */
static void test_window(void)
{
	enum { KEEP = 100000, WINDOW = 200000, TOTAL = 5000000 };
	struct flow_reader fast, slow, late;
	struct flow *f = flow_new(FLOW_LENGTH_UNKNOWN, KEEP, WINDOW);
	CU_ASSERT_TRUE_FATAL(flow_attach(&fast, f, 0, NULL));
	CU_ASSERT_TRUE_FATAL(flow_attach(&slow, f, 0, NULL));
	uint64_t filled = 0, peak = 0;
	while (filled < TOTAL) {
		while (!flow_is_full(f, NULL, NULL) && filled < TOTAL) {
			fill(f, filled, filled + 1000);
			filled += 1000;
		}
		if (flow_bytes_in_memory() > peak)
			peak = flow_bytes_in_memory();
		drain(&fast);
		CU_ASSERT_TRUE(flow_is_full(f, NULL, NULL) || filled == TOTAL);
		drain(&slow);
		CU_ASSERT_FALSE(flow_is_full(f, NULL, NULL));
	}
	CU_ASSERT_TRUE(flow_outgrew(f));
	CU_ASSERT_TRUE(peak < KEEP + WINDOW + 3 * FLOW_PIECE_BYTES);
	CU_ASSERT_FALSE(flow_attach(&late, f, 0, NULL));
	flow_finish(f, SLICE_NONE);
	CU_ASSERT_FALSE(flow_attach(&late, f, 0, NULL));
	CU_ASSERT_EQUAL(fast.offset, TOTAL);
	CU_ASSERT_EQUAL(slow.offset, TOTAL);
	flow_detach(&fast);
	flow_detach(&slow);
	flow_unref(&f);
	CU_ASSERT_EQUAL(flow_bytes_in_memory(), 0);
}

/* A second reader comes in the middle, where the first one is, and takes its place. */
static void test_beside(void)
{
	struct flow_reader first, beside, heir;
	struct flow *f = flow_new(FLOW_LENGTH_UNKNOWN, 0, 1 << 20);
	CU_ASSERT_TRUE_FATAL(flow_attach(&first, f, 0, NULL));
	fill(f, 0, 200000);
	CU_ASSERT_EQUAL(drain(&first), 200000);
	fill(f, 200000, 300000);
	flow_attach_beside(&beside, &first);
	CU_ASSERT_EQUAL(drain(&beside), 100000);
	flow_hand_over(&heir, &first);
	CU_ASSERT_PTR_NULL(first.flow);
	flow_detach(&first);
	flow_detach(&beside);
	fill(f, 300000, 400000);
	flow_finish(f, SLICE_NONE);
	/* Complete, and still there for who has not seen it. */
	flow_attach_beside(&beside, &heir);
	CU_ASSERT_EQUAL(drain(&heir), 200000);
	flow_detach(&heir);
	CU_ASSERT_EQUAL(drain(&beside), 200000);
	flow_detach(&beside);
	flow_unref(&f);
	CU_ASSERT_EQUAL(flow_bytes_in_memory(), 0);
}

static void test_trailers(void)
{
	struct flow *f = flow_new(FLOW_LENGTH_UNKNOWN, FLOW_KEEP_ALL, 0);
	flow_finish(f, SL("A: b\r\n"));
	CU_ASSERT_TRUE(slice_eq(f->trailers, SL("A: b\r\n")));
	flow_unref(&f);
}

enum { BIG = 8 * 1024 * 1024, READERS = 3 };

static void *read_along(void *arg)
{
	struct flow_reader *r = arg;
	while (flow_state(r->flow) == FLOW_FILLING)
		drain(r);
	drain(r);
	return NULL;
}

/* One filler, readers on other threads: for the thread sanitizer, and each byte is checked. */
static void test_threads(void)
{
	pthread_t threads[READERS];
	struct flow_reader readers[READERS];
	struct flow *f = flow_new(BIG, FLOW_KEEP_ALL, 0);
	for (int i = 0; i < READERS; i++) {
		CU_ASSERT_TRUE_FATAL(flow_attach(&readers[i], f, 0, NULL));
		pthread_create(&threads[i], NULL, read_along, &readers[i]);
	}
	for (uint64_t at = 0; at < BIG;) {
		size_t room = 0;
		char *to = flow_room(f, &room);
		CU_ASSERT_PTR_NOT_NULL_FATAL(to);
		for (size_t i = 0; i < room; i++)
			to[i] = pattern(at + i);
		flow_wrote(f, room);
		at += room;
	}
	flow_finish(f, SLICE_NONE);
	for (int i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(readers[i].offset, BIG);
		flow_detach(&readers[i]);
	}
	flow_unref(&f);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("flow", NULL, NULL);
	CU_ADD_TEST(suite, test_lengths);
	CU_ADD_TEST(suite, test_short_is_failure);
	CU_ADD_TEST(suite, test_window);
	CU_ADD_TEST(suite, test_beside);
	CU_ADD_TEST(suite, test_trailers);
	CU_ADD_TEST(suite, test_threads);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
