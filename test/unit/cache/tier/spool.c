/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/spool.c"

#include "test/unit/cache/samples.h"

static unsigned rung;

static void on_bell(UNUSED struct bell *bell)
{
	rung++;
}

static struct bell bell = { on_bell };
static struct spool_reader reader = { .bell = &bell };

static enum spool_look look(struct spool *s, uint64_t at)
{
	uint64_t id = 0;
	enum spool_look found = spool_find(s, at, &reader, &id);
	if (found == SPOOL_THERE)
		CU_ASSERT_EQUAL(id, 100 + at / CHUNK_BYTES);
	return found;
}

/* Who has read all there is waits for the end, also where that is in the middle of a chunk: it may
 * come after the chunk. */
static void test_waiting(void)
{
	struct spool *s = spool_new(NULL, FLOW_LENGTH_UNKNOWN);
	CU_ASSERT(spool_enter(s, &reader, 0));
	CU_ASSERT_EQUAL(look(s, 0), SPOOL_LATER);
	CU_ASSERT_EQUAL(spool_grow(s, 100, 1, CHUNK_BYTES), ERR_NONE);
	CU_ASSERT_EQUAL(rung, 1);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES - 1), SPOOL_THERE);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES), SPOOL_LATER);
	CU_ASSERT_EQUAL(spool_grow(s, 101, 1, 10), ERR_NONE);
	CU_ASSERT_EQUAL(rung, 2);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES + 9), SPOOL_THERE);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES + 10), SPOOL_LATER);
	CU_ASSERT_EQUAL(spool_finish(s, SLICE_NONE), ERR_NONE);
	CU_ASSERT_EQUAL(rung, 3);
	CU_ASSERT_EQUAL(s->length, CHUNK_BYTES + 10);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES + 9), SPOOL_THERE);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES + 10), SPOOL_NEVER);
	spool_leave(s, &reader);
	spool_unref(&s);
}

static void test_failing(void)
{
	struct spool *s = spool_new(NULL, 2 * CHUNK_BYTES);
	rung = 0;
	CU_ASSERT(spool_enter(s, &reader, 0));
	CU_ASSERT_EQUAL(spool_grow(s, 100, 1, CHUNK_BYTES), ERR_NONE);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES), SPOOL_LATER);
	/* Less than was announced. */
	CU_ASSERT_EQUAL(spool_finish(s, SLICE_NONE), ERR_ORIGIN_TRUNCATED);
	CU_ASSERT_EQUAL(rung, 1);
	CU_ASSERT_EQUAL(look(s, 0), SPOOL_NEVER);
	spool_leave(s, &reader);
	CU_ASSERT_FALSE(spool_enter(s, &reader, 0));
	spool_unref(&s);
}

/* Who reads what is on disk goes on from RAM, and nobody else comes. */
static void test_stopping(void)
{
	static const char bytes[CHUNK_BYTES];
	struct flow_reader from, rest;
	uint64_t id;
	struct spool *s = spool_new(NULL, FLOW_LENGTH_UNKNOWN);
	struct flow *body = flow_new(FLOW_LENGTH_UNKNOWN, 0, 4 * CHUNK_BYTES);
	CU_ASSERT_FATAL(flow_attach(&from, body, 0, NULL));
	CU_ASSERT(spool_enter(s, &reader, 0));
	CU_ASSERT_EQUAL(spool_grow(s, 100, 1, CHUNK_BYTES), ERR_NONE);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(flow_write(body, slice_of(bytes, sizeof(bytes))), ERR_NONE);
	flow_advance(&from, CHUNK_BYTES);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES), SPOOL_LATER);
	rung = 0;
	spool_stop(s, &from);
	CU_ASSERT_EQUAL(rung, 1);
	flow_detach(&from);
	CU_ASSERT_FALSE(spool_is_readable(s));
	CU_ASSERT_EQUAL(look(s, 0), SPOOL_THERE);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES), SPOOL_REST);
	spool_cross(s, &reader, &rest);
	CU_ASSERT_EQUAL(rest.offset, CHUNK_BYTES);
	CU_ASSERT_FALSE(spool_enter(s, &reader, 0));
	CU_ASSERT_EQUAL(spool_find(s, 0, NULL, &id), SPOOL_NEVER);
	/* Only the reader keeps what is in RAM. */
	flow_advance(&rest, CHUNK_BYTES);
	CU_ASSERT_EQUAL(flow_unread(body), 0);
	flow_detach(&rest);
	flow_unref(&body);
	spool_unref(&s);
}

