/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refreshing is what follows a soft purge that asks for it: what it made stale is fetched again before
 * somebody asks for it, what is asked for most first, and no faster than the origin may be asked.
 *
 *	refreshing_begin -> a letter to one worker after the other (refresher.h) -> progress ... over
 *
 * Each refresh has a rate of its own, and goes on beside others. At most as many are on their way as the
 * rate allows for two seconds: an origin that gets slow is not asked for more meanwhile. What a tick
 * of the clock leaves over is not saved up for long, so that a loop that was busy does not make up
 * for it in one go.
 *
 * The memory of all lists together is bounded: what is over that is left out of the list, which is the
 * coldest of it.
 *
 * Life: refreshing_new, refreshing_stop (nothing new goes out, nobody is told any more), and when the
 * workers have ended refreshing_free, which takes with it the letters that nobody gets any more.
 *
 * thread: the control loop, all of it.
 */
#pragma once

#include "edge/serve/refresher.h"

enum { REFRESH_ITEMS = 10000, REFRESH_BYTES = 32 * 1024 * 1024 };

struct refreshing;

/* How far a refresh is. It is over when queued = done + failed. */
struct refresh_progress {
	uint64_t queued;
	uint64_t done; /* fresh now, or not needed */
	uint64_t failed;
};
/* Called for each that came back; the last time with is_over. */
typedef void refresh_told_f(void *arg, const struct refresh_progress *, bool is_over);

struct refresh_spec {
	const struct refresh_item *items; /* hottest first; copied */
	size_t count;
	uint64_t rate;   /* of requests, a second; 1 at least */
	uint64_t number; /* the purge's, of the fence */
	refresh_told_f *told;
	void *arg;
};

/* workers: copied; all of them run before the first refresh. own: refreshing_free. fail: NULL. */
struct refreshing *refreshing_new(struct loop *home, struct worker *const *workers, unsigned count);
void refreshing_free(struct refreshing **);
void refreshing_stop(struct refreshing *) ON_LOOP;

/* Begins a refresh; returns how many it is of. 0: of none, by lack of memory or because there are none;
 * nobody is told then. */
size_t refreshing_begin(struct refreshing *, const struct refresh_spec *) ON_LOOP;
