/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the store does, in three lanes: opening it, reading, writing. After a failure nobody tries
 * for a while, each time a longer one; then the next one who comes tries again, and its success
 * makes the lane well. So a disk that was full heals by itself, and one that is gone is not asked
 * at every request. What ails a lane is logged when it changes, with what to do about it.
 *
 * thread: any to ask; one at a time to tell (store_tell sees to it).
 */
#pragma once

#include "cache/tier/trouble.h"
#include "edge/base/clock.h"

enum { HEALTH_RETRY_MS = 2000, HEALTH_RETRY_MOST_MS = 30000, HEALTH_CALM_MS = 60000 };

enum health_lane { HEALTH_OPEN, HEALTH_READS, HEALTH_WRITES, HEALTH_LANES };

struct health {
	/* atomic */
	_Atomic int64_t retry_at_us[HEALTH_LANES]; /* 0 = well */
	_Atomic enum trouble trouble[HEALTH_LANES];
	/* who tells */
	int64_t pause_ms[HEALTH_LANES];    /* the next one */
	struct mono well_at[HEALTH_LANES]; /* since when, if it was not always */
};

/* Whether a try makes sense now. */
bool health_may(const struct health *, enum health_lane);
bool health_is_well(const struct health *, enum health_lane);
enum trouble health_trouble(const struct health *, enum health_lane);
/* Tells how a try went. words: the failure's own. */
void health_tell(struct health *, enum health_lane, enum trouble, const char *words);
