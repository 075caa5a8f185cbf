/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chance that comes out the same in every run: each stream of numbers follows from its seed, and
 * what belongs to an object (its size, its bytes) from the object's number alone.
 */
#pragma once

#include "edge/base/base.h"

/* A number for a number, as good as random (splitmix64). */
static inline uint64_t chance_of(uint64_t n)
{
	n = (n + 1) * 0x9e3779b97f4a7c15;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
	n = (n ^ n >> 27) * 0x94d049bb133111eb;
	return n ^ n >> 31;
}

struct chance {
	uint64_t at; /* the seed, to begin with */
};

static inline uint64_t chance_next(struct chance *c)
{
	return chance_of(c->at++);
}
/* 0 <= x < 1 */
static inline double chance_part(struct chance *c)
{
	return (double)(chance_next(c) >> 11) * 0x1p-53;
}

/* Ranks 0.. of a Zipf distribution: the n-th is asked for in proportion to 1/(n+1)^skew. */
struct zipf {
	uint32_t count;
	double *sums; /* ascending, the last is 1. Owned */
};
void zipf_init(struct zipf *, uint32_t count, double skew);
void zipf_fini(struct zipf *);
uint32_t zipf_next(const struct zipf *, struct chance *);
/* The part of all that asks for the first `ranks`: no cache of that many can hit more. */
double zipf_share(const struct zipf *, uint32_t ranks);

/* The n-th of a lognormal distribution. */
double chance_lognormal(uint64_t n, double median, double sigma);
