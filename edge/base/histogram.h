/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long things took, in fixed buckets of 1, 2.5 and 5 a decade from 100 us to 10 s: wide enough
 * for a hit from RAM and for an origin that is about to time out, and the same everywhere, so that
 * histograms of loops, nodes and versions can be summed.
 *
 * A histogram belongs to one loop, as a meter does; the scraper sums them. A bucket counts what
 * fell into it alone: the running sums that Prometheus wants are made when they are read, so that
 * the count and the buckets of one reading always agree.
 */
#pragma once

#include "edge/base/meter.h"

enum { HISTOGRAM_BOUNDS = 16 };

struct histogram {
	meter buckets[HISTOGRAM_BOUNDS + 1]; /* the last: longer than every bound */
	meter sum_us;
};

/* The buckets' upper bounds, which belong to them. unit: microseconds. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

/* What a histogram held at one moment, or several of them together. */
struct histogram_sum {
	uint64_t buckets[HISTOGRAM_BOUNDS + 1];
	uint64_t count, sum_us;
};

/* Counts one duration; a negative one counts as none. thread: the owner. unit: microseconds. */
void histogram_add(struct histogram *, int64_t us);
/* The same, for a histogram that several threads have together. thread: any. */
void histogram_add_shared(struct histogram *, int64_t us);
/* Adds what it holds now to a sum. thread: any. */
void histogram_read(const struct histogram *, struct histogram_sum *);
/*
 * The duration that `part` (0 to 1) of all stayed within, read between two bounds by a straight
 * line; the last bound when it lies beyond; 0 when nothing was counted. unit: microseconds.
 */
double histogram_quantile(const struct histogram_sum *, double part);
