/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crew is a few threads that may block, behind one bounded queue. A job is embedded in what it is
 * about; its work runs ON_WORKER and mails the outcome home.
 *
 * A switch of threads costs more than a job that finds its bytes in memory. So a loop's jobs are
 * announced when its round is over, and a thread takes several jobs in one go, and posts their mail
 * together, as long as jobs turn out to be short. Jobs that wait for a disk are spread over all.
 */
#pragma once

#include "edge/base/err.h"
#include "edge/base/list.h"

struct crew;
struct job;
typedef void job_f(struct job *);

struct job {
	struct list link;
	job_f *work; /* fixed: runs ON_WORKER */
};

/* Starts `threads` threads. queue: jobs that may wait. own: crew_free. fail: NULL. */
struct crew *crew_new(const char *name, unsigned threads, unsigned queue);
/* Runs what is queued, then ends the threads. */
void crew_free(struct crew **);
/* Queues a job. False when the queue is full or the crew ends: the caller degrades. thread: any. */
bool crew_post(struct crew *, struct job *);
/* Queues a job in any case: for the next part of what crew_post took once. thread: any. */
void crew_push(struct crew *, struct job *);
/* Jobs waiting. thread: any. */
unsigned crew_depth(const struct crew *);
