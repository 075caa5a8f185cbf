/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/gate.c"

#include <unistd.h>

#include "test/unit/cache/samples.h"

static struct gate gate;
static _Atomic bool is_over;
static _Atomic bool *thing; /* what is behind the gate: true while it may be used */

static void test_one(void)
{
	CU_ASSERT(!gate_enter(&gate));
	gate_open(&gate);
	CU_ASSERT(gate_enter(&gate));
	CU_ASSERT(gate_enter(&gate));
	gate_leave(&gate);
	gate_leave(&gate);
	gate_close(&gate);
	CU_ASSERT(!gate_enter(&gate));
	role_worker();
	CU_ASSERT(!gate_wait(&gate, 2));
}

static void *use(void *arg)
{
	uint64_t *times = arg;
	while (!is_over) {
		if (!gate_enter(&gate))
			continue;
		must(*thing);
		for (int i = 0; i < 20; i++)
			must(*thing);
		gate_leave(&gate);
		++*times;
	}
	return NULL;
}

/* The thing is freed while the gate is closed: who still used it would be found out. */
static void test_threads(void)
{
	enum { THREADS = 4, TURNS = 300 };
	pthread_t threads[THREADS];
	uint64_t times[THREADS] = { 0 }, all = 0;
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, use, &times[i]) == 0);
	for (int turn = 0; turn < TURNS; turn++) {
		thing = must_alloc(sizeof(*thing));
		*thing = true;
		gate_open(&gate);
		usleep(200);
		gate_close(&gate);
		*thing = false;
		free((void *)(uintptr_t)thing);
		thing = NULL;
	}
	is_over = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all += times[i];
	}
	CU_ASSERT(all > TURNS);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "open and closed", test_one },
		{ "threads", test_threads },
		CU_TEST_INFO_NULL,
	};
	return run_tests("tier/gate", tests);
}
