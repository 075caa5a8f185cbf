/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/claim.c"

#include "edge/loop/loop.h"
#include "test/unit/cache/samples.h"

static unsigned letters;

static void on_letter(UNUSED struct mail *m)
{
	letters++;
}

/* Runs what has been posted to a loop of this thread. */
static void deliver(struct loop *home)
{
	ev_run(home->ev, EVRUN_NOWAIT);
}

static void wait_init(struct claim_wait *w, struct loop *home)
{
	*w = (struct claim_wait){ .home = home };
	mail_init(&w->mail, on_letter);
}

static void test_one_fetches(void)
{
	struct loop home;
	CU_ASSERT_FATAL(loop_init(&home, "home", 0, NULL) == ERR_NONE);
	struct claims *all = claims_new();
	struct claim *mine = NULL, *none = NULL;
	struct claim_wait w[3];
	for (int i = 0; i < 3; i++)
		wait_init(&w[i], &home);
	letters = 0;
	struct hash128 h = sample_hash(1);
	CU_ASSERT_EQUAL(
	    claim_take(all, h, (struct claim_times){ 1, 1 }, NULL, 2, &mine), CLAIM_MINE);
	CU_ASSERT_EQUAL(
	    claim_take(all, h, (struct claim_times){ 1, 1 }, NULL, 2, &none), CLAIM_TAKEN);
	CU_ASSERT_EQUAL(
	    claim_take(all, h, (struct claim_times){ 1, 1 }, &w[0], 2, &none), CLAIM_JOINED);
	CU_ASSERT_EQUAL(
	    claim_take(all, h, (struct claim_times){ 1, 1 }, &w[1], 2, &none), CLAIM_JOINED);
	CU_ASSERT_EQUAL(
	    claim_take(all, h, (struct claim_times){ 1, 1 }, &w[2], 2, &none), CLAIM_FULL);
	CU_ASSERT_PTR_NULL(none);
	struct object *seen = NULL, *o = sample_object(1, 10);
	enum reason reason;
	CU_ASSERT_EQUAL(claim_result(&w[0], &seen, &reason), CLAIM_PENDING);
	/* One leaves, and its place is free. */
	claim_leave(&w[1]);
	CU_ASSERT_EQUAL(
	    claim_take(all, h, (struct claim_times){ 1, 1 }, &w[2], 2, &none), CLAIM_JOINED);
	claim_end(&mine, CLAIM_ANSWERED, o, REASON_STORED);
	CU_ASSERT_PTR_NULL(mine);
	deliver(&home);
	CU_ASSERT_EQUAL(letters, 2);
	CU_ASSERT_EQUAL(claim_result(&w[2], &seen, &reason), CLAIM_ANSWERED);
	CU_ASSERT_PTR_EQUAL(seen, o);
	CU_ASSERT_EQUAL(reason, REASON_STORED);
	object_unref(&seen);
	object_unref(&o);
	claim_leave(&w[0]);
	claim_leave(&w[2]);
	claim_leave(&w[2]);
	/* It has ended: the next one fetches again. */
	CU_ASSERT_EQUAL(
	    claim_take(all, h, (struct claim_times){ 1, 1 }, NULL, 2, &mine), CLAIM_MINE);
	claim_end(&mine, CLAIM_RELEASED, NULL, REASON_PRIVATE);
	claims_free(&all);
	loop_fini(&home);
}

