/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines of connections and exchanges. There are few different durations and many waiters, so
 * each duration has a list: setting a deadline appends to it, and only list heads are ever looked
 * at. Setting and clearing cost a few pointer writes, no heap and no system call; expiry is late by
 * up to a tick (100 ms), never early.
 */
#pragma once

#include <ev.h>

#include "edge/base/clock.h"
#include "edge/base/list.h"

enum { DEADLINE_CLASSES = 32, DEADLINE_TICK_MS = 100 };

struct deadline;
typedef void deadline_f(struct deadline *);

struct deadline {
	struct list link; /* unlinked = not set */
	struct mono at;
	deadline_f *expire; /* fixed: runs ON_LOOP, with the deadline cleared */
};

struct deadlines {
	struct deadline_class {
		int64_t ms;
		struct list waiting; /* earliest first */
	} classes[DEADLINE_CLASSES];
	unsigned used;
	struct ev_timer tick; /* runs only while something waits */
	struct loop *loop;
};

static inline void deadline_init(struct deadline *d, deadline_f *expire)
{
	list_init(&d->link);
	d->expire = expire;
}
static inline bool deadline_is_set(const struct deadline *d)
{
	return !list_empty(&d->link);
}
/*
 * Sets (or moves) a deadline `ms` from now; 0 or less clears it. A 33rd different duration is
 * rounded up to the next known one, or to the longest.
 */
void deadline_set(struct loop *, struct deadline *, int64_t ms) ON_LOOP;
static inline void deadline_clear(struct deadline *d)
{
	list_drop(&d->link);
}

/* For loop.c. */
void deadlines_init(struct deadlines *, struct loop *);