/* With nobody there, nothing is kept for anybody. */
static void test_stopping_alone(void)
{
	struct flow_reader from;
	struct spool *s = spool_new(NULL, FLOW_LENGTH_UNKNOWN);
	must(s != NULL);
	struct flow *body = flow_new(FLOW_LENGTH_UNKNOWN, 0, CHUNK_BYTES);
	CU_ASSERT_FATAL(flow_attach(&from, body, 0, NULL));
	spool_stop(s, &from);
	CU_ASSERT_PTR_EQUAL(from.flow, body);
	CU_ASSERT_PTR_NULL(s->rest.flow);
	flow_detach(&from);
	flow_unref(&body);
	spool_unref(&s);
}

/* The writer is told when the first of all has come near, or all have gone. */
static void test_ahead(void)
{
	struct spool_reader slow = { .bell = &bell };
	struct bell held = { on_bell };
	struct spool *s = spool_new(NULL, FLOW_LENGTH_UNKNOWN);
	CU_ASSERT_EQUAL(spool_grow(s, 100, 4, 4 * CHUNK_BYTES), ERR_NONE);
	rung = 0;
	CU_ASSERT_FALSE(spool_is_ahead(s, 0, &held));
	CU_ASSERT(spool_enter(s, &reader, 0));
	CU_ASSERT(spool_enter(s, &slow, 0));
	CU_ASSERT_FALSE(spool_is_ahead(s, 4 * CHUNK_BYTES, &held));
	CU_ASSERT(spool_is_ahead(s, 2 * CHUNK_BYTES, &held));
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES), SPOOL_THERE);
	CU_ASSERT_EQUAL(rung, 0);
	CU_ASSERT_EQUAL(look(s, 2 * CHUNK_BYTES), SPOOL_THERE);
	CU_ASSERT_EQUAL(rung, 1);
	CU_ASSERT(spool_is_ahead(s, CHUNK_BYTES, &held));
	spool_leave(s, &reader);
	CU_ASSERT_EQUAL(rung, 1);
	spool_leave(s, &slow);
	CU_ASSERT_EQUAL(rung, 2);
	CU_ASSERT(spool_enter(s, &slow, 0));
	CU_ASSERT(spool_is_ahead(s, CHUNK_BYTES, &held));
	spool_release(s);
	spool_leave(s, &slow);
	CU_ASSERT_EQUAL(rung, 2);
	spool_unref(&s);
}

/* Who is far behind when it stops is not waited for. */
static void test_far_behind(void)
{
	enum { CHUNKS = SPOOL_WAIT_BYTES / CHUNK_BYTES + 1 };
	struct spool_reader slow = { .bell = &bell };
	struct flow_reader from, rest;
	uint64_t id;
	struct spool *s = spool_new(NULL, FLOW_LENGTH_UNKNOWN);
	struct flow *body = flow_new_part(CHUNKS * (uint64_t)CHUNK_BYTES, UINT64_MAX, CHUNK_BYTES);
	CU_ASSERT_FATAL(flow_attach(&from, body, CHUNKS * (uint64_t)CHUNK_BYTES, NULL));
	CU_ASSERT(spool_enter(s, &reader, CHUNK_BYTES));
	CU_ASSERT(spool_enter(s, &slow, CHUNK_BYTES - 1));
	CU_ASSERT_EQUAL(spool_grow(s, 100, CHUNKS, CHUNKS * (uint64_t)CHUNK_BYTES), ERR_NONE);
	spool_stop(s, &from);
	CU_ASSERT_EQUAL(spool_find(s, CHUNK_BYTES - 1, &slow, &id), SPOOL_NEVER);
	spool_leave(s, &slow);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES), SPOOL_THERE);
	CU_ASSERT_EQUAL(look(s, CHUNKS * (uint64_t)CHUNK_BYTES), SPOOL_REST);
	spool_cross(s, &reader, &rest);
	flow_detach(&rest);
	flow_unref(&body);
	spool_unref(&s);
}

/* Other bodies' chunks lie between its own. */
static void test_runs(void)
{
	struct spool *s = spool_new(NULL, FLOW_LENGTH_UNKNOWN);
	uint64_t id, chunk = 0;
	for (uint64_t run = 0; run < 20; run++)
		CU_ASSERT_EQUAL(
		    spool_grow(s, run * 100, (uint32_t)run + 1, (run + 1) * CHUNK_BYTES), ERR_NONE);
	for (uint64_t run = 0; run < 20; run++)
		for (uint64_t n = 0; n <= run; n++, chunk++) {
			CU_ASSERT_EQUAL(
			    spool_find(s, chunk * CHUNK_BYTES + n, NULL, &id), SPOOL_THERE);
			CU_ASSERT_EQUAL(id, run * 100 + n);
		}
	spool_fail(s);
	spool_unref(&s);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "waiting for more", test_waiting },
		{ "failing", test_failing },
		{ "stopping", test_stopping },
		{ "stopping alone", test_stopping_alone },
		{ "ahead of readers", test_ahead },
		{ "far behind", test_far_behind },
		{ "in runs", test_runs },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tier/spool", tests);
}
