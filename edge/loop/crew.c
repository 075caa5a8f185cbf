/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/crew.h"

#include "edge/base/thread.h"
#include "edge/loop/loop.h"

enum {
	BATCH_MAX = 16,
	SHORT_US = 40, /* jobs that take no longer do not wait for a disk */
	LONG_US = 200, /* one that took so long did */
};

struct crew {
	/* fixed after crew_new */
	const char *name;
	unsigned limit;
	unsigned started;
	struct bell announce;
	/* under lock */
	struct lock lock;
	pthread_cond_t more;
	struct list queue;
	unsigned idle;
	bool is_ending;
	/* written under lock */
	_Atomic unsigned depth;
	_Atomic unsigned batch; /* jobs that a thread runs in one go */

	pthread_t threads[];
};

/* Wakes as many threads as there is work for. */
static void wake_locked(struct crew *c)
{
	unsigned wanted = (crew_depth(c) + c->batch - 1) / c->batch;
	for (unsigned i = 0; i < wanted && i < c->idle; i++)
		pthread_cond_signal(&c->more);
}

static void on_announce(struct bell *bell)
{
	struct crew *c = CONTAINER_OF(bell, struct crew, announce);
	lock_take(&c->lock);
	wake_locked(c);
	lock_drop(&c->lock);
}

/* The next job. If there is none NULL; or, if it waits, only when the crew has ended. */
static struct job *take(struct crew *c, bool waits)
{
	lock_take(&c->lock);
	c->idle += waits;
	while (waits && list_empty(&c->queue) && !c->is_ending)
		pthread_cond_wait(&c->more, &c->lock.mutex);
	c->idle -= waits;
	struct list *first = list_take_first(&c->queue);
	if (first)
		atomic_fetch_sub_explicit(&c->depth, 1, memory_order_relaxed);
	lock_drop(&c->lock);
	return first ? LIST_OF(first, struct job, link) : NULL;
}

/* Longer batches while jobs are short; when they wait for a disk, one each. */
static void adjust(struct crew *c, bool is_short)
{
	if (is_short == (atomic_load_explicit(&c->batch, memory_order_relaxed) == BATCH_MAX))
		return;
	lock_take(&c->lock);
	unsigned batch = is_short ? c->batch * 2 : c->batch / 2;
	c->batch = (unsigned)max_u64(min_u64(batch, BATCH_MAX), 1);
	lock_drop(&c->lock);
}

/* Runs a job and those behind it, and posts their letters when the batch, or the queue, is over.
 * One that has waited for long ends it: others are to take what is queued. */
static void run_batch(struct crew *c, struct job *job)
{
	struct mono began = mono_now(), before = began;
	int64_t last_us = 0;
	unsigned count = 0;
	mail_hold();
	while (job) {
		job->work(job); /* which may free it */
		struct mono now = mono_now();
		last_us = now.us - before.us;
		before = now;
		count++;
		job = count < c->batch && last_us < LONG_US ? take(c, false) : NULL;
	}
	mail_release();
	adjust(c, before.us - began.us <= (int64_t)count * SHORT_US);
	if (last_us >= LONG_US)
		on_announce(&c->announce);
}

static void *thread_main(void *arg)
{
	struct crew *c = arg;
	role_worker();
	pthread_setname_np(pthread_self(), c->name);
	for (struct job *job; (job = take(c, true)) != NULL;)
		run_batch(c, job);
	return NULL;
}

/* Starts threads until one fails: a crew of fewer still works, a crew of none does not. */
static void start(struct crew *c, unsigned threads)
{
	while (c->started < threads && thread_start(&c->threads[c->started], thread_main, c))
		c->started++;
}

struct crew *crew_new(const char *name, unsigned threads, unsigned queue)
{
	struct crew *c = calloc(1, sizeof(*c) + threads * sizeof(c->threads[0]));
	if (!c)
		return NULL;
	c->name = name;
	c->limit = queue;
	c->batch = 1;
	c->announce.ring = on_announce;
	list_init(&c->queue);
	lock_init(&c->lock);
	pthread_cond_init(&c->more, NULL);
	start(c, threads);
	if (c->started == 0)
		crew_free(&c);
	return c;
}

void crew_free(struct crew **crew)
{
	struct crew *c = *crew;
	*crew = NULL;
	if (!c)
		return;
	lock_take(&c->lock);
	c->is_ending = true;
	pthread_cond_broadcast(&c->more);
	lock_drop(&c->lock);
	for (unsigned i = 0; i < c->started; i++)
		pthread_join(c->threads[i], NULL);
	pthread_cond_destroy(&c->more);
	lock_fini(&c->lock);
	free(c);
}

static void enqueue_locked(struct crew *c, struct job *job)
{
	list_append(&c->queue, &job->link);
	atomic_fetch_add_explicit(&c->depth, 1, memory_order_relaxed);
}

/* A loop says so at the end of its round; others at once. */
static void announce(struct crew *c)
{
	struct loop *loop = loop_current();
	if (!loop) {
		on_announce(&c->announce);
		return;
	}
	role_loop();
	loop_ring_later(loop, &c->announce);
}

bool crew_post(struct crew *c, struct job *job)
{
	lock_take(&c->lock);
	bool fits = !c->is_ending && crew_depth(c) < c->limit;
	if (fits)
		enqueue_locked(c, job);
	lock_drop(&c->lock);
	if (fits)
		announce(c);
	return fits;
}

void crew_push(struct crew *c, struct job *job)
{
	lock_take(&c->lock);
	enqueue_locked(c, job);
	lock_drop(&c->lock);
	announce(c);
}

unsigned crew_depth(const struct crew *c)
{
	return atomic_load_explicit(&c->depth, memory_order_relaxed);
}
