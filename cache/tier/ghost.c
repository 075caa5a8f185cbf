/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/ghost.h"

struct ghost {
	uint32_t mark; /* bits of the hash */
	uint32_t at;   /* the clock when it came; 0 = empty */
};

static struct ghost *ghost_of(const struct ghosts *g, struct hash128 hash)
{
	return &g->at[hash.lo & (g->places - 1)];
}

static uint32_t mark_of(struct hash128 hash)
{
	return (uint32_t)(hash.hi >> 32);
}

bool ghosts_resize(struct ghosts *g, uint32_t places)
{
	struct ghost *at = calloc(places, sizeof(*at));
	if (!at)
		return false;
	free(g->at);
	g->at = at;
	g->places = places;
	return true;
}

void ghosts_remember(struct ghosts *g, struct hash128 hash, uint32_t units)
{
	g->clock += units;
	g->clock += g->clock == 0;
	*ghost_of(g, hash) = (struct ghost){ mark_of(hash), g->clock };
}

bool ghosts_know(const struct ghosts *g, struct hash128 hash, uint64_t span)
{
	const struct ghost *one = ghost_of(g, hash);
	return one->at != 0 && one->mark == mark_of(hash) && g->clock - one->at <= span;
}

bool ghosts_recall(struct ghosts *g, struct hash128 hash, uint64_t span)
{
	bool known = ghosts_know(g, hash, span);
	if (known)
		ghost_of(g, hash)->at = 0;
	return known;
}
