/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/crew.c"

#include <semaphore.h>

#include "test/unit/cache/samples.h"

enum { JOBS = 1000, SLOW_MS = 20, THREADS = 4 };

struct counted {
	struct job job;
	struct mail mail;
	int64_t took_ms;
};

static struct loop home;
static struct counted jobs[JOBS];
static _Atomic unsigned done, delivered, running, most;
static sem_t over;
static unsigned wanted;

static void on_delivered(UNUSED struct mail *m)
{
	if (atomic_fetch_add(&delivered, 1) + 1 == wanted)
		sem_post(&over);
}

static void work(struct job *job)
{
	struct counted *c = CONTAINER_OF(job, struct counted, job);
	unsigned at_once = atomic_fetch_add(&running, 1) + 1;
	if (c->took_ms)
		nanosleep(&(struct timespec){ .tv_nsec = c->took_ms * 1000000 }, NULL);
	for (unsigned seen = most;
	     seen < at_once && !atomic_compare_exchange_weak(&most, &seen, at_once);)
		;
	atomic_fetch_sub(&running, 1);
	atomic_fetch_add(&done, 1);
	mail_post(&home, &c->mail);
}

static void post(struct crew *c, unsigned count, int64_t took_ms)
{
	done = delivered = 0;
	wanted = count;
	for (unsigned i = 0; i < count; i++) {
		jobs[i] = (struct counted){ .job = { .work = work }, .took_ms = took_ms };
		mail_init(&jobs[i].mail, on_delivered);
		CU_ASSERT_FATAL(crew_post(c, &jobs[i].job));
	}
}

/* All are done and told, by however few threads and however batched. */
static void test_all(void)
{
	struct crew *c = crew_new("test", THREADS, JOBS);
	for (int round = 0; round < 20; round++) {
		post(c, JOBS, 0);
		sem_wait(&over);
		CU_ASSERT_EQUAL(done, JOBS);
	}
	crew_free(&c);
}

/* Jobs that wait are spread over all threads, also after short ones have made the batches long. */
static void test_slow(void)
{
	struct crew *c = crew_new("test", THREADS, JOBS);
	post(c, JOBS, 0);
	sem_wait(&over);
	most = 0;
	post(c, 4 * THREADS, SLOW_MS);
	sem_wait(&over);
	CU_ASSERT_EQUAL(most, THREADS);
	crew_free(&c);
}

/* What is queued is done before the crew ends; more than the limit is refused. */
static void test_end(void)
{
	struct crew *c = crew_new("test", 1, 8);
	post(c, 8, 1);
	crew_free(&c);
	CU_ASSERT_EQUAL(done, 8);
	sem_wait(&over);
	c = crew_new("test", 1, 1);
	post(c, 1, SLOW_MS);
	unsigned refused = 0;
	static struct counted more[3];
	for (int i = 0; i < 3; i++) {
		more[i] = (struct counted){ .job = { .work = work } };
		mail_init(&more[i].mail, on_delivered);
		refused += !crew_post(c, &more[i].job);
	}
	CU_ASSERT(refused > 0);
	crew_free(&c);
}

static void on_start(UNUSED struct loop *l, UNUSED void *arg)
{
}

static void on_stop(UNUSED struct mail *m)
{
	role_loop();
	loop_stop(&home);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "all are done", test_all },
		{ "slow ones", test_slow },
		{ "the end", test_end },
		CU_TEST_INFO_NULL,
	};
	sem_init(&over, 0, 0);
	must(loop_init(&home, "home", 0, NULL) == ERR_NONE);
	must(loop_spawn(&home, on_start, NULL) == ERR_NONE);
	int result = run_tests("loop/crew", tests);
	struct mail stop;
	mail_init(&stop, on_stop);
	mail_post(&home, &stop);
	loop_join(&home);
	loop_fini(&home);
	return result;
}
