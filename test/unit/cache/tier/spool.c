/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/spool.c"

#include "test/unit/cache/samples.h"

static unsigned rung;

static void on_bell(UNUSED struct bell *bell)
{
	rung++;
}

static struct bell bell = { on_bell };
static struct spool_wait wait = { .bell = &bell };

static enum spool_look look(struct spool *s, uint64_t at)
{
	uint64_t id = 0;
	enum spool_look found = spool_find(s, at, &wait, &id);
	if (found == SPOOL_THERE)
		CU_ASSERT_EQUAL(id, 100 + at / CHUNK_BYTES);
	return found;
}

/* Who has read all there is waits for the end, also where that is in the middle of a chunk: it may
 * come after the chunk. */
static void test_waiting(void)
{
	struct spool *s = spool_new(NULL, FLOW_LENGTH_UNKNOWN);
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
	spool_unref(&s);
}

static void test_failing(void)
{
	struct spool *s = spool_new(NULL, 2 * CHUNK_BYTES);
	rung = 0;
	CU_ASSERT_EQUAL(spool_grow(s, 100, 1, CHUNK_BYTES), ERR_NONE);
	CU_ASSERT_EQUAL(look(s, CHUNK_BYTES), SPOOL_LATER);
	/* Less than was announced. */
	CU_ASSERT_EQUAL(spool_finish(s, SLICE_NONE), ERR_ORIGIN_TRUNCATED);
	CU_ASSERT_EQUAL(rung, 1);
	CU_ASSERT_EQUAL(look(s, 0), SPOOL_NEVER);
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
			    spool_find(s, chunk * CHUNK_BYTES + n, &wait, &id), SPOOL_THERE);
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
		{ "in runs", test_runs },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tier/spool", tests);
}
