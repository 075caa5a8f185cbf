/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/admit.h"

enum {
	WORDS = 2 * 1024 * 1024 / 8,
	BITS = WORDS * 64,
	PROBES = 7,
	FULL = BITS / 10, /* hashes: half the bits are set then */
};

struct sightings {
	_Atomic uint32_t noted; /* in the younger */
	_Atomic uint32_t young; /* index of the younger */
	_Atomic uint64_t words[2][WORDS];
};

struct sightings *sightings_new(void)
{
	return calloc(1, sizeof(struct sightings));
}

void sightings_free(struct sightings **s)
{
	free(*s);
	*s = NULL;
}

/* The n-th bit of a hash: its halves are independent, so two of them make as many as needed. */
static uint64_t bit_of(struct hash128 hash, unsigned n)
{
	return (hash.hi + n * (hash.lo | 1)) % BITS;
}

static bool has(const _Atomic uint64_t *words, struct hash128 hash)
{
	for (unsigned n = 0; n < PROBES; n++) {
		uint64_t bit = bit_of(hash, n);
		uint64_t word = atomic_load_explicit(&words[bit / 64], memory_order_relaxed);
		if (!(word >> bit % 64 & 1))
			return false;
	}
	return true;
}

static void set(_Atomic uint64_t *words, struct hash128 hash)
{
	for (unsigned n = 0; n < PROBES; n++) {
		uint64_t bit = bit_of(hash, n);
		atomic_fetch_or_explicit(
		    &words[bit / 64], (uint64_t)1 << bit % 64, memory_order_relaxed);
	}
}

/* Empties the older filter and makes it the younger. Who notes at this moment may be forgotten. */
static void turn(struct sightings *s, uint32_t young)
{
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&s->words[!young][i], 0, memory_order_relaxed);
	atomic_store_explicit(&s->young, !young, memory_order_relaxed);
	atomic_store_explicit(&s->noted, 0, memory_order_relaxed);
}

bool sightings_note(struct sightings *s, struct hash128 hash)
{
	uint32_t young = atomic_load_explicit(&s->young, memory_order_relaxed);
	if (has(s->words[young], hash))
		return true;
	bool seen = has(s->words[!young], hash);
	set(s->words[young], hash);
	/* Exactly one thread sees the number that fills it. */
	if (atomic_fetch_add_explicit(&s->noted, 1, memory_order_relaxed) == FULL)
		turn(s, young);
	return seen;
}
