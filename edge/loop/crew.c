/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/crew.h"

#include <signal.h>

struct crew {
	/* fixed after crew_new */
	const char *name;
	unsigned limit;
	unsigned started;
	/* under lock */
	struct lock lock;
	pthread_cond_t more;
	struct list queue;
	bool is_ending;
	/* written under lock */
	_Atomic unsigned depth;

	pthread_t threads[];
};

/* The next job, as soon as there is one; NULL when the crew has ended and nothing is left. */
static struct job *take(struct crew *c)
{
	lock_take(&c->lock);
	while (list_empty(&c->queue) && !c->is_ending)
		pthread_cond_wait(&c->more, &c->lock.mutex);
	struct list *first = list_take_first(&c->queue);
	if (first)
		atomic_fetch_sub_explicit(&c->depth, 1, memory_order_relaxed);
	lock_drop(&c->lock);
	return first ? LIST_OF(first, struct job, link) : NULL;
}

static void *thread_main(void *arg)
{
	struct crew *c = arg;
	role_worker();
	pthread_setname_np(pthread_self(), c->name);
	for (struct job *job = take(c); job; job = take(c))
		job->work(job); /* which may free it */
	return NULL;
}

/* Starts threads until one fails: a crew of fewer still works, a crew of none does not. */
static void start(struct crew *c, unsigned threads)
{
	/* Signals belong to the control loop. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (c->started < threads &&
	    pthread_create(&c->threads[c->started], NULL, thread_main, c) == 0)
		c->started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct crew *crew_new(const char *name, unsigned threads, unsigned queue)
{
	struct crew *c = calloc(1, sizeof(*c) + threads * sizeof(c->threads[0]));
	if (!c)
		return NULL;
	c->name = name;
	c->limit = queue;
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
	pthread_cond_signal(&c->more);
}

bool crew_post(struct crew *c, struct job *job)
{
	lock_take(&c->lock);
	bool fits = !c->is_ending && crew_depth(c) < c->limit;
	if (fits)
		enqueue_locked(c, job);
	lock_drop(&c->lock);
	return fits;
}

void crew_push(struct crew *c, struct job *job)
{
	lock_take(&c->lock);
	enqueue_locked(c, job);
	lock_drop(&c->lock);
}

unsigned crew_depth(const struct crew *c)
{
	return atomic_load_explicit(&c->depth, memory_order_relaxed);
}
