/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An errand is a request to admin that waits for somebody: for the disk, or for its turn on the
 * loop. It outlives a client that goes away meanwhile: then `reply` is NULL, and whoever comes back
 * with the outcome finds that out and ends it. All that the errand needs is its own, in its arena.
 *
 *	errand_new -> (somebody is asked, and answers) -> errand_end
 *
 * Those that still wait when Larder ends are dropped once nobody can answer any more: errands_drop.
 * Embedded, as the first member, in what the handler keeps.
 */
#pragma once

#include "edge/admin/admin.h"
#include "edge/admin/reply.h"

enum { ERRAND_BYTES = 4 * 1024 * 1024 };

struct errand {
	struct list link; /* of admin->errands */
	struct admin *admin;
	struct reply *reply; /* NULL = the client has gone */
	struct arena arena;
	void (*drop)(struct errand *); /* lets go of what it holds, but for the errand itself */
	void (*left)(
	    struct errand *); /* the reply has gone; may end it. NULL = nothing to do yet */
};

/* Begins an errand of `bytes` bytes, zeroed, for a reply. own: errand_end. fail: NULL; the reply
 * was sent. */
void *errand_new(struct admin *, struct reply *, size_t bytes, void (*drop)(struct errand *))
    ON_LOOP;
/* Ends it: drops what it holds and frees it. The reply, if it was not sent, stays. */
void errand_end(struct errand *) ON_LOOP;
/* Ends all that wait. Nobody may answer any more. */
void errands_drop(struct admin *) ON_LOOP;
