/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refreshing is what follows a soft purge that asks for it: what it made stale is fetched again
 * before somebody asks for it, what is asked for most first, and no faster than the origin may be
 * asked.
 *
 *	refreshing_begin -> a letter to one worker after the other (refresher.h) -> progress ... over
 *
 * Each refresh has a rate of its own, and goes on beside others. At most as many are on their way
 * as the rate allows for two seconds: an origin that gets slow is not asked for more meanwhile.
 * What a tick of the clock leaves over is not saved up for long, so that a loop that was busy does
 * not make up for it in one go.
 *
 * The memory of all lists together is bounded: what is over that is left out of the list, which is
 * the coldest of it.
 *
 * Life: refreshing_new, refreshing_add for each worker, refreshing_stop (nothing new goes out), and
 * when the workers have ended refreshing_free, which takes with it the letters that nobody gets any
 * more.
 *
 * thread: the control loop, all of it.
 */
#pragma once

#include "edge/serve/refresher.h"
#include "purge/log.h"

enum { REFRESH_ITEMS = SURVEY_HOTTEST, REFRESH_BYTES = 32 * 1024 * 1024 };

struct refreshing;

/* From now on it refreshes what this log's purges ask for. workers: how many will be added. own:
 * refreshing_free. fail: NULL. */
struct refreshing *refreshing_new(struct loop *home, struct purge_log *, unsigned workers);
/* Before the first purge. */
void refreshing_add(struct refreshing *, struct worker *);
void refreshing_stop(struct refreshing *) ON_LOOP;
void refreshing_free(struct refreshing **) ON_LOOP;

struct refresh_spec {
	const struct refresh_item *items; /* hottest first; copied */
	size_t count;
	uint64_t rate;   /* of requests, a second; 1 at least */
	uint64_t seq;    /* whose receipt tells how far it is */
	uint64_t number; /* the purge's, of the fence */
};

/* Begins a refresh; returns how many it is of: no more than there is memory for. */
size_t refreshing_begin(struct refreshing *, const struct refresh_spec *) ON_LOOP;
