/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/histogram.h"

/* clang-format off */
const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
	100, 250, 500,
	1000, 2500, 5000,
	10000, 25000, 50000,
	100000, 250000, 500000,
	1000000, 2500000, 5000000,
	10000000,
};
/* clang-format on */

static size_t bucket_of(uint64_t us)
{
	size_t at = 0;
	while (at < HISTOGRAM_BOUNDS && us > histogram_bounds_us[at])
		at++;
	return at;
}

void histogram_add(struct histogram *h, int64_t us)
{
	uint64_t took = us > 0 ? (uint64_t)us : 0;
	meter_add(&h->buckets[bucket_of(took)], 1);
	meter_add(&h->sum_us, took);
}

void histogram_add_shared(struct histogram *h, int64_t us)
{
	uint64_t took = us > 0 ? (uint64_t)us : 0;
	meter_add_shared(&h->buckets[bucket_of(took)], 1);
	meter_add_shared(&h->sum_us, took);
}

void histogram_read(const struct histogram *h, struct histogram_sum *sum)
{
	for (size_t at = 0; at <= HISTOGRAM_BOUNDS; at++) {
		uint64_t seen = meter_read(&h->buckets[at]);
		sum->buckets[at] += seen;
		sum->count += seen;
	}
	sum->sum_us += meter_read(&h->sum_us);
}

double histogram_quantile(const struct histogram_sum *sum, double part)
{
	double rank = part * (double)sum->count, below = 0, from = 0;
	for (size_t at = 0; at < HISTOGRAM_BOUNDS && sum->count; at++) {
		double here = (double)sum->buckets[at], to = (double)histogram_bounds_us[at];
		if (here > 0 && below + here >= rank)
			return from + (to - from) * (rank - below) / here;
		below += here;
		from = to;
	}
	return from;
}