static void test_chains(void)
{
	enum { MANY = 5000 };
	struct claims *all = claims_new();
	struct claim *claims[MANY];
	for (uint64_t n = 0; n < MANY; n++) {
		/* All in one place of one shard, and then all spread. */
		struct hash128 h = n < 100 ? (struct hash128){ 16 * n, 1024 * n } : sample_hash(n);
		CU_ASSERT_EQUAL(
		    claim_take(all, h, (struct claim_times){ 1, 1 }, NULL, 1, &claims[n]),
		    CLAIM_MINE);
	}
	for (uint64_t n = 0; n < MANY; n += 2)
		claim_end(&claims[n], CLAIM_LOOK, NULL, REASON_NONE);
	struct claim *again;
	CU_ASSERT_EQUAL(
	    claim_take(all, sample_hash(201), (struct claim_times){ 1, 1 }, NULL, 1, &again),
	    CLAIM_TAKEN);
	for (uint64_t n = 1; n < MANY; n += 2)
		claim_end(&claims[n], CLAIM_LOOK, NULL, REASON_NONE);
	for (int s = 0; s < SHARDS; s++)
		for (int p = 0; p < PLACES; p++)
			CU_ASSERT_PTR_NULL(all->shards[s].places[p]);
	claims_free(&all);
}

/* ---- threads: each with a loop of its own, all after the same few hashes ---- */

enum { THREADS = 4, ROUNDS = 3000, HASHES = 3 };

struct worker {
	pthread_t thread;
	struct claims *all;
	struct loop home;
	unsigned seed, fetched, joined, left;
};

static _Atomic int fetching[HASHES];

static void fetch(struct worker *w, struct claim *mine, uint64_t n)
{
	/* Nobody else fetches it now. */
	must(atomic_fetch_add(&fetching[n], 1) == 0);
	struct object *o = sample_head(n);
	usleep(w->seed % 50);
	must(atomic_fetch_sub(&fetching[n], 1) == 1);
	if (w->seed & 64)
		claim_end(&mine, CLAIM_ANSWERED, o, REASON_STORED);
	else
		claim_end(&mine, CLAIM_RELEASED, NULL, REASON_PRIVATE);
	object_unref(&o);
	w->fetched++;
}

static void follow(struct worker *w, struct claim_wait *wait, uint64_t n)
{
	struct object *o = NULL;
	enum reason reason;
	bool leaves = w->seed & 128;
	enum claim_end end = claim_result(wait, &o, &reason);
	while (end == CLAIM_PENDING && !leaves) {
		deliver(&w->home);
		end = claim_result(wait, &o, &reason);
	}
	must(end != CLAIM_ANSWERED || (o && hash128_eq(o->hash, sample_hash(n))));
	object_unref(&o);
	claim_leave(wait);
	/* A letter that was posted before it left still comes. */
	while (mail_is_posted(&wait->mail))
		deliver(&w->home);
	w->joined++;
	w->left += end == CLAIM_PENDING;
}

static void on_ignored(UNUSED struct mail *m)
{
}

static void *work(void *arg)
{
	struct worker *w = arg;
	for (int i = 0; i < ROUNDS; i++) {
		w->seed = w->seed * 1664525 + 1013904223;
		uint64_t n = (w->seed >> 16) % HASHES;
		struct claim *mine;
		struct claim_wait wait = { .home = &w->home };
		mail_init(&wait.mail, on_ignored);
		enum claim_outcome got = claim_take(
		    w->all, sample_hash(n), (struct claim_times){ 1, 1 }, &wait, 100, &mine);
		if (got == CLAIM_MINE)
			fetch(w, mine, n);
		else if (got == CLAIM_JOINED)
			follow(w, &wait, n);
	}
	return NULL;
}

static void test_threads(void)
{
	struct claims *all = claims_new();
	struct worker workers[THREADS] = { 0 };
	unsigned fetched = 0, joined = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].all = all;
		workers[i].seed = i;
		CU_ASSERT_FATAL(loop_init(&workers[i].home, "home", i, NULL) == ERR_NONE);
		must(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		fetched += workers[i].fetched;
		joined += workers[i].joined;
		loop_fini(&workers[i].home);
	}
	CU_ASSERT_EQUAL(fetched + joined, THREADS * ROUNDS);
	CU_ASSERT(joined > 0);
	claims_free(&all);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "one fetches, others wait", test_one_fetches },
		{ "many claims", test_chains },
		{ "four threads", test_threads },
		CU_TEST_INFO_NULL,
	};
	return run_tests("cache/claim", tests);
}
