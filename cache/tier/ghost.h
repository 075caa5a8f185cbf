/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ghosts: hashes that left a shard of the hot tier without having been asked for again, or were
 * read from the disk and not taken. One slot a place of the shard's table, the latest comer has it;
 * and one is believed while less than a span of units was remembered after it. thread: under the
 * shard's lock.
 */
#pragma once

#include "cache/rule/key.h"

struct ghost;
struct ghosts {
	struct ghost *at; /* owned */
	uint32_t places;  /* a power of two */
	uint32_t clock;   /* units remembered; wraps */
};

/* Makes room for so many, empty; what was remembered is given up. own: free `at`. False: no memory,
 * and nothing has changed. */
bool ghosts_resize(struct ghosts *, uint32_t places);
void ghosts_remember(struct ghosts *, struct hash128, uint32_t units);
bool ghosts_know(const struct ghosts *, struct hash128, uint64_t span);
/* Whether it is known; forgets it: it is back. */
bool ghosts_recall(struct ghosts *, struct hash128, uint64_t span);
