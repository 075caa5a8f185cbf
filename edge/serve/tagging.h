/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tagging searches the body of an answer for tags, and stores the answer when it has them. Before
 * that nobody finds it in the cache: a purge of a tag that is not known yet would miss it. The
 * client that asked gets the bytes as they come; those who joined wait for the claim until all is
 * known.
 *
 *	tagging_new       the head has come; the body is kept in RAM, tagging_room at most
 *	tagging_read      it is whole: a job for the worker's taggers, then a letter back, and it is
 *	                  published with all its tags
 *	tagging_give_up   it cannot be stored, then or at any time before: those who wait go on alone
 *	tagging_fail      the body did not come: those who wait learn why
 *
 * From tagging_read on it outlives its fetch and belongs to the worker, whose loop does not stop
 * before the letter has come. Until the letter the arena and the results are the job's.
 */
#pragma once

#include "edge/serve/worker.h"

struct tagging;

struct tagging_spec {
	struct plan *plan; /* the route is of this plan */
	const struct route *route;
	struct key key, at; /* primary key, and where the request looked, if it did */
	struct object
	    *object; /* with the tags of its head, and a body that keeps tagging_room bytes */
	struct object *stored; /* what it is to replace; may be NULL */
	struct claim *claim;   /* passes to the tagging, unless there is no memory; may be NULL */
};

/* The largest body that is searched just now, in bytes. */
uint64_t tagging_room(struct cache *);

/* own: one of the three below. fail: NULL without memory. */
struct tagging *tagging_new(struct worker *, const struct tagging_spec *) ON_LOOP;
/* All of them accept NULL, and null it. */
void tagging_read(struct tagging **) ON_LOOP;
void tagging_give_up(struct tagging **, enum reason) ON_LOOP;
void tagging_fail(struct tagging **, enum err) ON_LOOP;

/* The worker closes: what is with the taggers is not wanted any more. */
void tagging_close_all(struct worker *) ON_LOOP;
