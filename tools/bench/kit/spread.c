/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/kit/spread.h"

#include <time.h>

int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

/* Exact below 2 * SPREAD_FINE, then SPREAD_FINE to a doubling. */
static size_t bucket_of(uint64_t ns)
{
	size_t shift = 0;
	while (ns >> shift >= 2 * (size_t)SPREAD_FINE)
		shift++;
	return min_size(shift * SPREAD_FINE + (ns >> shift), SPREAD_BUCKETS - 1);
}

static double middle_of(size_t bucket)
{
	if (bucket < 2 * (size_t)SPREAD_FINE)
		return (double)bucket;
	size_t shift = bucket / SPREAD_FINE - 1;
	return ((double)(bucket - shift * SPREAD_FINE) + 0.5) * (double)((uint64_t)1 << shift);
}

void spread_add(struct spread *s, int64_t ns)
{
	uint64_t value = ns > 0 ? (uint64_t)ns : 0;
	s->buckets[bucket_of(value)]++;
	s->count++;
	s->max_ns = max_u64(s->max_ns, value);
}

void spread_join(struct spread *s, const struct spread *other)
{
	for (size_t i = 0; i < SPREAD_BUCKETS; i++)
		s->buckets[i] += other->buckets[i];
	s->count += other->count;
	s->max_ns = max_u64(s->max_ns, other->max_ns);
}

double spread_us(const struct spread *s, double part)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < SPREAD_BUCKETS; i++) {
		sum += s->buckets[i];
		if (sum > 0 && (double)sum >= part * (double)s->count)
			return middle_of(i) / 1000;
	}
	return 0;
}
