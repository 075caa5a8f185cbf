/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/forgets.c"

#include <stdlib.h>

#include "test/unit/cache/samples.h"

static struct forgets *f;

/* The n-th hash of one and the same slot. */
static struct hash128 neighbour(uint64_t n)
{
	return (struct hash128){ .hi = 7 + n * FORGET_SLOTS, .lo = n * 5 };
}

static bool is_found(uint64_t n)
{
	uint32_t moment;
	return forgets_moment(f, neighbour(n), &moment);
}

static void test_one(void)
{
	f = calloc(1, sizeof(*f));
	CU_ASSERT(is_found(1));
	forgets_begin(f, neighbour(1));
	CU_ASSERT(!is_found(1));
	forgets_begin(f, neighbour(1));
	forgets_end(f, neighbour(1));
	CU_ASSERT(!is_found(1));
	forgets_end(f, neighbour(1));
	CU_ASSERT(is_found(1));
	free(f);
}

/* Who shares a slot with one that is forgotten is found all the same. */
static void test_neighbours(void)
{
	f = calloc(1, sizeof(*f));
	uint32_t moment;
	CU_ASSERT(forgets_moment(f, neighbour(2), &moment));
	forgets_begin(f, neighbour(1));
	CU_ASSERT(is_found(2) && !is_found(1));
	CU_ASSERT(forgets_are_still(f, neighbour(2), moment));
	CU_ASSERT(!forgets_are_still(f, neighbour(1), moment));
	forgets_end(f, neighbour(1));
	CU_ASSERT(forgets_are_still(f, neighbour(2), moment));
	CU_ASSERT(!forgets_are_still(f, neighbour(1), moment));
	/* 0 is nobody's mark. */
	forgets_begin(f, neighbour(0));
	CU_ASSERT(!is_found(0) && is_found(1));
	forgets_end(f, neighbour(0));
	/* Two at a time: nobody is told from them. */
	forgets_begin(f, neighbour(1));
	forgets_begin(f, neighbour(2));
	CU_ASSERT(!is_found(1) && !is_found(2));
	forgets_end(f, neighbour(1));
	CU_ASSERT(!is_found(2));
	forgets_end(f, neighbour(2));
	CU_ASSERT(is_found(1) && is_found(2) && is_found(3));
	free(f);
}

enum { NEIGHBOURS = 3, STEPS = 200000 };

/* By chance, beside what is true: who is being forgotten is never found, who was since a moment is
 * always known to have been. */
static void test_chance(void)
{
	f = calloc(1, sizeof(*f));
	unsigned pending[NEIGHBOURS] = { 0 }, found = 0;
	uint32_t moments[NEIGHBOURS] = { 0 };
	bool has_moment[NEIGHBOURS] = { false }, was_asked[NEIGHBOURS] = { false };
	srandom(4711);
	for (int i = 0; i < STEPS; i++) {
		unsigned n = (unsigned)random() % NEIGHBOURS;
		switch (random() % 6) {
		case 0:
			forgets_begin(f, neighbour(n));
			pending[n]++;
			was_asked[n] = true;
			break;
		case 1:
		case 2:
			if (pending[n] > 0) {
				forgets_end(f, neighbour(n));
				pending[n]--;
			}
			break;
		case 3:
			has_moment[n] = forgets_moment(f, neighbour(n), &moments[n]);
			was_asked[n] = false;
			CU_ASSERT_FATAL(!has_moment[n] || pending[n] == 0);
			found += has_moment[n];
			break;
		default:
			CU_ASSERT_FATAL(!has_moment[n] || !was_asked[n] ||
			    !forgets_are_still(f, neighbour(n), moments[n]));
		}
	}
	CU_ASSERT(found > STEPS / 30);
	free(f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "one hash", test_one },
		{ "one slot", test_neighbours },
		{ "by chance", test_chance },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tier/forgets", tests);
}
