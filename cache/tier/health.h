/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the store's disk does, reading and writing apart. After a failure nobody tries for a while;
 * then the next one who comes tries again, and its success makes the lane well. So a disk that was
 * full heals by itself, and one that is gone is not asked at every request. A change of state is
 * logged, once. thread: any, all of it.
 */
#pragma once

#include "edge/base/clock.h"
#include "edge/base/err.h"

enum { HEALTH_RETRY_MS = 2000 };

enum health_lane { HEALTH_READS, HEALTH_WRITES, HEALTH_LANES };

struct health {
	_Atomic int64_t retry_at_us[HEALTH_LANES]; /* 0 = well */
};

/* Whether a try makes sense now. */
bool health_may(const struct health *, enum health_lane);
bool health_is_well(const struct health *, enum health_lane);
/* Tells how a try went. why: the failure's own words. */
void health_tell(struct health *, enum health_lane, enum err, const char *why);
