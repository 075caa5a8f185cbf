/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3 with 128 bits of output: short keys fast, and nobody who does not know the secret can
 * make two keys meet. (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; 1-3 is the round
 * count that hash tables settled on.) Its value goes to disk: it must never change.
 */
#pragma once

#include "edge/base/slice.h"

struct hash128 {
	uint64_t hi, lo;
};

/* The random key of a store's hashes; made once, kept in the store. */
struct hash_secret {
	unsigned char bytes[16];
};

static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

/* lo is the first eight bytes of the published output, hi the second, little-endian each. */
struct hash128 hash_siphash(struct hash_secret, struct slice);
