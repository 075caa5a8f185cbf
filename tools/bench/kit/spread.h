/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long things took, to within 2 %: buckets of 1/64 of a power of two. One thread adds.
 * unit: nanoseconds.
 */
#pragma once

#include "edge/base/base.h"

enum { SPREAD_FINE = 64, SPREAD_BUCKETS = 48 * SPREAD_FINE };

struct spread {
	uint64_t count, max_ns;
	uint32_t buckets[SPREAD_BUCKETS];
};

/* The monotonic clock. */
int64_t now_ns(void);
void spread_add(struct spread *, int64_t ns);
/* Adds all of another. */
void spread_join(struct spread *, const struct spread *);
/* The time that `part` (0 to 1) of all stayed within; 0 when there was none. unit: microseconds. */
double spread_us(const struct spread *, double part);
