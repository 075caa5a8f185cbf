/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/lease.c"

#include "test/unit/cache/samples.h"

static struct store store;

/* A body on its way, of which nothing is there yet. */
static struct spool *open_empty(uint64_t low)
{
	store.ledger.log_count = 1;
	store.ledger.logs[0].low = low;
	leases_init(&store.leases);
	return spool_new(&store, FLOW_LENGTH_UNKNOWN);
}

/* Of two runs: ids 100 to 103, 200 and 201. */
static struct spool *open_runs(uint64_t low)
{
	struct spool *s = open_empty(low);
	CU_ASSERT_EQUAL(spool_grow(s, 100, 4, 4 * CHUNK_BYTES), ERR_NONE);
	CU_ASSERT_EQUAL(spool_grow(s, 200, 2, CHUNK_BYTES + 5), ERR_NONE);
	return s;
}

static void close_all(struct spool *s)
{
	spool_unref(&s);
	leases_fini(&store.leases);
}

static bool need(uint64_t first, uint64_t last)
{
	struct needs needs = leases_needs(&store.leases, mono_now());
	bool is = needs_any_of(&needs, (struct span){ first, last });
	needs_fini(&needs);
	return is;
}

static bool are_none(void)
{
	return list_empty(&store.leases.held);
}

/* Only what is left to read is needed, and nothing of others between. */
static void test_needs(void)
{
	struct spool *s = open_runs(0);
	struct lease lease = { 0 };
	lease_move(&lease, 1);
	lease_drop(&lease);
	CU_ASSERT(are_none());
	CU_ASSERT(lease_take(&lease, s, 0, UINT64_MAX));
	CU_ASSERT_FALSE(are_none());
	CU_ASSERT(need(0, 100) && need(100, 100) && need(103, 150) && need(150, 250));
	CU_ASSERT_FALSE(need(0, 99) || need(104, 199) || need(202, UINT64_MAX));
	lease_move(&lease, 2 * CHUNK_BYTES);
	CU_ASSERT_FALSE(need(0, 101));
	CU_ASSERT(need(0, 102));
	lease_move(&lease, 4 * CHUNK_BYTES);
	CU_ASSERT_FALSE(need(0, 199));
	CU_ASSERT(need(0, 200));
	lease_drop(&lease);
	CU_ASSERT_FALSE(need(0, UINT64_MAX));
	lease_drop(&lease);
	close_all(s);
}

static void test_a_part(void)
{
	struct spool *s = open_runs(0);
	struct lease one, other;
	CU_ASSERT(lease_take(&one, s, CHUNK_BYTES + 1, 2 * CHUNK_BYTES));
	CU_ASSERT(need(101, 101));
	CU_ASSERT_FALSE(need(0, 100) || need(102, 300));
	CU_ASSERT(lease_take(&other, s, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 1));
	CU_ASSERT(need(101, 101) && need(103, 103));
	CU_ASSERT_FALSE(need(102, 102));
	lease_drop(&one);
	CU_ASSERT_FALSE(need(101, 102));
	lease_drop(&other);
	close_all(s);
}

/* What was evicted already is no longer kept for anybody. */
static void test_refused(void)
{
	struct spool *s = open_runs(102);
	struct lease lease;
	CU_ASSERT_FALSE(lease_take(&lease, s, 0, UINT64_MAX));
	CU_ASSERT_FALSE(lease_take(&lease, s, 2 * CHUNK_BYTES - 1, UINT64_MAX));
	CU_ASSERT(are_none());
	lease_drop(&lease);
	CU_ASSERT(lease_take(&lease, s, 2 * CHUNK_BYTES, UINT64_MAX));
	lease_drop(&lease);
	/* Another database has come in its place, with fewer logs. */
	store.ledger.log_count = 0;
	CU_ASSERT_FALSE(lease_take(&lease, s, 2 * CHUNK_BYTES, UINT64_MAX));
	/* What is not written yet comes above all marks. */
	CU_ASSERT(lease_take(&lease, s, 6 * CHUNK_BYTES, UINT64_MAX));
	CU_ASSERT_FALSE(need(0, UINT64_MAX));
	CU_ASSERT_EQUAL(spool_grow(s, 205, 1, CHUNK_BYTES), ERR_NONE);
	lease_drop(&lease);
	close_all(s);
}

/* Who does not come to his next chunk is not waited for; when he does, he is again. */
static void test_patience(void)
{
	struct spool *s = open_runs(0);
	struct lease lease;
	CU_ASSERT(lease_take(&lease, s, 0, UINT64_MAX));
	lease.moved_us -= 59 * 1000 * 1000;
	CU_ASSERT(need(0, UINT64_MAX));
	lease.moved_us -= 1 * 1000 * 1000;
	CU_ASSERT_FALSE(need(0, UINT64_MAX));
	lease_move(&lease, CHUNK_BYTES);
	CU_ASSERT(need(0, UINT64_MAX));
	lease_drop(&lease);
	close_all(s);
}

/* Against the same asked chunk by chunk. */
static void test_model(void)
{
	enum { CHUNKS = 40 };
	uint64_t ids[CHUNKS], next = 10;
	struct spool *s = open_empty(0);
	for (unsigned n = 0; n < CHUNKS; n++) {
		next += n * 7 % 3;
		ids[n] = next++;
		CU_ASSERT_EQUAL(spool_grow(s, ids[n], 1, CHUNK_BYTES), ERR_NONE);
	}
	unsigned wrong = 0;
	for (unsigned at = 0; at < CHUNKS; at += 3)
		for (unsigned end = at + 1; end <= CHUNKS; end += 5) {
			struct lease lease;
			CU_ASSERT(lease_take(
			    &lease, s, at * (uint64_t)CHUNK_BYTES, end * (uint64_t)CHUNK_BYTES));
			for (uint64_t first = 0; first < next + 3; first++)
				for (uint64_t last = first; last < first + 6; last++) {
					bool is = false;
					for (unsigned n = at; n < end; n++)
						is |= ids[n] >= first && ids[n] <= last;
					wrong += is != need(first, last);
				}
			lease_drop(&lease);
		}
	CU_ASSERT_EQUAL(wrong, 0);
	close_all(s);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "what is needed", test_needs },
		{ "a part of a body", test_a_part },
		{ "what was evicted", test_refused },
		{ "patience", test_patience },
		{ "against a model", test_model },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tier/lease", tests);
}
